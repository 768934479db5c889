//! Where a follower starts: what `since` may be, and what it means in a log. A start that only the
//! store can find is a [`StartAt`], which each store resolves (`memory.rs`, `sqlite/read.rs`).

use std::str::FromStr;
use std::time::Duration;

use super::Selection;
use crate::message::{Channel, Close, Cursor, Epoch, Gap, GapReason, Seq, Timestamp};

/// The messages that a follower asks for. Those that are appended later always belong to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// All messages that are kept.
    All,
    /// Only messages that are appended from now on.
    Now,
    /// The messages after a cursor.
    Cursor(Cursor),
    /// The messages after a position that another log gave out, in a form that this one does not know.
    Foreign,
    /// The messages after a seq, whatever the log's epoch is.
    Seq(Seq),
    /// The last messages: this many of them.
    Last(u64),
    /// The messages that are at most this old.
    Ago(Duration),
    /// The messages from the first on, by seq, whose time is not earlier than this.
    Time(Timestamp),
    /// The last message of each channel.
    Each,
}

/// The error of a text that is not a [`Since`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "is none of: a cursor (EPOCH-SEQ), a seq, all, now, each, -N, a duration such as 10m, a time such as \
     2026-11-27T21:00:00Z"
)]
pub struct ParseSinceError;

impl FromStr for Since {
    type Err = ParseSinceError;

    fn from_str(text: &str) -> Result<Since, ParseSinceError> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text {
            "all" => Ok(Since::All),
            "now" => Ok(Since::Now),
            "each" => Ok(Since::Each),
            _ if digits(text) => text
                .parse()
                .map(|seq| Since::Seq(Seq(seq)))
                .map_err(|_| ParseSinceError),
            _ => match text.strip_prefix('-') {
                Some(count) if digits(count) => {
                    count.parse().map(Since::Last).map_err(|_| ParseSinceError)
                }
                Some(_) => Err(ParseSinceError),
                None => (text.parse().map(Since::Cursor))
                    .or_else(|_| humantime::parse_duration(text).map(Since::Ago))
                    .or_else(|_| text.parse().map(Since::Time))
                    .map_err(|_| ParseSinceError),
            },
        }
    }
}

/// A starting position that only the store can find ([`Store::locate`](super::Store::locate)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// Before the oldest message that is kept.
    Earliest,
    /// Before the last `count` of the messages up to `through`.
    Last {
        /// How many messages lie between the starting position and `through`.
        count: u64,
        /// The last position that is counted.
        through: Seq,
    },
    /// Before the first message, by seq, whose time is not earlier. Later ones may show an earlier
    /// time, if the wall clock was set back.
    NotBefore(Timestamp),
    /// In each channel before its last message that is kept.
    Each,
}

/// A starting position, or how to find it; and the reason of a gap that the follower is told of
/// first, if there is one.
#[derive(Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The follower starts after this position.
    At(Seq, Option<GapReason>),
    /// The store has to find the starting position.
    Ask(StartAt, Option<GapReason>),
}

impl Since {
    /// Returns the starting position in a log with this epoch whose newest message is `last`, or
    /// how to find it. `now` is what the wall clock says.
    #[must_use]
    pub fn resolve(&self, epoch: &Epoch, last: Seq, now: Timestamp) -> Resolved {
        match *self {
            Since::All => Resolved::Ask(StartAt::Earliest, None),
            Since::Now => Resolved::At(last, None),
            // The follower has seen nothing of this epoch, so it gets all of it.
            Since::Cursor(ref cursor) if cursor.epoch != *epoch => {
                Resolved::Ask(StartAt::Earliest, Some(GapReason::Epoch))
            }
            Since::Foreign => Resolved::Ask(StartAt::Earliest, Some(GapReason::Epoch)),
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
            Since::Each => Resolved::Ask(StartAt::Each, None),
            Since::Ago(age) => Resolved::Ask(StartAt::NotBefore(now.earlier(age)), None),
            Since::Time(time) => Resolved::Ask(StartAt::NotBefore(time), None),
        }
    }
}

/// Where a follower starts.
#[derive(Clone, Debug)]
pub struct Start {
    /// The channels that the follower reads.
    pub selection: Selection,
    /// The follower's position.
    pub at: Seq,
    /// The gap that the follower is told of first.
    pub gap: Option<Gap>,
    /// The channels that are closed where the follower starts, of those that it names.
    pub closes: Vec<Close>,
    /// Up to this position the follower reads the store and not the tail. Messages that were
    /// trimmed before the follower started are thus reported as a gap even if the tail still has
    /// them. Messages that are trimmed while it follows, it still gets from the tail.
    pub store_until: Seq,
}

impl Start {
    /// Whether all that is followed is closed here, so that there is nothing to be told.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        let is_closed = |(channel, _): &(Channel, Seq)| {
            self.closes.iter().any(|close| close.channel == *channel)
        };
        self.gap.is_none()
            && self.selection.patterns().is_empty()
            && self.selection.channels().iter().all(is_closed)
    }

    /// Moves the start of the first channel back to `seq`, if it is later than that.
    pub fn no_later_than(&mut self, seq: Seq) {
        self.selection.no_later_than(seq);
        self.at = self.selection.first().unwrap_or(self.at);
        let at = self.at;
        self.closes.retain(|close| close.seq <= at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_parses() {
        assert_eq!("all".parse(), Ok(Since::All));
        assert_eq!("now".parse(), Ok(Since::Now));
        assert_eq!("17".parse(), Ok(Since::Seq(Seq(17))));
        assert_eq!("-3".parse(), Ok(Since::Last(3)));
        assert_eq!("10m".parse(), Ok(Since::Ago(Duration::from_mins(10))));
        let time = Since::Time(Timestamp(1_763_636_607_042));
        assert_eq!("2025-11-20T11:03:27.042Z".parse(), Ok(time));
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
            "2025-11-20",
            "2025-11-20T11:03:27",
            "2025-13-20T11:03:27Z",
            "99999999999999999999",
        ] {
            assert_eq!(bad.parse::<Since>(), Err(ParseSinceError), "{bad:?}");
        }
    }

    /// A cursor of another epoch, or past the end of the log, is a gap.
    #[test]
    fn cursor_of_other_epoch_or_future_is_a_gap() {
        let (epoch, other) = (Epoch::random(), Epoch::random());
        let at = |epoch: &Epoch, seq| {
            Since::Cursor(Cursor {
                epoch: epoch.clone(),
                seq: Seq(seq),
            })
        };
        assert_eq!(
            at(&epoch, 5).resolve(&epoch, Seq(9), Timestamp(0)),
            Resolved::At(Seq(5), None)
        );
        assert_eq!(
            at(&epoch, 10).resolve(&epoch, Seq(9), Timestamp(0)),
            Resolved::At(Seq(9), Some(GapReason::Future))
        );
        let missing = Resolved::Ask(StartAt::Earliest, Some(GapReason::Epoch));
        assert_eq!(at(&other, 5).resolve(&epoch, Seq(9), Timestamp(0)), missing);
        assert_eq!(
            Since::Foreign.resolve(&epoch, Seq(9), Timestamp(0)),
            missing
        );
    }
}
