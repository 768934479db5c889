//! The ack state of a mailbox as it is kept in the log: which letters are finished.

use serde_json::Error;

use crate::message::Seq;

/// The finished letters of a mailbox: those that were acknowledged, and those that expired.
///
/// The newest ack state in the log is all that has to be known of a mailbox's past. Its text is
/// `[ack_floor,floor_count,[seq,…]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AckState {
    /// The position up to which all letters are finished.
    pub(super) ack_floor: Seq,
    /// The number of letters up to `ack_floor`, counted from the mailbox's first.
    pub(super) floor_count: u64,
    /// The acknowledged letters after `ack_floor`, in ascending order.
    pub(super) acked: Vec<Seq>,
}

impl AckState {
    /// Returns the state as text, for the log.
    pub(super) fn encode(&self) -> String {
        let acked: Vec<String> = self.acked.iter().map(Seq::to_string).collect();
        let (floor, count) = (self.ack_floor, self.floor_count);
        format!("[{floor},{count},[{}]]", acked.join(","))
    }

    /// Parses the text that [`AckState::encode`] returned.
    pub(super) fn decode(text: &str) -> Result<AckState, Error> {
        let (floor, floor_count, acked): (u64, u64, Vec<u64>) = serde_json::from_str(text)?;
        Ok(AckState {
            ack_floor: Seq(floor),
            floor_count,
            acked: acked.into_iter().map(Seq).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ack state is decoded as it was encoded, its text never changes, and other JSON is refused.
    #[test]
    fn ack_state_round_trip() {
        for acked in [vec![], vec![Seq(9)], vec![Seq(9), Seq(12)]] {
            let state = AckState {
                ack_floor: Seq(7),
                floor_count: 3,
                acked,
            };
            assert_eq!(AckState::decode(&state.encode()).unwrap(), state);
        }
        let text = "[7,3,[9,12]]";
        assert_eq!(AckState::decode(text).unwrap().encode(), text);
        assert!(AckState::decode("[1,2]").is_err());
    }
}
