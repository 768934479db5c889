//! Colours in a text: the sequences with which programs colour what they print for a terminal (SGR,
//! "select graphic rendition": ECMA-48, section 8.3.117). Pure.
//!
//! ```abnf
//! sgr       = ESC "[" [ parameter *15( ";" parameter ) ] "m"
//! parameter = *3DIGIT
//! ```
//!
//! All other control sequences move the cursor, clear the screen, set titles or ask the terminal for
//! something, and none of them begins like this: what follows the grammar does nothing but change how
//! the characters after it look. What does not is no sequence here, and is escaped as any control is.

use std::iter;

use super::escape;
use crate::limits;

/// A part of a text in one style: the sequence that begins it, and the characters after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StyledRun<'a> {
    /// The sequence; empty at the beginning of a text.
    pub(super) sequence: &'a str,
    /// The characters up to the next sequence.
    pub(super) text: &'a str,
}

/// The sequence that ends all colours.
const RESET: &str = "\x1b[m";

/// Whether a text may have a sequence. Most have none.
pub(super) fn may_have_sequence(text: &str) -> bool {
    text.contains("\x1b[")
}

/// The runs of a text: the first has no sequence, and each other one has.
pub(super) fn runs(text: &str) -> impl Iterator<Item = StyledRun<'_>> {
    let (mut rest, mut is_first) = (text, true);
    iter::from_fn(move || {
        let width = if std::mem::take(&mut is_first) {
            0
        } else if rest.is_empty() {
            return None;
        } else {
            sequence_width(rest).unwrap_or(0)
        };
        let (sequence, after) = rest.split_at(width);
        let (text, next) = after.split_at(next_sequence(after));
        rest = next;
        Some(StyledRun { sequence, text })
    })
}

/// Where the next sequence begins; the end of the text if there is none.
fn next_sequence(text: &str) -> usize {
    let mut found = text.match_indices("\x1b[").map(|(at, _)| at);
    found
        .find(|at| sequence_width(&text[*at..]).is_some())
        .unwrap_or(text.len())
}

/// The width of the sequence with which a text begins, if it begins with one.
fn sequence_width(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let (mut count, mut digits) = (1, 0);
    for (at, byte) in parameters.bytes().enumerate() {
        match byte {
            b'm' => return Some("\x1b[".len() + at + 1),
            b'0'..=b'9' if digits < limits::SGR_DIGITS_MAX => digits += 1,
            b';' if count < limits::SGR_PARAMETERS_MAX => (count, digits) = (count + 1, 0),
            _ => return None,
        }
    }
    None
}

/// The parameters of a sequence; one that is left out is 0.
pub(super) fn parameters(sequence: &str) -> impl Iterator<Item = u16> {
    let parameters = sequence
        .strip_prefix("\x1b[")
        .and_then(|rest| rest.strip_suffix('m'));
    let parameters = parameters.into_iter().flat_map(|rest| rest.split(';'));
    parameters.map(|number| number.parse().unwrap_or(0))
}

/// The characters of a text without its sequences.
pub(super) fn visible(text: &str) -> String {
    runs(text).map(|run| run.text).collect()
}

/// Puts a text as one line for a terminal, with its colours: what [`escape::line`] makes of its characters,
/// with the sequences between them as they are. Colours that the text leaves on are ended.
pub(super) fn line(text: &str, out: &mut String) {
    let visible = visible(text);
    let (mut rest, mut is_colored) = (&*visible, false);
    for run in runs(text) {
        if !run.sequence.is_empty() {
            out.push_str(run.sequence);
            is_colored = parameters(run.sequence).any(|parameter| parameter != 0);
        }
        rest = &rest[run.text.len()..];
        escape::line(run.text, rest.chars().next(), out);
    }
    if is_colored {
        out.push_str(RESET);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(&str, &str)> {
        runs(text).map(|run| (run.sequence, run.text)).collect()
    }

    fn colored(text: &str) -> String {
        let mut out = String::new();
        line(text, &mut out);
        out
    }

    fn plain(text: &str) -> String {
        let mut out = String::new();
        escape::line(text, None, &mut out);
        out
    }

    #[test]
    fn sgr_divides_text_into_runs() {
        assert_eq!(pairs(""), [("", "")]);
        assert_eq!(pairs("a"), [("", "a")]);
        assert_eq!(
            pairs("a\x1b[1;31mb\x1b[mc"),
            [("", "a"), ("\x1b[1;31m", "b"), ("\x1b[m", "c")]
        );
        assert_eq!(
            pairs("\x1b[m\x1b[;;m"),
            [("", ""), ("\x1b[m", ""), ("\x1b[;;m", "")]
        );
    }

    /// Whatever is not a sequence of this kind, and one of it that is too long, stays in the text.
    #[test]
    fn sgr_is_nothing_else() {
        let most = format!("\x1b[{}m", ["255"; 16].join(";"));
        assert_eq!(pairs(&most), [("", ""), (&*most, "")]);
        let more = format!("\x1b[{}m", ["1"; 17].join(";"));
        for other in [
            "\x1b",
            "\x1b[",
            "\x1b[1",
            "\x1b[2J",
            "\x1b[K",
            "\x1b[>4;2m",
            "\x1b[?1m",
            "\x1b[1 m",
            "\x1b[38:5:1m",
            "\x1b[1234m",
            "\x1b[-1m",
            "\x1b[\u{661}m",
            "\x1b]0;title\x07",
            "\x1b(0",
            "\u{9b}1m",
            &more,
        ] {
            assert_eq!(pairs(other), [("", other)], "{other:?}");
        }
        // A broken one hides none.
        assert_eq!(
            pairs("\x1b[1\x1b[1m\x1b\x1b[0m"),
            [("", "\x1b[1"), ("\x1b[1m", "\x1b"), ("\x1b[0m", "")]
        );
    }

    #[test]
    fn sgr_has_parameters() {
        let of = |sequence| parameters(sequence).collect::<Vec<_>>();
        assert_eq!(of("\x1b[m"), [0]);
        assert_eq!(of("\x1b[;01;999m"), [0, 1, 999]);
        assert_eq!(of(""), [0; 0]);
    }

    /// The line of a terminal keeps colours, escapes all else, and ends what is left on.
    #[test]
    fn line_keeps_colors() {
        assert_eq!(colored("a\x1b[31mb\x1b[0mc"), "a\x1b[31mb\x1b[0mc");
        assert_eq!(colored("\x1b[31mred"), "\x1b[31mred\x1b[m");
        assert_eq!(colored("\x1b[1m\x1b[00;m"), "\x1b[1m\x1b[00;m");
        assert_eq!(colored("\x1b[38;5;0m"), "\x1b[38;5;0m\x1b[m");
        assert_eq!(
            colored("\x1b[2J\x1b[1mx\x1b[m\x07"),
            "\\x1b[2J\x1b[1mx\x1b[m\\x07"
        );
        // The backslash stands before an `n` for whoever sees the line.
        assert_eq!(colored("\\\x1b[1mn\x1b[m"), "\\\\\x1b[1mn\x1b[m");
    }

    proptest! {
        /// Whatever a text has in it, its line has no control but sequences of this kind, is without
        /// them the line of its characters, and leaves nothing on.
        #[test]
        fn line_has_no_other_control(text in crate::wire::testing::escapes()) {
            let line = colored(&text);
            let shown = visible(&line);
            prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\t'), "{:?}", line);
            prop_assert_eq!(shown, plain(&visible(&text)));
            let last = runs(&line).last().map_or("", |run| run.sequence);
            prop_assert!(parameters(last).all(|parameter| parameter == 0), "{:?}", line);
        }
    }
}
