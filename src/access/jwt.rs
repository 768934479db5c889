//! A JSON Web Token in its parts: RFC 7515, the compact serialization. Pure. Nothing in it is believed.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;

/// A token in its parts.
#[derive(Debug)]
pub(super) struct Jwt<'a> {
    /// The name of its algorithm, which has to be that of the key.
    pub(super) alg: String,
    /// The name of its key, if it has one.
    pub(super) kid: Option<String>,
    /// What its signature signs.
    pub(super) signed: &'a str,
    pub(super) signature: &'a str,
    /// Its claims, as JSON.
    pub(super) payload: Vec<u8>,
}

/// The head of a token. Where a key could be found (`jku`, `jwk`, `x5u`, `x5c`) is passed over: only the
/// keys of the access file count.
#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; none is (RFC 7515, section 4.1.11).
    crit: Option<serde::de::IgnoredAny>,
    /// Whether the payload is encoded at all (RFC 7797): it is.
    b64: Option<serde::de::IgnoredAny>,
}

impl Jwt<'_> {
    /// Reads a token; `None` if it has not the form of one.
    pub(super) fn read(text: &str) -> Option<Jwt<'_>> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (head, payload) = signed.split_once('.')?;
        let decode = |part: &str| Base64UrlUnpadded::decode_vec(part).ok();
        let head: Head = serde_json::from_slice(&decode(head)?).ok()?;
        if head.crit.is_some() || head.b64.is_some() {
            return None;
        }
        // Neither an empty signature nor a fourth part gets through: a point is no character of base64url.
        decode(signature).filter(|signature| !signature.is_empty())?;
        Some(Jwt {
            alg: head.alg,
            kid: head.kid,
            signed,
            signature,
            payload: decode(payload)?,
        })
    }
}
