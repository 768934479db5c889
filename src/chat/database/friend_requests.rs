//! Friend requests: sending, accepting, declining and withdrawing them, and ending friendships.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{AccountId, Database, Standing, is_true};
use crate::chat::SessionEnded;
use crate::limits;
use crate::log::StoreError;

/// What a friend action has changed between two accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FriendChange {
    /// A friend request was sent.
    Asked,
    /// A friend request was accepted: the two are friends now.
    Accepted,
    /// The account that was asked has declined.
    Declined,
    /// The account that had asked has withdrawn its request.
    Withdrawn,
    /// The two are no longer friends.
    Removed,
    /// Nothing changed.
    None,
}

/// Why a friend action is refused.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FriendError {
    /// The session that asks for it has ended.
    #[error(transparent)]
    SessionEnded(#[from] SessionEnded),
    /// An account cannot be its own friend.
    #[error("you cannot be your own friend; ask another account")]
    Oneself,
    /// There is no such account.
    #[error("there is no such account")]
    NoAccount,
    /// The other account has sent no request, or has withdrawn it.
    #[error("there is no request to accept; send one yourself")]
    NotAsked,
    /// My account has [`limits::FRIENDS_MAX`] friends and requests.
    #[error(
        "you have {max} friends and requests, which is the limit; remove one first",
        max = limits::FRIENDS_MAX
    )]
    Full,
    /// The other account has [`limits::FRIENDS_MAX`] friends and requests.
    #[error(
        "that account has reached the limit of {max} friends and requests",
        max = limits::FRIENDS_MAX
    )]
    OtherFull,
}

impl Database {
    /// Sends a friend request from my account; if the other account has sent me one, that is
    /// accepted instead.
    ///
    /// # Errors
    /// `Ok(Err(_))` when the request is refused; `Err(_)` when the store is not available.
    pub(in crate::chat) async fn ask(
        &self,
        me: AccountId,
        other: AccountId,
    ) -> Result<Result<FriendChange, FriendError>, StoreError> {
        self.tables
            .write(move |transaction| ask(transaction, me, other))
            .await
    }

    /// Accepts the friend request that the other account has sent me.
    ///
    /// # Errors
    /// `Ok(Err(_))` when the other account has not asked; `Err(_)` when the store is not available.
    pub(in crate::chat) async fn accept(
        &self,
        me: AccountId,
        other: AccountId,
    ) -> Result<Result<FriendChange, FriendError>, StoreError> {
        self.tables
            .write(move |transaction| {
                Ok(match standing(transaction, me, other)? {
                    Some(Standing::Asking) => Ok(befriend(transaction, me, other)?),
                    Some(Standing::Friend) => Ok(FriendChange::None),
                    Some(Standing::Asked) | None => Err(FriendError::NotAsked),
                })
            })
            .await
    }

    /// Declines the friend request that the other account has sent me. That account may ask again.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub(in crate::chat) async fn decline(
        &self,
        me: AccountId,
        other: AccountId,
    ) -> Result<FriendChange, StoreError> {
        self.tables
            .write(move |transaction| match standing(transaction, me, other)? {
                Some(Standing::Asking) => {
                    unfriend(transaction, me, other)?;
                    Ok(FriendChange::Declined)
                }
                Some(Standing::Friend | Standing::Asked) | None => Ok(FriendChange::None),
            })
            .await
    }

    /// Ends the friendship with the other account, or the request to or from it, for both.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub(in crate::chat) async fn remove(
        &self,
        me: AccountId,
        other: AccountId,
    ) -> Result<FriendChange, StoreError> {
        self.tables
            .write(move |transaction| {
                let change = match standing(transaction, me, other)? {
                    Some(Standing::Friend) => FriendChange::Removed,
                    Some(Standing::Asked) => FriendChange::Withdrawn,
                    Some(Standing::Asking) => FriendChange::Declined,
                    None => return Ok(FriendChange::None),
                };
                unfriend(transaction, me, other)?;
                Ok(change)
            })
            .await
    }
}

