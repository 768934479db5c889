//! `text`: a line per message and a dot per second of quiet, for terminals.
//!
//! # Grammar
//!
//! ```abnf
//! stream  = *( dots / message / gap / live / closed ) [ end ]
//! dots    = 1*"." LF           ; the LF comes only with what follows the dots
//! message = [ channel ": " ] [ "\" ] text LF
//! gap     = "# gap reason=" reason " missed=" ( missed / "unknown" ) " cursor=" cursor LF
//! live    = "# live " cursor LF                    ; with `marks=1`
//! closed  = "# closed " channel LF                 ; with `marks=1`
//! end     = "# end " cursor " reason=" end-reason LF
//! text    = *( plain / "\n" / "\r" / "\x" 2hex / "\u" 4hex / "\U" 8hex / "\\" / sgr )
//! plain   = any character but CR, LF, the other controls except TAB, the format characters
//! hex     = DIGIT / "a" / "b" / "c" / "d" / "e" / "f"
//! ```
//!
//! `\x`, `\u` and `\U` stand before the code of a control (C0 except TAB, DEL, C1), so that no escape
//! sequence of a sender reaches a terminal, and of a format character, which turns or hides what
//! stands around it; `escape.rs` says which. A backslash is doubled only where it could be read as
//! one of these escapes. A message that consists of dots, or begins like a mark (`# end `,
//! `# gap `, `# live `, `# closed `) or like such a guarded line (`\.`, `\#`), has a backslash in
//! front, so no message is taken for what the stream itself says. It has that in every stream, since
//! followers with and without `marks=1` share its bytes.
//!
//! With `color=1` there is also `sgr`, of which `sgr.rs` has the grammar: the sequences of a message that
//! set colours are kept, and colours that it leaves on are ended at its end. Without them the line is
//! that of the message without them, so they do not count where a line is guarded, either.
//!
//! In a stream of several channels, or with `names=1`, each line of a message begins with its
//! channel's name, which has no space and no `:`.
//!
//! # What a client does with it
//!
//! A person watches it with `curl -N`. A program splits it at LF and takes a line that is all dots
//! for heartbeats, `# gap `, `# end ` and, with `marks=1`, `# live ` for marks. Any other line is a message: it removes the name
//! where there are names, then the backslash in front of a first `.` or `#`, then reads the escapes,
//! and has the text as it was sent. Event, time and cursor of a message are not shown.
//!
//! A stream that begins quiet begins with a dot. The end says its reason; after it comes the last
//! chunk, so curl exits with 0, and with 18 when the connection was cut.

use bytes::Bytes;

use super::{EndReason, escape, sgr};
use crate::message::{Channel, Cursor, Gap, Message};

/// What a stream remembers of its dots: whether it has shown some whose line has not ended yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Dots {
    unended: bool,
}

impl Dots {
    /// Whether the stream is in the middle of a line of dots.
    pub(super) fn are_unended(&self) -> bool {
        self.unended
    }

    /// Shows one more dot.
    pub(super) fn idle(&mut self, out: &mut Vec<u8>) {
        self.unended = true;
        out.push(b'.');
    }

    /// Ends the line of dots, if there is one, so that the next line can begin.
    pub(super) fn lead(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.unended) {
            out.push(b'\n');
        }
    }
}

/// What a stream of text remembers: its dots, and what its follower chose.
#[derive(Clone, Debug, Default)]
pub struct TextStream {
    pub(super) dots: Dots,
    /// Whether each line of a message begins with its channel.
    has_names: bool,
    /// Whether the stream says that its follower has caught up, and which channels are closed.
    has_marks: bool,
    /// Whether the colours of messages are kept.
    pub(super) has_colors: bool,
}

impl TextStream {
    /// A stream whose lines begin with the name of their channel, or do not; and that has all marks,
    /// or only those that every stream has.
    #[must_use]
    pub fn new(has_names: bool, has_marks: bool) -> TextStream {
        TextStream {
            has_names,
            has_marks,
            ..TextStream::default()
        }
    }

