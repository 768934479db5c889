//! Pages as handlers make them: in the language of their reader, with the links to the other pages.

use hyper::Uri;

use super::{App, Call};
use crate::pages::{HtmlPage, Template};
use crate::translation::Language;

/// For whom a page is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageReader<'a> {
    pub(super) language: Language,
    /// The query of the address to which the switch of the language leads back.
    pub(super) query: &'a str,
}

impl<'a> PageReader<'a> {
    pub(super) fn new(language: Language, uri: &'a Uri) -> PageReader<'a> {
        let query = uri.query().unwrap_or("");
        PageReader { language, query }
    }
}

impl App {
    /// A page, with its values filled in, in the place of this path among the pages.
    pub(super) async fn page(
        &self,
        reader: PageReader<'_>,
        name: &'static str,
        path: &str,
        values: &[(&str, &str)],
    ) -> HtmlPage {
        let nav = self.nav(reader, path).await;
        let own = [
            ("nav", &*nav),
            ("home", self.home()),
            ("files", self.pages.files()),
        ];
        let values = [values, &own].concat();
        self.pages.page(reader.language, name, &values).await
    }
}

impl Call<'_> {
    /// The page of this path.
    pub(super) async fn page(&self, name: &'static str, values: &[(&str, &str)]) -> HtmlPage {
        self.page_at(self.head.uri.path(), name, values).await
    }

    /// A page in the place of another path.
    pub(super) async fn page_at(
        &self,
        path: &str,
        name: &'static str,
        values: &[(&str, &str)],
    ) -> HtmlPage {
        let reader = PageReader::new(self.language, &self.head.uri);
        self.app.page(reader, name, path, values).await
    }

    /// The template of a part of a page, in the language of the page.
    pub(super) async fn template(&self, name: &'static str) -> Template {
        self.app.pages.template(self.language, name).await
    }
}
