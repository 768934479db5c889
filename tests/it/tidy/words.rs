//! Words: comments that stand alone, and what does not stay in the tree.

use super::source::{Comment, exists};
use super::{File, files, program, refuse, written};

/// What a doc comment does not begin with: the words stand for something outside it.
const PRO_FORMS: [&str; 5] = [
    "The same",
    "It as",
    "These and those",
    "Those",
    "This and that",
];

/// How a question begins whose subject is a pronoun.
const PREDICATES: [&str; 20] = [
    "Is", "Are", "Was", "Were", "Has", "Have", "Had", "Does", "Do", "Did", "May", "Might", "Can",
    "Could", "Must", "Shall", "Should", "Will", "Would", "Need",
];
const PRONOUNS: [&str; 8] = [
    "it", "they", "there", "this", "that", "these", "those", "one",
];

/// Where "behind" means a lag, or stands before a proxy. A position in the log is "after" another.
const BEHIND: [&str; 28] = [
    "fall behind",
    "falls behind",
    "fell behind",
    "fallen behind",
    "falling behind",
    "lag behind",
    "lags behind",
    "lagged behind",
    "lagging behind",
    "far behind",
    "farther behind",
    "further behind",
    "messages behind",
    "stays behind",
    "left behind",
    "leaves nothing behind",
    "\"behind\"",
    "follower is behind",
    "follower that is behind",
    "followers are behind",
    "followers that are behind",
    "reader is behind",
    "reader that is behind",
    "stream is behind",
    "stream that is behind",
    "copy is behind",
    "copy that is behind",
    "behind TLS",
];
const PROXIES: [&str; 4] = ["proxy", "proxies", "nginx", "load balancer"];

/// Words that mean something else to most readers than what was meant here.
const REFUSED: [&str; 4] = ["beside", "let go", "lets go", "letting go"];

/// Where a text has these words, and not as a part of longer ones.
fn words_at<'a>(text: &'a str, words: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let found = text.match_indices(words).map(|(at, _)| at);
    found.filter(move |at| {
        !text[..*at].ends_with(is_part) && !text[at + words.len()..].starts_with(is_part)
    })
}

/// The refused words that a text has, if it has any.
fn refused(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let found = REFUSED
        .into_iter()
        .find(|words| words_at(&text, words).next().is_some());
    found.map(|words| format!("\"{words}\": {}", text.trim()))
}

/// Whether a text has "behind" outside the phrases in which it may stand.
fn misplaces_behind(text: &str) -> bool {
    let mut text = text.to_lowercase();
    for phrase in BEHIND {
        text = text.replace(&phrase.to_lowercase(), "");
    }
    words_at(&text, "behind").any(|at| {
        let next: Vec<&str> = text[at..].split_whitespace().skip(1).take(4).collect();
        let next = next.join(" ");
        !PROXIES.iter().any(|proxy| next.contains(proxy))
    })
}

