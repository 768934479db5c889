//! `If-Match` and `If-None-Match` (RFC 9110, section 13.1). In a request that appends they are what its
//! sender expects of the channel, and in a long poll the answer that its client has.

use hyper::HeaderMap;
use hyper::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};

use super::error::Error;
use crate::log::Since;
use crate::message::{Cursor, Precondition};

/// Returns the precondition of a request, if it has one.
pub(super) fn precondition(headers: &HeaderMap) -> Result<Option<Precondition>, Error> {
    match (value(headers, IF_MATCH), value(headers, IF_NONE_MATCH)) {
        (None, None) => Ok(None),
        (Some(cursor), None) => match quoted_cursor(&cursor) {
            Some(cursor) => Ok(Some(Precondition::LastIs(cursor))),
            None => Err(Error::BadIfMatch(cursor)),
        },
        (None, Some(star)) if star == "*" => Ok(Some(Precondition::NoEntry)),
        (None, Some(other)) => Err(Error::BadIfNoneMatch(other)),
        (Some(_), Some(_)) => Err(Error::TwoPreconditions),
    }
}

/// Returns where the client of a long poll wants to begin, if it has an answer: after the cursor that is
/// the tag of that. A tag that is no cursor was given by another server at this address. curl sends an
/// empty one where it has none.
pub(super) fn seen(headers: &HeaderMap) -> Option<Since> {
    let tag = value(headers, IF_NONE_MATCH)?;
    match tag.trim() {
        "" | "\"\"" | "W/\"\"" | "*" => None,
        tag => {
            // Without its quotes it is no tag, and what is meant is plain.
            let cursor = quoted_cursor(tag).or_else(|| tag.parse().ok());
            Some(cursor.map_or(Since::Foreign, Since::Cursor))
        }
    }
}

/// Returns the value of a header, all of its lines as one list.
fn value(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let lines = headers.get_all(name).iter();
    let lines: Vec<_> = lines
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// Reads an entity tag that is a cursor. A proxy that compresses answers makes the tags in them weak
/// (`W/`), which changes nothing in what they say.
fn quoted_cursor(tag: &str) -> Option<Cursor> {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn read(lines: &[(HeaderName, &'static str)]) -> Result<Option<Precondition>, Error> {
        let line = |(name, value): &(HeaderName, &'static str)| {
            (name.clone(), HeaderValue::from_static(value))
        };
        precondition(&lines.iter().map(line).collect())
    }

    #[test]
    fn precondition_is_one_cursor_or_a_star() {
        assert!(matches!(read(&[]), Ok(None)));
        for tag in ["\"k3f9-17\"", "W/\"k3f9-17\""] {
            let Ok(Some(Precondition::LastIs(cursor))) = read(&[(IF_MATCH, tag)]) else {
                panic!("{tag}")
            };
            assert_eq!(cursor.to_string(), "k3f9-17");
        }
        let star = read(&[(IF_NONE_MATCH, "*")]);
        assert!(matches!(star, Ok(Some(Precondition::NoEntry))));
        for bad in [
            "",
            "*",
            "k3f9-17",
            "\"17\"",
            "\"k3f9-17",
            "\"a-1\", \"a-2\"",
        ] {
            let refused = read(&[(IF_MATCH, bad)]).unwrap_err().to_string();
            assert!(refused.contains(&format!("{bad:?}")), "{refused}");
        }
        let twice = read(&[(IF_MATCH, "\"a-1\""), (IF_MATCH, "\"a-2\"")]);
        assert!(matches!(twice, Err(Error::BadIfMatch(_))));
        for bad in ["", "\"k3f9-17\"", "*, *"] {
            let refused = read(&[(IF_NONE_MATCH, bad)]);
            assert!(matches!(refused, Err(Error::BadIfNoneMatch(_))), "{bad}");
        }
        let both = read(&[(IF_MATCH, "\"a-1\""), (IF_NONE_MATCH, "*")]);
        assert!(matches!(both, Err(Error::TwoPreconditions)));
    }

    #[test]
    fn if_none_match_says_what_was_seen() {
        let seen = |lines: &[&'static str]| {
            let line = |tag: &&'static str| (IF_NONE_MATCH, HeaderValue::from_static(tag));
            seen(&lines.iter().map(line).collect())
        };
        let cursor = Since::Cursor("k3f9-17".parse().unwrap());
        for tag in ["\"k3f9-17\"", "W/\"k3f9-17\"", " \"k3f9-17\" ", "k3f9-17"] {
            assert_eq!(seen(&[tag]), Some(cursor.clone()), "{tag}");
        }
        for none in [&[][..], &[""], &["\"\""], &["W/\"\""], &["*"]] {
            assert_eq!(seen(none), None, "{none:?}");
        }
        let two: &[&str] = &["\"k3f9-17\"", "\"k3f9-18\""];
        for foreign in [&["\"abc\""][..], &["abc"], two] {
            assert_eq!(seen(foreign), Some(Since::Foreign), "{foreign:?}");
        }
    }
}
