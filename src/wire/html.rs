//! `html`: the forever frame. An element a message, nothing that needs JavaScript.

use bytes::Bytes;

use super::escape;
use crate::message::{Cursor, Epoch, Gap, GapReason, Message};

pub(super) fn message(message: &Message, epoch: &Epoch) -> Bytes {
    let Message {
        seq,
        time,
        channel,
        event,
        data,
    } = message;
    // Channel and event names have no characters that mean something in HTML.
    let element = format!(
        "<p class=\"message\" data-cursor=\"{epoch}-{seq}\" data-channel=\"{channel}\" data-event=\"{}\" data-time=\"{time}\">{}</p>\n",
        event.as_str(),
        escape::html(data),
    );
    Bytes::from(element.into_bytes())
}

pub(super) fn gap(gap: &Gap, resumes: &Cursor, out: &mut Vec<u8>) {
    let missed = gap.missed.map_or_else(String::new, |n| n.to_string());
    let (some, are) = match gap.missed {
        Some(1) => ("1 message".to_owned(), "is"),
        Some(n) => (format!("{n} messages"), "are"),
        None => ("Some messages".to_owned(), "are"),
    };
    let sentence = match gap.reason {
        GapReason::Expired => format!("{some} {are} gone: older than what is kept."),
        GapReason::Epoch => {
            "The log began anew since this cursor was given: what was between is gone.".to_owned()
        }
        GapReason::Future => {
            "This cursor lies behind the end of the log: it goes on with what comes next."
                .to_owned()
        }
    };
    let element = format!(
        "<p class=\"gap\" data-reason=\"{}\" data-missed=\"{missed}\" data-cursor=\"{resumes}\">{sentence}</p>\n",
        gap.reason.as_str(),
    );
    out.extend_from_slice(element.as_bytes());
}

pub(super) fn end(cursor: &Cursor, out: &mut Vec<u8>) {
    let element = format!(
        "<p class=\"end\" data-cursor=\"{cursor}\">This stream ends here. Its cursor is {cursor}.</p>\n"
    );
    out.extend_from_slice(element.as_bytes());
}
