//! What the engine says to an append. Pure.

use serde::Deserialize;

use crate::message::Seq;

/// What is known of an append after a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TryOutcome {
    /// It is stored; of several messages this is the last.
    Stored(Seq),
    /// One of the same id is stored, here if there was only one message.
    Duplicate(Option<Seq>),
    /// The last entry of the channel is not the expected one, but this one if that is said; 0 is none.
    OtherLast(Option<Seq>),
    /// This try has stored nothing, and another one may succeed.
    NotStored(String),
    /// This try has stored nothing, and no other one will.
    Refused(String),
    /// Nobody leads the log, so nothing was stored.
    NoLeader,
    /// There was no answer.
    Unknown,
}

/// The engine's answer to a message.
#[derive(Debug, Deserialize)]
struct PublishAnswer {
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
    error: Option<EngineError>,
}

/// An error of the engine.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct EngineError {
    #[serde(default)]
    pub(super) err_code: u32,
    #[serde(default)]
    pub(super) description: String,
}

/// Codes of errors, from `server/errors.json` of nats-server.
mod code {
    pub(super) const MESSAGE_TOO_LARGE: u32 = 10_054;
    pub(super) const WRONG_LAST_SEQUENCE: u32 = 10_071;
    pub(super) const WRONG_LAST_SEQUENCE_UNSAID: u32 = 10_164;
    pub(super) const SEALED: u32 = 10_109;
    pub(super) const BATCH_DISABLED: u32 = 10_174;
    pub(super) const BATCH_HAS_DUPLICATE: u32 = 10_201;
    pub(super) const BATCH_TOO_LARGE: u32 = 10_199;
}

/// Reads the engine's answer.
pub(super) fn read(answer: &[u8]) -> TryOutcome {
    let answer: PublishAnswer = match serde_json::from_slice(answer) {
        Ok(answer) => answer,
        Err(error) => return TryOutcome::NotStored(format!("its answer cannot be read: {error}")),
    };
    match answer.error {
        None if answer.duplicate => TryOutcome::Duplicate(Some(Seq(answer.seq))),
        None => TryOutcome::Stored(Seq(answer.seq)),
        Some(error) => refusal(error),
    }
}

fn refusal(error: EngineError) -> TryOutcome {
    match error.err_code {
        code::WRONG_LAST_SEQUENCE => {
            let last = error.description.rsplit(' ').next();
            let last = last.and_then(|last| last.parse().ok());
            TryOutcome::OtherLast(last.map(Seq))
        }
        code::WRONG_LAST_SEQUENCE_UNSAID => TryOutcome::OtherLast(None),
        code::BATCH_HAS_DUPLICATE => TryOutcome::Duplicate(None),
        code::MESSAGE_TOO_LARGE | code::SEALED | code::BATCH_DISABLED | code::BATCH_TOO_LARGE => {
            TryOutcome::Refused(error.description)
        }
        // Such as 10158, a message of the same id is on its way: later it is a duplicate.
        _ => TryOutcome::NotStored(error.description),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers as nats-server 2.12.8 and 2.15.1 gave them.
    #[test]
    fn publish_answers_are_told_apart() {
        let error = |code: u32, text: &str| {
            format!(
                r#"{{"error":{{"code":400,"err_code":{code},"description":"{text}"}},"stream":"FF","seq":0}}"#
            )
        };
        for (answer, outcome) in [
            (
                r#"{"stream":"FF","seq":5,"batch":"b1","count":5}"#.to_owned(),
                TryOutcome::Stored(Seq(5)),
            ),
            (
                r#"{"stream":"FF","seq":3,"duplicate": true}"#.to_owned(),
                TryOutcome::Duplicate(Some(Seq(3))),
            ),
            (
                error(10071, "wrong last sequence: 8"),
                TryOutcome::OtherLast(Some(Seq(8))),
            ),
            (
                error(10164, "wrong last sequence"),
                TryOutcome::OtherLast(None),
            ),
            (
                error(10201, "atomic publish batch contains duplicate message id"),
                TryOutcome::Duplicate(None),
            ),
            (
                error(10158, "duplicate message id is in process"),
                TryOutcome::NotStored("duplicate message id is in process".to_owned()),
            ),
            (
                error(10054, "message size exceeds maximum allowed"),
                TryOutcome::Refused("message size exceeds maximum allowed".to_owned()),
            ),
        ] {
            assert_eq!(read(answer.as_bytes()), outcome, "{answer}");
        }
    }
}
