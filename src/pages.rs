//! The files of `pages/`: built into the binary, or read afresh from a directory at each request.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::limits;

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../pages/", $name)))),*]
    };
}

const BUILT_IN: &[(&str, &[u8])] = built_in![
    "chat-asked.html",
    "chat-asks.html",
    "chat-conversation.html",
    "chat-demo.html",
    "chat-earlier.html",
    "chat-frame.html",
    "chat-friend.html",
    "chat-later.html",
    "chat-login.html",
    "chat-message.html",
    "chat-older.html",
    "chat-outbox.js",
    "chat-page.js",
    "chat-password.html",
    "chat-people.js",
    "chat-register.html",
    "chat-talk.js",
    "chat.css",
    "chat.html",
    "chat.js",
    "clock.html",
    "clock.js",
    "error.html",
    "events.html",
    "events.js",
    "favicon.svg",
    "forever-frame.js",
    "frame.html",
    "frame.js",
    "index.html",
    "mailbox.html",
    "mailbox.js",
    "nav.html",
    "receiver.html",
    "receiving.html",
    "sender.html",
    "stream.html",
    "style.css",
    "wire.html",
    "wire.js",
];

/// Where pages come from.
#[derive(Debug, Default)]
pub struct Pages {
    dir: Option<PathBuf>,
}

impl Pages {
    /// The built-in pages, or those of a directory. What the directory lacks is built in, so that
    /// who edits one page needs no copy of the others.
    #[must_use]
    pub fn new(dir: Option<PathBuf>) -> Pages {
        Pages { dir }
    }

    /// The file of that name, if there is one.
    pub async fn file(&self, name: &str) -> Option<Bytes> {
        if let Some(dir) = self.dir.as_deref().filter(|_| is_plain(name)) {
            match read(&dir.join(name)).await {
                Ok(bytes) => return Some(bytes),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => log::warn!("cannot read {name} in {}: {error}", dir.display()),
            }
        }
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
        built_in.map(|(_, bytes)| Bytes::from_static(bytes))
    }

    /// One of the pages that are built in, with its places filled in. Values must be escaped.
    pub async fn page(&self, name: &'static str, values: &[(&str, &str)]) -> Page {
        Page::fill(&self.text(name).await, values)
    }

    /// A part of a page, to be filled in several times.
    pub async fn template(&self, name: &'static str) -> Template {
        Template(self.text(name).await)
    }

    /// The links to all pages, the one to this path marked as where one is.
    pub async fn nav(&self, path: &str) -> String {
        let here = format!("href=\"{path}\"");
        self.text("nav.html")
            .await
            .replace(&here, &format!("{here} aria-current=\"page\""))
    }

    async fn text(&self, name: &str) -> String {
        let file = self.file(name).await.unwrap_or_default();
        String::from_utf8_lossy(&file).into_owned()
    }
}

/// A part of a page with places to be filled in.
#[derive(Debug)]
pub struct Template(String);

impl Template {
    /// It with its places filled in. Values must be escaped.
    #[must_use]
    pub fn fill(&self, values: &[(&str, &str)]) -> String {
        fill(&self.0, values)
    }
}

/// A page in two parts: what is before `{{stream}}`, and what is behind it.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// All of it, where it has no stream.
    pub before: String,
    /// Empty, where it has no stream.
    pub after: String,
}

impl Page {
    fn fill(template: &str, values: &[(&str, &str)]) -> Page {
        let (before, after) = template.split_once("{{stream}}").unwrap_or((template, ""));
        Page {
            before: fill(before, values),
            after: fill(after, values),
        }
    }
}

/// Replaces each `{{name}}` in one pass, so that a value is never read as a place.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once("{{") {
        let place = behind.split_once("}}").and_then(|(name, after)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((value, after))
        });
        out.push_str(before);
        // What is no place stays as it is.
        let (text, after) = place.unwrap_or((&"{{", behind));
        out.push_str(text);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A file's name without a way to anywhere: no separators, and hidden files stay hidden.
fn is_plain(name: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !name.starts_with('.') && name.bytes().all(known)
}

async fn read(path: &Path) -> io::Result<Bytes> {
    let size = tokio::fs::metadata(path).await?;
    if !size.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if size.len() > limits::PAGE_BYTES {
        return Err(io::Error::other(format!(
            "{} bytes; {} is the most",
            size.len(),
            limits::PAGE_BYTES
        )));
    }
    tokio::fs::read(path).await.map(Bytes::from)
}

/// The `Content-Type` of a file, by its name's ending.
#[must_use]
pub fn content_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_once() {
        let page = Page::fill(
            "<{{a}}> {{stream}} {{b}} {{c}} {{",
            &[("a", "{{b}}"), ("b", "2")],
        );
        assert_eq!(
            page,
            Page {
                before: "<{{b}}> ".into(),
                after: " 2 {{c}} {{".into()
            }
        );
    }

    #[test]
    fn names_lead_nowhere_else() {
        assert!(is_plain("index.html"));
        for bad in ["..", ".git", "a/b", "a\\b", "../x", "ä", "C:x"] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
