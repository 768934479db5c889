//! Passwords, and the hashes that are kept instead of them.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

use crate::limits;

/// A password that somebody wants to have.
pub struct NewPassword(String);

/// Why a text is no password to have.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PasswordError {
    /// Guessed too soon.
    #[error("the password is too short: {0} of at least {least} characters", least = limits::PASSWORD_CHARS_MIN)]
    TooShort(usize),
    /// Longer than is looked at.
    #[error("the password is {0} bytes long; {max} is the most", max = limits::PASSWORD_BYTES_MAX)]
    TooLong(usize),
}

impl NewPassword {
    /// Anything that is long enough.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub fn new(text: &str) -> Result<NewPassword, PasswordError> {
        if text.len() > limits::PASSWORD_BYTES_MAX {
            return Err(PasswordError::TooLong(text.len()));
        }
        let characters = text.chars().count();
        if characters < limits::PASSWORD_CHARS_MIN {
            return Err(PasswordError::TooShort(characters));
        }
        Ok(NewPassword(normal(text)))
    }

    /// A password that is none, since everybody knows it.
    pub(super) fn of_everybody(text: &str) -> NewPassword {
        NewPassword(normal(text))
    }
}

/// Not for logs.
impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(…)")
    }
}

/// The same password from every keyboard (RFC 8265, section 4.2).
fn normal(password: &str) -> String {
    password.nfc().collect()
}

/// What is kept of a password: its argon2id hash, as a PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash(Arc<str>);

impl Hash {
    /// One that was kept.
    pub(super) fn known(text: impl Into<Arc<str>>) -> Hash {
        Hash(text.into())
    }

    /// As it is kept.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not for logs either.
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(…)")
    }
}

/// No hash could be made now.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("too many passwords are being checked at this moment; try again")]
pub struct HasherBusy;

/// Makes hashes, a few at a time, off the async workers.
#[derive(Clone, Debug)]
pub struct Hasher {
    /// Those that are being made and those that wait.
    room: Arc<Semaphore>,
    /// Those that are being made.
    turns: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Hasher {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let at_once = (processors / 2).clamp(1, limits::HASHES_AT_ONCE_MAX);
        Hasher {
            room: Arc::new(Semaphore::new(at_once + limits::HASHES_WAITING)),
            turns: Arc::new(Semaphore::new(at_once)),
        }
    }
}

impl Hasher {
    /// The hash of a password, with a salt of its own.
    ///
    /// # Errors
    /// When there are too many at once.
    pub async fn hash(&self, password: NewPassword) -> Result<Hash, HasherBusy> {
        let hashed = self.work(move || {
            let hash = hash(password.0.as_bytes())?;
            Ok(Hash(hash.to_string().into()))
        });
        hashed.await
    }

    /// Is it the password? Where nobody has that name there is no hash to compare with; that
    /// takes as long as any wrong password, so that nobody learns who is here.
    ///
    /// # Errors
    /// When there are too many at once.
    pub async fn verify(&self, password: &str, known: Option<Hash>) -> Result<bool, HasherBusy> {
        // One that is too long is nobody's, and is not worth a copy.
        let (password, known) = if password.len() > limits::PASSWORD_BYTES_MAX {
            (String::new(), None)
        } else {
            (normal(password), known)
        };
        let verified = self.work(move || match known {
            Some(known) => verify(password.as_bytes(), &known),
            None => hash(password.as_bytes()).map(|_| false),
        });
        verified.await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> argon2::password_hash::Result<T> + Send + 'static,
    ) -> Result<T, HasherBusy> {
        let room = Arc::clone(&self.room);
        let room = room.try_acquire_owned().map_err(|_| HasherBusy)?;
        let turns = Arc::clone(&self.turns);
        let turn = turns.acquire_owned().await.map_err(|_| HasherBusy)?;
        let worked = tokio::task::spawn_blocking(move || {
            // Whoever has left need not be waited for; the memory is used to the end.
            let _held = (room, turn);
            work()
        });
        let worked = worked.await.map_err(|_| HasherBusy)?;
        worked.map_err(|error| {
            log::error!("a password cannot be hashed: {error}");
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

fn verify(password: &[u8], known: &Hash) -> argon2::password_hash::Result<bool> {
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

    async fn hashed(password: &str) -> Hash {
        let password = NewPassword::new(password).unwrap();
        Hasher::default().hash(password).await.unwrap()
    }

    #[tokio::test]
    async fn a_password_is_known_by_its_hash() {
        let hasher = Hasher::default();
        let known = hashed("correct hörse").await;
        assert!(
            known
                .as_str()
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
        );
        assert_ne!(hashed("correct hörse").await, known, "each has its salt");
        for (password, is_it) in [
            ("correct hörse", true),
            ("correct ho\u{308}rse", true),
            ("correct hörse ", false),
            ("", false),
            (&"x".repeat(1 << 20), false),
        ] {
            let verified = hasher.verify(password, Some(known.clone())).await;
            assert_eq!(verified, Ok(is_it), "{password:.20}");
            assert_eq!(hasher.verify(password, None).await, Ok(false));
        }
        assert!(!format!("{known:?}").contains("argon2"));
    }

    #[test]
    fn passwords_have_a_length_and_nothing_else() {
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
    async fn hashes_are_made_a_few_at_a_time() {
        let hasher = Hasher::default();
        let turns = u32::try_from(hasher.turns.available_permits()).unwrap();
        let held = hasher.turns.acquire_many(turns).await.unwrap();
        let waiting: Vec<_> = (0..hasher.room.available_permits())
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.work(|| Ok(())).await })
            })
            .collect();
        while hasher.room.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(hasher.verify("one too many", None).await, Err(HasherBusy));
        drop(held);
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), Ok(()));
        }
    }

    #[tokio::test]
    async fn a_hash_that_is_damaged_lets_nobody_in() {
        let hasher = Hasher::default();
        for damaged in ["", "password", "$argon2id$v=19$m=19456,t=2,p=1", "$x$$"] {
            let verified = hasher.verify("password", Some(Hash::known(damaged))).await;
            assert_ne!(verified, Ok(true), "{damaged}");
        }
    }
}
