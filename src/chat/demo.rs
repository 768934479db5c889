//! Two accounts for a look around, which everybody knows the password of.

use super::password::{Busy, NewPassword};
use super::{Account, BadName, Chat, Name, NoAccount};
use crate::log::StoreError;
use crate::message::Timestamp;

/// Their names.
pub const NAMES: [&str; 2] = ["liger_zql", "漠然"];

/// Their password.
pub const PASSWORD: &str = "12345";

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum NoDemo {
    /// The tables cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Their names are no names.
    #[error(transparent)]
    Name(#[from] BadName),
    /// There is no room for two more.
    #[error(transparent)]
    Account(#[from] NoAccount),
    /// Their password cannot be hashed.
    #[error(transparent)]
    Hash(#[from] Busy),
}

impl Chat {
    /// Sees to it that they are there, and friends of each other.
    ///
    /// # Errors
    /// When they cannot be.
    pub async fn demo_accounts(&self) -> Result<(), NoDemo> {
        let [one, two] = NAMES;
        let (one, two) = (self.demo_account(one).await?, self.demo_account(two).await?);
        // Asking whoever has asked is saying yes. They may have parted since, or be too popular.
        for (me, other) in [(&one, &two), (&two, &one)] {
            if let Err(refused) = self.wish(me, other, super::Wish::Ask).await? {
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

    async fn demo_account(&self, name: &str) -> Result<Account, NoDemo> {
        let name = Name::new(name)?;
        if let Some((account, _)) = self.database.find(&name).await? {
            return Ok(account);
        }
        let hash = self
            .hasher
            .hash(NewPassword::of_everybody(PASSWORD))
            .await?;
        let now = Timestamp::now();
        Ok(self.database.create(name, hash, now).await??)
    }
}
