//! The texts of a template, and the template with others in their place.
//!
//! A text goes from one tag to the next that is not inline: a paragraph, a heading, a button. It is the key with its
//! inline tags and `{{values}}`, its white space as single spaces. Where one element is around all of it, what
//! stands inside is the text. A text without a letter is none, nor is one whose only letters stand in code. Scripts,
//! styles, `textarea`, and elements with `translate="no"` are left alone, and of a `pre` all but the remarks
//! in it, which are `i` elements. Some attributes are texts, too, also those of the tags within a text: there the
//! key has them as the template has them.

use super::Language;
use super::pieces::{Piece, Tag, pieces};

/// Elements that stand within a text.
const INLINE: [&str; 26] = [
    "a", "abbr", "b", "bdi", "bdo", "br", "cite", "code", "data", "dfn", "em", "i", "kbd", "mark",
    "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr",
];

/// Elements whose content is for machines.
const CODE: [&str; 3] = ["code", "kbd", "samp"];

/// Attributes that are texts.
const TEXTS: [&str; 4] = ["title", "placeholder", "aria-label", "alt"];

/// Whether a catalogue has to have a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextNeed {
    /// People see the text.
    Needed,
    /// The text is the value of a `data-` attribute, which may be for scripts alone.
    Possible,
}

/// Returns a template in a language, with what `find` returns for each of its texts. A text without
/// a translation stays.
pub fn translate(
    template: &str,
    language: Language,
    find: &mut dyn FnMut(&str, TextNeed) -> Option<String>,
) -> String {
    let mut translator = Translator {
        language,
        find,
        out: String::with_capacity(template.len()),
        open: Vec::new(),
        left_alone: None,
    };
    translator.run(template);
    translator.out
}

struct Translator<'f, 't> {
    language: Language,
    find: &'f mut dyn FnMut(&str, TextNeed) -> Option<String>,
    out: String,
    /// The elements that are open.
    open: Vec<&'t str>,
    /// How many elements were open when one began that is left alone.
    left_alone: Option<usize>,
}

impl<'t> Translator<'_, 't> {
    fn run(&mut self, template: &'t str) {
        // Where the text began that has not ended, and where the next piece begins.
        let (mut text, mut at): (Option<usize>, usize) = (None, 0);
        for piece in pieces(template) {
            let is_border = self.left_alone.is_some() || self.is_border(piece);
            if is_border {
                if let Some(begin) = text.take() {
                    self.text(&template[begin..at]);
                }
                match piece {
                    Piece::Open(tag) if self.left_alone.is_none() && !is_left_alone(tag) => {
                        self.tag(tag);
                    }
                    piece => self.out.push_str(piece.raw()),
                }
            } else {
                text = text.or(Some(at));
            }
            self.follow(piece, is_border);
            at += piece.raw().len();
        }
        if let Some(begin) = text {
            self.text(&template[begin..]);
        }
    }

    /// Whether a piece is not a part of a text.
    fn is_border(&self, piece: Piece<'_>) -> bool {
        let pre = self.open.iter().position(|name| *name == "pre");
        let is_in_remark = |open: &[&str]| pre.is_none_or(|pre| open[pre..].contains(&"i"));
        match piece {
            Piece::Text(_) => !is_in_remark(&self.open),
            Piece::Open(tag) => {
                !INLINE.contains(&tag.name)
                    || self.open.last() == Some(&"nav")
                    || !is_in_remark(&self.open)
            }
            Piece::Close(_, name) => {
                let around = self.open.split_last().map_or(&[][..], |(_, around)| around);
                !INLINE.contains(&name) || around.last() == Some(&"nav") || !is_in_remark(around)
            }
            Piece::Other(_) => true,
        }
    }

    /// Notes which elements are open after a piece.
    fn follow(&mut self, piece: Piece<'t>, is_border: bool) {
        match piece {
            Piece::Open(tag) if !tag.is_void() => {
                if is_border && self.left_alone.is_none() && is_left_alone(tag) {
                    self.left_alone = Some(self.open.len());
                }
                self.open.push(tag.name);
            }
            Piece::Close(_, name) => {
                if let Some(at) = self.open.iter().rposition(|open| *open == name) {
                    self.open.truncate(at);
                }
                if self.left_alone.is_some_and(|open| self.open.len() <= open) {
                    self.left_alone = None;
                }
            }
            _ => {}
        }
    }

    /// Puts a text in its translation, between the same white space.
    fn text(&mut self, text: &str) {
        let inner = text.trim_ascii();
        let begin = text.len() - text.trim_ascii_start().len();
        self.out.push_str(&text[..begin]);
        if !has_letter(inner) {
            self.with_attributes(inner);
        } else if let Some((tag, content)) = wrapped(inner) {
            self.tag(tag);
            self.text(content);
            let close = tag.raw.len() + content.len();
            self.out.push_str(&inner[close..]);
        } else {
            let key = single_spaced(inner);
            match (self.find)(&key, TextNeed::Needed) {
                Some(found) => self.with_attributes(&found),
                None => self.with_attributes(inner),
            }
        }
        self.out.push_str(&text[begin + inner.len()..]);
    }

    /// Puts a text that stays as it is, but for the attributes in it.
    fn with_attributes(&mut self, text: &str) {
        for piece in pieces(text) {
            match piece {
                Piece::Open(tag) if !is_left_alone(tag) => self.tag(tag),
                piece => self.out.push_str(piece.raw()),
            }
        }
    }

    /// Puts a tag, with its attributes in their translations.
    fn tag(&mut self, tag: Tag<'_>) {
        let mut at = 0;
        for (name, place) in tag.attributes() {
            let value = &tag.raw[place.clone()];
            let found = if tag.name == "html" && name == "lang" {
                Some(self.language.tag().to_owned())
            } else {
                let need = need(tag, name).filter(|_| has_letter(value));
                need.and_then(|need| (self.find)(&single_spaced(value), need))
            };
            if let Some(found) = found {
                self.out.push_str(&tag.raw[at..place.start]);
                self.out.push_str(&found.replace('"', "&quot;"));
                at = place.end;
            }
        }
        self.out.push_str(&tag.raw[at..]);
    }
}

