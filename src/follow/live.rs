//! When a stream says that its follower has caught up. Pure: positions go in, a decision comes out.

use std::num::NonZeroU64;

use crate::message::Seq;

/// The moment at which a stream says `live`, once: after the last message that was in the log when
/// the stream began, and before the first that came later.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    /// The seq after the newest message that was in the log when the stream began; `None` once `live`
    /// was said. It is never 0, so that an idle stream does not need more room for it.
    future: Option<NonZeroU64>,
}

impl Live {
    /// The moment after the message `past`, the newest in the log as the stream begins.
    #[must_use]
    pub fn after(past: Seq) -> Live {
        Live {
            future: Some(NonZeroU64::MIN.saturating_add(past.0)),
        }
    }

    /// Whether `live` is to be said now, since everything up to `at` has been written. It is said
    /// then: the next answer is no.
    pub(super) fn is_due(&mut self, at: Seq) -> bool {
        let is_due = self.past().is_some_and(|past| at >= past);
        is_due && self.future.take().is_some()
    }

    /// Where `live` is to be said; `None` once it has been.
    pub(super) fn past(self) -> Option<Seq> {
        self.future.map(|future| Seq(future.get() - 1))
    }

    /// Whether `live` has been said.
    pub(super) fn has_come(self) -> bool {
        self.future.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `live` is due once, as soon as nothing of the past is left.
    #[test]
    fn live_is_due_once() {
        let mut live = Live::after(Seq(5));
        assert!(!live.is_due(Seq(4)) && !live.has_come());
        assert!(live.is_due(Seq(5)) && live.has_come());
        assert!(!live.is_due(Seq(6)), "it was said");
        assert!(Live::after(Seq::START).is_due(Seq::START), "no past");
        assert!(Live::after(Seq(5)).is_due(Seq(9)), "after a gap");
    }
}
