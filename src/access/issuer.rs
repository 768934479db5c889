//! Issuers of JSON Web Tokens, and what their tokens say. Pure: the time is an argument.
//!
//! A token says who made it, for whom, until when, and what its holder may do. All of that is believed
//! only after its signature has been verified, with a key of the issuer and the algorithm of that key;
//! what the token says of its algorithm has to be the same, and says nothing more.

use std::sync::Arc;

use serde::Deserialize;

use super::issuer_key::IssuerKey;
use super::jwt::Jwt;
use super::{BadToken, ChannelSet, Holder, Scope, SecretHash};
use crate::limits;
use crate::message::Timestamp;

/// An issuer of JSON Web Tokens.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) name: String,
    pub(super) iss: String,
    pub(super) aud: String,
    pub(super) keys: Vec<IssuerKey>,
    /// No token of the issuer gets more than this, whatever it says.
    pub(super) most: Scope,
    /// Whether tokens that may only read, and no pattern, may stand in an address.
    pub(super) in_url: bool,
}

/// The holder of a JSON Web Token.
#[derive(Clone, Debug)]
pub struct JwtHolder {
    /// The hash of what its signature signs, since some signatures can be written in two ways (ECDSA).
    pub(super) says: SecretHash,
    /// The key that verified it.
    pub(super) key: SecretHash,
    /// What the token says that its holder may do.
    pub(super) claimed: Scope,
    pub(super) until: Timestamp,
}

/// A holder is known by what its token says, and by the key that verified it.
impl PartialEq for JwtHolder {
    fn eq(&self, other: &JwtHolder) -> bool {
        self.says == other.says && self.key == other.key
    }
}

impl Eq for JwtHolder {}

impl std::hash::Hash for JwtHolder {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.says.hash(state);
    }
}

/// The claims of a token, as far as they count here (RFC 7519, section 4.1, and RFC 8693, section 4.2). One
/// that stands twice is refused, as is one of another type.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    exp: Option<f64>,
    nbf: Option<f64>,
    #[serde(default)]
    scope: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn has(&self, name: &str) -> bool {
        match self {
            Audience::One(one) => one == name,
            Audience::Several(several) => several.iter().any(|one| one == name),
        }
    }
}

/// Returns the holder of a token.
///
/// # Errors
/// When none of the issuers has made it, or it is not for here and now.
pub(super) fn identify(
    issuers: &[Issuer],
    text: &str,
    is_in_url: bool,
    now: Timestamp,
) -> Result<Holder, BadToken> {
    let jwt = Jwt::read(text).ok_or(BadToken::Unknown)?;
    let claims: Claims = serde_json::from_slice(&jwt.payload).map_err(|_| BadToken::Unknown)?;
    let named = issuers.iter().filter(|issuer| issuer.iss == claims.iss);
    let mut signed = named.filter_map(|issuer| Some((issuer, issuer.verified_by(&jwt)?)));
    let mut wrong_audience = false;
    let (issuer, key) = signed
        .find(|(issuer, _)| {
            let is_meant = claims.aud.has(&issuer.aud);
            wrong_audience |= !is_meant;
            is_meant
        })
        .ok_or(())
        .map_err(|()| {
            if wrong_audience {
                BadToken::Audience
            } else {
                BadToken::Unknown
            }
        })?;
    let until = moment(claims.exp.ok_or(BadToken::NoEnd)?).later(limits::TOKEN_LEEWAY);
    if until <= now {
        return Err(BadToken::Expired);
    }
    if claims
        .nbf
        .is_some_and(|nbf| moment(nbf) > now.later(limits::TOKEN_LEEWAY))
    {
        return Err(BadToken::Early);
    }
    let claimed = scope(&claims.scope)?;
    if is_in_url && !(issuer.in_url && may_stand_in_url(&claimed)) {
        return Err(BadToken::NotInUrl);
    }
    Ok(Holder::Jwt(Arc::new(JwtHolder {
        says: SecretHash::of(jwt.signed),
        key,
        claimed,
        until,
    })))
}

impl Issuer {
    /// Returns the id of the key that verifies the signature of a token. A token that names its key is
    /// compared with the keys of that name.
    fn verified_by(&self, jwt: &Jwt<'_>) -> Option<SecretHash> {
        let named = |key: &&IssuerKey| jwt.kid.is_none() || key.kid == jwt.kid || key.kid.is_none();
        let mut keys = self.keys.iter().filter(named);
        keys.find(|key| key.verifies(jwt)).map(|key| key.id)
    }

    /// Whether a key is one of this issuer's.
    pub(super) fn has_key(&self, id: &SecretHash) -> bool {
        self.keys.iter().any(|key| key.id.is(id))
    }

    /// What a holder may do whose token says this.
    pub(super) fn granted(&self, claimed: &Scope) -> Scope {
        Scope {
            read: self.most.read.meet(&claimed.read),
            write: self.most.write.meet(&claimed.write),
            metrics: false,
        }
    }
}

/// Reads the claim `scope`: words such as `read:user.42.*`. Words that mean nothing here may be for others.
fn scope(text: &str) -> Result<Scope, BadToken> {
    let words = text.split_ascii_whitespace();
    let list = |kind: &str| {
        let names = words.clone().filter_map(|word| word.strip_prefix(kind));
        let sets = names.filter_map(|name| ChannelSet::read([name]).ok());
        if sets.clone().count() > limits::ACCESS_NAMES_MAX {
            return Err(BadToken::TooLong);
        }
        Ok(sets.fold(ChannelSet::default(), |sum, set| sum.join(&set)))
    };
    Ok(Scope {
        read: list("read:")?,
        write: list("write:")?,
        metrics: false,
    })
}

/// Whether a token may stand in an address, which others come to see: it may only read, and no more than
/// it names.
fn may_stand_in_url(claimed: &Scope) -> bool {
    claimed.write.is_empty() && claimed.read.patterns().is_empty()
}

/// A `NumericDate`: seconds since 1970, perhaps with a fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time before 1970 is 1970, and one that is too far away is as far as it gets"
)]
fn moment(seconds: f64) -> Timestamp {
    Timestamp((seconds * 1000.0) as u64)
}
