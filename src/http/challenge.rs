//! What an answer says in `WWW-Authenticate` to a request that is not let in (RFC 6750, section 3).

use hyper::StatusCode;

use crate::access::{Denial, Needed};

/// The status of the answer.
pub(super) fn status(denial: &Denial) -> StatusCode {
    match denial {
        Denial::NoToken(_) | Denial::BadToken(_) => StatusCode::UNAUTHORIZED,
        Denial::Missing(_) => StatusCode::FORBIDDEN,
        Denial::SeveralTokens => StatusCode::BAD_REQUEST,
        Denial::DemosOff => StatusCode::NOT_FOUND,
        Denial::TooManyTries(_) => StatusCode::TOO_MANY_REQUESTS,
    }
}

/// The value of `WWW-Authenticate`, if the answer has one.
pub(super) fn challenge(denial: &Denial) -> Option<String> {
    let (error, needed) = match denial {
        // Who shows nothing is told no error (section 3.1).
        Denial::NoToken(needed) => (None, Some(needed)),
        Denial::BadToken(bad) => (Some(("invalid_token", bad.to_string())), None),
        Denial::Missing(needed) => {
            let error = ("insufficient_scope", denial.to_string());
            (Some(error), Some(needed))
        }
        Denial::SeveralTokens => (Some(("invalid_request", denial.to_string())), None),
        Denial::DemosOff | Denial::TooManyTries(_) => return None,
    };
    let error = error.map(|(code, description)| {
        format!("error=\"{code}\", error_description=\"{description}\"")
    });
    let scope = needed.map(Needed::scope_words);
    let scope = scope.filter(|scope| !scope.is_empty());
    let realm = "Bearer realm=\"forever-frame\"".to_owned();
    let parts = [
        Some(realm),
        error,
        scope.map(|scope| format!("scope=\"{scope}\"")),
    ];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{BadToken, ChannelSet};

    /// The challenges of RFC 6750; what stands in quotes has no quote in it.
    #[test]
    fn challenge_says_what_is_missing() {
        let needed = || Needed::Read(ChannelSet::read(["a", "b.*"]).unwrap());
        let realm = "Bearer realm=\"forever-frame\"";
        for (denial, expected) in [
            (Denial::NoToken(needed()), ", scope=\"read:a read:b.*\""),
            (Denial::NoToken(Needed::ReadAny), ""),
            (
                BadToken::Expired.into(),
                ", error=\"invalid_token\", error_description=\"the token's time is over\"",
            ),
            (
                Denial::Missing(needed()),
                ", error=\"insufficient_scope\", error_description=\"this token has no right to \
                 read a, b.*\", scope=\"read:a read:b.*\"",
            ),
        ] {
            assert_eq!(challenge(&denial), Some(format!("{realm}{expected}")));
        }
        for bad in [BadToken::Unknown, BadToken::TooLong, BadToken::Unreadable] {
            let text = challenge(&bad.into()).unwrap();
            assert_eq!(text.matches('"').count(), 6, "{text}");
        }
    }
}
