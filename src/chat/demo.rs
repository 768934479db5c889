//! Two accounts for a look around, which everybody knows the password of.

use super::password::{HasherBusy, NewPassword};
use super::{Account, AccountName, AccountNameError, Chat, RegisterError};
use crate::log::StoreError;
use crate::message::Timestamp;

/// Their names.
pub const NAMES: [&str; 2] = ["liger_zql", "漠然"];

/// Their password.
pub const PASSWORD: &str = "12345";

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum DemoAccountError {
    /// The tables cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Their names are no names.
    #[error(transparent)]
    AccountName(#[from] AccountNameError),
    /// One of them has become somebody's own.
    #[error(
        "{0:?} is there already, and has another password than {PASSWORD}: somebody has registered \
         with that name, or has changed the password; take another --store"
    )]
    Taken(AccountName),
    /// There is no room for two more.
    #[error(transparent)]
    Account(#[from] RegisterError),
    /// Their password cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HasherBusy),
}

impl Chat {
    /// Sees to it that they are there, and friends of each other.
    ///
    /// # Errors
    /// When they cannot be.
    pub async fn demo_accounts(&self) -> Result<(), DemoAccountError> {
        let [one, two] = NAMES;
        let (one, two) = (self.demo_account(one).await?, self.demo_account(two).await?);
        // Asking whoever has asked is saying yes. They may have parted since, or be too popular.
        for (me, other) in [(&one, &two), (&two, &one)] {
            if let Err(refused) = self.wish(me, other, super::FriendAction::Ask).await? {
                log::warn!("{} and {} are no friends: {refused}", one.name, two.name);
            }
        }
        log::warn!(
            "demo accounts: {} and {} can be used by everybody, with the password {PASSWORD}",
            one.name,
            two.name
        );
        Ok(())
    }

    /// Sees to it that they are not there: the log's file may be that of a server that had them.
    ///
    /// # Errors
    /// When that cannot be seen to.
    pub async fn no_demo_accounts(&self) -> Result<(), DemoAccountError> {
        for name in NAMES {
            if let Known::Demo(account) = self.known(&AccountName::new(name)?).await? {
                self.database.delete(account.id).await?;
                log::info!(
                    "the demo account {} of an earlier start is gone",
                    account.name
                );
            }
        }
        Ok(())
    }

    async fn demo_account(&self, name: &str) -> Result<Account, DemoAccountError> {
        let name = AccountName::new(name)?;
        match self.known(&name).await? {
            Known::Demo(account) => return Ok(account),
            Known::Other => return Err(DemoAccountError::Taken(name)),
            Known::Not => {}
        }
        let hash = self
            .hasher
            .hash(NewPassword::of_everybody(PASSWORD))
            .await?;
        let now = Timestamp::now();
        Ok(self.database.create(name, hash, now).await??)
    }

    async fn known(&self, name: &AccountName) -> Result<Known, DemoAccountError> {
        let Some((account, hash)) = self.database.find(name).await? else {
            return Ok(Known::Not);
        };
        // Nobody else has this password: it is shorter than people may have them.
        let is_demo = self.hasher.verify(PASSWORD, Some(hash)).await?;
        Ok(if is_demo {
            Known::Demo(account)
        } else {
            Known::Other
        })
    }
}

/// What is known by one of the names.
enum Known {
    Demo(Account),
    Other,
    Not,
}
