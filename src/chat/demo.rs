//! Two demo accounts for trying the chat, with a password that is public.

use super::password::{HasherBusy, NewPassword};
use super::{Account, AccountName, AccountNameError, Chat, CreateError, FriendAction, Session};
use crate::log::StoreError;

/// The names of the demo accounts.
pub const NAMES: [&str; 2] = ["liger_zql", "漠然"];

/// The password of the demo accounts.
pub const PASSWORD: &str = "12345";

/// Why there are no demo accounts, or why old ones cannot be removed.
#[derive(Debug, thiserror::Error)]
pub enum DemoAccountError {
    /// The store is not available.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A text of [`NAMES`] is not a name.
    #[error(transparent)]
    AccountName(#[from] AccountNameError),
    /// An account of that name exists, and is not a demo account.
    #[error(
        "the account {0:?} exists and has another password than {PASSWORD}: it was registered under \
         that name, or its password was changed; choose another --store"
    )]
    Taken(AccountName),
    /// A demo account cannot be created.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The password cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HasherBusy),
}

impl Chat {
    /// Creates the demo accounts where they do not exist yet, and makes friends of them.
    ///
    /// # Errors
    /// When the accounts cannot be created, or the store is not available.
    pub async fn create_demo_accounts(&self) -> Result<(), DemoAccountError> {
        let [one, two] = NAMES;
        let (one, two) = (self.demo_account(one).await?, self.demo_account(two).await?);
        // To ask an account that has asked is to accept. They may have ended their friendship since
        // the last start, or have too many friends.
        for (me, other) in [(&one, &two), (&two, &one)] {
            if let Err(refused) = self
                .act(&Session::untabled(me), other, FriendAction::Ask)
                .await?
            {
                log::warn!(
                    "the demo accounts {} and {} are not friends: {refused}",
                    one.name,
                    two.name
                );
            }
        }
        log::warn!(
            "demo accounts: anyone who can reach the server can log in as {} or {}, with the \
             password {PASSWORD}",
            one.name,
            two.name
        );
        Ok(())
    }

    /// Deletes the demo accounts that an earlier start with the same log has created.
    ///
    /// # Errors
    /// When the store is not available.
    pub async fn delete_demo_accounts(&self) -> Result<(), DemoAccountError> {
        for name in NAMES {
            let name = AccountName::new(name)?;
            if let NameHolder::Demo(account) = self.holder_of(&name).await? {
                let sessions = self.database.delete_account(account.id).await?;
                self.end_rights(&sessions).await;
                // So do its friendships, which nothing told.
                self.granted.look_up(&self.log.now()).await?;
                log::info!(
                    "the demo account {} of an earlier start is deleted",
                    account.name
                );
            }
        }
        Ok(())
    }

    async fn demo_account(&self, name: &str) -> Result<Account, DemoAccountError> {
        let name = AccountName::new(name)?;
        match self.holder_of(&name).await? {
            NameHolder::Demo(account) => return Ok(account),
            NameHolder::Other => return Err(DemoAccountError::Taken(name)),
            NameHolder::None => {}
        }
        let hash = self
            .hasher
            .hash(NewPassword::public(PASSWORD), None)
            .await?;
        let now = self.log.now().time;
        Ok(self.database.create_account(name, hash, now).await??)
    }

    async fn holder_of(&self, name: &AccountName) -> Result<NameHolder, DemoAccountError> {
        let Some((account, hash)) = self.database.account(name).await? else {
            return Ok(NameHolder::None);
        };
        // No other account has this password: it is shorter than a registered one may be.
        let is_demo = self.hasher.verify(PASSWORD, Some(hash), None).await?;
        Ok(if is_demo {
            NameHolder::Demo(account)
        } else {
            NameHolder::Other
        })
    }
}

/// The kind of account that has one of the demo accounts' names.
enum NameHolder {
    Demo(Account),
    Other,
    None,
}
