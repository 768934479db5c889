//! What a channel has lost.

use crate::message::{Gap, GapReason, Seq};

/// The messages that a channel had and has no more: always its oldest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trimmed {
    /// The first message that it ever had; 0 if that is not known.
    pub(super) first: Seq,
    /// The last that it has lost; 0 if it has lost none.
    pub(super) through: Seq,
    /// How many it has lost, as far as is known.
    pub(super) count: u64,
}

impl Trimmed {
    /// Of a channel that begins with the message `first`.
    ///
    /// Whether it has been there before cannot be told any more if channels have been forgotten:
    /// then all up to the last of their messages (`forgotten`) may have been its own.
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

    /// Of a channel that is not known: it never was, or has been forgotten.
    pub(super) fn of_unknown(forgotten: Seq) -> Trimmed {
        Trimmed::begin(Seq::START, forgotten)
    }

    /// What is to be said to a cursor that stands at `after`.
    pub(super) fn gap(&self, after: Seq) -> Option<Gap> {
        (self.through > after).then(|| Gap {
            reason: GapReason::Expired,
            missed: self.missed(after),
            resumes: self.through,
        })
    }

    /// How many messages behind `after` are gone, where that can be told from so little.
    fn missed(&self, after: Seq) -> Option<u64> {
        if after < self.first {
            return Some(self.count);
        }
        let places = self.through.0 + 1 - self.first.0;
        // If the channel had every place of those, the places are the messages.
        (places == self.count).then(|| self.through.0 - after.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missed_is_said_where_it_can_be_told() {
        let missed = |trimmed: Trimmed, after| trimmed.gap(Seq(after)).map(|gap| gap.missed);
        let all_its_own = Trimmed {
            first: Seq(3),
            through: Seq(6),
            count: 4,
        };
        assert_eq!(missed(all_its_own, 0), Some(Some(4)));
        assert_eq!(missed(all_its_own, 4), Some(Some(2)));
        assert_eq!(missed(all_its_own, 6), None);
        let among_others = Trimmed {
            count: 2,
            ..all_its_own
        };
        assert_eq!(missed(among_others, 2), Some(Some(2)));
        assert_eq!(missed(among_others, 3), Some(None));
        assert_eq!(missed(Trimmed::begin(Seq(9), Seq(0)), 0), None);
        assert_eq!(missed(Trimmed::begin(Seq(9), Seq(5)), 4), Some(None));
        assert_eq!(missed(Trimmed::of_unknown(Seq(5)), 5), None);
    }
}
