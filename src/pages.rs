//! The files of `pages/`: built into the binary, or read anew from a directory for each request. Templates are
//! English; in another language they are translated by their catalogues, the built-in ones once.

mod base_path;
mod catalogues;
mod docs;
mod gzipped;
mod inline_scripts;
mod qr_code;
mod revision;
mod sentence;

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::limits;
use crate::translation::Language;
use catalogues::Catalogues;
use gzipped::Gzipped;

pub use base_path::BasePath;
pub use docs::{Doc, doc};
pub use inline_scripts::sources_of_inline_scripts;
pub use qr_code::qr_code;
pub use revision::{FILES, content_tag};

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../pages/", $name)))),*]
    };
}

const BUILT_IN: &[(&str, &[u8])] = built_in![
    "channels-row.html",
    "channels.html",
    "channels.js",
    "chat-asked.html",
    "chat-asks.html",
    "chat-blocked.html",
    "chat-conversation.html",
    "chat-demo.html",
    "chat-drafts.js",
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
    "class.css",
    "class.html",
    "class.js",
    "clock.html",
    "clock.js",
    "colors.js",
    "docs.html",
    "error.html",
    "events.html",
    "events.js",
    "example.html",
    "favicon.svg",
    "forever-frame.js",
    "frame.html",
    "frame.js",
    "home.js",
    "index.html",
    "llms.txt",
    "log-form.html",
    "log-lines.js",
    "log-start.js",
    "log.css",
    "log.html",
    "log.js",
    "login-holder.html",
    "login.html",
    "mailbox-letter.html",
    "mailbox.html",
    "mailbox.js",
    "nav.html",
    "page.js",
    "probe.css",
    "probe.html",
    "probe.js",
    "receiver.html",
    "receiving.html",
    "sender.html",
    "shared.html",
    "stream.html",
    "style.css",
    "wire-bytes.js",
    "wire-copy.js",
    "wire-explain.js",
    "wire-faults.js",
    "wire-labels.js",
    "wire-log.js",
    "wire-panel.js",
    "wire-path.js",
    "wire-readers.js",
    "wire-recorded.html",
    "wire-socket.js",
    "wire-tap.js",
    "wire-terms.js",
    "wire-timeline.js",
    "wire-tour.js",
    "wire.css",
    "wire.html",
    "wire.js",
    "words.js",
];

/// The source of pages and of the files that they load.
#[derive(Debug)]
pub struct Pages {
    dir: Option<PathBuf>,
    /// A permit for each file that may be read at the same time.
    readers: Semaphore,
    gzipped: Gzipped,
    base_path: BasePath,
}

impl Pages {
    /// The built-in pages, or those of a directory. A file that the directory lacks is taken from
    /// the built-in ones, so that a directory with one edited page needs no copy of the others.
    #[must_use]
    pub fn new(dir: Option<PathBuf>, base_path: BasePath) -> Pages {
        Pages {
            dir,
            readers: Semaphore::new(limits::PAGE_READERS_MAX),
            gzipped: Gzipped::new(),
            base_path,
        }
    }

    /// The path below which a proxy has the server.
    #[must_use]
    pub fn base_path(&self) -> &BasePath {
        &self.base_path
    }

    /// The address of the directory from which pages load their files, with a slash at its end. That of
    /// the built-in files has their revision in it, so that a browser may keep them for ever.
    #[must_use]
    pub fn files(&self) -> &str {
        match self.dir {
            Some(_) => "/",
            None => revision::address(),
        }
    }

    /// Whether the name of a revision is that of the files that are served.
    #[must_use]
    pub fn is_revision(&self, name: &str) -> bool {
        self.dir.is_none() && revision::address().strip_prefix(FILES) == Some(&format!("{name}/"))
    }

    /// Returns the bytes with this tag compressed by gzip, if that makes them smaller.
    #[must_use]
    pub fn gzip(&self, tag: &str, bytes: &Bytes) -> Option<Bytes> {
        self.gzipped.get(tag, bytes)
    }

