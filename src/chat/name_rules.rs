//! What the name of a new account must be besides a name: in one script, not to be mistaken for another
//! account's, and reachable by its URL. Accounts that exist may have names from before these rules.

use std::collections::BTreeSet;

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_script::Script;
use unicode_security::confusable_detection::skeleton;
use unicode_security::mixed_script::AugmentedScriptSet;

use super::account_name::{AccountName, AccountNameError};
use crate::limits;
use crate::message::is_dots;

impl AccountName {
    /// Parses a name for a new account; spaces around it are removed.
    ///
    /// # Errors
    /// When the text is not a name that a new account can have.
    pub fn for_new_account(text: &str) -> Result<AccountName, AccountNameError> {
        let name = AccountName::new(text)?;
        if is_dots(name.key()) {
            return Err(AccountNameError::Dots);
        }
        if !has_one_script(name.as_str()) {
            return Err(AccountNameError::Scripts);
        }
        check_marks(name.as_str())?;
        Ok(name)
    }

    /// Returns how the name looks: as it is written, in small letters and in capitals. Two names of
    /// which any look is the same can be mistaken for each other.
    pub(super) fn looks(&self) -> BTreeSet<String> {
        let written = self.as_str();
        // The case of what a character looks like says nothing: `0` looks like `O`, and so like `o`.
        let look = |text: &str| skeleton(text).default_case_fold().nfc().collect();
        [
            look(written),
            look(self.key()),
            look(&written.to_uppercase()),
        ]
        .into()
    }
}

/// Whether a text is "highly restrictive" (UTS #39, section 5.2): in one script, or in Latin and the
/// scripts of Chinese, Japanese or Korean, none of whose characters looks like a Latin letter.
/// Characters that all scripts share, such as digits, signs and emoji, are in any.
fn has_one_script(text: &str) -> bool {
    let (mut all, mut all_but_latin) =
        (AugmentedScriptSet::default(), AugmentedScriptSet::default());
    for c in text.chars() {
        let scripts = AugmentedScriptSet::for_char(c);
        all.intersect_with(scripts);
        if !scripts.base.contains_script(Script::Latin) {
            all_but_latin.intersect_with(scripts);
        }
    }
    let is_east_asian = all_but_latin.hanb || all_but_latin.jpan || all_but_latin.kore;
    !all.is_empty() || is_east_asian
}

/// Checks that no character carries many marks, or one mark twice, which would hide it or reach into
/// other lines (UTS #39, section 5.4).
fn check_marks(text: &str) -> Result<(), AccountNameError> {
    let (mut marks, mut last) = (0, None);
    for c in text.nfd() {
        let is_mark = matches!(
            c.general_category(),
            GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark
        );
        if !is_mark {
            (marks, last) = (0, None);
            continue;
        }
        marks += 1;
        if marks > limits::NAME_MARKS_MAX || last == Some(c) {
            return Err(AccountNameError::Marks);
        }
        last = Some(c);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Option<AccountNameError> {
        AccountName::for_new_account(text).err()
    }

    #[test]
    fn name_of_new_account_in_one_script() {
        for good in [
            "victim",
            "жертва",
            "漠然",
            "liger_zql",
            "さくらサクラ桜",
            "한글漢字",
            "ㄅㄆㄇ注音",
            "Sony ソニー",
            "LG전자",
            "Zoë 你好 👋",
            "Ελένη 2",
            "👍🏽",
            "#1!",
            "علی\u{200c}رضا",
            "क्\u{200d}ष",
            "O’Neill-Šmíd",
            "Nguyễn Thị",
            "שָׁלוֹם",
            "ნინო",
            "نورا ۲",
        ] {
            assert_eq!(refused(good), None, "{good}");
        }
        for mixed in [
            "vіctim",
            "аnna",
            "Anna Анна",
            "αlpha",
            "paypаl 你好",
            "ßета",
            "Ꭺnna",
            "Иван 张",
            "さくら한글",
            "ا1a",
            "ꓮnna",
        ] {
            assert_eq!(refused(mixed), Some(AccountNameError::Scripts), "{mixed}");
        }
    }

    /// Names that no path can have as a segment, however they are written.
    #[test]
    fn name_of_dots_refused() {
        for dots in [".", "..", " .. ", "．", "．.", "‥", "․", ".\u{34f}."] {
            assert_eq!(refused(dots), Some(AccountNameError::Dots), "{dots:?}");
        }
        for good in ["...", "…", ". .", "a.", ".a", "。", "%2e%2e"] {
            assert_eq!(refused(good), None, "{good}");
        }
    }

    #[test]
    fn name_with_many_marks_refused() {
        for flood in [
            "a\u{301}\u{302}\u{303}\u{304}\u{305}",
            "a\u{302}\u{302}",
            "é\u{301}",
            "a\u{20dd}\u{20dd}",
        ] {
            assert_eq!(refused(flood), Some(AccountNameError::Marks), "{flood}");
        }
    }

    #[test]
    fn names_that_can_be_mistaken_share_a_look() {
        let looks = |text| AccountName::for_new_account(text).unwrap().looks();
        let alike = |a, b| !looks(a).is_disjoint(&looks(b));
        for (a, b) in [
            ("victim", "VlCTlM"),
            ("Ilya", "llya"),
            ("ilya", "iIya"),
            ("Bob", "B0b"),
            ("anna1", "annal"),
            ("modern", "modem"),
            ("soc", "ѕос"),
            ("HATA", "ната"),
            ("Hopa", "Нора"),
            ("ı", "i"),
            ("ɑnna", "anna"),
            ("a-b", "a‐b"),
        ] {
            assert!(alike(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("Zoë", "Zoe"),
            ("Anna", "Anne"),
            ("friend 1", "friend 2"),
            ("bot10", "bot11"),
            ("漠然", "莫然"),
            ("victim", "victims"),
        ] {
            assert!(!alike(a, b), "{a} {b}");
        }
    }
}
