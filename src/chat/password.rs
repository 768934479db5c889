//! Passwords, and the hashes that are stored instead of them.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::oneshot;
use unicode_normalization::UnicodeNormalization;

use super::hash_queue::{HashQueue, Hashed};
use crate::limits;

/// A password that an account may have, in normal form.
pub(super) struct NewPassword(String);

/// Why an account cannot have a password.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PasswordError {
    /// The password has too few characters, this many, and could be guessed.
    #[error("the password is too short: {0} of at least {least} characters", least = limits::PASSWORD_CHARS_MIN)]
    TooShort(usize),
    /// The password has too many bytes, this many.
    #[error("the password is {0} bytes long; the limit is {max}", max = limits::PASSWORD_BYTES_MAX)]
    TooLong(usize),
}

impl NewPassword {
    /// Accepts any text of a sound length.
    ///
    /// # Errors
    /// When the text is too short or too long.
    pub(super) fn new(text: &str) -> Result<NewPassword, PasswordError> {
        if text.len() > limits::PASSWORD_BYTES_MAX {
            return Err(PasswordError::TooLong(text.len()));
        }
        let characters = text.chars().count();
        if characters < limits::PASSWORD_CHARS_MIN {
            return Err(PasswordError::TooShort(characters));
        }
        Ok(NewPassword(normal(text)))
    }

    /// Accepts a text of any length, for an account that protects nothing because its password is
    /// public.
    pub(super) fn public(text: &str) -> NewPassword {
        NewPassword(normal(text))
    }
}

/// Hides the password from logs.
impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(…)")
    }
}

/// Returns the normal form of a password, which is the same from every keyboard (RFC 8265, section
/// 4.2).
fn normal(password: &str) -> String {
    password.nfc().collect()
}

/// The argon2id hash of a password, as a PHC string: all that is stored of it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct StoredHash(Arc<str>);

impl StoredHash {
    /// Takes a hash from its column.
    pub(super) fn from_column(text: impl Into<Arc<str>>) -> StoredHash {
        StoredHash(text.into())
    }

    /// Returns the PHC string.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hides the hash from logs.
impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredHash(…)")
    }
}

/// No password can be hashed now, because too many wait for it.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the server is busy checking passwords; try again in a moment")]
pub struct HasherBusy;

/// Hashes and verifies passwords, a few at a time, off the async workers.
#[derive(Clone, Debug)]
pub(super) struct Hasher(HashQueue);

impl Default for Hasher {
    fn default() -> Hasher {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let at_once = (processors / 2).clamp(1, limits::HASHES_AT_ONCE_MAX);
        Hasher(HashQueue::new(at_once, limits::HASHES_WAITING_MAX))
    }
}

impl Hasher {
    /// Returns the hash of a password, with a salt of its own.
    ///
    /// # Errors
    /// When too many passwords wait to be hashed.
    pub(super) async fn hash(
        &self,
        password: NewPassword,
        whose: Hashed,
    ) -> Result<StoredHash, HasherBusy> {
        let hashed = self.work(whose, move || {
            let hash = hash(password.0.as_bytes())?;
            Ok(StoredHash(hash.to_string().into()))
        });
        hashed.await
    }

    /// Whether the hash is that of the password. `None` is the hash of a name that no account has:
    /// verifying takes as long then as for any wrong password, so that a client does not learn
    /// which names have accounts.
    ///
    /// # Errors
    /// When too many passwords wait to be hashed.
    pub(super) async fn verify(
        &self,
        password: &str,
        stored: Option<StoredHash>,
        whose: Hashed,
    ) -> Result<bool, HasherBusy> {
        // A password that is too long is no account's, and is not worth a copy.
        let (password, stored) = if password.len() > limits::PASSWORD_BYTES_MAX {
            (String::new(), None)
        } else {
            (normal(password), stored)
        };
        let verified = self.work(whose, move || match stored {
            Some(stored) => verify(password.as_bytes(), &stored),
            None => hash(password.as_bytes()).map(|_| false),
        });
        verified.await
    }

    async fn work<T: Send + 'static>(
        &self,
        whose: Hashed,
        work: impl FnOnce() -> argon2::password_hash::Result<T> + Send + 'static,
    ) -> Result<T, HasherBusy> {
        let turn = self.0.turn(whose).await?;
        let (done, worked) = oneshot::channel();
        // A thread of its own, of which there are few at a time: some allocators keep what each thread of
        // a larger pool has used. The turn is held to the end, also if the client has left.
        let thread = thread::Builder::new().name("hash".to_owned());
        let started = thread.spawn(move || {
            let worked = work();
            drop(turn);
            // Nobody may wait any more.
            let _ = done.send(worked);
        });
        started.map_err(|error| {
            log::error!("no thread for a password: {error}");
            HasherBusy
        })?;
        let worked = worked.await.map_err(|_| HasherBusy)?;
        worked.map_err(|error| {
            log::error!("cannot hash a password: {error}");
            HasherBusy
        })
    }
}

fn argon2() -> argon2::Result<Argon2<'static>> {
    let params = Params::new(limits::HASH_KIB, limits::HASH_PASSES, 1, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &[u8]) -> argon2::password_hash::Result<PasswordHash> {
    argon2()?.hash_password_with_salt(password, &rand::random::<[u8; 16]>())
}

fn verify(password: &[u8], known: &StoredHash) -> argon2::password_hash::Result<bool> {
    use argon2::password_hash::Error;
    let known = PasswordHash::new(known.as_str())?;
    match argon2()?.verify_password(password, &known) {
        Err(Error::PasswordInvalid) => Ok(false),
        verified => verified.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn hashed(password: &str) -> StoredHash {
        let password = NewPassword::new(password).unwrap();
        Hasher::default().hash(password, None).await.unwrap()
    }

    #[tokio::test]
    async fn password_verified_by_its_hash() {
        let hasher = Hasher::default();
        let known = hashed("correct hörse").await;
        assert!(
            known
                .as_str()
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
        );
        assert_ne!(
            hashed("correct hörse").await,
            known,
            "each hash has its own salt"
        );
        for (password, is_it) in [
            ("correct hörse", true),
            ("correct ho\u{308}rse", true),
            ("correct hörse ", false),
            ("", false),
            (&"x".repeat(1 << 20), false),
        ] {
            let verified = hasher.verify(password, Some(known.clone()), None).await;
            assert_eq!(verified, Ok(is_it), "{password:.20}");
            assert_eq!(hasher.verify(password, None, None).await, Ok(false));
        }
        assert!(!format!("{known:?}").contains("argon2"));
    }

    #[test]
    fn password_refused_only_by_length() {
        assert!(NewPassword::new("\0 \u{202e}🐢\n<>&").is_ok());
        assert_eq!(
            NewPassword::new("🐢🐢🐢🐢🐢🐢🐢").unwrap_err(),
            PasswordError::TooShort(7)
        );
        assert!(NewPassword::new(&"x".repeat(limits::PASSWORD_BYTES_MAX)).is_ok());
        assert_eq!(
            NewPassword::new(&"x".repeat(1 << 20)).unwrap_err(),
            PasswordError::TooLong(1 << 20)
        );
    }

    #[tokio::test]
    async fn damaged_hash_verifies_no_password() {
        let hasher = Hasher::default();
        for damaged in ["", "password", "$argon2id$v=19$m=19456,t=2,p=1", "$x$$"] {
            let verified = hasher
                .verify("password", Some(StoredHash::from_column(damaged)), None)
                .await;
            assert_ne!(verified, Ok(true), "{damaged}");
        }
    }
}
