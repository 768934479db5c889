//! Login, registration and change of password: in which order they are checked, and what they cost.
//!
//! An attempt is charged to the rate limits before its password is looked at, so that attempts at the
//! same time do not slip through, and refunded unless the password was wrong. Right passwords are not
//! limited by a rate, but wait for their turn as all do (`hash_queue.rs`). Whether a name has an
//! account is not told by how long the answer takes: the password is hashed in either case.

use std::net::IpAddr;
use std::time::Instant;

use super::{
    Account, AccountName, AccountNameError, Chat, CreateError, HasherBusy, LogIn, NewPassword,
    PasswordError, StoredHash, Token,
};
use crate::log::{Moment, StoreError};
use crate::network::Network;
use crate::rate_limiter::RateLimited;

/// Why a client is not logged in, or may not change the password.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The text is not a name.
    #[error(transparent)]
    Name(#[from] AccountNameError),
    /// The new password is not one that an account may have.
    #[error(transparent)]
    NewPassword(#[from] PasswordError),
    /// No account has the name, or it has another password.
    #[error("the name or the password is wrong")]
    WrongPassword,
    /// An account that is to have a new password has another old one.
    #[error("the old password is wrong")]
    WrongOldPassword,
    /// There were too many attempts.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Too many passwords are being hashed.
    #[error(transparent)]
    HasherBusy(#[from] HasherBusy),
    /// The store is not available.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a client cannot register.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The account cannot be created.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// What the client sent is refused, or the new account cannot be logged in.
    #[error(transparent)]
    Login(#[from] LoginError),
}

impl Chat {
    /// Begins a session for a client that knows the password of an account. The session that its
    /// browser had before, the one of the token `previous`, ends.
    ///
    /// # Errors
    /// When the name or the password is wrong, the client has to wait, or the store is not
    /// available.
    pub async fn log_in(
        &self,
        name: &str,
        password: &str,
        from: IpAddr,
        previous: Option<&Token>,
        now: &Moment,
    ) -> Result<LogIn, LoginError> {
        let name = AccountName::new(name)?;
        let (account, hash) = self.authenticate(&name, password, from).await?;
        let begun = self.begin_session(&account, &hash, previous, now).await?;
        begun.ok_or(LoginError::WrongPassword)
    }

    /// Creates an account and logs the client in to it. The session that its browser had before, the
    /// one of the token `previous`, ends.
    ///
    /// # Errors
    /// When an account cannot have this name or password, there are too many accounts, the client
    /// has to wait, or the store is not available.
    pub async fn register(
        &self,
        name: &str,
        password: &str,
        from: IpAddr,
        previous: Option<&Token>,
        now: &Moment,
    ) -> Result<LogIn, RegisterError> {
        let name = AccountName::for_new_account(name).map_err(LoginError::from)?;
        let password = NewPassword::new(password).map_err(LoginError::from)?;
        let created = self.create_account(name, password, from, now).await?;
        let (account, hash) = created?;
        let begun = self.begin_session(&account, &hash, previous, now).await;
        let begun = begun.map_err(LoginError::from)?;
        Ok(begun.ok_or(LoginError::WrongPassword)?)
    }

    async fn create_account(
        &self,
        name: AccountName,
        password: NewPassword,
        from: IpAddr,
        now: &Moment,
    ) -> Result<Result<(Account, StoredHash), CreateError>, LoginError> {
        self.limiter.charge_registration(from, Instant::now())?;
        let created = self.create_charged(name, password, from, now).await;
        if matches!(
            created,
            Err(LoginError::HasherBusy(_) | LoginError::Store(_))
        ) {
            self.limiter.refund_registration(from);
        }
        created
    }

    async fn create_charged(
        &self,
        name: AccountName,
        password: NewPassword,
        from: IpAddr,
        now: &Moment,
    ) -> Result<Result<(Account, StoredHash), CreateError>, LoginError> {
        // Looked up first, so that a name that is taken does not cost a hash.
        if let Some(refusal) = self.database.name_refusal(name.clone()).await? {
            return Ok(Err(refusal));
        }
        let hash = self.hasher.hash(password, Some(Network::of(from))).await?;
        let created = self.database.create_account(name, hash.clone(), now.time);
        Ok(created.await?.map(|account| (account, hash)))
    }

    /// Changes the password of an account for a client that knows the old one: all sessions of the
    /// account end, and a new one begins.
    ///
    /// # Errors
    /// When the old password is wrong, an account cannot have the new one, the client has to wait,
    /// or the store is not available.
    pub async fn change_password(
        &self,
        account: &Account,
        old: &str,
        new: &str,
        from: IpAddr,
        now: &Moment,
    ) -> Result<LogIn, LoginError> {
        let new = NewPassword::new(new)?;
        let authenticated = self.authenticate(&account.name, old, from).await;
        let (account, verified) = authenticated.map_err(|error| match error {
            LoginError::WrongPassword => LoginError::WrongOldPassword,
            other => other,
        })?;
        let hash = self.hasher.hash(new, Some(Network::of(from))).await?;
        let begun = self.replace_password(&account, &verified, hash, now);
        begun.await?.ok_or(LoginError::WrongOldPassword)
    }

    /// Returns the account with a name, and the hash of its password, for a client that knows the
    /// password. It takes as long if there is no such account.
    async fn authenticate(
        &self,
        name: &AccountName,
        password: &str,
        from: IpAddr,
    ) -> Result<(Account, StoredHash), LoginError> {
        let attempt = self.limiter.charge_login(name, from, Instant::now())?;
        let verified = self.verify(name, password, from).await;
        // Only a password that was looked at, and was wrong, counts.
        if !matches!(verified, Err(LoginError::WrongPassword)) {
            self.limiter.refund_login(attempt);
        }
        verified
    }

    async fn verify(
        &self,
        name: &AccountName,
        password: &str,
        from: IpAddr,
    ) -> Result<(Account, StoredHash), LoginError> {
        let found = self.database.account(name).await?;
        let hash = found.as_ref().map(|(_, hash)| hash.clone());
        let whose = Some(Network::of(from));
        let is_right = self.hasher.verify(password, hash, whose).await?;
        found.filter(|_| is_right).ok_or(LoginError::WrongPassword)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::testing::chat;
    use super::*;
    use crate::limits;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    fn now() -> Moment {
        Moment::at(1_800_000_000_000)
    }
    const PASSWORD: &str = "correct hörse";

    async fn register(chat: &Chat, name: &str) -> Result<LogIn, RegisterError> {
        chat.register(name, PASSWORD, HERE, None, &now()).await
    }

    /// A registered account is logged in to with its password, and its browser's session before that
    /// ends.
    #[tokio::test]
    async fn login_ends_previous_session() {
        let chat = chat();
        let first = register(&chat, "Zoë").await.unwrap();
        let second = chat
            .log_in(" zoë", PASSWORD, HERE, Some(&first.token), &now())
            .await
            .unwrap();
        assert_eq!(second.account, first.account);
        assert!(chat.session(&first.token, &now()).await.unwrap().is_none());
        let session = chat.session(&second.token, &now()).await.unwrap().unwrap();
        assert_eq!(session.account, second.account);
    }

    /// An unknown name and a wrong password are refused in the same words, and count.
    #[tokio::test]
    async fn wrong_passwords_count_and_right_ones_do_not() {
        let chat = chat();
        register(&chat, "Zoë").await.unwrap();
        for name in ["Zoë", "Ben"] {
            for n in 0..=limits::LOGINS_OF_PAIR.burst {
                if n == 1 && name == "Zoë" {
                    chat.log_in(name, PASSWORD, HERE, None, &now())
                        .await
                        .unwrap();
                }
                let refused = chat.log_in(name, "wrong", HERE, None, &now()).await;
                match refused.unwrap_err() {
                    LoginError::WrongPassword if n < limits::LOGINS_OF_PAIR.burst => {}
                    LoginError::RateLimited(_) if n == limits::LOGINS_OF_PAIR.burst => {}
                    error => panic!("{name} {n}: {error}"),
                }
            }
        }
        // Now even the right password has to wait, and so has a change of the password.
        let refused = chat.log_in("Zoë", PASSWORD, HERE, None, &now()).await;
        assert!(matches!(refused, Err(LoginError::RateLimited(_))));
        let zoe = chat.account_named("Zoë").await.unwrap();
        let now = now();
        let refused = chat.change_password(&zoe, PASSWORD, "another one", HERE, &now);
        assert!(matches!(refused.await, Err(LoginError::RateLimited(_))));
    }

    #[tokio::test]
    async fn register_taken_name_refused() {
        let chat = chat();
        register(&chat, "Zoë").await.unwrap();
        let refused = register(&chat, "ZOË").await.unwrap_err();
        assert!(refused.to_string().contains("is taken"), "{refused}");
        let short = chat.register("Ben", "short", HERE, None, &now()).await;
        assert!(matches!(
            short,
            Err(RegisterError::Login(LoginError::NewPassword(_)))
        ));
    }
}
