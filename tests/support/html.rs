//! What people read of a page: the texts between its tags, and those in its attributes.

/// Elements whose content is for machines, or stands for what somebody has written.
const CODE: [&str; 8] = [
    "script", "style", "textarea", "code", "kbd", "samp", "pre", "bdi",
];

/// Elements without content.
const VOID: [&str; 7] = ["br", "col", "hr", "img", "input", "link", "meta"];

/// Attributes that people see or hear.
const TEXTS: [&str; 4] = ["title", "placeholder", "aria-label", "alt"];

/// The texts of a page, but for code, for what is marked as another language than that of the page or as not to be
/// translated, and for what people have written.
pub(crate) fn texts(page: &str) -> Vec<String> {
    let mut texts = Vec::new();
    // The open elements, each with whether its content counts.
    let mut open: Vec<(&str, bool)> = Vec::new();
    let mut rest = page;
    let mut own = "";
    while !rest.is_empty() {
        let counts = open.last().is_none_or(|(_, counts)| *counts);
        let Some(at) = rest.find('<') else { break };
        if counts {
            texts.push(plain(&rest[..at]));
        }
        rest = &rest[at..];
        if rest.starts_with("<!") {
            let end = if rest.starts_with("<!--") { "-->" } else { ">" };
            rest = rest.split_once(end).map_or("", |(_, rest)| rest);
            continue;
        }
        let Some(end) = tag_end(rest) else { break };
        let tag = &rest[..end];
        rest = &rest[end..];
        let inner = tag.trim_matches(['<', '>']);
        let name = inner.trim_start_matches('/');
        let name = name.split([' ', '\n', '>']).next().unwrap();
        if inner.starts_with('/') {
            let at = open.iter().rposition(|(open, _)| *open == name);
            open.truncate(at.unwrap_or_else(|| panic!("{tag} closes nothing")));
            continue;
        }
        let lang = attribute(tag, "lang");
        if name == "html" {
            own = lang.unwrap_or("");
        }
        let counts = counts
            && !CODE.contains(&name)
            && lang.is_none_or(|lang| lang == own)
            && attribute(tag, "translate") != Some("no")
            && attribute(tag, "class").is_none_or(|class| class != "message");
        if counts {
            texts.extend(
                TEXTS
                    .iter()
                    .filter_map(|text| attribute(tag, text).map(plain)),
            );
        }
        // What somebody has written is marked by its direction, which it has by itself.
        let is_written = attribute(tag, "dir") == Some("auto");
        if !VOID.contains(&name) {
            open.push((name, counts && !is_written));
        }
        if ["script", "style"].contains(&name) {
            let end = rest.find(&format!("</{name}")).unwrap();
            rest = &rest[end..];
        }
    }
    texts.retain(|text| !text.is_empty());
    texts
}

/// Where the tag ends with which a text begins; `None` if the page was cut in it.
fn tag_end(text: &str) -> Option<usize> {
    let mut is_quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            '>' if !is_quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The value of an attribute of a tag.
pub(crate) fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

/// A text with its references read, and with single spaces.
fn plain(text: &str) -> String {
    let references = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ];
    let read = |text: String, (reference, c): (&str, &str)| text.replace(reference, c);
    let text = references.into_iter().fold(text.to_owned(), read);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a text has a Chinese character.
pub(crate) fn has_han(text: &str) -> bool {
    text.contains(|c: char| ('\u{4e00}'..='\u{9fff}').contains(&c))
}
