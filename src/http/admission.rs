//! What a request shows of its sender, and whether that lets it in: [`access`](crate::access) decides.
//!
//! | shown as | for |
//! |---|---|
//! | `Authorization: Bearer TOKEN` | everything |
//! | `Authorization: Basic …`, the token as the password | everything |
//! | `?key=TOKEN`, which goes before all others | following and listing, by a JSON Web Token |
//! | the cookie that `/login` sets, if there is no such header | everything |
//!
//! It is decided before a body is read, and before anything is done.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Instant;

use base64ct::{Base64, Encoding};
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;

use super::error::Error;
use super::route::Need;
use super::{App, append, client, follow, form, query, token_login};
use crate::access::{Admission, BadToken, ChannelSet, Denial, Holder, Needed};
use crate::message::Channel;
use crate::network::Network;

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    /// The address of the client, as far as proxies tell it.
    pub(super) client: IpAddr,
    /// The address at the other end of the connection.
    pub(super) peer: IpAddr,
    /// Whether the browser speaks TLS.
    pub(super) is_secure: bool,
}

/// Lets a request in whose path leaves `rest` open; `None` where nothing restricts it.
///
/// # Errors
/// When its sender may not do all that it needs, and when its path is wrong.
pub(super) fn admit(
    app: &App,
    head: &Parts,
    sender: Sender,
    need: Need,
    rest: &str,
) -> Result<Option<Admission>, Error> {
    let Some(restricted) = app.access.restricted() else {
        return Ok(None);
    };
    let needed = match need {
        Need::Nothing => return Ok(None),
        Need::Metrics if is_machine_itself(head, sender.peer) => return Ok(None),
        Need::Metrics => Needed::Metrics,
        Need::Demos => Needed::Demos,
        Need::ReadMain => Needed::Read(Channel::main().into()),
        Need::WriteMain => Needed::Write(Channel::main()),
        Need::ReadChannels => Needed::Read(channels(rest)?),
        Need::WriteChannel => Needed::Write(append::channel_named(rest)?),
        Need::ReadAny => Needed::ReadAny,
    };
    let now = app.log.now().time;
    let in_url = if reads(need) { in_url(head)? } else { None };
    let is_in_url = in_url.is_some();
    let token = match in_url {
        None => shown(&head.headers, sender.is_secure)?,
        token => token.map(Cow::from),
    };
    let holder = match token {
        None => Holder::Anyone,
        Some(token) => {
            let from = Network::of(sender.client);
            restricted.identify(&token, is_in_url, from, now, Instant::now())?
        }
    };
    Ok(Some(restricted.admit(holder, &needed, now)?))
}

/// The channels that the list in a path names.
fn channels(list: &str) -> Result<ChannelSet, Error> {
    let asked = follow::subscription(list)?;
    let (channels, patterns) = (asked.channels().to_vec(), asked.patterns().to_vec());
    Ok(ChannelSet::new(channels, patterns))
}

/// Whether a request was made on this machine, and not by a proxy for somebody else.
fn is_machine_itself(head: &Parts, peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback() && !client::is_forwarded(&head.headers)
}

/// Whether a token for this may stand in an address.
fn reads(need: Need) -> bool {
    matches!(need, Need::ReadMain | Need::ReadChannels | Need::ReadAny)
}

/// The token that stands in the address of a request.
fn in_url(head: &Parts) -> Result<Option<String>, Error> {
    let mut tokens = Vec::new();
    for (name, value) in form::pairs(head.uri.query().unwrap_or(""))? {
        if form::decode_lossily(name) == query::KEY {
            tokens.push(form::decode_lossily(value));
        }
    }
    tokens.dedup();
    if tokens.len() > 1 {
        return Err(Denial::SeveralTokens.into());
    }
    Ok(tokens.pop().filter(|token| !token.is_empty()))
}

/// The token that a request shows.
fn shown(headers: &HeaderMap, is_secure: bool) -> Result<Option<Cow<'_, str>>, Denial> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let Some(line) = lines.next() else {
        return Ok(token_login::cookie(headers, is_secure).map(Cow::from));
    };
    if lines.next().is_some() {
        return Err(Denial::SeveralTokens);
    }
    let unreadable = || Denial::BadToken(BadToken::Unreadable);
    let line = line.to_str().map_err(|_| unreadable())?;
    let (scheme, rest) = line.split_once(' ').ok_or_else(unreadable)?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(rest.into()))
    } else if scheme.eq_ignore_ascii_case("basic") {
        let password = password(rest).ok_or_else(unreadable)?;
        Ok(Some(password.into()))
    } else {
        Err(unreadable())
    }
}

/// The password in the credentials of Basic (RFC 7617), whose user name does not count.
fn password(credentials: &str) -> Option<String> {
    let pair = String::from_utf8(Base64::decode_vec(credentials).ok()?).ok()?;
    pair.split_once(':')
        .map(|(_, password)| password.to_owned())
}
