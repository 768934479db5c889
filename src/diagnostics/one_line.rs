//! The text of a diagnostic as one line of bounded length.

use std::fmt::{self, Write};

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::limits;

/// Follows a text that was too long.
const CUT: &str = "… (cut)";

/// Returns the text as one line of at most [`limits::DIAGNOSTIC_BYTES_MAX`] bytes. Characters that a
/// terminal obeys, or that a reader does not see, are written as escapes, since much of a text may
/// come from a client.
pub(super) fn one_line(text: fmt::Arguments<'_>) -> String {
    let mut line = Line::default();
    // The formatting ends early when the line is full, so a long text costs no more than a short one.
    if line.write_fmt(text).is_err() && line.is_full {
        line.text.push_str(CUT);
    }
    line.text
}

#[derive(Default)]
struct Line {
    text: String,
    is_full: bool,
}

impl Write for Line {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        part.chars().try_for_each(|c| self.write_char(c))
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        let escaped = is_unsafe(c).then(|| c.escape_default());
        let bytes = escaped
            .as_ref()
            .map_or_else(|| c.len_utf8(), ExactSizeIterator::len);
        if self.text.len() + bytes + CUT.len() > limits::DIAGNOSTIC_BYTES_MAX {
            self.is_full = true;
            return Err(fmt::Error);
        }
        match escaped {
            Some(escaped) => self.text.extend(escaped),
            None => self.text.push(c),
        }
        Ok(())
    }
}

/// Whether a character does something else than to be seen: controls, marks that change the direction
/// of text, separators of lines, and what has no width.
fn is_unsafe(c: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    !c.is_ascii_graphic()
        && matches!(
            c.general_category(),
            Control | Format | LineSeparator | ParagraphSeparator
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No text makes more than one line, or reaches the terminal as more than characters.
    #[test]
    fn one_line_escapes_what_is_not_seen() {
        for (text, line) in [
            ("plain – 你好 🙂", "plain – 你好 🙂"),
            ("a\r\nb\tc\0", r"a\r\nb\tc\u{0}"),
            ("\x1b[2J\u{7f}\u{9b}", r"\u{1b}[2J\u{7f}\u{9b}"),
            (
                "\u{202e}\u{2066}\u{2028}\u{200f}",
                r"\u{202e}\u{2066}\u{2028}\u{200f}",
            ),
        ] {
            assert_eq!(one_line(format_args!("{text}")), line);
        }
    }

    /// A long text is cut, whatever it is made of, and says so.
    #[test]
    fn one_line_is_bounded() {
        for part in ["x", "é", "\n", "\u{202e}", "🙂"] {
            let line = one_line(format_args!("{}{}", part, part.repeat(1 << 20)));
            assert!(line.len() <= limits::DIAGNOSTIC_BYTES_MAX, "{part:?}");
            assert!(line.len() + 32 > limits::DIAGNOSTIC_BYTES_MAX, "{part:?}");
            assert!(line.ends_with(CUT), "{part:?}");
        }
        let line = one_line(format_args!(
            "{}",
            "x".repeat(limits::DIAGNOSTIC_BYTES_MAX / 2)
        ));
        assert!(!line.ends_with(CUT));
    }
}
