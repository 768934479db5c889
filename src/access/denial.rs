//! Why a request is not let in. No secret is a part of it.

use super::Needed;
use crate::rate_limiter::RateLimited;

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It is nobody's.
    #[error("the token is not known here, or not any more")]
    Unknown,
    /// Its time is over.
    #[error("the token's time is over")]
    Expired,
    /// It is too long to be one.
    #[error("the token is too long")]
    TooLong,
    /// It is for another server.
    #[error("the token is not for this server: its aud is another")]
    Audience,
    /// It would be valid for ever.
    #[error("the token does not say how long it is valid: it has no exp")]
    NoEnd,
    /// Its time has not begun.
    #[error("the token is not valid yet: see its nbf")]
    Early,
    /// It stands in an address, where others come to see it.
    #[error(
        "the token may not stand in an address: that is for those of an issuer with in_url = true that may only read, and no pattern"
    )]
    NotInUrl,
    /// It cannot be read where it stands.
    #[error(
        "the Authorization header has no token: send Bearer TOKEN, or Basic with the token as the password"
    )]
    Unreadable,
}

impl BadToken {
    /// Whether somebody who guesses would show such a token.
    #[must_use]
    pub fn is_guess(self) -> bool {
        match self {
            BadToken::Unknown | BadToken::TooLong | BadToken::Unreadable => true,
            // Somebody who is known has made it.
            BadToken::Expired
            | BadToken::Audience
            | BadToken::NoEnd
            | BadToken::Early
            | BadToken::NotInUrl => false,
        }
    }
}

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// It shows no token, and not everybody may do this.
    #[error("to {0} you need a token; send it as Authorization: Bearer TOKEN, or log in at /login")]
    NoToken(Needed),
    /// The token that it shows is of no use.
    #[error("{0}; send a good one as Authorization: Bearer TOKEN, or log in at /login")]
    BadToken(#[from] BadToken),
    /// Its token does not have the right.
    #[error("this token has no right to {0}")]
    Missing(Needed),
    /// It shows tokens in several ways of one kind.
    #[error("the request has several tokens; send one")]
    SeveralTokens,
    /// The access file does not open the demonstrations that need no right.
    #[error(
        "the mailbox, the clock and the chat are off here: the access file does not say demos = true"
    )]
    DemosOff,
    /// Its address has shown too many wrong tokens, and this one is wrong, too.
    #[error("the token is wrong, and so were many from this address: {0}")]
    TooManyTries(RateLimited),
}
