//! The build's step that makes HTML of the pages in `pages/docs`, so that the server needs no Markdown. What
//! it writes into the directory of the build is read by `src/pages/docs.rs`.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

const DIRECTORY: &str = "pages/docs";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={DIRECTORY}");
    println!("cargo::rerun-if-changed=scripts/docs.rs");
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(DIRECTORY)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".md").map(str::to_owned));
    }
    names.sort_unstable();
    let mut table = String::from("&[\n");
    for name in names {
        let path = fs::canonicalize(Path::new(DIRECTORY).join(format!("{name}.md")))?;
        let text = fs::read_to_string(&path)?;
        let page = Page::of(&text);
        let (title, html, file) = (page.title, page.html, path.to_string_lossy());
        // Writing into a string cannot fail.
        let _ = writeln!(
            table,
            "Doc {{ name: {name:?}, title: {title:?}, html: {html:?}, markdown: include_str!({file:?}) }},"
        );
    }
    table.push(']');
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("docs.rs"), table)
}

/// A page of the docs.
struct Page {
    /// The text of its first heading.
    title: String,
    html: String,
}

impl Page {
    fn of(text: &str) -> Page {
        let parser = Parser::new_ext(text, Options::ENABLE_TABLES);
        let mut events: Vec<Event<'_>> = parser.map(with_link_to_page).collect();
        let mut title = String::new();
        for at in 0..events.len() {
            let Event::Start(Tag::Heading { level, .. }) = events[at] else {
                continue;
            };
            let heading = text_of(&events[at + 1..]);
            if level == HeadingLevel::H1 && title.is_empty() {
                title.clone_from(&heading);
            }
            if let Event::Start(Tag::Heading { id, .. }) = &mut events[at] {
                *id = Some(CowStr::from(anchor(&heading)));
            }
        }
        let mut html = String::with_capacity(2 * text.len());
        html::push_html(&mut html, events.into_iter());
        // What is wider than the window is moved, by the keyboard, too.
        let html = html
            .replace("<pre>", "<pre class=\"bytes code\" tabindex=\"0\">")
            .replace("<table>", "<div class=\"wide\" tabindex=\"0\"><table>")
            .replace("</table>", "</table></div>");
        Page { title, html }
    }
}

/// Lets a link to a file of Markdown lead to its page.
fn with_link_to_page(event: Event<'_>) -> Event<'_> {
    let Event::Start(Tag::Link {
        link_type,
        dest_url,
        title,
        id,
    }) = event
    else {
        return event;
    };
    let is_file = !dest_url.contains("://");
    let dest_url = match dest_url.split_once(".md") {
        Some((name, rest)) if is_file && (rest.is_empty() || rest.starts_with('#')) => {
            CowStr::from(format!("{name}{rest}"))
        }
        _ => dest_url,
    };
    Event::Start(Tag::Link {
        link_type,
        dest_url,
        title,
        id,
    })
}

/// The text of a heading whose events these are, and what comes after it.
fn text_of(events: &[Event<'_>]) -> String {
    let is_end = |event: &&Event<'_>| !matches!(event, Event::End(TagEnd::Heading(_)));
    let inside = events.iter().take_while(is_end);
    inside
        .filter_map(|event| match event {
            Event::Text(text) | Event::Code(text) => Some(&**text),
            _ => None,
        })
        .collect()
}

/// The anchor of a heading, as the places where people read Markdown have it.
fn anchor(heading: &str) -> String {
    let letter = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    heading.chars().filter_map(letter).collect()
}
