//! An issuer of JSON Web Tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use base64ct::{Base64UrlUnpadded, Encoding};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use super::access::AccessFile;

/// The private keys, for tests alone, each with the algorithm that it signs with.
const PRIVATE: [(&str, Algorithm, &[u8]); 4] = [
    (
        "rsa",
        Algorithm::RS256,
        include_bytes!("issuer_keys/rsa.pem"),
    ),
    ("ec", Algorithm::ES256, include_bytes!("issuer_keys/ec.pem")),
    (
        "ec384",
        Algorithm::ES384,
        include_bytes!("issuer_keys/ec384.pem"),
    ),
    ("ed", Algorithm::EdDSA, include_bytes!("issuer_keys/ed.pem")),
];

/// The public keys.
const PUBLIC: [(&str, &[u8]); 4] = [
    ("rsa", include_bytes!("issuer_keys/rsa.pub.pem")),
    ("ec", include_bytes!("issuer_keys/ec.pub.pem")),
    ("ec384", include_bytes!("issuer_keys/ec384.pub.pem")),
    ("ed", include_bytes!("issuer_keys/ed.pub.pem")),
];

/// The secret that the issuer shares with the server where it signs with HS256.
pub(crate) const SHARED: &[u8] = b"a secret of thirty-two bytes, and more";

pub(crate) const ISS: &str = "https://app.example";
pub(crate) const AUD: &str = "https://push.example";

/// A public key in PEM.
pub(crate) fn public(name: &str) -> &'static [u8] {
    PUBLIC.iter().find(|(of, _)| *of == name).unwrap().1
}

/// The lines of an access file for an issuer whose key is in this file, and these further lines.
pub(crate) fn issuer(name: &str, key: &str, lines: &str) -> String {
    format!("[issuer.{name}]\niss = \"{ISS}\"\naud = \"{AUD}\"\nkey = \"{key}\"\n{lines}\n")
}

/// Writes the key files next to an access file: `rsa`, `ec`, `ec384`, `ed`, and `shared`.
pub(crate) fn write_keys(file: &AccessFile) {
    let write = |name: &str, bytes: &[u8]| std::fs::write(file.directory().join(name), bytes);
    for (name, key) in PUBLIC {
        write(name, key).unwrap();
    }
    write("shared", &[SHARED, b"\n"].concat()).unwrap();
}

/// The time, in seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Claims of a token that is good for a minute, with these changes; a claim that becomes `null` is not
/// there.
pub(crate) fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": ISS,
        "aud": AUD,
        "sub": "somebody",
        "exp": now() + 60,
        "scope": "openid read:user.42.* read:main write:user.42.in write:other",
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    claims
}

/// Encodes a part of a token.
pub(crate) fn part(text: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(text.as_ref())
}

/// A token with this head and these claims, signed with a key.
pub(crate) fn sign(key: &str, head: &Value, claims: &str) -> String {
    let message = format!("{}.{}", part(head.to_string()), part(claims));
    let (algorithm, key) = signing_key(key);
    let signature = crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// A message that is signed by HS256 with this secret.
pub(crate) fn sign_with_secret(secret: &[u8], head: &Value, claims: &str) -> String {
    let message = format!("{}.{}", part(head.to_string()), part(claims));
    let key = EncodingKey::from_secret(secret);
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn signing_key(name: &str) -> (Algorithm, EncodingKey) {
    if name == "shared" {
        return (Algorithm::HS256, EncodingKey::from_secret(SHARED));
    }
    let (_, algorithm, pem) = PRIVATE.iter().find(|(of, ..)| *of == name).unwrap();
    let key = match algorithm {
        Algorithm::RS256 => EncodingKey::from_rsa_pem(pem),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(pem),
        _ => EncodingKey::from_ec_pem(pem),
    };
    (*algorithm, key.unwrap())
}

/// A token with these changes to its claims.
pub(crate) fn jwt(key: &str, changes: &Value) -> String {
    let (algorithm, _) = signing_key(key);
    let head = json!({ "typ": "JWT", "alg": format!("{algorithm:?}") });
    sign(key, &head, &claims(changes).to_string())
}