    /// The stream with the colours of messages, or without.
    #[must_use]
    pub fn with_colors(self, has_colors: bool) -> TextStream {
        TextStream { has_colors, ..self }
    }

    /// Whether the line of the next message can stand as it is.
    pub(super) fn is_plain(&self) -> bool {
        !self.has_names && !self.dots.are_unended()
    }

    /// Puts what stands before the line of a message of this channel.
    pub(super) fn lead(&mut self, channel: &Channel, out: &mut Vec<u8>) {
        self.dots.lead(out);
        if self.has_names {
            out.extend_from_slice(channel.as_str().as_bytes());
            out.extend_from_slice(b": ");
        }
    }

    /// Puts the line that says that the follower has caught up, at `cursor`.
    pub(super) fn live(&mut self, cursor: &Cursor, out: &mut Vec<u8>) {
        if self.has_marks {
            self.dots.lead(out);
            out.extend_from_slice(format!("# live {cursor}\n").as_bytes());
        }
    }

    /// Puts the line that says that a channel is closed.
    pub(super) fn closed(&mut self, channel: &Channel, out: &mut Vec<u8>) {
        if self.has_marks {
            self.dots.lead(out);
            out.extend_from_slice(format!("# closed {channel}\n").as_bytes());
        }
    }
}

/// The line of a message, without a name in front.
pub(super) fn message(message: &Message) -> Bytes {
    let data = &*message.data;
    let mut out = guard(data);
    escape::line(data, None, &mut out);
    out.push('\n');
    Bytes::from(out.into_bytes())
}

/// The line of a message with its colours, without a name in front.
pub(super) fn colored_message(message: &Message) -> Bytes {
    let data = &*message.data;
    if !sgr::may_have_sequence(data) {
        return self::message(message);
    }
    let mut out = guard(&sgr::visible(data));
    sgr::line(data, &mut out);
    out.push('\n');
    Bytes::from(out.into_bytes())
}

/// The beginning of a line with this text: a backslash if the text is guarded.
fn guard(data: &str) -> String {
    let mut out = String::with_capacity(data.len() + 2);
    if needs_guard(data) {
        out.push('\\');
    }
    out
}

/// Whether the line would be read as dots or as a mark, or its first characters as a guard.
fn needs_guard(data: &str) -> bool {
    let dots = !data.is_empty() && data.bytes().all(|b| b == b'.');
    let mark = ["# end ", "# gap ", "# live ", "# closed "]
        .iter()
        .any(|mark| data.starts_with(mark));
    let guard = ["\\.", "\\#"].iter().any(|guard| data.starts_with(guard));
    dots || mark || guard
}

/// Puts the line of a gap, after which the stream goes on from `resumes`.
pub(super) fn gap(dots: &mut Dots, gap: &Gap, resumes: &Cursor, out: &mut Vec<u8>) {
    dots.lead(out);
    let missed = gap
        .missed
        .map_or_else(|| "unknown".to_owned(), |n| n.to_string());
    let line = format!(
        "# gap reason={} missed={missed} cursor={resumes}\n",
        gap.reason.as_str()
    );
    out.extend_from_slice(line.as_bytes());
}

