//! Who somebody is, by the token that they show.

use super::SecretHash;
use crate::client_shares::TokenId;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Who does not say who they are.
    Anyone,
    /// The holder of a token of the access file.
    Token(SecretHash),
    /// The holder of a JSON Web Token.
    #[cfg(feature = "secure")]
    Jwt(std::sync::Arc<super::JwtHolder>),
}

impl Holder {
    /// Whose share of the server the holder uses; `None` for who does not say who they are.
    #[must_use]
    pub fn token_id(&self) -> Option<TokenId> {
        let hash = match self {
            Holder::Anyone => return None,
            Holder::Token(hash) => hash,
            #[cfg(feature = "secure")]
            Holder::Jwt(holder) => &holder.says,
        };
        Some(TokenId(hash.first_part()))
    }
}