    /// Returns the size of the file of this name in the directory; `None` if it is not there, so that
    /// the file costs no memory.
    pub async fn size(&self, name: &str) -> Option<usize> {
        let dir = self.dir.as_deref().filter(|_| is_plain(name))?;
        let file = tokio::fs::metadata(dir.join(name)).await.ok()?;
        let size = usize::try_from(file.len().min(limits::PAGE_FILE_BYTES_MAX)).ok()?;
        file.is_file().then_some(size)
    }

    /// Returns the file of this name, if there is one. A file of the directory that cannot be read
    /// is logged, and the built-in one is returned in its place.
    pub async fn file(&self, name: &str) -> Option<Bytes> {
        if let Some(dir) = self.dir.as_deref().filter(|_| is_plain(name)) {
            let _reader = self.readers.acquire().await;
            match read(dir, name).await {
                Ok(bytes) => return Some(bytes),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => log::warn!("cannot read {name} in {}: {error}", dir.display()),
            }
        }
        let built_in = BUILT_IN.iter().find(|(field, _)| *field == name);
        built_in.map(|(_, bytes)| Bytes::from_static(bytes))
    }

    /// Returns the file of this name for a client that asks for it by its name. The templates of pages
    /// are served filled in, at the paths of their pages, and not by name.
    pub async fn public_file(&self, name: &str) -> Option<Bytes> {
        if is_template(name) {
            return None;
        }
        self.file(name).await
    }

    /// Fills in a page: each `{{name}}` in its template is replaced by the value of that name. Values
    /// must be escaped already.
    pub async fn page(
        &self,
        language: Language,
        name: &'static str,
        values: &[(&str, &str)],
    ) -> HtmlPage {
        let template = self.text(language, name).await;
        let (before, after) = template.split_once("{{stream}}").unwrap_or((&template, ""));
        HtmlPage {
            language,
            before: self.base_path.page(fill(before, values)),
            after: self.base_path.page(fill(after, values)),
        }
    }

    /// Returns the template of a part of a page, to be filled in several times.
    pub async fn template(&self, language: Language, name: &'static str) -> Template {
        Template(self.text(language, name).await)
    }

    /// Returns the links to all pages; the one to `path` is marked as the current page.
    pub async fn nav(&self, language: Language, path: &str) -> Template {
        let current = format!("href=\"{path}\"");
        let nav = self.template(language, "nav.html").await;
        nav.map(|nav| nav.replace(&current, &format!("{current} aria-current=\"page\"")))
    }

    /// The template of this name in a language.
    async fn text(&self, language: Language, name: &str) -> Cow<'static, str> {
        if self.dir.is_none()
            && language == Language::Chinese
            && let Some(translated) = catalogues::translated(name)
        {
            return translated.into();
        }
        let file = self.file(name).await.unwrap_or_default();
        let template = String::from_utf8_lossy(&file);
        match language {
            Language::English => template.into_owned().into(),
            Language::Chinese => self.catalogues().await.translate(&template).into(),
        }
    }

    /// The built-in catalogues with those of the directory, whose texts count where both have one. One that
    /// cannot be read is logged.
    async fn catalogues(&self) -> Catalogues {
        let mut catalogues = Catalogues::built_in();
        let adds = [Catalogues::add_pages, Catalogues::add_scripts];
        for (name, add) in [catalogues::PAGES, catalogues::SCRIPTS]
            .into_iter()
            .zip(adds)
        {
            let Some(file) = self.file(name).await else {
                continue;
            };
            if let Err(error) = add(&mut catalogues, &String::from_utf8_lossy(&file)) {
                log::warn!("cannot use the catalogue {name} of --pages: {error}");
            }
        }
        catalogues
    }
}

