//! The trimmed messages of a channel.

use crate::message::{Gap, GapReason, Seq};

/// What is known of the messages that retention has removed from a channel. They are always its
/// oldest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trimmed {
    /// The first message that the channel ever had; 0 if that is not known.
    pub(super) first: Seq,
    /// The last message that was trimmed; 0 if none was.
    pub(super) through: Seq,
    /// How many messages were trimmed, as far as is known.
    pub(super) count: u64,
}

impl Trimmed {
    /// Returns the state of a channel that begins with the message `first`.
    ///
    /// If channels have been forgotten, it cannot be told whether this one existed before: then all
    /// positions up to the last message of the forgotten channels (`forgotten`) may have been its
    /// own.
    pub(super) fn begin(first: Seq, forgotten: Seq) -> Trimmed {
        let first = if forgotten == Seq::START {
            first
        } else {
            Seq::START
        };
        Trimmed {
            first,
            through: forgotten,
            count: 0,
        }
    }

    /// Returns the state of an unknown channel: either it never existed, or it has been forgotten.
    pub(super) fn of_unknown(forgotten: Seq) -> Trimmed {
        Trimmed::begin(Seq::START, forgotten)
    }

    /// Returns the gap that a cursor at `after` is told of, if any message after it was trimmed.
    pub(super) fn gap(&self, after: Seq) -> Option<Gap> {
        (self.through > after).then(|| Gap {
            reason: GapReason::Expired,
            missed: self.missed(after),
            resumes: self.through,
        })
    }

    /// Returns how many messages after `after` were trimmed, where these few numbers tell it.
    fn missed(&self, after: Seq) -> Option<u64> {
        if after < self.first {
            return Some(self.count);
        }
        let positions = self.through.0 + 1 - self.first.0;
        // If as many messages were trimmed as there are positions, the channel had every position.
        (positions == self.count).then(|| self.through.0 - after.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of missed messages is given where it can be told.
    #[test]
    fn missed_is_counted_where_possible() {
        let missed = |trimmed: Trimmed, after| trimmed.gap(Seq(after)).map(|gap| gap.missed);
        let contiguous = Trimmed {
            first: Seq(3),
            through: Seq(6),
            count: 4,
        };
        assert_eq!(missed(contiguous, 0), Some(Some(4)));
        assert_eq!(missed(contiguous, 4), Some(Some(2)));
        assert_eq!(missed(contiguous, 6), None);
        let among_others = Trimmed {
            count: 2,
            ..contiguous
        };
        assert_eq!(missed(among_others, 2), Some(Some(2)));
        assert_eq!(missed(among_others, 3), Some(None));
        assert_eq!(missed(Trimmed::begin(Seq(9), Seq(0)), 0), None);
        assert_eq!(missed(Trimmed::begin(Seq(9), Seq(5)), 4), Some(None));
        assert_eq!(missed(Trimmed::of_unknown(Seq(5)), 5), None);
    }
}
