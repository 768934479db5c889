//! What a browser shows to say whose session it is in.

use std::fmt;

use blake2::{Blake2s256, Digest};

/// The secret of a session: 256 random bits as hexadecimal digits. Only its hash is kept, so that
/// who reads the file cannot take over a session.
#[derive(PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// One that nobody has.
    #[must_use]
    pub fn random() -> Token {
        let [high, low] = rand::random::<[u128; 2]>();
        Token(format!("{high:032x}{low:032x}"))
    }

    /// What somebody says is one.
    #[must_use]
    pub fn new(text: &str) -> Option<Token> {
        let sound =
            text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        sound.then(|| Token(text.to_owned()))
    }

    /// As it stands in the cookie.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is kept of it. It is as hard to guess as the token, so a fast hash is enough.
    pub(super) fn hash(&self) -> [u8; 32] {
        Blake2s256::digest(&self.0).into()
    }
}

/// Not for logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_they_are_written() {
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
