//! The sentences of errors, as the source of the program has them: each that a page can show has its Chinese.

use std::fs;
use std::path::Path;

use forever_frame::translation::Language;

use crate::support::html::has_han;

/// The errors that pages show, alone or as a part of another one, by the files that have them.
const ERRORS: &[(&str, &str)] = &[
    ("src/http/error.rs", "Error"),
    ("src/access/denial.rs", "BadToken"),
    ("src/access/denial.rs", "Denial"),
    ("src/chat/account_name.rs", "AccountNameError"),
    ("src/chat/conversation.rs", "SayError"),
    ("src/chat/database/account_table.rs", "CreateError"),
    ("src/chat/database/friend_step.rs", "FriendError"),
    ("src/chat/directory.rs", "LookupError"),
    ("src/chat/login.rs", "LoginError"),
    ("src/chat/login.rs", "RegisterError"),
    ("src/chat/password.rs", "HasherBusy"),
    ("src/chat/password.rs", "PasswordError"),
    ("src/chat/sessions.rs", "SessionEnded"),
    ("src/log/cursor.rs", "ParseSinceError"),
    ("src/log/store.rs", "AppendError"),
    ("src/log/store.rs", "LocateError"),
    ("src/log/store.rs", "StoreError"),
    ("src/log/until.rs", "ParseUntilError"),
    ("src/mailbox/mod.rs", "AckError"),
    ("src/message.rs", "ParseCursorError"),
    ("src/message/name.rs", "NameError"),
    ("src/rate_limiter.rs", "RateLimited"),
];

/// The source of a type with its attributes.
fn source(path: &str, name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{path}: {error}"));
    let is_end = |c: char| !c.is_alphanumeric();
    let begins = |kind: &str| {
        let mut found = text.match_indices(kind);
        found.find_map(|(at, _)| {
            let rest = text[at + kind.len()..].strip_prefix(name)?;
            rest.starts_with(is_end).then_some(at)
        })
    };
    let (at, end) = match begins("enum ") {
        Some(at) => (at, "\n}"),
        None => (
            begins("struct ").unwrap_or_else(|| panic!("no {name} in {path}")),
            ";\n",
        ),
    };
    let from = text[..at].rfind("#[derive(").unwrap();
    let length = text[at..].find(end).unwrap();
    text[from..at + length].to_owned()
}

/// The text of the string that the source begins with.
fn string(source: &str) -> String {
    let mut text = String::new();
    let mut letters = source.strip_prefix('"').unwrap().chars();
    while let Some(c) = letters.next() {
        match c {
            '"' => break,
            '\\' => match letters.next() {
                // The next line goes on where its text begins.
                Some('\n') => {
                    let rest = letters.as_str().trim_start();
                    letters = rest.chars();
                }
                escaped => text.extend(escaped),
            },
            c => text.push(c),
        }
    }
    text
}

/// A sentence as it could be shown, with values in it; `None` if it is nothing but values.
fn example(format: &str) -> Option<String> {
    let mut pieces = format.split('{');
    let mut example = pieces.next()?.to_owned();
    let mut own = example.clone();
    for piece in pieces {
        let (place, after) = piece.split_once('}').unwrap();
        example += if place.ends_with(":?") { "\"x\"" } else { "7" };
        example += after;
        own += after;
    }
    own.contains(char::is_alphabetic).then_some(example)
}

/// The sentences of a type.
fn sentences(path: &str, name: &str) -> Vec<String> {
    let source = source(path, name);
    let attributes = source.split("#[error(").skip(1).map(str::trim_start);
    let formats = attributes.filter(|attribute| attribute.starts_with('"'));
    formats
        .filter_map(|format| example(&string(format)))
        .collect()
}

/// Each error that a page can show has its Chinese, and so has each that it passes on.
#[test]
fn errors_have_their_chinese() {
    let (mut missing, mut count) = (Vec::new(), 0);
    for (path, name) in ERRORS {
        for sentence in sentences(path, name) {
            count += 1;
            let chinese = Language::Chinese.translate(&sentence);
            if !chinese.is_some_and(|chinese| has_han(&chinese)) {
                missing.push(format!("{name}: {sentence}"));
            }
        }
    }
    assert!(count > 100, "the test looks at something: {count}");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// An error whose sentence is that of another error names one of the list, or what is turned into one.
#[test]
fn errors_pass_on_what_is_listed() {
    let mut seen = 0;
    for (path, name) in ERRORS {
        let source = source(path, name);
        for passed in source.split("#[error(transparent)]").skip(1) {
            let (_, field) = passed.split_once('(').unwrap();
            let (field, _) = field.split_once(')').unwrap();
            let inner = field.rsplit(' ').next().unwrap();
            // A draft that is refused is an error of `http/error.rs`, with another sentence.
            let is_listed = ERRORS.iter().any(|(_, listed)| *listed == inner);
            assert!(
                is_listed || inner == "DraftRefusal",
                "{name} passes on {inner}"
            );
            seen += 1;
        }
    }
    assert!(seen > 15, "the test looks at something: {seen}");
}

/// The reader of the sources reads what they have.
#[test]
fn sources_are_read() {
    let names = sentences("src/message/name.rs", "NameError");
    assert_eq!(names.len(), 8, "{names:?}");
    assert_eq!(names[2], "has the character \"x\"; only 7 can be used");
    let limited = sentences("src/rate_limiter.rs", "RateLimited");
    assert_eq!(limited, ["there were too many attempts; try again in 7 s"]);
    let errors = sentences("src/http/error.rs", "Error");
    let reused = "the Idempotency-Key was used on this channel for another message (seq 7), within the last 7; \
                  send a new message with a new key";
    assert!(errors.iter().any(|error| error == reused), "{errors:?}");
}
