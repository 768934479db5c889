//! `text`: a line a message, dots while it is quiet; what `curl --no-buffer` shows.
//!
//! A message cannot be taken for anything else: one that is all dots, or that looks like a mark of
//! the stream (`# end …`, `# gap …`), has a backslash in front.

use bytes::Bytes;

use super::escape;
use crate::message::{Cursor, Gap, Message};

pub(super) fn message(message: &Message) -> Bytes {
    let data = &*message.data;
    let mut out = String::with_capacity(data.len() + 2);
    if needs_guard(data) {
        out.push('\\');
    }
    escape::line(data, &mut out);
    out.push('\n');
    Bytes::from(out.into_bytes())
}

/// Would the line be read as dots or as a mark, or its first characters as a guard?
fn needs_guard(data: &str) -> bool {
    let dots = !data.is_empty() && data.bytes().all(|b| b == b'.');
    let mark = ["# end ", "# gap "]
        .iter()
        .any(|mark| data.starts_with(mark));
    let guard = ["\\.", "\\#"].iter().any(|guard| data.starts_with(guard));
    dots || mark || guard
}

pub(super) fn gap(gap: &Gap, resumes: &Cursor, out: &mut Vec<u8>) {
    let missed = gap
        .missed
        .map_or_else(|| "unknown".to_owned(), |n| n.to_string());
    let line = format!(
        "# gap reason={} missed={missed} cursor={resumes}\n",
        gap.reason.as_str()
    );
    out.extend_from_slice(line.as_bytes());
}

pub(super) fn end(cursor: &Cursor, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("# end {cursor}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Channel, Draft, EventName, Seq, Timestamp};

    fn shown(data: &str) -> String {
        let Draft { channel, .. } = Draft::new(Channel::main(), "");
        let event = EventName::DEFAULT;
        let bytes = message(&Message {
            seq: Seq(1),
            time: Timestamp(0),
            channel,
            event,
            data: data.into(),
        });
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_message_is_a_line() {
        assert_eq!(shown("hello"), "hello\n");
        assert_eq!(shown(""), "\n");
        assert_eq!(shown("two\nlines"), "two\\nlines\n");
    }

    #[test]
    fn a_message_is_never_taken_for_a_mark() {
        assert_eq!(shown("..."), "\\...\n");
        assert_eq!(shown("... and"), "... and\n");
        assert_eq!(shown("# end k-1"), "\\# end k-1\n");
        assert_eq!(shown("# a comment"), "# a comment\n");
        assert_eq!(shown("\\..."), "\\\\...\n");
    }
}
