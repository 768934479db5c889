//! Letters that the log's retention deleted: *expired* are all of them, *missed* are those that no
//! receiver had acknowledged by then.

use serde::Serialize;

use crate::message::Seq;

/// The oldest letters of a mailbox, which the log's retention has deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expired {
    /// The position up to which the mailbox's letters are deleted.
    pub(super) through: Seq,
    /// The number of deleted letters, counted from the mailbox's first; `None` if unknown.
    pub(super) count: Option<u64>,
}

/// The number of letters that expired before a receiver acknowledged them; `None` if unknown. In
/// JSON a number or `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Missed(pub Option<u64>);

impl Missed {
    /// Returns the sum of both numbers, which is unknown if either of them is.
    pub(super) fn plus(self, other: Missed) -> Missed {
        Missed(self.0.zip(other.0).map(|(one, other)| one + other))
    }
}