/// Whether an attribute of a tag is a text.
fn need(tag: Tag<'_>, attribute: &str) -> Option<TextNeed> {
    let is_description = || tag.name == "meta" && tag.attribute("name") == Some("description");
    if TEXTS.contains(&attribute) || attribute == "content" && is_description() {
        Some(TextNeed::Needed)
    } else {
        attribute.starts_with("data-").then_some(TextNeed::Possible)
    }
}

/// Whether an element is left alone, with all that it has.
fn is_left_alone(tag: Tag<'_>) -> bool {
    ["script", "style", "textarea"].contains(&tag.name) || tag.attribute("translate") == Some("no")
}

/// The element that is around all of a text, and what stands in it.
fn wrapped(text: &str) -> Option<(Tag<'_>, &str)> {
    let mut all = pieces(text);
    let Some(Piece::Open(tag)) = all.next() else {
        return None;
    };
    if tag.is_void() || is_left_alone(tag) {
        return None;
    }
    let (mut depth, mut at) = (1, tag.raw.len());
    for piece in all {
        match piece {
            Piece::Open(tag) if !tag.is_void() => depth += 1,
            Piece::Close(..) => depth -= 1,
            _ => {}
        }
        let end = at + piece.raw().len();
        if depth == 0 {
            return (end == text.len()).then(|| (tag, &text[tag.raw.len()..at]));
        }
        at = end;
    }
    None
}

/// Whether a text has a letter outside tags, code, references to characters, and `{{values}}`.
fn has_letter(text: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    // How many elements were open when one began whose letters do not count.
    let mut passed: Option<usize> = None;
    for piece in pieces(text) {
        match piece {
            Piece::Open(tag) if !tag.is_void() => {
                if passed.is_none() && (CODE.contains(&tag.name) || is_left_alone(tag)) {
                    passed = Some(open.len());
                }
                open.push(tag.name);
            }
            Piece::Close(..) => {
                open.pop();
                passed = passed.filter(|passed| open.len() > *passed);
            }
            Piece::Text(text) if passed.is_none() && has_plain_letter(text) => return true,
            _ => {}
        }
    }
    false
}

fn has_plain_letter(text: &str) -> bool {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let passed = if rest.starts_with("{{") {
            rest.find("}}").map(|at| at + "}}".len())
        } else if c == '&' {
            let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '#';
            let name = rest[1..].find(|c| !is_of_name(c));
            name.filter(|at| rest[1 + at..].starts_with(';'))
                .map(|at| at + "&;".len())
        } else {
            None
        };
        if passed.is_none() && c.is_alphabetic() {
            return true;
        }
        rest = &rest[passed.unwrap_or(c.len_utf8())..];
    }
    false
}

