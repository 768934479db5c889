//! The keys of an issuer: a public key in PEM, a set of JSON Web Keys, or a secret. Each has one algorithm,
//! which is decided here.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, crypto};
use serde_json::Value;

use super::SecretHash;
use super::jwt::Jwt;
use crate::limits;

/// A key that verifies tokens.
pub(super) struct IssuerKey {
    /// The name by which tokens ask for it, if it has one.
    pub(super) kid: Option<String>,
    /// What stands for this key of this issuer.
    pub(super) id: SecretHash,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Hides the key from logs.
impl std::fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IssuerKey({:?}, {:?})", self.algorithm, self.id)
    }
}

impl IssuerKey {
    /// Reads the keys in a file. `issuer` stands for whose they are.
    ///
    /// # Errors
    /// Why it has none, as the end of a sentence that begins with the file.
    pub(super) fn read(bytes: &[u8], issuer: &str) -> Result<Vec<IssuerKey>, String> {
        let text = bytes.trim_ascii_start();
        let keys = if text.starts_with(b"-----BEGIN") {
            vec![pem(text, issuer)?]
        } else if text.starts_with(b"{") || text.starts_with(b"[") {
            key_set(text, issuer)?
        } else {
            vec![secret(bytes, issuer)?]
        };
        for key in &keys {
            // A key that cannot be used is found out now, and not when the first token comes.
            let used = crypto::verify("AAAA", b"", &key.key, key.algorithm);
            used.map_err(|_| "has a key that cannot be used".to_owned())?;
        }
        Ok(keys)
    }

    fn new(kid: Option<String>, algorithm: Algorithm, key: DecodingKey, of: &str) -> IssuerKey {
        IssuerKey {
            kid,
            id: SecretHash::of(&format!("{algorithm:?} {of}")),
            algorithm,
            key,
        }
    }

    /// Whether this key has signed a token, with the algorithm of this key.
    pub(super) fn verifies(&self, jwt: &Jwt<'_>) -> bool {
        jwt.alg == format!("{:?}", self.algorithm)
            && crypto::verify(
                jwt.signature,
                jwt.signed.as_bytes(),
                &self.key,
                self.algorithm,
            )
            .unwrap_or(false)
    }
}

/// A secret that the issuer shares with this server.
fn secret(bytes: &[u8], issuer: &str) -> Result<IssuerKey, String> {
    let secret = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
    for public in ["ssh-", "ecdsa-", "sk-ssh-"] {
        if secret.starts_with(public.as_bytes()) {
            return Err("is a key of SSH; convert it to PEM: ssh-keygen -e -m PKCS8".to_owned());
        }
    }
    let least = limits::SECRET_KEY_BYTES_MIN;
    if secret.len() < least {
        let length = secret.len();
        return Err(format!(
            "is neither PEM nor a JWK set, and too short for a secret: it has {length} bytes, and \
             {least} are the least"
        ));
    }
    let of = format!("{issuer} {}", SecretHash::of_bytes(secret));
    Ok(IssuerKey::new(
        None,
        Algorithm::HS256,
        DecodingKey::from_secret(secret),
        &of,
    ))
}

/// A public key in PEM.
fn pem(text: &[u8], issuer: &str) -> Result<IssuerKey, String> {
    let label = text.strip_prefix(b"-----BEGIN ").unwrap_or_default();
    let end = label.iter().position(|b| *b == b'-').unwrap_or(0);
    let label = String::from_utf8_lossy(&label[..end]);
    if label != "PUBLIC KEY" && label != "RSA PUBLIC KEY" {
        return Err(format!(
            "is a {label}; give the PUBLIC KEY (openssl pkey -pubout)"
        ));
    }
    if text
        .windows(10)
        .filter(|part| part == b"-----BEGIN")
        .count()
        > 1
    {
        return Err("has several keys in PEM; give one, or a JWK set".to_owned());
    }
    let (algorithm, key) = if let Ok(key) = DecodingKey::from_rsa_pem(text) {
        (Algorithm::RS256, key)
    } else if let Ok(key) = DecodingKey::from_ed_pem(text) {
        (Algorithm::EdDSA, key)
    } else {
        let key = DecodingKey::from_ec_pem(text);
        let key = key.map_err(|_| "has no public key that is known here".to_owned())?;
        // A point without compression, which is as long as its curve wants it.
        let algorithm = match key.try_get_as_bytes().map_or(0, <[u8]>::len) {
            65 => Algorithm::ES256,
            97 => Algorithm::ES384,
            _ => return Err("has a key on another curve than P-256 and P-384".to_owned()),
        };
        (algorithm, key)
    };
    let of = format!("{issuer} {}", SecretHash::of_bytes(text.trim_ascii()));
    Ok(IssuerKey::new(None, algorithm, key, &of))
}

/// The keys of a set of JSON Web Keys, or one of them alone, that can verify tokens.
fn key_set(text: &[u8], issuer: &str) -> Result<Vec<IssuerKey>, String> {
    let no_set = |error: serde_json::Error| format!("is no JWK set: {error}");
    let value: Value = serde_json::from_slice(text).map_err(no_set)?;
    let values = match value.get("keys") {
        Some(Value::Array(keys)) => keys.clone(),
        None if value.get("kty").is_some() => vec![value],
        _ => return Err("is no JWK set: it has no list of keys".to_owned()),
    };
    if values.len() > limits::ISSUER_KEYS_MAX {
        let (count, max) = (values.len(), limits::ISSUER_KEYS_MAX);
        return Err(format!("has {count} keys; the limit is {max}"));
    }
    let mut keys = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        let number = index + 1;
        if value.get("d").is_some() {
            return Err(format!(
                "has a private key, number {number}; give the public keys"
            ));
        }
        let of = format!("{issuer} {}", SecretHash::of(&value.to_string()));
        let jwk: Jwk = serde_json::from_value(value)
            .map_err(|_| format!("has a key, number {number}, that is none"))?;
        if let Some(algorithm) = algorithm(&jwk) {
            let wrong = |_| format!("has a key, number {number}, that cannot be used");
            let key = DecodingKey::from_jwk(&jwk).map_err(wrong)?;
            if key.family() != algorithm.family() {
                return Err(format!(
                    "has a key, number {number}, that is not for {algorithm:?}"
                ));
            }
            let length = key.try_get_as_bytes().map_or(0, <[u8]>::len);
            if key.family() == AlgorithmFamily::Hmac && length < limits::SECRET_KEY_BYTES_MIN {
                return Err(format!("has a secret, number {number}, that is too short"));
            }
            keys.push(IssuerKey::new(jwk.common.key_id, algorithm, key, &of));
        }
    }
    if keys.is_empty() {
        return Err("has no key that can verify tokens".to_owned());
    }
    Ok(keys)
}

/// The algorithm of a key: the one that it names, or the usual one of its kind. `None` for a key that is
/// for something else.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    if jwk.common.public_key_use == Some(PublicKeyUse::Encryption) {
        return None;
    }
    if let Some(named) = jwk.common.key_algorithm {
        return named.try_into().ok();
    }
    match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Some(Algorithm::RS256),
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => Some(Algorithm::ES256),
            EllipticCurve::P384 => Some(Algorithm::ES384),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(_) => Some(Algorithm::EdDSA),
        AlgorithmParameters::OctetKey(_) => Some(Algorithm::HS256),
        _ => None,
    }
}
