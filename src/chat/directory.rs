//! Finding accounts and friends by their names.

use super::{Account, AccountName, AccountNameError, Chat, Friend, Standing};
use crate::log::StoreError;
use crate::right::Right;

/// Why a name does not lead to an account, or to a friend.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The text is not a name.
    #[error(transparent)]
    Name(#[from] AccountNameError),
    /// No account has this name.
    #[error("no account is named {0:?}")]
    NoAccount(String),
    /// No account with this name is a friend.
    #[error("you have no friend named {0:?}; send a friend request first, at /chat")]
    NoFriend(String),
    /// The tables cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Chat {
    /// Returns the account with a name, in any spelling of it.
    ///
    /// # Errors
    /// When the text is not a name, no account has it, or the tables cannot be read.
    pub async fn account_named(&self, name: &str) -> Result<Account, LookupError> {
        let found = self.database.account(&AccountName::new(name)?).await?;
        let (account, _) = found.ok_or_else(|| LookupError::NoAccount(name.to_owned()))?;
        Ok(account)
    }

    /// Returns my friend with a name, in any spelling of it, and the right to our conversation.
    ///
    /// # Errors
    /// When the text is not a name, I have no such friend, or the tables cannot be read. Whether
    /// there is an account of that name is not told.
    pub async fn friend_named(
        &self,
        me: &Account,
        name: &str,
    ) -> Result<(Friend, Right), LookupError> {
        let no_friend = || LookupError::NoFriend(name.to_owned());
        let found = self.database.account(&AccountName::new(name)?).await?;
        let (other, _) = found.ok_or_else(no_friend)?;
        // Taken before the look: if the friendship ends meanwhile, the right has ended, too.
        let right = self.friendship_right(me.id, other.id);
        let friend = self.standing(me, &other).await?;
        let friend = friend.filter(|friend| friend.standing == Standing::Friend);
        Ok((friend.ok_or_else(no_friend)?, right))
    }

    /// Returns how another account stands to mine; `None` if there is neither a friendship nor a
    /// request between the two.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn standing(
        &self,
        me: &Account,
        other: &Account,
    ) -> Result<Option<Friend>, StoreError> {
        self.database.friend(me.id, other.id).await
    }
}
