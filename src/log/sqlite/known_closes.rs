//! The channels that are closed, as far as they are known without a look at the file: each follower that
//! starts asks for its own.

use rusqlite::Connection;

use super::log_row::CloseChange;
use super::read;
use crate::limits;
use crate::log::closes::Closes;
use crate::message::{Channel, Close, Seq};

/// The newest closes of the file.
#[derive(Debug)]
pub(super) struct KnownCloses {
    closes: Closes,
    /// Whether these are all.
    are_all: bool,
    /// The newest entry of the log when this was so.
    through: Seq,
}

impl KnownCloses {
    pub(super) fn load(connection: &Connection, last: Seq) -> rusqlite::Result<KnownCloses> {
        let mut known = KnownCloses {
            closes: Closes::default(),
            are_all: true,
            through: last,
        };
        // One more than are kept tells whether these are all.
        for close in read::newest_closes(connection, limits::KNOWN_CLOSES_MAX + 1)? {
            known.closes.insert(close);
        }
        known.shrink();
        Ok(known)
    }

    /// Notes what a transaction has changed, after which the newest entry of the log is `last`.
    pub(super) fn note(&mut self, changes: Vec<CloseChange>, last: Seq) {
        for (channel, seq) in changes {
            match seq {
                Some(seq) => self.closes.insert(Close { channel, seq }),
                None => self.closes.remove(&channel),
            }
        }
        self.shrink();
        self.through = last;
    }

    fn shrink(&mut self) {
        while self.closes.len() > limits::KNOWN_CLOSES_MAX {
            self.closes.pop_first();
            self.are_all = false;
        }
    }

    /// The closes of these channels, as of the position `at` or later; `None` if that is not known.
    pub(super) fn of(&self, channels: &[Channel], at: Seq) -> Option<Vec<Close>> {
        if at > self.through {
            return None;
        }
        let mut closes = Vec::new();
        for channel in channels {
            match self.closes.get(channel) {
                Some(close) => closes.push(close),
                None if self.are_all => {}
                None => return None,
            }
        }
        Some(closes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not known has to be looked up: a channel that may be among the older ones, and all channels
    /// at a position that a reader has come to before the writer.
    #[test]
    fn closes_may_be_unknown() {
        let channel = |n: usize| Channel::new(&format!("c{n}")).unwrap();
        let mut known = KnownCloses {
            closes: Closes::default(),
            are_all: true,
            through: Seq(0),
        };
        let count = limits::KNOWN_CLOSES_MAX;
        let close = |n: usize| (channel(n), Some(Seq(n as u64)));
        known.note((1..=count).map(close).collect(), Seq(count as u64));
        let at = Seq(count as u64);
        assert_eq!(known.of(&[channel(1)], at).unwrap().len(), 1);
        assert_eq!(known.of(&[channel(0)], at), Some(Vec::new()));
        assert_eq!(known.of(&[channel(1)], at.next()), None);
        known.note(vec![close(count + 1)], at.next());
        assert_eq!(known.of(&[channel(2)], at).unwrap().len(), 1);
        assert_eq!(known.of(&[channel(1)], at), None);
        known.note(vec![(channel(2), None)], at.next());
        assert_eq!(known.of(&[channel(2)], at), None);
    }
}
