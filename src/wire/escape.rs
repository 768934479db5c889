//! Escapes, so that the text of a message is shown as its characters on every transport, and does
//! nothing else there.

use std::fmt::Write;

/// Escapes a text for HTML, in elements and in quoted attributes.
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
            // HTML normalises a written CR to LF, and drops NUL: a character reference keeps the CR,
            // and the replacement character stands for NUL (HTML standard, 13.2.3.5 and 13.2.5).
            '\r' => out.push_str("&#13;"),
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Escapes JSON for a script in a page: nothing in the result ends the script or opens a comment in
/// it (HTML standard, section 4.12.1.3), and it has none of the two line ends that JSON strings may
/// contain and those of old JavaScript engines may not.
#[must_use]
pub(super) fn script(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 8);
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Escapes a text for one line of a terminal, so that no sender's escape sequence reaches the
/// terminal and a message is one line. Reversible: a backslash is doubled where it could be read as
/// the beginning of an escape.
///
/// The escapes are `\n`, `\r`, `\xHH` for the other controls (C0 without TAB, DEL, C1), and `\u2028`
/// and `\u2029` for the separators that some readers take for line ends.
pub(super) fn line(text: &str, out: &mut String) {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\t' => out.push('\t'),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            '\\' if matches!(chars.peek(), Some('n' | 'r' | 'x' | 'u' | '\\')) => {
                out.push_str("\\\\");
            }
            // A backslash before a character that will itself become an escape is doubled too.
            '\\' if chars.peek().is_some_and(|&next| is_escaped(next)) => out.push_str("\\\\"),
            c if is_escaped(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// Whether a character is written as an escape.
fn is_escaped(c: char) -> bool {
    (c.is_control() && c != '\t') || c == '\u{2028}' || c == '\u{2029}'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        line(text, &mut out);
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

    #[test]
    fn html_markup_becomes_text() {
        assert_eq!(
            html("<script>alert('1')</script>&"),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;"
        );
    }

    #[test]
    fn script_is_ended_by_nothing() {
        assert_eq!(
            script("\"</script>&\u{2028}\""),
            "\"\\u003c/script\\u003e\\u0026\\u2028\""
        );
    }

    proptest! {
        /// Any text is one line without controls, from which it can be read back.
        #[test]
        fn line_round_trip(text in r"(\PC|[\\nrxu\p{Cc}\x{2028}\x{2029}]){0,40}") {
            let shown = escaped(&text);
            prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\t'));
            prop_assert_eq!(unescaped(&shown), text);
        }
    }
}
