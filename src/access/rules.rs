//! The rules of an access file: who somebody is by what they show, and what they may do. Pure.

use std::borrow::Cow;

use super::{BadToken, ChannelSet, Denial, Holder, Needed, Scope, SecretHash};
use crate::limits;
use crate::message::Timestamp;

/// What an access file says.
#[derive(Debug, Default)]
pub struct AccessRules {
    /// What those may do who do not say who they are, and everybody else too.
    pub(super) anyone: Scope,
    /// Whether the demonstrations are open that need no right: the mailbox, the clock, the chat.
    pub(super) demos: bool,
    pub(super) tokens: Vec<AccessToken>,
    #[cfg(feature = "secure")]
    pub(super) issuers: Vec<super::issuer::Issuer>,
}

/// A token of the access file.
#[derive(Debug)]
pub(super) struct AccessToken {
    pub(super) name: String,
    pub(super) hash: SecretHash,
    pub(super) scope: Scope,
    pub(super) until: Option<Timestamp>,
}

impl AccessRules {
    /// Returns who shows this token, perhaps in an address.
    ///
    /// # Errors
    /// When it is nobody's, or its time is over.
    pub fn identify(
        &self,
        token: &str,
        is_in_url: bool,
        now: Timestamp,
    ) -> Result<Holder, BadToken> {
        if token.len() > limits::TOKEN_BYTES_MAX {
            return Err(BadToken::TooLong);
        }
        let hash = SecretHash::of(token);
        let Some(known) = self.token(&hash) else {
            return self.identify_jwt(token, is_in_url, now);
        };
        if is_over(known.until, now) {
            return Err(BadToken::Expired);
        }
        if is_in_url {
            return Err(BadToken::NotInUrl);
        }
        Ok(Holder::Token(hash))
    }

    #[cfg(feature = "secure")]
    fn identify_jwt(
        &self,
        text: &str,
        is_in_url: bool,
        now: Timestamp,
    ) -> Result<Holder, BadToken> {
        super::issuer::identify(&self.issuers, text, is_in_url, now)
    }

    #[cfg(not(feature = "secure"))]
    #[expect(clippy::unused_self, reason = "with the feature it is used")]
    fn identify_jwt(&self, _: &str, _: bool, _: Timestamp) -> Result<Holder, BadToken> {
        Err(BadToken::Unknown)
    }

    /// Checks that a holder may do what a request needs.
    ///
    /// # Errors
    /// When the holder is not known any more, its time is over, or it has no right to some of it.
    pub fn check(&self, holder: &Holder, needed: &Needed, now: Timestamp) -> Result<(), Denial> {
        if is_over(self.until(holder)?, now) {
            return Err(BadToken::Expired.into());
        }
        if *needed == Needed::Demos {
            return self.demos.then_some(()).ok_or(Denial::DemosOff);
        }
        let own = self.scope(holder)?;
        match (needed.missing(&[&self.anyone, &own]), holder) {
            (None, _) => Ok(()),
            (Some(missing), Holder::Anyone) => Err(Denial::NoToken(missing)),
            (Some(missing), _) => Err(Denial::Missing(missing)),
        }
    }

    /// Returns the channels that a holder may read.
    #[must_use]
    pub fn readable(&self, holder: &Holder) -> ChannelSet {
        let anyone = &self.anyone.read;
        let own = self.scope(holder);
        own.map_or_else(|_| anyone.clone(), |own| own.read.join(anyone))
    }

    /// Returns the channels that a holder may write to.
    #[must_use]
    pub fn writable(&self, holder: &Holder) -> ChannelSet {
        let anyone = &self.anyone.write;
        let own = self.scope(holder);
        own.map_or_else(|_| anyone.clone(), |own| own.write.join(anyone))
    }

    /// Returns until when a holder has its rights; `None` if they do not end by themselves.
    ///
    /// # Errors
    /// When the holder is not known.
    pub fn until(&self, holder: &Holder) -> Result<Option<Timestamp>, BadToken> {
        match holder {
            Holder::Anyone => Ok(None),
            Holder::Token(hash) => Ok(self.token(hash).ok_or(BadToken::Unknown)?.until),
            #[cfg(feature = "secure")]
            Holder::Jwt(holder) => Ok(Some(holder.until)),
        }
    }

    /// Returns the name of a holder, for its own eyes.
    #[must_use]
    pub fn name(&self, holder: &Holder) -> &str {
        match holder {
            Holder::Anyone => "",
            Holder::Token(hash) => self.token(hash).map_or("", |token| &token.name),
            #[cfg(feature = "secure")]
            Holder::Jwt(holder) => self.issuer(holder).map_or("", |issuer| &issuer.name),
        }
    }

    /// What a holder may do besides what anyone may.
    fn scope(&self, holder: &Holder) -> Result<Cow<'_, Scope>, BadToken> {
        let scope = match holder {
            Holder::Anyone => Some(Cow::Borrowed(&self.anyone)),
            Holder::Token(hash) => self.token(hash).map(|token| Cow::Borrowed(&token.scope)),
            #[cfg(feature = "secure")]
            Holder::Jwt(holder) => {
                let issuer = self.issuer(holder);
                issuer.map(|issuer| Cow::Owned(issuer.granted(&holder.claimed)))
            }
        };
        scope.ok_or(BadToken::Unknown)
    }

    /// The issuer whose key verified a token, if it is still one of its keys.
    #[cfg(feature = "secure")]
    fn issuer(&self, holder: &super::JwtHolder) -> Option<&super::issuer::Issuer> {
        self.issuers
            .iter()
            .find(|issuer| issuer.has_key(&holder.key))
    }

    /// Finds a token by its hash. All are compared, so that the time does not tell which one is alike.
    fn token(&self, hash: &SecretHash) -> Option<&AccessToken> {
        let tokens = self.tokens.iter();
        tokens.fold(None, |found, token| {
            if token.hash.is(hash) {
                Some(token)
            } else {
                found
            }
        })
    }
}

/// Whether a time is over.
fn is_over(until: Option<Timestamp>, now: Timestamp) -> bool {
    until.is_some_and(|until| until <= now)
}
