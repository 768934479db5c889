//! Where the engine is, and what is wanted of it.

use std::path::PathBuf;

use super::StreamWishes;

/// Where the engine is, and what is wanted of it.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Its servers, such as `nats://127.0.0.1:4222`. The first that answers is used.
    pub urls: Vec<String>,
    /// A file with credentials, as `nsc` and `nats` make them.
    pub creds: Option<PathBuf>,
    /// What the stream is to be like.
    pub wishes: StreamWishes,
}

impl ClusterOptions {
    /// The servers, without the names and passwords that their URLs may have.
    pub(super) fn urls_without_secrets(&self) -> String {
        let shown = |url: &String| match (url.split_once("://"), url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
            (None, Some((_, host))) => host.to_owned(),
            (_, None) => url.clone(),
        };
        let shown: Vec<String> = self.urls.iter().map(shown).collect();
        shown.join(", ")
    }
}
