//! Escapes, so that a message is seen as its characters wherever it is shown.

use std::fmt::Write;

/// Text for HTML, in elements and in quoted attributes.
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
            // HTML normalises a written CR to LF, and drops NUL: a reference keeps the one, the
            // replacement character shows the other (HTML standard, 13.2.3.5 and 13.2.5).
            '\r' => out.push_str("&#13;"),
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// JSON for a script in a page: nothing in it ends the script, opens a comment in it, or is a line
/// end to JavaScript alone.
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

/// Text for one line of a terminal, so that nobody's escape sequences reach it and a message is
/// one line. Reversible: a backslash is doubled where it could be read as one of these escapes.
///
/// `\n`, `\r`, `\xHH` for the other controls (C0 without TAB, DEL, C1), `\u2028` and `\u2029`
/// for what some readers take for line ends.
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
            // A backslash before a character that will itself become an escape.
            '\\' if chars.peek().is_some_and(|&next| is_escaped(next)) => out.push_str("\\\\"),
            c if is_escaped(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

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

    /// A reader of [`line`], written from its description.
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
    fn controls_are_shown() {
        assert_eq!(escaped("a\tb"), "a\tb");
        assert_eq!(escaped("\x1b[31mred\x07"), "\\x1b[31mred\\x07");
        assert_eq!(escaped("\u{9b}\u{7f}\0"), "\\x9b\\x7f\\x00");
        assert_eq!(escaped("a\r\nb"), "a\\r\\nb");
        assert_eq!(escaped(r"C:\temp and \d"), r"C:\temp and \d");
        assert_eq!(escaped(r"C:\new"), r"C:\\new");
    }

    #[test]
    fn markup_becomes_text() {
        assert_eq!(
            html("<script>alert('1')</script>&"),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;"
        );
    }

    #[test]
    fn nothing_ends_a_script() {
        assert_eq!(
            script("\"</script>&\u{2028}\""),
            "\"\\u003c/script\\u003e\\u0026\\u2028\""
        );
    }

    proptest! {
        #[test]
        fn a_line_is_one_line_and_can_be_read_back(text in r"(\PC|[\\nrxu\p{Cc}\x{2028}\x{2029}]){0,40}") {
            let shown = escaped(&text);
            prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\t'));
            prop_assert_eq!(unescaped(&shown), text);
        }
    }
}
