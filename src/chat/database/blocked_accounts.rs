//! Blocking accounts: a blocked account is no friend, and its requests are refused.

use super::friend_step::FriendStep;
use super::standing_rows::{count, delete, is_account, row, set};
use super::{AccountId, Database, FriendChange, FriendError, Standing};
use crate::limits;
use crate::log::{LogTime, StoreError};

impl Database {
    /// Blocks the other account, which ends a friendship or a request between the two.
    ///
    /// # Errors
    /// `Ok(Err(_))` when it cannot be blocked; `Err(_)` when the store is not available.
    pub(in crate::chat) async fn block(
        &self,
        me: AccountId,
        other: AccountId,
        now: LogTime,
    ) -> Result<Result<FriendStep, FriendError>, StoreError> {
        self.tables
            .write(move |transaction| {
                if let Some((Standing::Blocked, _)) = row(transaction, me, other)? {
                    return Ok(Ok(FriendStep::none()));
                }
                if me == other {
                    return Ok(Err(FriendError::Oneself));
                }
                if !is_account(transaction, other)? {
                    return Ok(Err(FriendError::NoAccount));
                }
                if count(transaction, me, Standing::Blocked)? >= limits::BLOCKED_MAX {
                    return Ok(Err(FriendError::BlockedFull));
                }
                set(transaction, me, other, Standing::Blocked, now)?;
                // What the other account has declined or blocked stays so.
                let theirs = row(transaction, other, me)?.map(|(standing, _)| standing);
                let was_friend = theirs == Some(Standing::Friend);
                if !was_friend && !matches!(theirs, Some(Standing::Asked | Standing::Asking)) {
                    return Ok(Ok(FriendStep::of_mine(FriendChange::Blocked)));
                }
                delete(transaction, other, me)?;
                Ok(Ok(FriendStep {
                    was_friend,
                    ..FriendStep::of_both(FriendChange::Blocked)
                }))
            })
            .await
    }

    /// Blocks the other account no more.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub(in crate::chat) async fn unblock(
        &self,
        me: AccountId,
        other: AccountId,
    ) -> Result<FriendStep, StoreError> {
        self.tables
            .write(move |transaction| match row(transaction, me, other)? {
                Some((Standing::Blocked, _)) => {
                    delete(transaction, me, other)?;
                    Ok(FriendStep::of_mine(FriendChange::Unblocked))
                }
                _ => Ok(FriendStep::none()),
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{befriend, database, person};
    use super::*;

    const NOW: LogTime = LogTime(1_800_000_000_000);

    /// A blocked account is no friend, cannot ask, and is not told of it; unblocked it can ask again.
    #[tokio::test]
    async fn blocked_account_cannot_ask() {
        let database = database();
        let (zoe, ben) = (
            person(&database, "Zoë").await,
            person(&database, "Ben").await,
        );
        befriend(&database, &zoe, &ben).await;
        let (zoe, ben) = (zoe.id, ben.id);
        let blocked = database.block(zoe, ben, NOW).await.unwrap().unwrap();
        assert!(blocked.was_friend && blocked.concerns_other);
        let mine = database.friend(zoe, ben).await.unwrap().unwrap();
        assert_eq!(mine.standing, Standing::Blocked);
        assert_eq!(database.friend(ben, zoe).await, Ok(None));
        let asked = database.ask(ben, zoe, NOW).await.unwrap();
        assert_eq!(asked, Err(FriendError::NotTaken));
        let asked = database.ask(zoe, ben, NOW).await.unwrap();
        assert_eq!(asked, Err(FriendError::YouBlocked));
        // Both may block; neither learns of the other.
        let back = database.block(ben, zoe, NOW).await.unwrap().unwrap();
        assert_eq!(back, FriendStep::of_mine(FriendChange::Blocked));
        let again = database.block(ben, zoe, NOW).await.unwrap().unwrap();
        assert_eq!(again, FriendStep::none());
        for (me, other) in [(zoe, ben), (ben, zoe)] {
            let removed = database.remove(me, other, NOW).await.unwrap();
            assert_eq!(removed, FriendStep::none(), "it is no friendship");
            let unblocked = database.unblock(me, other).await.unwrap();
            assert_eq!(unblocked, FriendStep::of_mine(FriendChange::Unblocked));
        }
        let asked = database.ask(ben, zoe, NOW).await.unwrap().unwrap();
        assert_eq!(asked.change, FriendChange::Asked);
        // To block an account that asks ends its request.
        let blocked = database.block(zoe, ben, NOW).await.unwrap().unwrap();
        assert!(!blocked.was_friend && blocked.concerns_other);
        assert_eq!(database.friend(ben, zoe).await, Ok(None));
    }

    #[tokio::test]
    async fn blocked_accounts_limited() {
        let database = database();
        let zoe = person(&database, "Zoë").await.id;
        let mut last = zoe;
        for n in 0..limits::BLOCKED_MAX {
            last = person(&database, &format!("other {n}")).await.id;
            database.block(zoe, last, NOW).await.unwrap().unwrap();
        }
        let more = person(&database, "more").await.id;
        let refused = database.block(zoe, more, NOW).await.unwrap();
        assert_eq!(refused, Err(FriendError::BlockedFull));
        database.unblock(zoe, last).await.unwrap();
        assert!(database.block(zoe, more, NOW).await.unwrap().is_ok());
        for refused in [zoe, AccountId(0)] {
            assert!(database.block(zoe, refused, NOW).await.unwrap().is_err());
        }
    }
}
