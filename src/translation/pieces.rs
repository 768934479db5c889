//! A template as what it is made of: tags, and the text between them. Together the pieces are the template, byte
//! for byte. This reads the HTML of this program's own templates, which are fragments with `{{values}}` in them, and
//! passes over what a page in DIR may have wrong.

use std::ops::Range;

/// What a template is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// What stands between tags.
    Text(&'t str),
    /// The tag that opens an element, or is one by itself.
    Open(Tag<'t>),
    /// The tag that closes the element of this name.
    Close(&'t str, &'t str),
    /// What is no text for people: a comment, a doctype, a script.
    Other(&'t str),
}

/// A tag that opens an element, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag<'t> {
    pub(super) raw: &'t str,
    pub(super) name: &'t str,
}

/// Elements that have no content.
const VOID: [&str; 9] = [
    "area", "br", "col", "hr", "img", "input", "link", "meta", "wbr",
];

/// Elements whose content is no HTML.
const RAW: [&str; 3] = ["script", "style", "textarea"];

impl<'t> Piece<'t> {
    /// The piece as it is written.
    pub(super) fn raw(self) -> &'t str {
        match self {
            Piece::Text(raw) | Piece::Other(raw) | Piece::Close(raw, _) => raw,
            Piece::Open(tag) => tag.raw,
        }
    }
}

impl<'t> Tag<'t> {
    /// Whether the element has no content, and so no tag that closes it.
    pub(super) fn is_void(self) -> bool {
        VOID.contains(&self.name) || self.raw.ends_with("/>")
    }

    /// The attributes that have values, with the places of the values in the tag.
    pub(super) fn attributes(self) -> Vec<(&'t str, Range<usize>)> {
        let mut found = Vec::new();
        let mut at = 1 + self.name.len();
        while let Some(equals) = self.raw[at..].find('=') {
            let begin = at + equals + 1;
            let name = self.raw[at..begin - 1].split_ascii_whitespace().next_back();
            let rest = &self.raw[begin..];
            let value = if let Some(quote @ ('"' | '\'')) = rest.chars().next() {
                let end = rest[1..].find(quote).unwrap_or(rest.len() - 1);
                begin + 1..begin + 1 + end
            } else {
                let is_end = |c: char| c.is_ascii_whitespace() || c == '>';
                begin..begin + rest.find(is_end).unwrap_or(rest.len())
            };
            at = value.end;
            found.extend(name.map(|name| (name, value)));
        }
        found
    }

    /// The value of an attribute.
    pub(super) fn attribute(self, name: &str) -> Option<&'t str> {
        let mut attributes = self.attributes().into_iter();
        let (_, value) = attributes.find(|(found, _)| *found == name)?;
        Some(&self.raw[value])
    }
}

/// Returns the pieces of a template, in their order.
pub(super) fn pieces(html: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = html;
    let mut is_raw: Option<&str> = None;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let piece = match is_raw.take() {
            Some(name) => Piece::Other(before(rest, &format!("</{name}"))),
            None => next(rest),
        };
        if let Piece::Open(tag) = piece {
            is_raw = RAW.into_iter().find(|name| *name == tag.name);
        }
        rest = &rest[piece.raw().len()..];
        Some(piece)
    })
    .filter(|piece| !piece.raw().is_empty())
}

/// The first piece of what is left of a template.
fn next(rest: &str) -> Piece<'_> {
    let is_tag = |c: char| c.is_ascii_alphabetic() || c == '/' || c == '!';
    let Some(tag) = rest.strip_prefix('<').filter(|tag| tag.starts_with(is_tag)) else {
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[first..].find('<').map_or(rest.len(), |at| first + at);
        return Piece::Text(&rest[..end]);
    };
    if tag.starts_with("!--") {
        let comment = before(rest, "-->");
        let end = (comment.len() + "-->".len()).min(rest.len());
        return Piece::Other(&rest[..end]);
    }
    let raw = &rest[..end_of_tag(rest)];
    if tag.starts_with('!') {
        return Piece::Other(raw);
    }
    let is_end = |c: char| c.is_ascii_whitespace() || c == '>' || c == '/';
    match tag.strip_prefix('/') {
        Some(tag) => Piece::Close(raw, before_any(tag, is_end)),
        None => Piece::Open(Tag {
            raw,
            name: before_any(tag, is_end),
        }),
    }
}

/// Where the tag ends with which a text begins: at the first `>` that is not in the value of an attribute.
fn end_of_tag(text: &str) -> usize {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (byte, quote) {
            (b'>', None) => return at + 1,
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if open == byte => quote = None,
            _ => {}
        }
    }
    text.len()
}

/// What stands in a text before another; all of it if that does not stand there.
fn before<'t>(text: &'t str, end: &str) -> &'t str {
    text.find(end).map_or(text, |at| &text[..at])
}

fn before_any(text: &str, is_end: impl Fn(char) -> bool) -> &str {
    text.find(is_end).map_or(text, |at| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn html_is_cut_into_pieces() {
        let html =
            "<!doctype html><p a=\">\" b='c'>1 < 2<br><!-- <b> --></p><script>a</b></script>{{x}}";
        let cut: Vec<String> = pieces(html)
            .map(|piece| match piece {
                Piece::Text(raw) => format!("text {raw}"),
                Piece::Open(tag) => format!("open {} {}", tag.name, tag.is_void()),
                Piece::Close(_, name) => format!("close {name}"),
                Piece::Other(raw) => format!("other {raw}"),
            })
            .collect();
        let expected = [
            "other <!doctype html>",
            "open p false",
            "text 1 ",
            "text < 2",
            "open br true",
            "other <!-- <b> -->",
            "close p",
            "open script false",
            "other a</b>",
            "close script",
            "text {{x}}",
        ];
        assert_eq!(cut, expected);
    }

    #[test]
    fn html_tags_have_attributes() {
        let raw = "<input required title=\"a > b\" name=x value='' data-a=\"1\">";
        let tag = Tag { raw, name: "input" };
        assert_eq!(tag.attribute("title"), Some("a > b"));
        assert_eq!(tag.attribute("name"), Some("x"));
        assert_eq!(tag.attribute("value"), Some(""));
        assert_eq!(tag.attribute("data-a"), Some("1"));
        assert_eq!(tag.attribute("required"), None);
        let broken = Tag {
            raw: "<a b=\"",
            name: "a",
        };
        assert_eq!(broken.attribute("b"), Some(""));
    }

    proptest! {
        /// The pieces are the text, whatever it is.
        #[test]
        fn html_pieces_are_the_whole(html in "(<|>|\"|'|=|/|!|-|a|p| |script|<p a=|中|é)*") {
            let whole: String = pieces(&html).map(Piece::raw).collect();
            prop_assert_eq!(&whole, &html);
            for piece in pieces(&html) {
                if let Piece::Open(tag) = piece {
                    tag.attributes();
                }
            }
        }
    }
}
