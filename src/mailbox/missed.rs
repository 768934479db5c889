//! Letters that the log let go of before anybody had received them.

use serde::Serialize;

/// How many; `None` where that cannot be told. In JSON a number or `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Missed(pub Option<u64>);

impl Missed {
    /// These and those.
    pub(super) fn and(self, others: Missed) -> Missed {
        Missed(self.0.zip(others.0).map(|(these, those)| these + those))
    }
}
