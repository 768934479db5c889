//! The one table of errors: what was wrong with a request, the status, and the sentence. It renders
//! nothing: `refusal.rs` makes the response, and adds `Retry-After` for [`Error::Full`] and
//! [`Error::Stopping`], which depends on the drain and on chance.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{
    ACCEPT_ENCODING, ALLOW, ETAG, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};

use super::challenge;
pub(super) use super::param_error::ParamError;
use crate::access::Denial;
use crate::chat::{
    CreateError, FriendError, LoginError, LookupError, RegisterError, SayError, SessionEnded,
};
use crate::client_shares::ShareOf;
use crate::limits;
use crate::log::{AppendError, DraftRefusal, LocateError, StoreError};
use crate::message::{Cursor, NameError, Seq};
use crate::metrics::RefusalReason;
use crate::rate_limiter::RateLimited;
use crate::right::RightEnd;

/// Why a request is refused. The sentence says what was wrong, with which value, and what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("there is nothing at {0:?}; channels are at /c/NAME")]
    NotFound(String),
    #[error("{0:?} is not served: the log is shared (--cluster), the mailbox and the chat are not")]
    NotShared(String),
    #[error("the path is not UTF-8")]
    PathNotUtf8,
    #[error("{method} is not allowed here; use {allow}")]
    MethodNotAllowed { method: String, allow: String },
    #[error("the channel name {name:?} {why}")]
    BadChannel { name: String, why: NameError },
    #[error("{0} channels were asked for in one stream; the limit is {max}", max = limits::STREAM_CHANNELS_MAX)]
    TooManyChannels(usize),
    #[error("since=each is for up to {max} channels, and there are more; follow a longer pattern", max = limits::KNOWN_CHANNELS_MAX)]
    EachOfTooMany,
    #[error("a message goes to one channel; {0:?} names several")]
    OneChannel(String),
    #[error("there is no parameter {name:?} here; there are {known}")]
    UnknownParam { name: String, known: String },
    #[error("{0}")]
    BadParam(#[from] ParamError),
    #[error("origin={0:?} is not allowed; allow it with --cors-origin (channel paths only)")]
    OriginNotAllowed(String),
    #[error("the Idempotency-Key {0}")]
    BadKey(NameError),
    #[error(
        "the Idempotency-Key was used on this channel for another message (seq {0}), within the last \
         {window}; send a new message with a new key",
        window = humantime::format_duration(limits::IDEMPOTENCY_WINDOW)
    )]
    KeyReused(Seq),
    #[error(
        "the server holds as many Idempotency-Keys as it may, each for {window}, and takes no new one \
         before the oldest is forgotten in {} s: try again then, or send the message without a key",
        .0.as_secs() + 1,
        window = humantime::format_duration(limits::IDEMPOTENCY_WINDOW)
    )]
    KeysFull(Duration),
    #[error(
        "the Idempotency-Key was used on this channel for another upload, of which {0} lines were appended, \
         within the last {window}; send a new upload with a new key",
        window = humantime::format_duration(limits::IDEMPOTENCY_WINDOW)
    )]
    KeyOfOtherUpload(u64),
    #[error(
        "the If-Match {0:?} is not one cursor in double quotes; write it like If-Match: \"k3f9x2qa0b-17\""
    )]
    BadIfMatch(String),
    #[error(
        "the If-None-Match {0:?} is not *, which appends only to a channel that has no entry; a cursor \
         goes into If-Match"
    )]
    BadIfNoneMatch(String),
    #[error("If-Match and If-None-Match contradict each other; send one of them")]
    TwoPreconditions,
    #[error("If-Match and If-None-Match go with POST, where a request is one message")]
    PreconditionWithPut,
    #[error("{}", other_last(.0.as_ref()))]
    OtherLast(Option<Cursor>),
    #[error("the message is empty; put its text into the body, or close the channel with ?close=1")]
    EmptyBody,
    #[error("the message is not UTF-8: invalid byte at offset {0}")]
    NotUtf8(usize),
    #[error("the form has no field {0:?}")]
    NoField(&'static str),
    #[error("the form or the query has more than {max} fields", max = limits::FORM_FIELDS_MAX)]
    TooManyFields,
    #[error("a field of the form or the query is not UTF-8")]
    FieldNotUtf8,
    #[error("the message is longer than the limit of {0} bytes")]
    TooLarge(usize),
    #[error("the form is longer than the limit of {0} bytes")]
    FormTooLarge(usize),
    #[error(
        "this was sent by a page of {0}, not of this server, so nothing was done; allow its origin \
         with --cors-origin (if it is a page of this server, the proxy in between must pass on the \
         Host that the browser asked for)"
    )]
    CrossOrigin(String),
    #[error("the URL is longer than the limit of {0} bytes")]
    UrlTooLong(usize),
    #[error("the head of the request is longer than the limit of {0} bytes")]
    HeadTooLarge(usize),
    #[error("this port speaks TLS; ask for it with https:// in front of its address")]
    PlainHttp,
    #[error("the head of the request took longer than {0} s to arrive")]
    HeadSlow(u64),
    #[error("the Transfer-Encoding {0:?} is not known; send the body as it is, or chunked")]
    TransferEncoding(String),
    #[error("the Content-Encoding {0:?} is not known; send the body as it is")]
    ContentEncoding(String),
    #[error("the Expect {0:?} is not known; 100-continue is")]
    Expectation(String),
    #[error("{0}; write it like Host: example.org:8080")]
    BadHost(String),
    #[error(
        "this server is not known as {0:?}: it listens on a loopback address, and answers to \
         localhost, to addresses, and to the names that --host gives it; start it with --host {0}"
    )]
    UnknownHost(String),
    #[error(transparent)]
    Access(#[from] Denial),
    #[error("the right to write ended while this came: {}", ended(*.0))]
    RightEnded(RightEnd),
    #[error("you are not logged in; log in at /chat/login, and send the cookie that it sets")]
    NotLoggedIn,
    #[error(transparent)]
    Login(#[from] LoginError),
    #[error(transparent)]
    Register(#[from] RegisterError),
    #[error(transparent)]
    Lookup(#[from] LookupError),
    #[error(transparent)]
    Friend(FriendError),
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    #[error("the request body was cut off: {0}")]
    BodyBroke(hyper::Error),
    #[error("the body took longer than {0} s to arrive")]
    BodySlow(u64),
    #[error("this page has side effects or never ends, so it is not prefetched")]
    Prefetch,
    #[error("the server is stopping")]
    Stopping,
    #[error(
        "the memory for request bodies, or your address's share of it, is used up; try again in a moment"
    )]
    NoBodyMemory,
    #[error(
        "the memory for unread answers, or your address's share of it, is used up; read what was \
         asked for before, or try again in a moment"
    )]
    NoAnswerMemory,
    #[error(
        "the line was not finished, and others need its memory: no {most} bytes came within {0} s",
        most = limits::SMALL_BODY_BYTES
    )]
    LineSlow(u64),
    #[error("the server is at its connection limit; try again shortly")]
    Full,
    #[error(
        "as many pages look at the sockets of their streams as may, {max}, of which your address may have \
         {own}; close one, and try again in a moment",
        max = limits::TAPS_MAX,
        own = limits::TAPS_PER_CLIENT_MAX
    )]
    TapsFull,
    #[error(
        "your address has as many connections as it may, so that others find room; close some of them, \
         and try again"
    )]
    ManyConnections,
    #[error(
        "your {0} has as many streams and other requests in progress as it may, so that others find room; end \
         some of them, and try again"
    )]
    ManyRequests(ShareOf),
    #[error(
        "your {of} appends more often than it may; try again in {} s, or send the messages as the lines of one \
         upload (PUT), which waits by itself",
        .wait.seconds()
    )]
    ManyAppends { of: ShareOf, wait: RateLimited },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Error {
        match error {
            AppendError::Store(error) => Error::Store(error),
            AppendError::Refused(DraftRefusal::OtherMessage(seq)) => Error::KeyReused(seq),
            AppendError::Refused(DraftRefusal::OtherUpload { lines, .. }) => {
                Error::KeyOfOtherUpload(lines)
            }
            AppendError::Refused(DraftRefusal::KeysFull(wait)) => Error::KeysFull(wait),
            AppendError::Refused(DraftRefusal::OtherLast(last)) => Error::OtherLast(last),
        }
    }
}