fn single_spaced(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of a template, and the template with each in brackets.
    fn bracketed(template: &str) -> (Vec<String>, String) {
        let mut texts = Vec::new();
        let translated = translate(template, Language::Chinese, &mut |text, need| {
            texts.push(text.to_owned());
            (need == TextNeed::Needed).then(|| format!("[{text}]"))
        });
        (texts, translated)
    }

    #[test]
    fn template_has_texts() {
        for (template, expected) in [
            ("<p>a</p>", "<p>[a]</p>"),
            ("<p> a\n  b </p>", "<p> [a b] </p>"),
            ("<p>a <b>b</b> c<br>d</p>", "<p>[a <b>b</b> c<br>d]</p>"),
            ("<p><b>a</b></p>", "<p><b>[a]</b></p>"),
            ("<p><b><i> a</i></b> </p>", "<p><b><i> [a]</i></b> </p>"),
            ("<p><b>a</b><i>b</i></p>", "<p>[<b>a</b><i>b</i>]</p>"),
            ("a<p>b</p>c", "[a]<p>[b]</p>[c]"),
            ("<label><input> a</label>", "<label><input> [a]</label>"),
            (
                "<nav><a>a</a> <a>b</a></nav>",
                "<nav><a>[a]</a> <a>[b]</a></nav>",
            ),
            ("<p>1 &amp; {{a}} &#97; – <code>b</code></p>", ""),
            ("<p>{{a}} b &lt;</p>", "<p>[{{a}} b &lt;]</p>"),
            ("<code>a</code>", ""),
            ("<p>a <code>b</code></p>", "<p>[a <code>b</code>]</p>"),
            ("<script>a</script><style>b</style>", ""),
            (
                "<textarea>a</textarea><!-- b --><svg><text>c</text></svg>d",
                "<textarea>a</textarea><!-- b --><svg><text>[c]</text></svg>[d]",
            ),
            (
                "<p translate=\"no\">a <b>b</b></p><p>c</p>",
                "<p translate=\"no\">a <b>b</b></p><p>[c]</p>",
            ),
            ("<p><b translate=\"no\">a</b></p>", ""),
            (
                "<p>a <b translate=\"no\">b</b></p>",
                "<p>[a <b translate=\"no\">b</b>]</p>",
            ),
            (
                "<pre>a <b>b</b> <i>← c\n d</i>\n<i><b>e</b></i> f</pre>",
                "<pre>a <b>b</b> <i>[← c d]</i>\n<i><b>[e]</b></i> f</pre>",
            ),
            ("<p>中文</p>", "<p>[中文]</p>"),
        ] {
            let expected = if expected.is_empty() {
                template
            } else {
                expected
            };
            assert_eq!(bracketed(template).1, expected, "{template}");
        }
    }

    #[test]
    fn template_has_attributes() {
        for (template, expected) in [
            (
                "<input title=\"a  b\" value=\"c\" placeholder='d'>",
                "<input title=\"[a b]\" value=\"c\" placeholder='[d]'>",
            ),
            (
                "<p>a <a title=\"b\" href=\"c\">d</a></p>",
                "<p>[a <a title=\"[b]\" href=\"c\">d</a>]</p>",
            ),
            ("<p title=\"{{a}}\" aria-label=\"1\"></p>", ""),
            (
                "<meta name=\"description\" content=\"a\">",
                "<meta name=\"description\" content=\"[a]\">",
            ),
            ("<meta name=\"viewport\" content=\"a\">", ""),
            ("<p translate=\"no\" title=\"a\"></p>", ""),
            (
                "<html data-a=\"b\" lang=\"en\">",
                "<html data-a=\"b\" lang=\"zh-Hans\">",
            ),
        ] {
            let expected = if expected.is_empty() {
                template
            } else {
                expected
            };
            assert_eq!(bracketed(template).1, expected, "{template}");
        }
        let (texts, _) = bracketed("<p data-a=\"b\" data-c=\"1\">c</p>");
        assert_eq!(texts, ["b", "c"]);
    }

    /// What has no translation stays, and a translation does not end its attribute.
    #[test]
    fn template_without_translations() {
        let template = "<p title=\"a\">b\n <b title=\"c\">d</b></p>";
        let same = translate(template, Language::Chinese, &mut |_, _| None);
        assert_eq!(same, template);
        let quoted = translate("<p title=\"a\">", Language::Chinese, &mut |_, _| {
            Some("\"".to_owned())
        });
        assert_eq!(quoted, "<p title=\"&quot;\">");
    }
}
