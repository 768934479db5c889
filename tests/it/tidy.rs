//! What keeps the tree as it is meant: import direction, sizes, and words that do not stay.

use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Files longer than this want a split, or a line here that says why not.
const LINES: usize = 450;

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            out.push(path);
        }
    }
}

fn rust_files(dir: &str) -> Vec<(PathBuf, String)> {
    let mut paths = Vec::new();
    files(&Path::new(ROOT).join(dir), &mut paths);
    assert!(!paths.is_empty());
    paths
        .into_iter()
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// The modules in the order of the map in `lib.rs`.
fn order() -> Vec<String> {
    let lib = std::fs::read_to_string(Path::new(ROOT).join("src/lib.rs")).unwrap();
    let rows = lib
        .lines()
        .filter_map(|line| line.strip_prefix("//! | [`")?.split('`').next());
    let order: Vec<String> = rows.map(str::to_owned).collect();
    let mut declared: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    let mut mapped: Vec<&str> = order.iter().map(String::as_str).collect();
    declared.sort_unstable();
    mapped.sort_unstable();
    assert_eq!(declared, mapped, "the map in lib.rs has each module once");
    order
}

#[test]
fn imports_point_one_way() {
    let order = order();
    let rank = |name: &str| order.iter().position(|module| module == name);
    let mut seen = 0;
    for (path, text) in rust_files("src") {
        let inside = path.strip_prefix(Path::new(ROOT).join("src")).unwrap();
        let module = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs");
        let Some(own) = rank(module) else { continue };
        for used in text.split("crate::").skip(1) {
            let name: String = used
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            if let Some(other) = rank(&name) {
                seen += 1;
                assert!(
                    other <= own,
                    "{} uses {name}, which stands below {module} in the map of lib.rs",
                    path.display()
                );
            }
        }
    }
    assert!(seen > 50, "the test looks at something: {seen}");
}

#[test]
fn only_two_directories_know_sql() {
    let known = ["src/log/sqlite", "src/chat/database"].map(|dir| Path::new(ROOT).join(dir));
    let (inside, outside): (Vec<_>, Vec<_>) = rust_files("src")
        .into_iter()
        .partition(|(path, _)| known.iter().any(|dir| path.starts_with(dir)));
    assert!(!inside.is_empty());
    for (path, text) in outside {
        assert!(!text.contains("rusqlite"), "{} uses it", path.display());
    }
}

#[test]
fn files_fit_a_reader() {
    for (path, text) in rust_files("src").into_iter().chain(rust_files("tests")) {
        let lines = text.lines().count();
        assert!(lines <= LINES, "{} has {lines} lines", path.display());
    }
}

#[test]
fn nothing_is_left_over() {
    // Put together here, so that this file is not found by itself.
    let words = [
        ["todo", "!("],
        ["unimplemented", "!("],
        ["FIX", "ME"],
        ["#[ign", "ore"],
        ["dbg", "!("],
    ];
    for (path, text) in rust_files("src").into_iter().chain(rust_files("tests")) {
        for word in words.map(|parts| parts.concat()) {
            assert!(!text.contains(&word), "{} has {word}", path.display());
        }
    }
}