fn standing(
    connection: &Connection,
    me: AccountId,
    other: AccountId,
) -> rusqlite::Result<Option<Standing>> {
    const SQL: &str = "SELECT standing FROM friends WHERE me = ? AND friend = ?";
    let mut statement = connection.prepare_cached(SQL)?;
    statement
        .query_row(params![me, other], |row| row.get(0))
        .optional()
}

fn ask(
    transaction: &Transaction<'_>,
    me: AccountId,
    other: AccountId,
) -> rusqlite::Result<Result<FriendChange, FriendError>> {
    const NO_ACCOUNT: &str = "SELECT NOT EXISTS (SELECT 1 FROM accounts WHERE id = ?)";
    const FULL: &str = "SELECT count(*) >= ? FROM friends WHERE me = ?";
    const SQL: &str = "INSERT INTO friends (me, friend, standing) VALUES (?, ?, ?)";
    match standing(transaction, me, other)? {
        Some(Standing::Asking) => return befriend(transaction, me, other).map(Ok),
        Some(Standing::Friend | Standing::Asked) => return Ok(Ok(FriendChange::None)),
        None => {}
    }
    let refused = if me == other {
        Some(FriendError::Oneself)
    } else if is_true(transaction, NO_ACCOUNT, &[&other])? {
        Some(FriendError::NoAccount)
    } else if is_true(transaction, FULL, &[&limits::FRIENDS_MAX, &me])? {
        Some(FriendError::Full)
    } else if is_true(transaction, FULL, &[&limits::FRIENDS_MAX, &other])? {
        Some(FriendError::OtherFull)
    } else {
        None
    };
    if let Some(refused) = refused {
        return Ok(Err(refused));
    }
    let mut insert = transaction.prepare_cached(SQL)?;
    insert.execute(params![me, other, Standing::Asked])?;
    insert.execute(params![other, me, Standing::Asking])?;
    Ok(Ok(FriendChange::Asked))
}

/// Makes friends of two accounts, of which one has asked the other.
fn befriend(
    transaction: &Transaction<'_>,
    me: AccountId,
    other: AccountId,
) -> rusqlite::Result<FriendChange> {
    const SQL: &str = "UPDATE friends SET standing = ? WHERE me = ? AND friend = ?";
    let mut update = transaction.prepare_cached(SQL)?;
    update.execute(params![Standing::Friend, me, other])?;
    update.execute(params![Standing::Friend, other, me])?;
    Ok(FriendChange::Accepted)
}

