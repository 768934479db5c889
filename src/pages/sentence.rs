//! A sentence of the server as a part of a page.

use crate::translation::Language;
use crate::wire::escape_html;

impl Language {
    /// Returns a sentence of the server as HTML in this language. The English is plain text: what means
    /// something in HTML is escaped here, also in the values that stand in the sentence.
    ///
    /// A sentence that the catalogue lacks stays English, and the page says so of it. So this is for the content
    /// of an element, and not for an attribute.
    #[must_use]
    pub fn sentence(self, english: &str) -> String {
        if let Some(sentence) = self.translate(english) {
            return escape_html(&sentence);
        }
        let tag = Language::English.tag();
        format!("<span lang=\"{tag}\">{}</span>", escape_html(english))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentence_is_escaped() {
        assert_eq!(Language::English.sentence("1 < 2"), "1 &lt; 2");
        let missing = Language::Chinese.sentence("no such <sentence>");
        assert_eq!(missing, "<span lang=\"en\">no such &lt;sentence&gt;</span>");
    }
}