/// What is missing from a comment that is read alone, in a hover.
fn leans_on_neighbour(comment: &Comment) -> Option<String> {
    let text = &comment.text;
    let first = text.split_inclusive(['.', '?', '!']).next().unwrap_or("");
    let mut words = first.split(|c: char| !c.is_alphanumeric());
    let (verb, subject) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    if first.ends_with('?') && PREDICATES.contains(&verb) && PRONOUNS.contains(&subject) {
        return Some(format!("a question without its subject: {first}"));
    }
    let begins_with = |begin: &&&str| {
        let rest = text.strip_prefix(**begin);
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    if let Some(begin) = PRO_FORMS.iter().find(begins_with) {
        return Some(format!("begins with \"{begin}\": {first}"));
    }
    let is_reference = text.starts_with("See ") && !text.contains(". ");
    let is_source = ["http", "RFC"].iter().any(|source| text.contains(source));
    (is_reference && !is_source).then(|| format!("only a reference: {text}"))
}

/// The comments of `scripts` and `tests`, and of `src` the docs or all of them.
fn comments(only_docs: bool) -> Vec<(File, Comment)> {
    let mut found = Vec::new();
    for file in files(&["src", "tests", "scripts", ".ci"], &["rs", "sh"]) {
        let only_docs = only_docs && file.path.starts_with("src/");
        for comment in file.comments() {
            if comment.is_doc || !only_docs {
                let path = file.path.clone();
                let text = String::new();
                found.push((File { path, text }, comment));
            }
        }
    }
    assert!(
        found.len() > 500,
        "the test looks at something: {}",
        found.len()
    );
    found
}

/// The rules refuse what they should, and nothing else.
#[test]
fn rules_tell_words_apart() {
    let doc = |text: &str| Comment {
        number: 1,
        is_doc: true,
        is_first: true,
        text: text.to_owned(),
    };
    for text in [
        "Is it?",
        "Has it ended? Then so.",
        "The same.",
        "Those that wait.",
        "See above.",
    ] {
        assert!(leans_on_neighbour(&doc(text)).is_some(), "{text}");
    }
    for text in [
        "Whether it is.",
        "Thoseness.",
        "See RFC 8265.",
        "Ends. See [`end`].",
    ] {
        assert!(leans_on_neighbour(&doc(text)).is_none(), "{text}");
    }
    for text in [
        "behind a cursor",
        "Is it Behind?",
        "it stands behind the end",
    ] {
        assert!(misplaces_behind(text), "{text}");
    }
    for text in [
        "it falls behind",
        "behind a reverse proxy",
        "left behind",
        "behindhand",
    ] {
        assert!(!misplaces_behind(text), "{text}");
    }
    assert!(refused("it Lets go of").is_some() && refused("besides, let_go").is_none());
}

/// A doc comment is read alone: it has a subject, and more than a reference to a neighbour.
#[test]
fn docs_stand_alone() {
    let comments = comments(true);
    refuse(comments.iter().filter_map(|(file, comment)| {
        let what = leans_on_neighbour(comment).filter(|_| comment.is_first)?;
        Some(file.finding(comment.number, what))
    }));
}

/// "Behind" is only what lags, or what stands behind a proxy.
#[test]
fn behind_means_a_lag() {
    let mut findings = Vec::new();
    for (file, comment) in comments(false) {
        if misplaces_behind(&comment.text) {
            findings.push(file.finding(comment.number, &comment.text));
        }
    }
    for file in program() {
        for line in file.lines() {
            if misplaces_behind(&line.strings) {
                findings.push(file.finding(line.number, line.strings.trim()));
            }
        }
    }
    refuse(findings);
}

/// Words that readers take for something else stand in no comment, and in no text that users see.
#[test]
fn words_mean_what_they_say() {
    let mut findings = Vec::new();
    for (file, comment) in comments(false) {
        findings.extend(refused(&comment.text).map(|what| file.finding(comment.number, what)));
    }
    for file in program() {
        for line in file.lines() {
            findings.extend(refused(&line.strings).map(|what| file.finding(line.number, what)));
        }
    }
    for file in files(&["pages", "README.md"], &["js", "css", "html", "md"]) {
        for (index, line) in file.text.lines().enumerate() {
            findings.extend(refused(line).map(|what| file.finding(index + 1, what)));
        }
    }
    refuse(findings);
}

/// What is only meant for the time of writing is not left in the tree.
#[test]
fn nothing_is_left_over() {
    // Put together here, so that this file is not found by itself.
    let words = [
        ["todo", "!("],
        ["unimplemented", "!("],
        ["FIX", "ME"],
        ["TO", "DO:"],
        ["#[ign", "ore"],
        ["dbg", "!("],
        ["debug", "ger;"],
    ]
    .map(|parts| parts.concat());
    let mut findings = Vec::new();
    for file in written() {
        for (index, line) in file.text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(*word)) {
                findings.push(file.finding(index + 1, word));
            }
        }
    }
    refuse(findings);
}

/// A document that the tree refers to is in the tree.
#[test]
fn documents_are_in_the_tree() {
    let mut texts = written();
    texts.extend(files(&["README.md", "Cargo.toml"], &["md", "toml"]));
    let mut findings = Vec::new();
    for file in texts {
        for (index, line) in file.text.lines().enumerate() {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
            for word in line.split(|c| !is_part(c)) {
                // A path in an `include_str!` of this package begins with a slash.
                let name = word.trim_start_matches('/').trim_end_matches('.');
                let stem = name.strip_suffix(".md").unwrap_or("");
                if !stem.is_empty() && !exists(name) {
                    findings.push(file.finding(index + 1, format!("there is no {name}")));
                }
            }
        }
    }
    refuse(findings);
}