/// Deletes the friendship or the request between two accounts.
fn unfriend(
    transaction: &Transaction<'_>,
    me: AccountId,
    other: AccountId,
) -> rusqlite::Result<()> {
    const SQL: &str = "DELETE FROM friends WHERE me = ? AND friend = ?";
    let mut delete = transaction.prepare_cached(SQL)?;
    delete.execute(params![me, other])?;
    delete.execute(params![other, me])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Friend;
    use super::super::testing::{database, person};
    use super::*;

    /// How each of two accounts stands to the other.
    async fn between(database: &Database, a: AccountId, b: AccountId) -> [Option<Standing>; 2] {
        let standing = |friend: Option<Friend>| friend.map(|friend| friend.standing);
        [
            standing(database.friend(a, b).await.unwrap()),
            standing(database.friend(b, a).await.unwrap()),
        ]
    }

    async fn two() -> (Database, AccountId, AccountId) {
        let database = database();
        let zoe = person(&database, "Zoë").await.id;
        let ben = person(&database, "Ben").await.id;
        (database, zoe, ben)
    }

    const FRIENDS: [Option<Standing>; 2] = [Some(Standing::Friend); 2];
    const ASKED: [Option<Standing>; 2] = [Some(Standing::Asked), Some(Standing::Asking)];

    #[tokio::test]
    async fn request_accepted_by_the_other() {
        let (database, zoe, ben) = two().await;
        assert_eq!(between(&database, zoe, ben).await, [None; 2]);
        assert_eq!(
            database.ask(zoe, ben).await.unwrap(),
            Ok(FriendChange::Asked)
        );
        assert_eq!(
            database.ask(zoe, ben).await.unwrap(),
            Ok(FriendChange::None)
        );
        assert_eq!(between(&database, zoe, ben).await, ASKED);
        // The account that has asked cannot accept its own request.
        let accepted = database.accept(zoe, ben).await.unwrap();
        assert_eq!(accepted, Err(FriendError::NotAsked));
        assert_eq!(between(&database, zoe, ben).await, ASKED);
        assert_eq!(
            database.accept(ben, zoe).await.unwrap(),
            Ok(FriendChange::Accepted)
        );
        assert_eq!(between(&database, zoe, ben).await, FRIENDS);
        assert_eq!(
            database.accept(ben, zoe).await.unwrap(),
            Ok(FriendChange::None)
        );
        assert_eq!(
            database.ask(zoe, ben).await.unwrap(),
            Ok(FriendChange::None)
        );
        assert_eq!(
            database.decline(ben, zoe).await.unwrap(),
            FriendChange::None
        );
        assert_eq!(between(&database, zoe, ben).await, FRIENDS);
        assert_eq!(
            database.remove(ben, zoe).await.unwrap(),
            FriendChange::Removed
        );
        assert_eq!(between(&database, zoe, ben).await, [None; 2]);
        assert_eq!(database.remove(zoe, ben).await.unwrap(), FriendChange::None);
    }

    #[tokio::test]
    async fn requests_declined_withdrawn_and_crossed() {
        let (database, zoe, ben) = two().await;
        assert_eq!(
            database.accept(ben, zoe).await.unwrap(),
            Err(FriendError::NotAsked)
        );
        database.ask(zoe, ben).await.unwrap().unwrap();
        // My own request is withdrawn, not declined.
        assert_eq!(
            database.decline(zoe, ben).await.unwrap(),
            FriendChange::None
        );
        assert_eq!(
            database.remove(zoe, ben).await.unwrap(),
            FriendChange::Withdrawn
        );
        assert_eq!(between(&database, zoe, ben).await, [None; 2]);
        database.ask(zoe, ben).await.unwrap().unwrap();
        assert_eq!(
            database.decline(ben, zoe).await.unwrap(),
            FriendChange::Declined
        );
        assert_eq!(between(&database, zoe, ben).await, [None; 2]);
        database.ask(zoe, ben).await.unwrap().unwrap();
        assert_eq!(
            database.ask(ben, zoe).await.unwrap(),
            Ok(FriendChange::Accepted)
        );
        assert_eq!(between(&database, zoe, ben).await, FRIENDS);
    }

    /// An account can ask neither itself nor an account that does not exist.
    #[tokio::test]
    async fn request_to_oneself_or_no_account_refused() {
        let (database, zoe, _) = two().await;
        assert_eq!(
            database.ask(zoe, zoe).await.unwrap(),
            Err(FriendError::Oneself)
        );
        for id in [0, -1, 99, i64::MAX] {
            let asked = database.ask(zoe, AccountId(id)).await.unwrap();
            assert_eq!(asked, Err(FriendError::NoAccount), "{id}");
        }
        assert_eq!(database.friends(zoe).await, Ok(vec![]));
    }

    /// The limit of friends and requests holds for the account that asks and for the one asked.
    #[tokio::test]
    async fn friends_limited_on_either_side() {
        let (database, zoe, ben) = two().await;
        let mut last = ben;
        for i in 0..limits::FRIENDS_MAX {
            last = person(&database, &format!("friend {i}")).await.id;
            // Requests in both directions count.
            let (from, to) = if i % 2 == 0 { (zoe, last) } else { (last, zoe) };
            assert_eq!(
                database.ask(from, to).await.unwrap(),
                Ok(FriendChange::Asked)
            );
        }
        assert_eq!(
            database.ask(zoe, ben).await.unwrap(),
            Err(FriendError::Full)
        );
        assert_eq!(
            database.ask(ben, zoe).await.unwrap(),
            Err(FriendError::OtherFull)
        );
        // An open request can still be accepted; removing a friend makes room for another.
        assert_eq!(
            database.accept(zoe, last).await.unwrap(),
            Ok(FriendChange::Accepted)
        );
        database.remove(last, zoe).await.unwrap();
        assert_eq!(
            database.ask(ben, zoe).await.unwrap(),
            Ok(FriendChange::Asked)
        );
    }
}
