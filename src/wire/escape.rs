//! Escapes, so that the text of a message is shown as its characters on every transport, and does
//! nothing else there.

use std::fmt::Write;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Escapes a text for HTML, in elements and in quoted attributes. No control is written but LF and TAB,
/// so that none does anything where a page is shown by a terminal.
#[must_use]
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            // HTML drops NUL, and reads references to C1 controls as other characters (HTML standard,
            // 13.2.5): the replacement character stands for them.
            '\0' | '\u{80}'..='\u{9f}' => out.push('\u{fffd}'),
            // A written CR would be normalised to LF (13.2.3.5).
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Escapes JSON for a script in a page: nothing in the result ends the script or opens a comment in
/// it (HTML standard, section 4.12.1.3). JSON of this program has none of the two line ends that JSON
/// strings may contain and those of old JavaScript engines may not ([`to_json`](super::to_json)).
#[must_use]
pub fn script(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 8);
    for c in json.chars() {
        match c {
            '<' | '>' | '&' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Escapes a text for one line of a terminal, so that no sender's escape sequence reaches the
/// terminal, none turns or hides what stands around it, and a message is one line. Reversible: a
/// backslash is doubled where it could be read as the beginning of an escape.
///
/// The escapes are `\n`, `\r`, and for every other character of [`is_escaped`] its code: `\xHH`,
/// `\uHHHH` or `\UHHHHHHHH`, the shortest that fits.
///
/// `next` is the character that comes after the text in its line, if the text is only a part of one.
pub(super) fn line(text: &str, next: Option<char>, out: &mut String) {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\\' if is_doubled_before(chars.clone().next().or(next)) => out.push_str("\\\\"),
            c if is_escaped(c) => {
                let code = u32::from(c);
                // Writing to a String cannot fail.
                let _ = match code {
                    ..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
            c => out.push(c),
        }
    }
}

/// Whether a backslash before this character could be read as the beginning of an escape, as one before
/// a character that will itself become an escape.
fn is_doubled_before(next: Option<char>) -> bool {
    next.is_some_and(|next| matches!(next, 'n' | 'r' | 'x' | 'u' | 'U' | '\\') || is_escaped(next))
}

/// Whether a character is written as an escape: a control but TAB, or a character that is not seen
/// itself and changes how others are seen. Those are the line and paragraph separators and the format
/// characters (general category `Cf`): marks and overrides of direction, which can show a line in
/// another order than it has, zero-width spaces, the soft hyphen, the byte order mark, and tags, in
/// which a text can be hidden whole.
///
/// What writing cannot do without is kept: U+200C and U+200D, which join and part letters in Persian
/// and the scripts of India and make emoji of several characters, and the signs of Arabic, Syriac and
/// Kaithi that are format characters but seen, since they enclose the digits that follow. Variation
/// selectors are no format characters and are kept with them.
fn is_escaped(c: char) -> bool {
    // Most text is decided by this alone.
    if c.is_ascii() {
        return c.is_ascii_control() && c != '\t';
    }
    let is_needed = matches!(
        c,
        '\u{200c}' | '\u{200d}' | '\u{600}'
            ..='\u{605}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'
                | '\u{891}'
                | '\u{8e2}'
                | '\u{110bd}'
                | '\u{110cd}'
    );
    !is_needed
        && matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        line(text, None, &mut out);
        out
    }

    /// A reader of what [`line()`] writes, made from its description.
    fn unescaped(mut text: &str) -> String {
        let mut out = String::new();
        while let Some(c) = text.chars().next() {
            let code = |from: usize, to: usize| {
                u32::from_str_radix(text.get(from..to).unwrap(), 16)
                    .ok()
                    .and_then(char::from_u32)
                    .unwrap()
            };
            let (c, width) = match text.get(..2) {
                Some("\\n") => ('\n', 2),
                Some("\\r") => ('\r', 2),
                Some("\\\\") => ('\\', 2),
                Some("\\x") => (code(2, 4), 4),
                Some("\\u") => (code(2, 6), 6),
                Some("\\U") => (code(2, 10), 10),
                _ => (c, c.len_utf8()),
            };
            out.push(c);
            text = &text[width..];
        }
        out
    }

    #[test]
    fn line_shows_controls() {
        assert_eq!(escaped("a\tb"), "a\tb");
        assert_eq!(escaped("\x1b[31mred\x07"), "\\x1b[31mred\\x07");
        assert_eq!(escaped("\u{9b}\u{7f}\0"), "\\x9b\\x7f\\x00");
        assert_eq!(escaped("a\r\nb"), "a\\r\\nb");
        assert_eq!(escaped(r"C:\temp and \d"), r"C:\temp and \d");
        assert_eq!(escaped(r"C:\new"), r"C:\\new");
    }

    /// A character that turns or hides what stands around it is shown, and what writing needs is kept.
    #[test]
    fn line_shows_format_characters() {
        let turns = "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\
                     \u{200e}\u{200f}\u{61c}";
        let hides = "\u{200b}\u{2060}\u{2061}\u{feff}\u{ad}\u{180e}\u{206a}\u{fff9}\u{e0001}\u{e0041}\
                     \u{1d173}\u{2028}\u{2029}";
        for c in turns.chars().chain(hides.chars()) {
            let shown = escaped(&format!("a{c}b"));
            assert!(shown.is_ascii(), "{c:?}: {shown}");
        }
        assert_eq!(
            escaped("\u{202e}\u{ad}\u{e0041}"),
            "\\u202e\\xad\\U000e0041"
        );
        assert_eq!(escaped("\\U"), "\\\\U");
        for kept in [
            "👨\u{200d}👩\u{200d}👧",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "❤\u{fe0f} 葛\u{e0100}",
            "\u{600}١٢ \u{6dd}٣",
            "é e\u{301} 你好 \u{10ffff}",
        ] {
            assert_eq!(escaped(kept), kept);
        }
    }

    /// In a part of a line a backslash is doubled for what comes after the part.
    #[test]
    fn line_knows_what_comes_next() {
        let part = |next| {
            let mut out = String::new();
            line("\\", next, &mut out);
            out
        };
        assert_eq!(part(Some('n')), "\\\\");
        assert_eq!(part(Some('\x1b')), "\\\\");
        assert_eq!(part(Some('a')), "\\");
    }

    #[test]
    fn html_has_no_controls() {
        assert_eq!(
            html("a\t\n\r\0\x1b[2J\x7f\u{9b}"),
            "a\t\n&#13;\u{fffd}&#27;[2J&#127;\u{fffd}"
        );
    }

    #[test]
    fn html_markup_becomes_text() {
        assert_eq!(
            html("<script>alert('1')</script>&"),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;"
        );
    }

    #[test]
    fn script_is_ended_by_nothing() {
        assert_eq!(script("\"</script>&\""), "\"\\u003c/script\\u003e\\u0026\"");
    }

    proptest! {
        /// Any text is one line without controls, from which it can be read back.
        #[test]
        fn line_round_trip(text in r"(\PC|[\\nrxuU\p{Cc}\p{Cf}\x{2028}\x{2029}]){0,40}") {
            let shown = escaped(&text);
            prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\t'));
            prop_assert_eq!(unescaped(&shown), text);
        }
    }
}
