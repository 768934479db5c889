//! What keeps the tree as it is meant: the structure that `lib.rs` promises, names, and words.
//!
//! A rule returns all its findings as `path:line: what`, and its test fails with the whole list.

mod names;
mod source;
mod structure;
mod words;

use source::{File, files};

/// Fails with all findings, if there are any.
fn refuse(findings: impl IntoIterator<Item = String>) {
    let findings: Vec<String> = findings.into_iter().collect();
    assert!(
        findings.is_empty(),
        "{} findings:\n{}",
        findings.len(),
        findings.join("\n")
    );
}

/// The Rust files of the program.
fn program() -> Vec<File> {
    files(&["src"], &["rs"])
}

/// The files that are written by hand, except the README: `sh` stands for scripts, which have no
/// ending.
fn written() -> Vec<File> {
    files(
        &["src", "tests", "scripts", "pages", ".ci"],
        &["rs", "js", "mjs", "css", "html", "sh"],
    )
}
