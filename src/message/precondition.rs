//! What a sender expects of a channel, so that its message is appended only then.

use super::{Cursor, Epoch, Seq};

/// A condition on the last entry of a draft's channel. The store checks it in the commit itself, so of
/// two senders that expect the same entry one is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The channel's last entry is the one at this cursor.
    LastIs(Cursor),
    /// The channel has no entry, as far as the store knows.
    NoEntry,
}

impl Precondition {
    /// Whether the condition holds for a channel whose last entry is at `last`, in a log of this
    /// epoch.
    #[must_use]
    pub fn holds(&self, epoch: &Epoch, last: Option<Seq>) -> bool {
        match self {
            Precondition::LastIs(cursor) => cursor.epoch == *epoch && Some(cursor.seq) == last,
            Precondition::NoEntry => last.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cursor of another epoch is never that of the last entry.
    #[test]
    fn precondition_tells_epoch_and_seq() {
        let (epoch, other) = (Epoch::random(), Epoch::random());
        let last_is = |epoch: &Epoch, seq| {
            Precondition::LastIs(Cursor {
                epoch: epoch.clone(),
                seq: Seq(seq),
            })
        };
        assert!(last_is(&epoch, 7).holds(&epoch, Some(Seq(7))));
        assert!(!last_is(&epoch, 7).holds(&epoch, Some(Seq(8))));
        assert!(!last_is(&epoch, 7).holds(&epoch, None));
        assert!(!last_is(&epoch, 0).holds(&epoch, None));
        assert!(!last_is(&other, 7).holds(&epoch, Some(Seq(7))));
        assert!(Precondition::NoEntry.holds(&epoch, None));
        assert!(!Precondition::NoEntry.holds(&epoch, Some(Seq(7))));
    }
}