/// The template of a part of a page, with `{{name}}` where values are to stand.
#[derive(Debug)]
pub struct Template(Cow<'static, str>);

impl Template {
    /// Changes the template as a text.
    #[must_use]
    pub fn map(self, change: impl FnOnce(&str) -> String) -> Template {
        Template(change(&self.0).into())
    }

    /// Fills in the template with these values, which must be escaped already.
    #[must_use]
    pub fn fill(&self, values: &[(&str, &str)]) -> String {
        fill(&self.0, values)
    }
}

/// A page in two parts: before and after the stream that stands in it, if there is one.
#[derive(Debug, PartialEq, Eq)]
pub struct HtmlPage {
    /// The language of the page.
    pub language: Language,
    /// The part before `{{stream}}`; the whole page if it has no stream.
    pub before: String,
    /// The part after `{{stream}}`; empty if the page has no stream.
    pub after: String,
}

impl HtmlPage {
    /// A page without content, of which only the head is sent.
    #[must_use]
    pub fn empty(language: Language) -> HtmlPage {
        HtmlPage {
            language,
            before: String::new(),
            after: String::new(),
        }
    }
}

/// Replaces each `{{name}}` in one pass, so that a value is never read as a template. A name without
/// a value stays as it is.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once("{{") {
        let found = tail.split_once("}}").and_then(|(name, after)| {
            let (_, value) = values.iter().find(|(field, _)| *field == name)?;
            Some((value, after))
        });
        out.push_str(before);
        let (text, after) = found.unwrap_or((&"{{", tail));
        out.push_str(text);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Whether a file's name leads nowhere but into the directory: it has no separators, and does not
/// name a hidden file.
fn is_plain(name: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !name.starts_with('.') && name.bytes().all(is_allowed)
}

/// Whether a file is the template of a page or of a part of one, also on a file system that does not
/// tell upper from lower case.
fn is_template(name: &str) -> bool {
    let is_this = |(built_in, _): &(&str, _)| {
        content_type(built_in).starts_with("text/html") && built_in.eq_ignore_ascii_case(name)
    };
    BUILT_IN.iter().any(is_this)
}

/// Reads a file of a directory, of at most [`limits::PAGE_FILE_BYTES_MAX`]. A link that leads out of
/// the directory leads to nothing.
async fn read(dir: &Path, name: &str) -> io::Result<Bytes> {
    let path = tokio::fs::canonicalize(dir.join(name)).await?;
    if !path.starts_with(tokio::fs::canonicalize(dir).await?) {
        return Err(io::Error::other(
            "it is a link that leads out of the directory",
        ));
    }
    let size = tokio::fs::metadata(&path).await?;
    if !size.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if size.len() > limits::PAGE_FILE_BYTES_MAX {
        return Err(io::Error::other(format!(
            "it has {} bytes; the limit is {}",
            size.len(),
            limits::PAGE_FILE_BYTES_MAX
        )));
    }
    tokio::fs::read(path).await.map(Bytes::from)
}

/// Returns the `Content-Type` of a file, by the ending of its name.
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
    fn fill_replaces_names_once() {
        let filled = fill("<{{a}}> {{b}} {{c}} {{", &[("a", "{{b}}"), ("b", "2")]);
        assert_eq!(filled, "<{{b}}> 2 {{c}} {{");
    }

    /// Templates are not served by name; all other files are.
    #[tokio::test]
    async fn templates_are_not_public() {
        let pages = Pages::new(None, BasePath::default());
        for name in ["chat.html", "Index.HTML", "nav.html", "nothing.css"] {
            assert_eq!(pages.public_file(name).await, None, "{name}");
        }
        for name in ["style.css", "chat.js", "favicon.svg"] {
            assert!(pages.public_file(name).await.is_some(), "{name}");
        }
    }

    #[test]
    fn is_plain_refuses_paths() {
        assert!(is_plain("index.html"));
        for bad in ["..", ".git", "a/b", "a\\b", "../x", "ä", "C:x"] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
