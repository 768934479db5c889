//! The secret of a token, and its hash, which is all that the server has of it.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What the secret of a token begins with, so that it is known for what it is where it turns up.
const PREFIX: &str = "ff_";

/// The secret of a token: `ff_` and 256 random bits in base64url.
pub struct Secret(String);

impl Secret {
    /// Returns a new secret, which nobody has.
    #[must_use]
    pub fn random() -> Secret {
        let bytes: [u8; 32] = rand::random();
        Secret(format!(
            "{PREFIX}{}",
            Base64UrlUnpadded::encode_string(&bytes)
        ))
    }

    /// Returns the secret as its holder shows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the hash that stands in the access file.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

/// Hides the secret from logs.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The SHA-256 of a secret. A secret has 256 random bits and cannot be guessed, so a fast hash is enough.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Returns the hash of what a client shows.
    #[must_use]
    pub fn of(text: &str) -> SecretHash {
        SecretHash::of_bytes(text.as_bytes())
    }

    /// Returns the hash of a secret that need not be text.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> SecretHash {
        SecretHash(Sha256::digest(bytes).into())
    }

    /// Returns the first eight bytes, as a number.
    pub(super) fn first_part(&self) -> u64 {
        let (part, _) = self.0.split_first_chunk().unwrap_or((&[0; 8], &[]));
        u64::from_be_bytes(*part)
    }

    /// Reads a hash as it stands in the access file: 64 hexadecimal digits.
    #[must_use]
    pub fn read(text: &str) -> Option<SecretHash> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|c| u8::try_from(c.to_digit(16)?).ok())
            .collect();
        let digits = digits.filter(|digits| digits.len() == 64)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Some(SecretHash(bytes))
    }

    /// Whether both are the hash of the same secret, in a time that does not tell how much of them is
    /// alike.
    #[must_use]
    pub fn is(&self, other: &SecretHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Hexadecimal digits, as the access file has them.
impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Shows enough of the hash to tell tokens apart in a test that fails.
impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretHash({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_has_its_form() {
        let (one, other) = (Secret::random(), Secret::random());
        assert_ne!(one.as_str(), other.as_str());
        assert_eq!(one.as_str().len(), 3 + 43);
        assert!(one.as_str().starts_with("ff_"));
        assert!(!format!("{one:?} {:?}", one.hash()).contains(&one.as_str()[3..]));
        assert!(one.hash().is(&SecretHash::of(one.as_str())));
        assert!(!one.hash().is(&other.hash()));
    }

    #[test]
    fn secret_hash_round_trip() {
        // sha256sum of "abc"
        let digits = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(SecretHash::of("abc").to_string(), digits);
        for text in [digits, &digits.to_uppercase()] {
            assert_eq!(SecretHash::read(text), Some(SecretHash::of("abc")));
        }
        for bad in [
            "",
            &digits[1..],
            &digits.replace('b', "g"),
            &digits.replace("ba", "bä"),
        ] {
            assert_eq!(SecretHash::read(bad), None, "{bad}");
        }
    }
}
