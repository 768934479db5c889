//! Who somebody is, by the token that they show.

use super::SecretHash;

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