impl From<SayError> for Error {
    fn from(error: SayError) -> Error {
        match error {
            SayError::SessionEnded(_) => Error::NotLoggedIn,
            SayError::RateLimited(error) => Error::RateLimited(error),
            SayError::Lookup(error) => Error::Lookup(error),
            SayError::Append(error) => Error::from(error),
            SayError::Store(error) => Error::Store(error),
        }
    }
}

impl From<FriendError> for Error {
    fn from(error: FriendError) -> Error {
        match error {
            FriendError::SessionEnded(_) => Error::NotLoggedIn,
            FriendError::RateLimited(error) => Error::RateLimited(error),
            error => Error::Friend(error),
        }
    }
}

impl From<SessionEnded> for Error {
    fn from(_: SessionEnded) -> Error {
        Error::NotLoggedIn
    }
}

impl From<LocateError> for Error {
    fn from(error: LocateError) -> Error {
        match error {
            LocateError::Store(error) => Error::from(error),
            LocateError::TooManyChannels(_) => Error::EachOfTooMany,
        }
    }
}

impl Error {
    /// The status that goes with the error.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Error::Login(error) | Error::Register(RegisterError::Login(error)) => {
                login_status(error)
            }
            Error::Access(denial) => challenge::status(denial),
            Error::NotFound(_)
            | Error::NotShared(_)
            | Error::Lookup(LookupError::NoAccount(_) | LookupError::NoFriend(_))
            | Error::Friend(FriendError::NoAccount) => StatusCode::NOT_FOUND,
            Error::NotLoggedIn | Error::RightEnded(_) => StatusCode::UNAUTHORIZED,
            Error::RateLimited(_)
            | Error::ManyConnections
            | Error::ManyRequests(_)
            | Error::ManyAppends { .. } => StatusCode::TOO_MANY_REQUESTS,
            Error::CrossOrigin(_) | Error::Friend(FriendError::NotTaken) => StatusCode::FORBIDDEN,
            Error::UnknownHost(_) => StatusCode::MISDIRECTED_REQUEST,
            Error::UrlTooLong(_) => StatusCode::URI_TOO_LONG,
            Error::HeadTooLarge(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Error::TransferEncoding(_) => StatusCode::NOT_IMPLEMENTED,
            Error::ContentEncoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Error::Expectation(_) => StatusCode::EXPECTATION_FAILED,
            Error::Register(RegisterError::Create(
                CreateError::Taken(_) | CreateError::LooksAlike(_),
            ))
            | Error::Friend(_) => StatusCode::CONFLICT,
            Error::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Error::KeyReused(_) | Error::KeyOfOtherUpload(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Error::OtherLast(_) => StatusCode::PRECONDITION_FAILED,
            Error::TooLarge(_) | Error::FormTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Error::HeadSlow(_) | Error::BodySlow(_) | Error::LineSlow(_) => {
                StatusCode::REQUEST_TIMEOUT
            }
            Error::PathNotUtf8
            | Error::BadChannel { .. }
            | Error::TooManyChannels(_)
            | Error::EachOfTooMany
            | Error::OneChannel(_)
            | Error::BadParam(_)
            | Error::UnknownParam { .. }
            | Error::OriginNotAllowed(_)
            | Error::BadHost(_)
            | Error::BadKey(_)
            | Error::BadIfMatch(_)
            | Error::BadIfNoneMatch(_)
            | Error::TwoPreconditions
            | Error::PreconditionWithPut
            | Error::EmptyBody
            | Error::NotUtf8(_)
            | Error::NoField(_)
            | Error::FieldNotUtf8
            | Error::TooManyFields
            | Error::Lookup(LookupError::Name(_))
            | Error::PlainHttp
            | Error::BodyBroke(_) => StatusCode::BAD_REQUEST,
            // A prefetch that gets 503 is thrown away, and the page loaded when it is wanted.
            Error::Prefetch
            | Error::Stopping
            | Error::NoBodyMemory
            | Error::NoAnswerMemory
            | Error::Full
            | Error::TapsFull
            | Error::KeysFull(_)
            | Error::Register(RegisterError::Create(CreateError::Full))
            | Error::Lookup(LookupError::Store(_))
            | Error::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Why the request is refused, as the metrics count it.
    pub(super) fn refusal_reason(&self) -> RefusalReason {
        match self {
            Error::CrossOrigin(_) => RefusalReason::Origin,
            Error::Full => RefusalReason::Connections,
            Error::ManyConnections => RefusalReason::ClientConnections,
            Error::ManyRequests(_) | Error::TapsFull => RefusalReason::ClientRequests,
            Error::ManyAppends { .. } => RefusalReason::ClientAppends,
            Error::NoBodyMemory => RefusalReason::BodyMemory,
            Error::NoAnswerMemory => RefusalReason::AnswerMemory,
            Error::KeysFull(_) => RefusalReason::Keys,
            Error::Prefetch => RefusalReason::Prefetch,
            Error::Stopping => RefusalReason::Stop,
            Error::Login(LoginError::HasherBusy(_))
            | Error::Register(
                RegisterError::Login(LoginError::HasherBusy(_))
                | RegisterError::Create(CreateError::Full),
            ) => RefusalReason::Accounts,
            _ => match self.status() {
                StatusCode::MISDIRECTED_REQUEST => RefusalReason::Host,
                StatusCode::UNAUTHORIZED => RefusalReason::Login,
                StatusCode::CONFLICT
                | StatusCode::PRECONDITION_FAILED
                | StatusCode::UNPROCESSABLE_ENTITY => RefusalReason::Conflict,
                StatusCode::TOO_MANY_REQUESTS => RefusalReason::Rate,
                StatusCode::SERVICE_UNAVAILABLE => RefusalReason::Store,
                _ => RefusalReason::Request,
            },
        }
    }

    /// The header that goes with the status, if there is one.
    pub(super) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Error::MethodNotAllowed { allow, .. } => HeaderValue::from_str(allow)
                .ok()
                .map(|allow| (ALLOW, allow)),
            Error::Login(error) | Error::Register(RegisterError::Login(error)) => {
                login_retry_after(error).map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds)))
            }
            Error::Access(Denial::TooManyTries(wait))
            | Error::RateLimited(wait)
            | Error::ManyAppends { wait, .. } => {
                Some((RETRY_AFTER, HeaderValue::from(wait.seconds())))
            }
            Error::Access(denial) => {
                let challenge = HeaderValue::from_str(&challenge::challenge(denial)?).ok()?;
                Some((WWW_AUTHENTICATE, challenge))
            }
            Error::OtherLast(Some(last)) => {
                let tag = HeaderValue::from_str(&format!("\"{last}\"")).ok()?;
                Some((ETAG, tag))
            }
            // Rounded up: before that there is no room for sure.
            Error::KeysFull(wait) => Some((RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1))),
            // One that nobody looks at is forgotten then.
            Error::TapsFull => {
                let wait = HeaderValue::from(limits::TAP_IDLE_TIMEOUT.as_secs());
                Some((RETRY_AFTER, wait))
            }
            Error::NoBodyMemory
            | Error::NoAnswerMemory
            | Error::Lookup(LookupError::Store(_))
            | Error::Store(_) => Some((RETRY_AFTER, HeaderValue::from_static("1"))),
            Error::ContentEncoding(_) => {
                Some((ACCEPT_ENCODING, HeaderValue::from_static("identity")))
            }
            _ => None,
        }
    }

    /// Whether the connection is of no further use.
    pub(super) fn closes_connection(&self) -> bool {
        matches!(
            self,
            Error::Full
                | Error::ManyConnections
                | Error::Stopping
                | Error::BodySlow(_)
                | Error::BodyBroke(_)
                | Error::BadHost(_)
                | Error::TransferEncoding(_)
        )
    }
}

