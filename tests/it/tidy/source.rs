//! The files of the tree, and the code, comments and strings in a line of Rust.

use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A file of the tree.
pub(super) struct File {
    /// The path from the root of the tree.
    pub(super) path: String,
    pub(super) text: String,
}

/// A line of Rust.
#[derive(Default)]
pub(super) struct Line {
    /// Its number in the file, from 1.
    pub(super) number: usize,
    /// The line without comments, and with empty strings.
    pub(super) code: String,
    /// What the strings say that begin or continue in the line.
    pub(super) strings: String,
    /// The comment, with its slashes.
    pub(super) comment: String,
    /// Whether the line is in an item that is compiled only for tests.
    pub(super) in_test: bool,
}

/// A paragraph of a comment, as one line.
pub(super) struct Comment {
    /// The number of its first line.
    pub(super) number: usize,
    /// Whether it is documentation.
    pub(super) is_doc: bool,
    /// Whether it is the first paragraph of its comment.
    pub(super) is_first: bool,
    pub(super) text: String,
}

/// Reads a file of the tree.
pub(super) fn read(path: &str) -> String {
    let file = Path::new(ROOT).join(path);
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether the tree has this file or directory.
pub(super) fn exists(path: &str) -> bool {
    Path::new(ROOT).join(path).exists()
}

/// The files in these directories with these endings, or the files themselves; a file without an ending counts as `sh`.
pub(super) fn files(dirs: &[&str], endings: &[&str]) -> Vec<File> {
    let mut paths = Vec::new();
    for dir in dirs {
        walk(dir, &mut paths);
    }
    paths.retain(|path| {
        let name = path.rsplit('/').next().unwrap();
        endings.contains(&name.rsplit_once('.').map_or("sh", |(_, ending)| ending))
    });
    paths.sort();
    assert!(!paths.is_empty(), "no files in {dirs:?}");
    let file = |path: String| File {
        text: read(&path),
        path,
    };
    paths.into_iter().map(file).collect()
}

fn walk(dir: &str, out: &mut Vec<String>) {
    if Path::new(ROOT).join(dir).is_file() {
        out.push(dir.to_owned());
        return;
    }
    for entry in fs::read_dir(Path::new(ROOT).join(dir)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{dir}/{}", entry.file_name().to_str().unwrap());
        if !entry.file_type().unwrap().is_dir() {
            out.push(path);
        } else if entry.file_name() != "node_modules" {
            walk(&path, out);
        }
    }
}

impl File {
    /// The name of the file without its ending.
    pub(super) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap();
        name.split('.').next().unwrap()
    }

    /// A finding in a line of the file.
    pub(super) fn finding(&self, number: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{number}: {what}", self.path)
    }

    /// The lines of a Rust file.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = lex(&self.text);
        mark_tests(&mut lines);
        lines
    }

    /// The paragraphs of the comments of a Rust file, or of a script whose comments begin with `#`.
    pub(super) fn comments(&self) -> Vec<Comment> {
        let is_rust = Path::new(&self.path).extension().is_some_and(|e| e == "rs");
        let lines = if is_rust {
            lex(&self.text)
        } else {
            let line = |(index, line): (usize, &str)| Line {
                number: index + 1,
                comment: line.strip_prefix('#').map_or("", |_| line).to_owned(),
                ..Line::default()
            };
            self.text.lines().enumerate().map(line).collect()
        };
        let mut comments: Vec<Comment> = Vec::new();
        let mut last = ("", 0);
        for line in &lines {
            let text = line.comment.trim_start_matches(['/', '!', '#']);
            let marker = &line.comment[..line.comment.len() - text.len()];
            if marker.is_empty() {
                continue;
            }
            let goes_on = last == (marker, line.number - 1) && line.code.trim().is_empty();
            match comments.last_mut() {
                Some(comment) if goes_on && !text.trim().is_empty() => {
                    if !comment.text.is_empty() {
                        comment.text.push(' ');
                    }
                    comment.text.push_str(text.trim());
                }
                _ => comments.push(Comment {
                    number: line.number,
                    is_doc: matches!(marker, "///" | "//!"),
                    is_first: !goes_on,
                    text: text.trim().to_owned(),
                }),
            }
            last = (marker, line.number);
        }
        comments
    }
}

/// What the lexer is in.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Code,
    Comment,
    Text,
    /// In a raw string, with this many `#`.
    Raw(usize),
}

fn lex(text: &str) -> Vec<Line> {
    let mut state = State::Code;
    let mut lines = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let mut line = Line {
            number: index + 1,
            ..Line::default()
        };
        if state == State::Comment {
            state = State::Code;
        }
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let used = match state {
                State::Code => lex_code(rest, first, &mut line, &mut state),
                State::Comment => {
                    line.comment.push_str(rest);
                    rest.len()
                }
                State::Text if first == '\\' => {
                    line.strings.push(' ');
                    1 + rest[1..].chars().next().map_or(0, char::len_utf8)
                }
                State::Text | State::Raw(_) => {
                    let hashes = match state {
                        State::Raw(hashes) => hashes,
                        _ => 0,
                    };
                    let end = format!("\"{}", "#".repeat(hashes));
                    if rest.starts_with(&end) {
                        line.code.push('"');
                        line.strings.push('\n');
                        state = State::Code;
                        end.len()
                    } else {
                        line.strings.push(first);
                        first.len_utf8()
                    }
                }
            };
            rest = &rest[used..];
        }
        lines.push(line);
    }
    lines
}

/// Reads the next part of the code, and returns its length.
fn lex_code(rest: &str, first: char, line: &mut Line, state: &mut State) -> usize {
    let is_word = line
        .code
        .ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let raw = rest
        .strip_prefix('r')
        .filter(|_| !is_word || line.code.ends_with('b'));
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            line.code.push('"');
            *state = State::Raw(hashes);
            return 1 + hashes + 1;
        }
    }
    if rest.starts_with("//") {
        *state = State::Comment;
        return 0;
    }
    if let Some(quoted) = rest.strip_prefix('\'') {
        // A character, and not a lifetime: its quotes are two characters apart, or it is escaped.
        let length = match quoted.chars().next() {
            Some('\\') => quoted[2..].find('\'').map(|end| end + 2),
            Some(c) if quoted[c.len_utf8()..].starts_with('\'') => Some(c.len_utf8()),
            _ => None,
        };
        if let Some(length) = length {
            line.code.push_str("' '");
            return length + 2;
        }
    }
    if first == '"' {
        *state = State::Text;
    }
    line.code.push(first);
    first.len_utf8()
}

/// Marks the items that follow `#[cfg(test)]`, each to its closing brace or its semicolon.
fn mark_tests(lines: &mut [Line]) {
    let mut index = 0;
    while index < lines.len() {
        let indent = lines[index].code.find("#[cfg(test)]");
        let Some(indent) = indent else {
            index += 1;
            continue;
        };
        let end = format!("{}}}", " ".repeat(indent));
        loop {
            lines[index].in_test = true;
            let code = lines[index].code.trim_end();
            let is_nested = code.get(indent..).is_none_or(|code| code.starts_with(' '));
            let is_last = code.starts_with(&end) || (code.ends_with(';') && !is_nested);
            index += 1;
            if is_last || index == lines.len() {
                break;
            }
        }
    }
}
