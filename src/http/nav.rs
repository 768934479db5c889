//! The links between pages: only those are shown that lead to something which this server serves. And the
//! switch of the language, which leads to the same page.

use hyper::Method;

use super::render::PageReader;
use super::route::{self, Need};
use super::{App, channel_list, language_choice};
use crate::access::{Holder, Needed};
use crate::wire::escape_html;

/// How a line of a page begins that is left out where its link leads to nothing.
const LINKS: [&str; 2] = ["<a href=\"", "<li><a href=\""];

impl App {
    /// The links to all pages and the switch, as they stand at the top of the page of this path.
    pub(super) async fn nav(&self, reader: PageReader<'_>, path: &str) -> String {
        let nav = self.pages.nav(reader.language, path).await;
        let other = reader.language.other();
        let switch = escape_html(&language_choice::query_of_switch(reader.query, other));
        let values = [
            ("home", self.home()),
            ("switch", &switch),
            ("other_tag", other.tag()),
            ("other_name", other.own_name()),
        ];
        nav.map(|nav| self.without_closed_links(nav)).fill(&values)
    }

    /// The address of the first page that there is.
    pub(super) fn home(&self) -> &'static str {
        if self.demos { "/" } else { channel_list::PATH }
    }

    /// A part of a page without the lines that begin with a link to a page that is not served.
    pub(super) fn without_closed_links(&self, part: &str) -> String {
        part.split_inclusive('\n')
            .filter(|line| link_of(line).is_none_or(|path| self.serves(path)))
            .collect()
    }

    /// Whether there is a page at this path, and the access file does not switch it off.
    fn serves(&self, path: &str) -> bool {
        let Ok((route, _)) = route::find(path, self.demos) else {
            return false;
        };
        if route.endpoint.is_of_one_server() && self.log.cluster().is_some() {
            return false;
        }
        let is_demo = matches!(route.method(&Method::GET), Ok((_, Need::Demos)));
        !is_demo || self.has_open_demos()
    }

    /// Whether the demonstrations are open that have no rights of their own.
    fn has_open_demos(&self) -> bool {
        let Some(restricted) = self.access.restricted() else {
            return true;
        };
        let now = self.log.now().time;
        let rules = restricted.rules();
        rules.check(&Holder::Anyone, &Needed::Demos, now).is_ok()
    }
}

/// The path of the link with which a line begins.
fn link_of(line: &str) -> Option<&str> {
    let begin = LINKS.iter().find(|begin| line.starts_with(**begin))?;
    let address = line[begin.len()..].split('"').next()?;
    address
        .split(['?', '#'])
        .next()
        .filter(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nav_finds_links() {
        for (line, expected) in [
            ("<a href=\"/wire\">Wire</a>\n", Some("/wire")),
            ("<li><a href=\"/c/main?as=html\">x</a>", Some("/c/main")),
            ("<a class=\"brand\" href=\"/\">x</a>", None),
            ("<a href=\"https://example.org/\">x</a>", None),
            ("text", None),
        ] {
            assert_eq!(link_of(line), expected, "{line}");
        }
    }
}
