//! Names: a type, a file and a test can be found by theirs.

use std::collections::BTreeMap;

use super::structure::is_for_tests;
use super::{File, files, program, refuse};

/// The names that stand for two things, each with where it stands.
fn doubles(names: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, place) in names {
        places.entry(name).or_default().push(place);
    }
    let twice = places.into_iter().filter(|(_, places)| places.len() > 1);
    twice
        .map(|(name, places)| {
            format!(
                "{}: {name} also stands in {}",
                places[0],
                places[1..].join(", ")
            )
        })
        .collect()
}

/// The name of the type that a line of code defines. An indented alias is an associated type.
fn defined_type(code: &str) -> Option<String> {
    let item = code.trim_start();
    let item = match item.strip_prefix("pub(") {
        Some(rest) => rest.split_once(") ")?.1,
        None => item.strip_prefix("pub ").unwrap_or(item),
    };
    let (keyword, rest) = item.split_once(' ')?;
    match keyword {
        "struct" | "enum" | "trait" | "union" => {}
        "type" if !code.starts_with(' ') => {}
        _ => return None,
    }
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    Some(rest[..end.unwrap_or(rest.len())].to_owned())
}

/// The names and lines of a file's tests: functions that follow an attribute `#[test]` or
/// `#[tokio::test]`.
fn tests(file: &File) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in file.lines() {
        let code = line.code.trim_start();
        is_test |= code.starts_with("#[test]") || code.starts_with("#[tokio::test");
        let item = code.strip_prefix("async ").unwrap_or(code);
        if let Some(name) = item.strip_prefix("fn ")
            && std::mem::take(&mut is_test)
        {
            let end = name.find(['(', '<']).unwrap_or(name.len());
            found.push((name[..end].to_owned(), line.number));
        }
    }
    found
}

/// No type name stands for two things in `src`, private ones included.
#[test]
fn types_have_names_of_their_own() {
    let mut types = Vec::new();
    for file in program().iter().filter(|file| !is_for_tests(file)) {
        for line in file.lines().iter().filter(|line| !line.in_test) {
            if let Some(name) = defined_type(&line.code) {
                types.push((name, format!("{}:{}", file.path, line.number)));
            }
        }
    }
    assert!(
        types.len() > 100,
        "the test looks at something: {}",
        types.len()
    );
    refuse(doubles(types.into_iter()));
}

/// No file name stands for two things in `src`, except those that say what a file is for its module.
#[test]
fn files_have_names_of_their_own() {
    const SHARED: [&str; 4] = ["mod", "error", "schema", "testing"];
    let files = program();
    let files = files.iter().filter(|file| !SHARED.contains(&file.stem()));
    refuse(doubles(
        files.map(|file| (file.stem().to_owned(), file.path.clone())),
    ));
}

/// A test is found by its name, `cargo test WORD`: the name is short, and begins with its subject.
#[test]
fn tests_have_short_names() {
    const LONGEST: usize = 60;
    const ARTICLES: [&str; 3] = ["a_", "an_", "the_"];
    let (mut seen, mut findings) = (0, Vec::new());
    for file in files(&["src", "tests"], &["rs"]) {
        for (name, number) in tests(&file) {
            seen += 1;
            if ARTICLES.iter().any(|article| name.starts_with(article)) {
                findings.push(file.finding(number, format!("{name} begins with an article")));
            }
            if name.len() > LONGEST {
                let length = name.len();
                findings.push(file.finding(number, format!("{name} has {length} characters")));
            }
        }
    }
    assert!(seen > 200, "the test looks at something: {seen}");
    refuse(findings);
}
