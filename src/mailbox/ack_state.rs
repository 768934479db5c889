//! What of a mailbox has been received, as it stands in the log.

use serde_json::Error;

use crate::message::Seq;

/// The last of a mailbox's notes is all that has to be known of it. As text it is
/// `[through,count,[seq,…]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AckState {
    /// All letters up to here have been received, or are gone.
    pub(super) through: Seq,
    /// How many those are, counted from the mailbox's first letter.
    pub(super) count: u64,
    /// The letters behind it that have been received, in their order.
    pub(super) done: Vec<Seq>,
}

impl AckState {
    /// Its text.
    pub(super) fn write(&self) -> String {
        let done: Vec<String> = self.done.iter().map(Seq::to_string).collect();
        format!("[{},{},[{}]]", self.through, self.count, done.join(","))
    }

    /// Reads what [`AckState::write`] wrote.
    pub(super) fn read(text: &str) -> Result<AckState, Error> {
        let (through, count, done): (u64, u64, Vec<u64>) = serde_json::from_str(text)?;
        Ok(AckState {
            through: Seq(through),
            count,
            done: done.into_iter().map(Seq).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_are_written() {
        for done in [vec![], vec![Seq(9)], vec![Seq(9), Seq(12)]] {
            let note = AckState {
                through: Seq(7),
                count: 3,
                done,
            };
            assert_eq!(AckState::read(&note.write()).unwrap(), note);
        }
        assert!(AckState::read("[1,2]").is_err());
    }
}