/// Puts the line that ends the stream at `cursor`.
pub(super) fn end(dots: &mut Dots, cursor: &Cursor, reason: EndReason, out: &mut Vec<u8>) {
    dots.lead(out);
    out.extend_from_slice(format!("# end {cursor} reason={}\n", reason.as_str()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::Encoder;
    use super::super::testing::{self, AWKWARD, delivered, ended, gaps, idled, opened_quiet};
    use super::*;

    fn shown(data: &str) -> String {
        let bytes = message(&testing::message(1, data));
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// Every moment of a stream, byte for byte.
    #[test]
    fn text_golden_bytes() {
        let mut text = Encoder::Text(TextStream::default());
        assert_eq!(opened_quiet(&mut text), ".");
        assert_eq!(idled(&mut text), ".");
        assert_eq!(
            delivered(&mut text, &testing::message(7, AWKWARD)),
            "\n</script> \"你\" & 'x'\t\\x1b[1m\\x00\\r\\ntwo\\u2028C:\\\\new\\x7f\\x85\n"
        );
        assert_eq!(delivered(&mut text, &testing::message(8, "hi")), "hi\n");
        assert_eq!(idled(&mut text), ".");
        assert_eq!(
            gaps(&mut text),
            [
                "\n# gap reason=expired missed=2 cursor=k3f9x2qa0b-9\n",
                "# gap reason=epoch missed=unknown cursor=k3f9x2qa0b-9\n",
                "# gap reason=future missed=unknown cursor=k3f9x2qa0b-9\n",
            ]
        );
        assert_eq!(idled(&mut text), ".");
        assert_eq!(
            ended(&mut text, EndReason::Limit),
            "\n# end k3f9x2qa0b-9 reason=limit\n"
        );
    }

    /// With names, each message has its channel in front of it, and a guard stays where it was.
    #[test]
    fn text_with_names() {
        let mut text = Encoder::Text(TextStream::new(true, false));
        assert_eq!(opened_quiet(&mut text), ".");
        assert_eq!(testing::closed(&mut text), "", "marks are asked for");
        let [hi, dots] = ["hi", "..."].map(|data| testing::message(7, data));
        assert_eq!(delivered(&mut text, &hi), "\nbuild: hi\n");
        assert_eq!(delivered(&mut text, &dots), "build: \\...\n");
        assert_eq!(
            gaps(&mut text)[1],
            "# gap reason=epoch missed=unknown cursor=k3f9x2qa0b-9\n"
        );
    }

    /// With marks, a stream says that its follower has caught up.
    #[test]
    fn text_with_marks() {
        let mut text = Encoder::Text(TextStream::new(false, true));
        assert_eq!(opened_quiet(&mut text), "# live k3f9x2qa0b-6\n.");
        let again = testing::written(|out| text.live(&testing::cursor(7), out));
        assert_eq!(again, "\n# live k3f9x2qa0b-7\n");
        assert_eq!(testing::closed(&mut text), "# closed build\n");
    }

    /// A message is one line, whatever it contains.
    #[test]
    fn message_is_one_line() {
        assert_eq!(shown("hello"), "hello\n");
        assert_eq!(shown(""), "\n");
        assert_eq!(shown("two\nlines"), "two\\nlines\n");
    }

    /// Colours are kept where they are asked for, end with their message, and hide no mark.
    #[test]
    fn text_has_colors() {
        let mut text = Encoder::Text(TextStream::new(true, false).with_colors(true));
        for (data, expected) in [
            ("\x1b[1;31mred", "build: \x1b[1;31mred\x1b[m\n"),
            (
                "\x1b[32mok\x1b[0m \x1b[2J",
                "build: \x1b[32mok\x1b[0m \\x1b[2J\n",
            ),
            ("no \x1b[Kcolor", "build: no \\x1b[Kcolor\n"),
            ("\x1b[m# end k-1", "build: \\\x1b[m# end k-1\n"),
            (".\x1b[m..", "build: \\.\x1b[m..\n"),
        ] {
            assert_eq!(delivered(&mut text, &testing::message(1, data)), expected);
        }
    }

    /// A message that looks like dots, a mark or a guard gets a backslash in front.
    #[test]
    fn message_is_never_taken_for_a_mark() {
        assert_eq!(shown("..."), "\\...\n");
        assert_eq!(shown("... and"), "... and\n");
        assert_eq!(shown("# end k-1"), "\\# end k-1\n");
        assert_eq!(shown("# live k-1"), "\\# live k-1\n");
        assert_eq!(shown("# closed a"), "\\# closed a\n");
        assert_eq!(shown("# a comment"), "# a comment\n");
        assert_eq!(shown("# lively"), "# lively\n");
        assert_eq!(shown("\\..."), "\\\\...\n");
    }
}
