//! The catalogues of the pages, and the built-in templates translated by them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::{BUILT_IN, content_type};
use crate::translation::{Catalogue, CatalogueError, Language, translate};
use crate::wire::{escape_script, to_json};

/// The file with the texts of the templates.
pub(super) const PAGES: &str = "zh-pages.toml";

/// The file with the texts of the scripts.
pub(super) const SCRIPTS: &str = "zh-scripts.toml";

/// The group of the scripts that every page may have.
const COMMON: &str = "page";

/// How the name of a script begins where a page loads it, or another script imports it.
const LOADED: [&str; 3] = ["{{files}}", "'./", "\"./"];

/// The texts of the pages and their scripts in Chinese.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalogues {
    pub(super) pages: Catalogue,
    pub(super) scripts: BTreeMap<String, Catalogue>,
}

static BUILT_IN_CATALOGUES: LazyLock<Catalogues> = LazyLock::new(|| {
    // A test reads them, which are a part of the program.
    let mut built_in = Catalogues::default();
    let pages = built_in.add_pages(include_str!("../../pages/zh-pages.toml"));
    let scripts = built_in.add_scripts(include_str!("../../pages/zh-scripts.toml"));
    debug_assert!(pages.is_ok() && scripts.is_ok(), "{pages:?} {scripts:?}");
    built_in
});

/// The built-in templates in Chinese.
static TRANSLATED: LazyLock<BTreeMap<&str, String>> = LazyLock::new(|| {
    let is_template = |name: &str| content_type(name).starts_with("text/html");
    let templates = BUILT_IN.iter().filter(|(name, _)| is_template(name));
    let translated = templates.map(|(name, bytes)| {
        let template = String::from_utf8_lossy(bytes);
        (*name, BUILT_IN_CATALOGUES.translate(&template))
    });
    translated.collect()
});

/// Returns the built-in template of this name in Chinese.
pub(super) fn translated(name: &str) -> Option<&'static str> {
    TRANSLATED.get(name).map(String::as_str)
}

impl Catalogues {
    pub(super) fn built_in() -> Catalogues {
        BUILT_IN_CATALOGUES.clone()
    }

    /// Adds the texts of a file, which count where both have one.
    pub(super) fn add_pages(&mut self, file: &str) -> Result<(), CatalogueError> {
        self.pages.extend(Catalogue::read(file)?);
        Ok(())
    }

    /// Adds the texts of a file, which count where both have one.
    pub(super) fn add_scripts(&mut self, file: &str) -> Result<(), CatalogueError> {
        for (group, texts) in Catalogue::read_tables(file)? {
            self.scripts.entry(group).or_default().extend(texts);
        }
        Ok(())
    }

    /// Returns a template in Chinese. Before its first script stand the words that its scripts need.
    pub(super) fn translate(&self, template: &str) -> String {
        let find = &mut |text: &str, _| self.pages.get(text).map(str::to_owned);
        let page = translate(template, Language::Chinese, find);
        let Some(first) = page.find("<script") else {
            return page;
        };
        let (before, scripts) = page.split_at(first);
        let words = self.words(&groups(template));
        format!(
            "{before}<script type=\"application/json\" id=\"words\">{words}</script>\n{scripts}"
        )
    }

    /// The texts of some groups of scripts, as a JSON object.
    fn words(&self, groups: &BTreeSet<&str>) -> String {
        let tables = groups.iter().filter_map(|group| self.scripts.get(*group));
        let words: BTreeMap<&str, &str> = tables.flat_map(Catalogue::iter).collect();
        escape_script(&to_json(&words))
    }
}

/// The groups of the scripts that a page loads, and of those that they import. The name of a script begins with
/// its group: that of `chat-talk.js` is `chat`.
fn groups(template: &str) -> BTreeSet<&str> {
    let mut scripts: BTreeSet<&str> = BTreeSet::new();
    let mut unread: Vec<&str> = loaded(template).collect();
    while let Some(script) = unread.pop() {
        let built_in = BUILT_IN.iter().find(|(name, _)| *name == script);
        let text = built_in.and_then(|(_, bytes)| std::str::from_utf8(bytes).ok());
        if scripts.insert(script) {
            unread.extend(text.into_iter().flat_map(loaded));
        }
    }
    let groups = scripts
        .into_iter()
        .filter_map(|script| script.split(['-', '.']).next());
    groups.chain([COMMON]).collect()
}

/// The names of the scripts that a page or a script loads.
fn loaded(text: &str) -> impl Iterator<Item = &str> {
    let after = |begin: &'static str| text.split(begin).skip(1);
    let names = LOADED.into_iter().flat_map(after).filter_map(|rest| {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let end = rest.find(|c| !is_of_name(c))?;
        Some(&rest[..end])
    });
    names.filter(|name| content_type(name).starts_with("text/javascript"))
}
