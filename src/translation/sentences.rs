//! The sentences that the server makes, in Chinese. Their catalogue is `pages/zh-server.toml`.
//!
//! A key may have `{}` where a value stands: `"no account is named {}" = "没有叫 {1} 的账户"`. The sentence is matched
//! with the key: what is between the values stands in it in the same order, each as early as possible. The
//! Chinese has the values by their numbers. A value that is a sentence of the catalogue itself, such as the reason
//! of an error, is written `{2:sentence}`.

use std::sync::LazyLock;

use super::Catalogue;
use crate::limits;

const CATALOGUE: &str = include_str!("../../pages/zh-server.toml");

/// An entry of the catalogue.
struct SentencePattern {
    /// What stands before, between and after the values.
    parts: Vec<String>,
    chinese: String,
}

/// The entries, those first that have the most text of their own.
static PATTERNS: LazyLock<Vec<SentencePattern>> = LazyLock::new(|| {
    // A test reads the catalogue, which is a part of the program.
    let catalogue = Catalogue::read(CATALOGUE).unwrap_or_default();
    let mut patterns: Vec<SentencePattern> = catalogue
        .iter()
        .map(|(english, chinese)| SentencePattern::new(english, chinese))
        // Values alone would match anything, also the values themselves, for ever.
        .filter(|pattern| pattern.own_text() > 0)
        .collect();
    patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.own_text()));
    patterns
});

/// Returns an English sentence in Chinese; `None` if the catalogue has none that matches it.
pub(super) fn chinese(english: &str) -> Option<String> {
    nested(english, limits::NESTED_SENTENCES_MAX)
}

/// Returns a sentence in Chinese, with at most so many sentences within each other.
fn nested(english: &str, depth: usize) -> Option<String> {
    if english.is_empty() {
        return Some(String::new());
    }
    let text = bare(english);
    let found = |pattern: &SentencePattern| {
        // A value at the beginning stays as it is.
        let begins = if pattern.begins_with_value() {
            english.trim_end_matches('.')
        } else {
            &text
        };
        Some(pattern.fill(&pattern.values(begins)?, depth))
    };
    let sentence = PATTERNS.iter().find_map(found)?;
    // Errors are written without a full stop, and get one where they are shown alone.
    let is_open = english.ends_with('.') && !sentence.ends_with(['。', '？', '！']);
    Some(if is_open { sentence + "。" } else { sentence })
}

/// A sentence as it stands within another: without a capital at its beginning, and without a full stop.
fn bare(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    let first = letters.next().map(|c| c.to_lowercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

impl SentencePattern {
    fn new(english: &str, chinese: &str) -> SentencePattern {
        SentencePattern {
            parts: bare(english).split("{}").map(str::to_owned).collect(),
            chinese: chinese.to_owned(),
        }
    }

    fn begins_with_value(&self) -> bool {
        self.parts.len() > 1 && self.parts[0].is_empty()
    }

    fn own_text(&self) -> usize {
        self.parts.iter().map(String::len).sum()
    }

    /// The values with which the pattern is this text.
    fn values<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let (first, rest) = self.parts.split_first()?;
        let mut text = text.strip_prefix(first.as_str())?;
        let Some((last, between)) = rest.split_last() else {
            return text.is_empty().then(Vec::new);
        };
        text = text.strip_suffix(last.as_str())?;
        let mut values = Vec::new();
        for part in between {
            let (value, after) = text.split_once(part.as_str())?;
            values.push(value);
            text = after;
        }
        values.push(text);
        Some(values)
    }

    /// The Chinese with these values, of which each may be a sentence with so many within each other.
    fn fill(&self, values: &[&str], depth: usize) -> String {
        let mut filled = String::new();
        let mut rest = self.chinese.as_str();
        while let Some((before, tail)) = rest.split_once('{') {
            filled.push_str(before);
            let found = tail.split_once('}').and_then(|(place, after)| {
                let (number, kind) = place.split_once(':').unwrap_or((place, ""));
                let number: usize = number.parse().ok()?;
                let value = *values.get(number.checked_sub(1)?)?;
                let depth = depth.checked_sub(1).filter(|_| kind == "sentence");
                let sentence = depth.and_then(|depth| nested(value, depth));
                Some((sentence.unwrap_or_else(|| value.to_owned()), after))
            });
            rest = if let Some((value, after)) = found {
                filled += &value;
                after
            } else {
                filled.push('{');
                tail
            };
        }
        filled + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translate(pattern: (&str, &str), english: &str) -> Option<String> {
        let pattern = SentencePattern::new(pattern.0, pattern.1);
        Some(pattern.fill(&pattern.values(&bare(english))?, 1))
    }

    #[test]
    fn sentences_catalogue_can_be_read() {
        Catalogue::read(CATALOGUE).unwrap();
    }

    /// Sentences within each other are put into Chinese as far as is sensible, and the rest stays.
    #[test]
    fn sentences_are_not_nested_without_end() {
        let text = "the store is not available: ".repeat(1000);
        let said = chinese(&text).unwrap();
        let count = said.matches("存储不可用").count();
        assert_eq!(count, 1 + limits::NESTED_SENTENCES_MAX);
    }

    /// A value that has itself what stands between values ends where that comes first.
    #[test]
    fn sentences_have_values() {
        let pattern = ("the name {} is {}", "{2}：{1} {3} {x}");
        for (english, expected) in [
            ("the name \"a\" is long", Some("long：\"a\" {3} {x}")),
            ("The name a is b is c.", Some("b is c：a {3} {x}")),
            ("the name  is ", Some("： {3} {x}")),
            ("the name a was", None),
            ("a name a is b", None),
        ] {
            let chinese = translate(pattern, english);
            assert_eq!(chinese.as_deref(), expected, "{english}");
        }
        assert_eq!(translate(("none", "无"), "none").as_deref(), Some("无"));
        assert_eq!(translate(("none", "无"), "none at all"), None);
        let nested = translate(("no: {}", "不行：{1:sentence}"), "no: such");
        assert_eq!(nested.as_deref(), Some("不行：such"));
    }
}
