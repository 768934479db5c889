//! The languages in which the pages are shown.

use super::sentences;

/// A language in which the pages are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// The language in which all texts are written.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// All languages, the usual one first.
    pub const ALL: [Language; 2] = [Language::English, Language::Chinese];

    /// The language as HTML and HTTP name it (BCP 47).
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh-Hans",
        }
    }

    /// The language as addresses and the cookie name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh",
        }
    }

    /// What its speakers call the language.
    #[must_use]
    pub fn own_name(self) -> &'static str {
        match self {
            Language::English => "English",
            Language::Chinese => "中文",
        }
    }

    /// The language to which the switch of a page leads.
    #[must_use]
    pub fn other(self) -> Language {
        match self {
            Language::English => Language::Chinese,
            Language::Chinese => Language::English,
        }
    }

    /// Returns the language that addresses and the cookie name so.
    #[must_use]
    pub fn named(name: &str) -> Option<Language> {
        Language::ALL
            .into_iter()
            .find(|language| language.name() == name)
    }

    /// Returns the language of a range of languages, such as `zh-TW` (RFC 4647, section 2.1). All Chinese is one:
    /// who reads one script reads the other more easily than English.
    #[must_use]
    pub fn of_range(range: &str) -> Option<Language> {
        let primary = range.split('-').next().unwrap_or_default();
        Language::ALL
            .into_iter()
            .find(|language| language.name().eq_ignore_ascii_case(primary))
    }

    /// Returns a sentence of the server in this language; `None` if its catalogue lacks it. The first letter may
    /// be a capital or not, and the full stop may be missing.
    #[must_use]
    pub fn translate(self, english: &str) -> Option<String> {
        match self {
            Language::English => Some(english.to_owned()),
            Language::Chinese => sentences::chinese(english),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_of_a_range() {
        for (range, expected) in [
            ("zh", Some(Language::Chinese)),
            ("zh-TW", Some(Language::Chinese)),
            ("ZH-hans-CN", Some(Language::Chinese)),
            ("en-GB", Some(Language::English)),
            ("zhx", None),
            ("de", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(Language::of_range(range), expected, "{range}");
        }
    }
}
