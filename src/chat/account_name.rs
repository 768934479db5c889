//! The name of an account: in any script, and so that no two names look alike for want of a normal
//! form.

use std::fmt;
use std::sync::Arc;

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::limits;

/// A name that an account has or may have.
#[derive(Clone)]
pub struct AccountName {
    text: Arc<str>,
    key: Arc<str>,
}

/// Why a text is not a name that an account can have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AccountNameError {
    /// The text has no visible character.
    #[error("the name is empty; give it a character that can be seen")]
    Empty,
    /// The text has too many characters.
    #[error("the name is too long; use at most {max} characters", max = limits::ACCOUNT_NAME_CHARS_MAX)]
    TooLong,
    /// The text has a character that names cannot have.
    #[error(
        "the name has the character U+{code:04X}, which names cannot have; use letters, digits, \
         signs and emoji of any script",
        code = u32::from(*.0)
    )]
    Character(char),
    /// The text has several spaces in a row.
    #[error("the name has several spaces in a row; use one")]
    Spaces,
    /// The text, or a word of it, begins with a combining mark, which needs a character before it.
    #[error(
        "the name has the mark U+{code:04X} without a character before it; add that character",
        code = u32::from(*.0)
    )]
    Mark(char),
    /// The text is a dot or two, or looks like that: as a segment of a path it would mean a directory.
    #[error("the name is . or .., which no address of a page can have; choose another")]
    Dots,
    /// The text has letters of several scripts, so that one can be mistaken for another.
    #[error(
        "the name has letters of several scripts, which look alike; use those of one script (Latin \
         may be mixed with Chinese, Japanese or Korean)"
    )]
    Scripts,
    /// A character has too many combining marks, or one twice.
    #[error(
        "the name has a character with more than {max} combining marks, or with one of them twice; \
         use fewer",
        max = limits::NAME_MARKS_MAX
    )]
    Marks,
    /// The text has an invisible joiner that joins nothing.
    #[error(
        "the name has the invisible U+{code:04X} where it joins nothing; leave it out",
        code = u32::from(*.0)
    )]
    Joiner(char),
}

const ZWNJ: char = '\u{200c}';
const ZWJ: char = '\u{200d}';

impl AccountName {
    /// Parses the name of an account that may exist, as a client has typed it; spaces around it are
    /// removed. A new account has to keep more rules ([`AccountName::for_new_account`]).
    ///
    /// # Errors
    /// When the text is not a name that an account can have.
    pub fn new(text: &str) -> Result<AccountName, AccountNameError> {
        // No spelling of a character takes more than three times the bytes of its normal form.
        const MOST: usize = limits::ACCOUNT_NAME_CHARS_MAX * 4 * 3;
        if text.len() > MOST {
            return Err(AccountNameError::TooLong);
        }
        let text: String = text.trim().nfc().collect();
        if text.chars().count() > limits::ACCOUNT_NAME_CHARS_MAX {
            return Err(AccountNameError::TooLong);
        }
        check(&text)?;
        let key = key(&text);
        if key.trim().is_empty() {
            return Err(AccountNameError::Empty);
        }
        Ok(AccountName::from_columns(text, key))
    }

    /// Takes the name of an account from the columns of its row.
    pub(super) fn from_columns(text: impl Into<Arc<str>>, key: impl Into<Arc<str>>) -> AccountName {
        AccountName {
            text: text.into(),
            key: key.into(),
        }
    }

    /// Returns the name as it is shown, in normal form (NFC).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the key by which names are compared: names that differ only in case, normal form, or
    /// invisible characters have the same key.
    #[must_use]
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }
}

impl PartialEq for AccountName {
    fn eq(&self, other: &AccountName) -> bool {
        self.key == other.key
    }
}

impl Eq for AccountName {}

impl fmt::Debug for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// Checks that all characters are those of names, each where it may stand.
fn check(text: &str) -> Result<(), AccountNameError> {
    // The ends of the text count as spaces.
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let after = rest.peek().copied().unwrap_or(' ');
        match c {
            ZWJ | ZWNJ if [' ', ZWJ, ZWNJ].contains(&before) || after == ' ' => {
                return Err(AccountNameError::Joiner(c));
            }
            ' ' if before == ' ' => return Err(AccountNameError::Spaces),
            ' ' | ZWJ | ZWNJ => {}
            c if !is_for_names(c) => return Err(AccountNameError::Character(c)),
            c => {
                let is_mark = c.general_category_group() == GeneralCategoryGroup::Mark;
                if is_mark && before == ' ' {
                    return Err(AccountNameError::Mark(c));
                }
            }
        }
        before = c;
    }
    Ok(())
}

/// Whether a character is a letter, mark, digit or sign. Spaces and joiners are checked elsewhere.
fn is_for_names(c: char) -> bool {
    // Characters that are not assigned yet are refused, too: a later version of Unicode may give
    // them another case or normal form.
    !matches!(
        c.general_category_group(),
        GeneralCategoryGroup::Other | GeneralCategoryGroup::Separator
    )
}

/// Returns the key of a name: its form for compatibility caseless matching (Unicode Standard, section
/// 3.13, D146), without invisible characters.
fn key(text: &str) -> String {
    text.chars()
        .nfd()
        .default_case_fold()
        .nfkd()
        .default_case_fold()
        .nfkd()
        .filter(|c| !is_invisible(*c))
        .nfc()
        .collect()
}

