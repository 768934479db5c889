//! The catalogues of the pages: that they have each text that a page or a script can show, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use forever_frame::translation::{Catalogue, Language, TextNeed, translate};

use crate::support::html::has_han;

/// A file of `pages/`.
fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("pages")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The files of a directory of the tree with this ending, and of those in it, each with its name.
fn files(dir: &str, ending: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&format!("{dir}/{name}"), ending));
        } else if name.ends_with(ending) {
            found.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
    found
}

fn pages_catalogue() -> Catalogue {
    Catalogue::read(&page("zh-pages.toml")).unwrap()
}

fn scripts_catalogue() -> BTreeMap<String, Catalogue> {
    Catalogue::read_tables(&page("zh-scripts.toml")).unwrap()
}

/// The tags of a text and its `{{values}}`, sorted.
fn marks(text: &str) -> Vec<&str> {
    let tags = text.split('<').skip(1).filter_map(|rest| {
        let end = rest.find('>')?;
        Some(&rest[..end])
    });
    let values = text.split("{{").skip(1).filter_map(|rest| {
        let end = rest.find("}}")?;
        Some(&rest[..end])
    });
    let mut marks: Vec<&str> = tags.chain(values).collect();
    marks.sort_unstable();
    marks
}

/// The places for values in a text of a script, sorted: `{n}`.
fn places(text: &str) -> Vec<&str> {
    let mut places: Vec<&str> = text
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(place, _)| place))
        .collect();
    places.sort_unstable();
    places
}

/// Each text of each template has an entry, and each entry is a text of a template.
#[test]
fn catalogue_of_pages_is_complete() {
    let catalogue = pages_catalogue();
    let (mut missing, mut used) = (Vec::new(), BTreeSet::new());
    let mut templates = files("pages", ".html");
    // A file to copy, which is served as it is.
    templates.remove("example.html");
    for (name, template) in templates {
        translate(&template, Language::Chinese, &mut |text, need| {
            match catalogue.get(text) {
                Some(_) => {
                    used.insert(text.to_owned());
                }
                None if need == TextNeed::Needed => missing.push(format!("{name}: {text}")),
                None => {}
            }
            None
        });
    }
    let unused: Vec<&str> = catalogue
        .iter()
        .map(|(english, _)| english)
        .filter(|english| !used.contains(*english))
        .collect();
    assert!(used.len() > 300, "the test looks at something");
    assert!(missing.is_empty(), "without Chinese: {missing:#?}");
    assert!(unused.is_empty(), "no longer in a template: {unused:#?}");
}

/// A translation has the tags and the values of its key.
#[test]
fn translations_keep_tags_and_values() {
    for (english, chinese) in pages_catalogue().iter() {
        assert_eq!(marks(english), marks(chinese), "{english}\n{chinese}");
    }
    for (english, chinese) in scripts_catalogue().values().flat_map(Catalogue::iter) {
        if english.contains("{}") {
            let count = english.matches("{}").count();
            for place in places(chinese) {
                let number = place.trim_end_matches(":sentence").parse::<usize>();
                assert!(number.is_ok_and(|n| (1..=count).contains(&n)), "{chinese}");
            }
        } else {
            assert_eq!(places(english), places(chinese), "{english}\n{chinese}");
        }
    }
}

/// The texts that a script gives to `t()`, as it has them.
fn texts_of_script(name: &str, script: &str) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for (at, _) in script.match_indices("t(") {
        let is_other = |c: char| c.is_alphanumeric() || "_.$".contains(c);
        let line = script[..at].rsplit('\n').next().unwrap();
        if script[..at].ends_with(is_other) || line.trim_start().starts_with("//") {
            continue;
        }
        let mut letters = script[at + "t(".len()..].chars();
        let quote = letters.next().unwrap();
        if quote != '\'' && quote != '"' {
            // Where `t` itself is made.
            assert!(
                name == "words.js",
                "{name}: t() takes a text as it is, not {line}"
            );
            continue;
        }
        let mut text = String::new();
        while let Some(c) = letters.next() {
            match c {
                '\\' => text.extend(letters.next()),
                c if c == quote => break,
                c => text.push(c),
            }
        }
        let after = letters.next();
        assert!(matches!(after, Some(',' | ')')), "{name}: {text}");
        texts.insert(text);
    }
    texts
}

/// The group of a script, whose table has its texts.
fn group(name: &str) -> &str {
    name.split(['-', '.']).next().unwrap()
}

/// Each text that a script gives to `t()` has an entry, in the table of its group or in that of all pages; and
/// each entry is such a text, or one that stands in the program and that scripts only pass on.
#[test]
fn catalogue_of_scripts_is_complete() {
    let catalogue = scripts_catalogue();
    let (mut missing, mut used) = (Vec::new(), BTreeSet::new());
    for (name, script) in files("pages", ".js") {
        let tables = [group(&name), "page"];
        for text in texts_of_script(&name, &script) {
            let has = |table: &&str| {
                let table = catalogue.get(*table);
                table.is_some_and(|table| table.get(&text).is_some())
            };
            match tables.iter().find(|table| has(table)) {
                Some(table) => {
                    used.insert((table.to_string(), text));
                }
                None => missing.push(format!("{name}: {text}")),
            }
        }
    }
    assert!(used.len() > 200, "the test looks at something");
    assert!(missing.is_empty(), "without Chinese: {missing:#?}");
    let sources: String = [
        files("src", ".rs"),
        files("pages", ".js"),
        files("pages", ".html"),
    ]
    .into_iter()
    .flat_map(BTreeMap::into_values)
    .map(|source| joined(&source))
    .collect();
    let is_passed_on = |english: &str| {
        english
            .split("{}")
            .all(|part| sources.contains(part.trim()))
    };
    let mut unused = Vec::new();
    for (table, texts) in &catalogue {
        for (english, _) in texts.iter() {
            if !used.contains(&(table.clone(), english.to_owned())) && !is_passed_on(english) {
                unused.push(format!("[{table}] {english}"));
            }
        }
    }
    assert!(unused.is_empty(), "no longer in the program: {unused:#?}");
}

/// A source whose strings go on in one line, without the escapes of quotes.
fn joined(source: &str) -> String {
    let mut lines = source.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let rest = lines.map(str::trim_start);
    rest.fold(first, |all, line| all + line)
        .replace("\\\"", "\"")
        .replace("\\'", "'")
}

/// A translation is Chinese, unless there is nothing to translate: a name, a number, punctuation.
#[test]
fn translations_are_chinese() {
    let pages = pages_catalogue();
    let scripts = scripts_catalogue();
    let all = pages
        .iter()
        .chain(scripts.values().flat_map(Catalogue::iter));
    let is_word = |text: &str| {
        let letters = text.split(|c: char| !c.is_alphabetic());
        letters.filter(|word| word.len() > 1).count() > 2
    };
    let is_plain = |text: &str| {
        let own = text.split('{').map(|part| part.rsplit('}').next().unwrap());
        own.collect::<String>()
    };
    for (english, chinese) in all {
        assert!(
            has_han(chinese) || !english.contains(' ') || !is_word(&is_plain(english)),
            "{english}\n{chinese}"
        );
        assert_eq!(chinese.trim(), chinese, "{english}");
    }
}
