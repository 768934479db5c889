//! The parameters in the query of a request, and the one table of those that there are.
//!
//! A parameter that does not exist is refused with the names of those that do: passed over, a slip
//! such as `sicne=now` would flood its reader with the whole log. What is not for this request at all
//! is passed over: `_`, which scripts add to get past caches, and `datastar`, which a library adds; the
//! parameters of other transports, since a client that tries several asks each with the same query; and
//! all that pages are asked with, since links to them carry parameters of others (`utm_source`), and
//! these ask for nothing.

use super::error::{Error, ParamError};
use super::form;
use crate::access::Denial;

/// The parameter in which a token stands, for those who cannot send a header. `admission.rs` reads it.
pub(super) const KEY: &str = "key";

/// The parameter that names the language of a page; `language_choice.rs` reads it.
pub(super) const LANG: &str = "lang";

/// The parameters of a request that is answered by a page, besides its others.
pub(super) const PAGE: &[&str] = &[LANG];

/// The parameter that names the tap which is told what the stream writes to its socket.
pub(super) const TAP: &str = "tap";

/// The parameters of a request that follows.
pub(super) const FOLLOW: &[&str] = &[
    "as",
    "since",
    LAST_EVENT_ID,
    "until",
    "limit",
    "timeout",
    "wait",
    "heartbeat",
    "pace",
    "heartbeat_event",
    "retry",
    "envelope",
    "names",
    "marks",
    "color",
    "origin",
    TAP,
    KEY,
];

/// The parameters of the list of channels.
pub(super) const LIST: &[&str] = &["prefix", "after", "limit", "as", KEY];

/// The parameters of a probe.
pub(super) const PROBE: &[&str] = &["as", "lines", "quiet"];

/// The parameter that names the account whose stream of the chat a page wants.
pub(super) const OF: &str = "of";

/// The parameters of a request that appends. `as` says how an error is to be answered, and `form` that the
/// body is the form of a page.
pub(super) const APPEND: &[&str] = &["event", "close", "as", "form"];

/// The parameters that an upload has besides: whether it is answered while it runs.
pub(super) const UPLOAD: &[&str] = &["receipts"];

/// The parameters of a conversation of the chat.
pub(super) const HISTORY: &[&str] = &["before", "limit", "as"];

/// The fields of a letter, and of the request for one, which may stand in the query or in the form.
pub(super) const MAILBOX: &[&str] = &["action", "me", "toUserName", "msg", "wait", "ack"];

/// The parameter in which a polyfill for `EventSource` says the id that it remembers. Another server
/// at this address may have given it, so it may be anything.
const LAST_EVENT_ID: &str = "lastEventId";

/// The parameters that are passed over everywhere: one against caches, and one in which Datastar says the
/// state of its page with each request that it makes.
const PASSED_OVER: [&str; 2] = ["_", "datastar"];

/// The parameters of a request, each once.
#[derive(Debug)]
pub(super) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Reads a query in which there may be the parameters `known`.
    ///
    /// # Errors
    /// When there is another parameter, one has two values, or one is not UTF-8.
    pub(super) fn read(text: &str, known: &[&[&'static str]]) -> Result<Query, Error> {
        let known = known.concat();
        let mut read: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in form::pairs(text)? {
            let name = form::decode_lossily(name);
            let Some(name) = find(&name, &known)? else {
                continue;
            };
            let value = if name == LAST_EVENT_ID {
                form::decode_lossily(value)
            } else {
                form::decode(value)?
            };
            match read.iter().find(|(before, _)| *before == name) {
                // Neither is repeated.
                Some((KEY, before)) if *before != value => {
                    return Err(Denial::SeveralTokens.into());
                }
                Some((_, before)) if *before != value => {
                    let why = format!("is given with another value before, {before:?}");
                    return Err(ParamError::new(name, &value, why).into());
                }
                Some(_) => {}
                None => read.push((name, value)),
            }
        }
        Ok(Query(read))
    }

    /// Returns the value of a parameter, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| *given == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Checks that each of these names is a field that there is.
///
/// # Errors
/// [`Error::UnknownParam`] with the first that is not.
pub(super) fn check_names<'a>(
    mut names: impl Iterator<Item = &'a str>,
    known: &[&'static str],
) -> Result<(), Error> {
    names.try_for_each(|name| find(name, known).map(|_| ()))
}

/// Finds a name among those that are known; `None` for what is passed over.
fn find(name: &str, known: &[&'static str]) -> Result<Option<&'static str>, Error> {
    let found = known.iter().find(|known| **known == name).copied();
    if found.is_none() && !PASSED_OVER.contains(&name) {
        return Err(Error::UnknownParam {
            name: name.to_owned(),
            known: known.join(", "),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Query, String> {
        Query::read(text, &[FOLLOW, &[OF]]).map_err(|error| error.to_string())
    }

    #[test]
    fn query_has_what_is_known() {
        let query =
            read("since=-2&_=17&datastar={}&of=%E4%BD%A0&since=-2&_&lastEventId=%FF").unwrap();
        assert_eq!(query.get("since"), Some("-2"));
        assert_eq!(query.get("of"), Some("你"));
        assert_eq!(query.get("limit"), None);
        assert_eq!(query.get("lastEventId"), Some("\u{fffd}"));
        let unknown = read("sicne=now").unwrap_err();
        for name in [&["sicne"], FOLLOW].concat() {
            assert!(unknown.contains(name), "{unknown}");
        }
        for bad in ["Since=now", "now", "=now", "%FF=1", "since =now"] {
            assert!(
                read(bad).unwrap_err().contains("there is no parameter"),
                "{bad}"
            );
        }
        let twice = read("limit=1&limit=2").unwrap_err();
        assert!(
            twice.contains("\"1\"") && twice.contains("\"2\""),
            "{twice}"
        );
        assert!(read("since=%FF").is_err());
    }

    /// The docs name each parameter of a stream, an append, an upload, the list and the probe.
    #[test]
    fn query_parameters_are_in_the_docs() {
        let text = crate::pages::doc("protocol").unwrap().markdown;
        for name in [FOLLOW, APPEND, UPLOAD, LIST].concat() {
            assert!(text.contains(&format!("`{name}=")), "{name}");
        }
        let text = crate::pages::doc("proxies").unwrap().markdown;
        for name in PROBE {
            assert!(text.contains(&format!("`{name}=")), "{name}");
        }
    }
}
