//! The docs: the files of `pages/docs`, as Markdown and as the HTML that the build has made of it
//! (`scripts/docs.rs`).

/// A page of the docs.
#[derive(Debug)]
pub struct Doc {
    /// The name in its address, which is that of its file without the ending.
    pub name: &'static str,
    /// Its first heading.
    pub title: &'static str,
    /// What stands in the page.
    pub html: &'static str,
    /// The file itself.
    pub markdown: &'static str,
}

/// The name of the page that leads to the others.
const INDEX: &str = "index";

const DOCS: &[Doc] = include!(concat!(env!("OUT_DIR"), "/docs.rs"));

/// Returns the page of this name; without a name that which leads to the others.
#[must_use]
pub fn doc(name: &str) -> Option<&'static Doc> {
    let name = if name.is_empty() { INDEX } else { name };
    DOCS.iter().find(|doc| doc.name == name)
}
