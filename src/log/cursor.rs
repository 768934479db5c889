//! Where a follower begins: what `since` may say, and what it means for a log.

use std::str::FromStr;
use std::time::Duration;

use crate::message::{Channel, Cursor, Epoch, Gap, GapReason, Seq};

/// A follower's channels, each with the place up to which it is not asked for.
pub type Selection = Box<[(Channel, Seq)]>;

/// What a follower asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// All that is kept.
    All,
    /// Only what comes from now on.
    Now,
    /// What comes behind a cursor.
    Cursor(Cursor),
    /// What comes behind a seq, in whatever epoch.
    Seq(Seq),
    /// The last so many, and what comes.
    Last(u64),
    /// What is at most so old, and what comes.
    Ago(Duration),
}

/// The text says none of what [`Since`] may be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("is none of: a cursor (EPOCH-SEQ), a seq, all, now, -N, a duration such as 10m")]
pub struct ParseSinceError;

impl FromStr for Since {
    type Err = ParseSinceError;

    fn from_str(text: &str) -> Result<Since, ParseSinceError> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text {
            "all" => Ok(Since::All),
            "now" => Ok(Since::Now),
            _ if digits(text) => text
                .parse()
                .map(|seq| Since::Seq(Seq(seq)))
                .map_err(|_| ParseSinceError),
            _ => match text.strip_prefix('-') {
                Some(count) if digits(count) => {
                    count.parse().map(Since::Last).map_err(|_| ParseSinceError)
                }
                Some(_) => Err(ParseSinceError),
                None => text.parse().map(Since::Cursor).or_else(|_| {
                    humantime::parse_duration(text)
                        .map(Since::Ago)
                        .map_err(|_| ParseSinceError)
                }),
            },
        }
    }
}

/// A place that only the store knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// Before the oldest message that is kept.
    Earliest,
    /// Before the last so many of the messages up to a place.
    Last {
        /// So many.
        count: u64,
        /// Up to there.
        through: Seq,
    },
    /// Before the first message that is not older than so much.
    Ago(Duration),
}

/// How [`Since`] is to be resolved.
#[derive(Debug, PartialEq, Eq)]
pub enum Resolved {
    /// At this place, after saying that something is missing.
    At(Seq, Option<GapReason>),
    /// Where the store finds this.
    Ask(StartAt, Option<GapReason>),
}

impl Since {
    /// What is asked for, in a log of this epoch whose newest message is `last`.
    #[must_use]
    pub fn resolve(&self, epoch: &Epoch, last: Seq) -> Resolved {
        match *self {
            Since::All => Resolved::Ask(StartAt::Earliest, None),
            Since::Now => Resolved::At(last, None),
            // Nothing of this life of the log has been seen: all of it is due.
            Since::Cursor(ref cursor) if cursor.epoch != *epoch => {
                Resolved::Ask(StartAt::Earliest, Some(GapReason::Epoch))
            }
            Since::Cursor(Cursor { seq, .. }) | Since::Seq(seq) if seq > last => {
                Resolved::At(last, Some(GapReason::Future))
            }
            Since::Cursor(Cursor { seq, .. }) | Since::Seq(seq) => Resolved::At(seq, None),
            Since::Last(count) => Resolved::Ask(
                StartAt::Last {
                    count,
                    through: last,
                },
                None,
            ),
            Since::Ago(age) => Resolved::Ask(StartAt::Ago(age), None),
        }
    }
}

/// A follower's beginning.
#[derive(Clone, Debug)]
pub struct Start {
    /// What it follows.
    pub selection: Selection,
    /// Where it stands.
    pub at: Seq,
    /// What it is told first.
    pub gap: Option<Gap>,
    /// Up to here it reads the store, whatever the tail may still have: what had been let go
    /// before it came is gone for it. What is let go while it follows, it still gets.
    pub store_until: Seq,
}

impl Start {
    /// Begins its first channel no later than there.
    pub fn no_later_than(&mut self, known: Seq) {
        if let Some((_, from)) = self.selection.first_mut() {
            *from = (*from).min(known);
            self.at = self.at.min(*from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_read() {
        assert_eq!("all".parse(), Ok(Since::All));
        assert_eq!("now".parse(), Ok(Since::Now));
        assert_eq!("17".parse(), Ok(Since::Seq(Seq(17))));
        assert_eq!("-3".parse(), Ok(Since::Last(3)));
        assert_eq!("10m".parse(), Ok(Since::Ago(Duration::from_mins(10))));
        assert!(matches!(
            "k3f9-17".parse(),
            Ok(Since::Cursor(Cursor { seq: Seq(17), .. }))
        ));
        for bad in [
            "",
            "-",
            "--1",
            "-x",
            "yesterday",
            "k3f9-",
            "1.5",
            "99999999999999999999",
        ] {
            assert_eq!(bad.parse::<Since>(), Err(ParseSinceError), "{bad:?}");
        }
    }

    #[test]
    fn a_cursor_of_another_life_or_of_the_future_is_a_gap() {
        let (epoch, other) = (Epoch::random(), Epoch::random());
        let at = |epoch: &Epoch, seq| {
            Since::Cursor(Cursor {
                epoch: epoch.clone(),
                seq: Seq(seq),
            })
        };
        assert_eq!(
            at(&epoch, 5).resolve(&epoch, Seq(9)),
            Resolved::At(Seq(5), None)
        );
        assert_eq!(
            at(&epoch, 10).resolve(&epoch, Seq(9)),
            Resolved::At(Seq(9), Some(GapReason::Future))
        );
        let missing = Resolved::Ask(StartAt::Earliest, Some(GapReason::Epoch));
        assert_eq!(at(&other, 5).resolve(&epoch, Seq(9)), missing);
    }
}