/// Whether a character is invisible: a default ignorable code point (`DerivedCoreProperties.txt`) that
/// is not refused, or one that looks like these.
fn is_invisible(c: char) -> bool {
    c.general_category() == GeneralCategory::Format
        || matches!(c,
            '\u{034f}'                     // combining grapheme joiner
            | '\u{115f}'..='\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
            | '\u{17b4}'..='\u{17b5}'      // Khmer inherent vowels
            | '\u{180b}'..='\u{180f}'      // Mongolian variation selectors
            | '\u{2800}'                   // Braille without dots
            | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' // variation selectors
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        AccountName::new(a).unwrap() == AccountName::new(b).unwrap()
    }

    #[test]
    fn name_in_any_script() {
        for name in [
            "a",
            "Anna Maria",
            "O’Neill-Šmíd",
            "李小龙",
            "محمد",
            "علی\u{200c}رضا",
            "நிலா",
            "क्\u{200d}ष",
            "Ελένη",
            "👩\u{200d}👩\u{200d}👧\u{200d}👦",
            "❤\u{fe0f}\u{200d}🔥",
            "👍🏽",
            "<b>bold</b> & \"q\"",
            "%00../../\\",
        ] {
            assert_eq!(AccountName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn name_kept_in_normal_form() {
        assert_eq!(
            AccountName::new(" \u{3000}e\u{301}le\u{300}ve\n")
                .unwrap()
                .as_str(),
            "élève"
        );
        // Hangul as some keyboards type it takes nine bytes for each syllable.
        let written = "\u{1112}\u{1161}\u{11ab}".repeat(limits::ACCOUNT_NAME_CHARS_MAX);
        assert_eq!(
            AccountName::new(&written).unwrap().as_str(),
            "한".repeat(limits::ACCOUNT_NAME_CHARS_MAX)
        );
    }

    #[test]
    fn names_that_look_alike_are_equal() {
        assert!(same("Zoë", "zoe\u{308}"));
        assert!(same("STRASSE", "straße"));
        assert!(same("ΣΊΣΥΦΟΣ", "σίσυφος"));
        assert!(same("ａｎｎａ", "Anna"));
        assert!(same("ﬁn", "FIN"));
        assert!(same("علی\u{200c}رضا", "علیرضا"));
        assert!(same("❤\u{fe0f}", "❤"));
        assert!(same("an\u{034f}na\u{3164}", "Anna"));
        assert!(same("한", "\u{1112}\u{1161}\u{11ab}"));
        // A mark that an invisible character separates from its letter belongs to that letter.
        assert!(same("e\u{200d}\u{301}a", "éa"));
        assert!(!same("Anna Maria", "AnnaMaria"));
        assert!(!same("ı", "i"));
    }

    #[test]
    fn bad_name_refused_with_reason() {
        for (text, why) in [
            ("", AccountNameError::Empty),
            (" \t ", AccountNameError::Empty),
            ("\u{3164}\u{2800}", AccountNameError::Empty),
            ("\u{fe0f}", AccountNameError::Mark('\u{fe0f}')),
            ("\u{301}a", AccountNameError::Mark('\u{301}')),
            ("a \u{301}a", AccountNameError::Mark('\u{301}')),
            ("a  b", AccountNameError::Spaces),
            ("a\u{a0}b", AccountNameError::Character('\u{a0}')),
            ("a\nb", AccountNameError::Character('\n')),
            ("a\0", AccountNameError::Character('\0')),
            ("a\u{202e}b", AccountNameError::Character('\u{202e}')),
            ("a\u{ad}b", AccountNameError::Character('\u{ad}')),
            ("a\u{2028}b", AccountNameError::Character('\u{2028}')),
            ("a\u{e000}", AccountNameError::Character('\u{e000}')),
            ("a\u{fffe}", AccountNameError::Character('\u{fffe}')),
            ("a\u{e0fff}", AccountNameError::Character('\u{e0fff}')),
            ("\u{200d}a", AccountNameError::Joiner(ZWJ)),
            ("a\u{200c}", AccountNameError::Joiner(ZWNJ)),
            ("a\u{200d}\u{200d}b", AccountNameError::Joiner(ZWJ)),
            ("a\u{200d} b", AccountNameError::Joiner(ZWJ)),
        ] {
            assert_eq!(AccountName::new(text), Err(why), "{text:?}");
        }
        let error = AccountNameError::Character('\u{202e}').to_string();
        assert!(error.contains("U+202E"), "{error}");
    }

    #[test]
    fn long_name_refused() {
        let most = "🐢".repeat(limits::ACCOUNT_NAME_CHARS_MAX);
        assert_eq!(AccountName::new(&most).unwrap().as_str(), most);
        assert_eq!(
            AccountName::new(&(most + "a")),
            Err(AccountNameError::TooLong)
        );
        assert_eq!(
            AccountName::new(&"x".repeat(1 << 20)),
            Err(AccountNameError::TooLong)
        );
        assert_eq!(
            AccountName::new(&" ".repeat(1 << 20)),
            Err(AccountNameError::TooLong)
        );
    }

    proptest::proptest! {
        #[test]
        fn name_round_trip(text in "\\PC{0,12}") {
            if let Ok(name) = AccountName::new(&text) {
                let again = AccountName::new(name.as_str()).unwrap();
                assert_eq!(again.as_str(), name.as_str());
                assert_eq!(again, name);
                assert!(name.as_str().len() <= limits::ACCOUNT_NAME_CHARS_MAX * 4);
            }
        }
    }
}
