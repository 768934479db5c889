//! The secret by which a browser proves which session it is in.

use std::fmt;

use blake2::{Blake2s256, Digest};

/// The secret of a session: 256 random bits as hexadecimal digits. Only its hash is stored, so that a
/// reader of the file cannot take over a session.
#[derive(PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Returns a new token, which no browser has.
    #[must_use]
    pub fn random() -> Token {
        let [high, low] = rand::random::<[u128; 2]>();
        Token(format!("{high:032x}{low:032x}"))
    }

    /// Parses the token of a cookie; `None` if it has not the form of a token.
    #[must_use]
    pub fn new(text: &str) -> Option<Token> {
        let is_token =
            text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_token.then(|| Token(text.to_owned()))
    }

    /// Returns the token as the cookie has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the hash that is stored. The token cannot be guessed, so a fast hash is enough.
    pub(super) fn hash(&self) -> TokenHash {
        TokenHash(Blake2s256::digest(&self.0).into())
    }
}

/// The hash of a token, which stands for its session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub(super) [u8; 32]);

/// Shows enough of the hash to tell sessions apart in a test that fails.
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// Hides the token from logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_round_trip() {
        let token = Token::random();
        assert_eq!(Token::new(token.as_str()).as_ref(), Some(&token));
        assert_ne!(Token::random(), token);
        assert_ne!(Token::random().hash(), token.hash());
        assert!(!format!("{token:?}").contains(token.as_str()));
        for bad in ["", "ab", &"A".repeat(64), &"g".repeat(64), &"a".repeat(65)] {
            assert_eq!(Token::new(bad), None, "{bad}");
        }
    }
}
