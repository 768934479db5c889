//! Texts that are hard to carry over a stream, and what of them a transport cannot carry.

/// Messages that are hard to carry: a name for the case, the event's name, and the text. None of the
/// texts ends with a newline.
pub(crate) fn difficult() -> Vec<(&'static str, &'static str, String)> {
    let long = "48 KiB of \u{1f44b} & <b> ".repeat(2_100);
    let long = long[..long.floor_char_boundary(48 * 1024)].to_owned();
    let plain = |name, text: &str| (name, "message", text.to_owned());
    vec![
        plain("plain", "hello"),
        ("named", "note", "with a name".into()),
        ("all that names may have", "Az09._:-", "x".into()),
        plain("empty", ""),
        plain(
            "Unicode",
            "Grüße 你好 👋🏽 e\u{301} \u{202e}rtl \u{fffd} \u{10ffff} \u{ffff}",
        ),
        plain("LF", "two\nlines"),
        plain("CRLF", "two\r\nlines\r\n\r\nand"),
        plain("CR", "two\rlines\r"),
        plain("all line ends", "\r\n\n\r\r\n\n\rend"),
        plain(
            "JavaScript's line ends",
            "a\u{2028}b\u{2029}c\u{85}d\u{b}e\u{c}f",
        ),
        plain(
            "the end of a script",
            "</script><!--<script>alert(1)</SCRIPT >-->",
        ),
        plain("markup", "<b>&lt;&amp;&#13; \"q\" 'a'</p></div>&"),
        plain("NUL", "a\0b"),
        plain("controls", "\u{1}\u{7}\u{8}\u{1b}[31mred\u{7f}\u{9b}"),
        plain(
            "characters that turn or hide others",
            "\u{202e}a\u{2066}b\u{200f}c\u{61c}d\u{200b}e\u{ad}f\u{e0041}g \\U \\",
        ),
        plain("a family", "👨\u{200d}👩\u{200d}👧 می\u{200c}خواهم"),
        plain(
            "colours",
            "\u{1b}[1;31merror\u{1b}[0m: \u{1b}[38;5;208m<b>\u{1b}[m\u{1b}[K \\\u{1b}[1mn\u{1b}[",
        ),
        plain("a BOM", "\u{feff}after a BOM\u{feff}"),
        plain("spaces", "   leading, trailing \t "),
        plain("one space", " "),
        plain("a mark", "# end x"),
        plain("another mark", "# gap reason=expired missed=1 cursor=x-1"),
        plain("dots", "...."),
        plain("backslashes", r"C:\new\x41\u2028 \\ \. \# \"),
        plain("a guard", r"\...."),
        plain("another guard", r"\# end x"),
        plain("fields", "data: x\nid: 7\nevent: y\nretry: 1\n: z\n\n:"),
        plain("JSON", r#"{"type":"end","cursor":"x-1"}"#),
        plain("48 KiB", &long),
    ]
}

/// The text as it arrives on a transport: SSE has one kind of line end only; HTML has no NUL and no C1
/// controls, and its colours are elements.
pub(crate) fn shown(wire: &str, text: &str) -> String {
    match wire {
        "sse" => text.replace("\r\n", "\n").replace('\r', "\n"),
        "html" => uncolored(text).replace(|c| matches!(c, '\0' | '\u{80}'..='\u{9f}'), "\u{fffd}"),
        _ => text.to_owned(),
    }
}

/// The text without the sequences that set colours: `ESC [`, numbers, `m`.
pub(crate) fn uncolored(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        let numbers = part[..part.len() - rest.len()].split(';');
        match rest.strip_prefix('m') {
            Some(rest)
                if numbers.clone().count() <= 16 && numbers.clone().all(|n| n.len() <= 3) =>
            {
                out.push_str(rest);
            }
            _ => {
                out += "\u{1b}[";
                out += part;
            }
        }
    }
    out
}
