//! The pages in another language than English: catalogues of texts, and what puts them in place.
//!
//! As in gettext, the English text is the key. It stands where it is used: in the templates, in the scripts, and
//! in the sentences of the server. So templates are plain English pages. The Chinese texts are in three
//! catalogues:
//!
//! | catalogue | whose texts it has |
//! |---|---|
//! | `pages/zh-pages.toml` | the templates, `pages/*.html` |
//! | `pages/zh-scripts.toml` | the scripts of the pages, a table for each group of them |
//! | `pages/zh-server.toml` | the sentences that the server makes: errors, notices |
//!
//! Nothing here reads a file or knows a request: which language a browser gets is decided in
//! `http/language_choice.rs`, and `pages.rs` keeps the translated templates.
//!
//! | file | what it is |
//! |---|---|
//! | `language.rs` | the languages |
//! | `catalogue.rs` | reads a catalogue |
//! | `pieces.rs` | cuts a template into tags and what stands between them |
//! | `template.rs` | finds the texts of a template, and puts others in their place |
//! | `sentences.rs` | the sentences of the server, which may have values in them |

mod catalogue;
mod language;
mod pieces;
mod sentences;
mod template;

pub use catalogue::{Catalogue, CatalogueError};
pub use language::Language;
pub use template::{TextNeed, translate};