/// How a right has ended, in words.
fn ended(end: RightEnd) -> &'static str {
    match end {
        RightEnd::Revoked => "it was taken back",
        RightEnd::Expired => "its time is over",
    }
}

/// The sentence for a channel whose last entry is not what the request asks for.
fn other_last(last: Option<&Cursor>) -> String {
    match last {
        Some(last) => format!(
            "nothing was appended: the channel's last entry is {last}; read what is new, and send \
             If-Match: \"{last}\" if the message is still right"
        ),
        None => {
            "nothing was appended: the channel has no entry; send If-None-Match: * for its first"
                .to_owned()
        }
    }
}

fn login_status(error: &LoginError) -> StatusCode {
    match error {
        LoginError::Name(_) | LoginError::NewPassword(_) => StatusCode::BAD_REQUEST,
        LoginError::WrongPassword | LoginError::WrongOldPassword => StatusCode::UNAUTHORIZED,
        LoginError::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
        LoginError::HasherBusy(_) | LoginError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// After how many seconds a client that could not log in may try again.
fn login_retry_after(error: &LoginError) -> Option<u64> {
    match error {
        LoginError::RateLimited(wait) => Some(wait.seconds()),
        LoginError::HasherBusy(_) | LoginError::Store(_) => Some(1),
        LoginError::Name(_)
        | LoginError::NewPassword(_)
        | LoginError::WrongPassword
        | LoginError::WrongOldPassword => None,
    }
}
