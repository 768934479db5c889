//! Where the engine is, and what is wanted of it.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

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
    /// The user and the password of the first URL that has both: the client does not look for them there.
    pub(super) fn login(&self) -> Option<(String, String)> {
        self.urls.iter().find_map(|url| {
            let (_, rest) = url.split_once("://").unwrap_or(("", url));
            let (login, _) = rest.rsplit_once('@')?;
            let (user, password) = login.split_once(':')?;
            let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
            Some((decoded(user), decoded(password)))
        })
    }

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::log::Keep;

    /// A login in a URL is used, and shown nowhere.
    #[test]
    fn login_of_urls_is_used_and_not_shown() {
        let options = |urls: &[&str]| ClusterOptions {
            urls: urls.iter().map(ToString::to_string).collect(),
            creds: None,
            wishes: StreamWishes {
                name: "log".to_owned(),
                replicas: 1,
                keep: Keep {
                    messages: 1,
                    age: Duration::from_secs(1),
                },
                keep_bytes: 1,
                max_message: 1,
            },
        };
        let with = options(&["nats://a:4222", "tls://push:p%40ss@b.example:4222"]);
        let login = Some(("push".to_owned(), "p@ss".to_owned()));
        assert_eq!(with.login(), login);
        let shown = with.urls_without_secrets();
        assert_eq!(shown, "nats://a:4222, tls://b.example:4222");
        assert_eq!(options(&["nats://a:4222", "b:4222"]).login(), None);
    }
}
