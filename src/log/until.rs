//! Where a follower stops: what `until` may be.

use std::str::FromStr;

use crate::message::{Cursor, Seq, Timestamp};

/// The end of what a follower asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    /// The newest message that is there when it is asked for.
    Now,
    /// A cursor, which may lie past the end of the log.
    Cursor(Cursor),
    /// A seq, whatever the log's epoch is.
    Seq(Seq),
    /// The last message before the first, by seq, whose time is not earlier than this. The time may be
    /// still to come.
    Time(Timestamp),
}

/// The error of a text that is not an [`Until`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("is none of: now, a cursor (EPOCH-SEQ), a seq, a time such as 2026-11-27T21:00:00Z")]
pub struct ParseUntilError;

impl FromStr for Until {
    type Err = ParseUntilError;

    fn from_str(text: &str) -> Result<Until, ParseUntilError> {
        if text == "now" {
            return Ok(Until::Now);
        }
        if text.bytes().all(|b| b.is_ascii_digit()) {
            let seq = text.parse().map_err(|_| ParseUntilError)?;
            return Ok(Until::Seq(Seq(seq)));
        }
        (text.parse().map(Until::Cursor))
            .or_else(|_| text.parse().map(Until::Time))
            .map_err(|_| ParseUntilError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_parses() {
        assert_eq!("now".parse(), Ok(Until::Now));
        assert_eq!("17".parse(), Ok(Until::Seq(Seq(17))));
        let cursor = "k3f9-17".parse().unwrap();
        assert_eq!("k3f9-17".parse(), Ok(Until::Cursor(cursor)));
        let time = Until::Time(Timestamp(1_763_636_607_042));
        assert_eq!("2025-11-20T11:03:27.042Z".parse(), Ok(time));
        for bad in ["", "all", "10m", "-5", "k3f9-", "99999999999999999999"] {
            assert_eq!(bad.parse::<Until>(), Err(ParseUntilError), "{bad:?}");
        }
    }
}
