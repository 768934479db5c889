//! Requests: who asks whom to be friends, and what comes of it.

use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, params};

use super::{AccountId, Database, Standing};
use crate::limits;
use crate::log::StoreError;

/// What has become of two people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// One has asked the other.
    Asked,
    /// They are friends now.
    Accepted,
    /// The one who was asked has declined.
    Declined,
    /// The one who had asked has taken it back.
    TakenBack,
    /// They are no longer friends.
    Removed,
    /// It was so before.
    None,
}

/// Why nothing has become of it.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FriendError {
    /// Nobody is one's own friend.
    #[error("this is you yourself; ask somebody else")]
    Oneself,
    /// There is no such account.
    #[error("there is nobody of that name or number")]
    Nobody,
    /// They have not asked, or have taken it back.
    #[error("there is no request to accept; ask them yourself")]
    NotAsked,
    /// I have [`limits::FRIENDS_MAX`].
    #[error(
        "you have {max} friends and requests, which is the most; remove one",
        max = limits::FRIENDS_MAX
    )]
    Full,
    /// They have [`limits::FRIENDS_MAX`].
    #[error("they have as many friends and requests as there can be")]
    TheyAreFull,
}

impl Database {
    /// I ask somebody to be my friend; if they have asked me, that is a yes.
    ///
    /// # Errors
    /// Outside when the tables cannot be written, inside when it cannot be.
    pub async fn ask(
        &self,
        me: AccountId,
        other: AccountId,
    ) -> Result<Result<Change, FriendError>, StoreError> {
        self.beside
            .write(move |transaction| ask(transaction, me, other))
            .await
    }

    /// I say yes to somebody who has asked me.
    ///
    /// # Errors
    /// Outside when the tables cannot be written, inside when they have not asked.
    pub async fn accept(
        &self,
        me: AccountId,
        other: AccountId,
    ) -> Result<Result<Change, FriendError>, StoreError> {
        self.beside
            .write(move |transaction| {
                Ok(match standing(transaction, me, other)? {
                    Some(Standing::Asking) => Ok(befriend(transaction, me, other)?),
                    Some(Standing::Friend) => Ok(Change::None),
                    Some(Standing::Asked) | None => Err(FriendError::NotAsked),
                })
            })
            .await
    }

    /// I say no to somebody who has asked me. They are not told; they may ask again.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub async fn decline(&self, me: AccountId, other: AccountId) -> Result<Change, StoreError> {
        self.beside
            .write(move |transaction| match standing(transaction, me, other)? {
                Some(Standing::Asking) => part(transaction, me, other, Change::Declined),
                Some(Standing::Friend | Standing::Asked) | None => Ok(Change::None),
            })
            .await
    }

    /// Whatever there is between us ends, for both.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub async fn remove(&self, me: AccountId, other: AccountId) -> Result<Change, StoreError> {
        self.beside
            .write(move |transaction| {
                let change = match standing(transaction, me, other)? {
                    Some(Standing::Friend) => Change::Removed,
                    Some(Standing::Asked) => Change::TakenBack,
                    Some(Standing::Asking) => Change::Declined,
                    None => return Ok(Change::None),
                };
                part(transaction, me, other, change)
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
) -> rusqlite::Result<Result<Change, FriendError>> {
    const NOBODY: &str = "SELECT NOT EXISTS (SELECT 1 FROM accounts WHERE id = ?)";
    const FULL: &str = "SELECT count(*) >= ? FROM friends WHERE me = ?";
    const SQL: &str = "INSERT INTO friends (me, friend, standing) VALUES (?, ?, ?)";
    let holds = |sql, values: &[&dyn ToSql]| {
        let mut statement = transaction.prepare_cached(sql)?;
        statement.query_row(values, |row| row.get::<_, bool>(0))
    };
    match standing(transaction, me, other)? {
        Some(Standing::Asking) => return befriend(transaction, me, other).map(Ok),
        Some(Standing::Friend | Standing::Asked) => return Ok(Ok(Change::None)),
        None => {}
    }
    let refused = if me == other {
        Some(FriendError::Oneself)
    } else if holds(NOBODY, &[&other])? {
        Some(FriendError::Nobody)
    } else if holds(FULL, &[&limits::FRIENDS_MAX, &me])? {
        Some(FriendError::Full)
    } else if holds(FULL, &[&limits::FRIENDS_MAX, &other])? {
        Some(FriendError::TheyAreFull)
    } else {
        None
    };
    if let Some(refused) = refused {
        return Ok(Err(refused));
    }
    let mut insert = transaction.prepare_cached(SQL)?;
    insert.execute(params![me, other, Standing::Asked])?;
    insert.execute(params![other, me, Standing::Asking])?;
    Ok(Ok(Change::Asked))
}

/// The request of one is the friendship of both.
fn befriend(
    transaction: &Transaction<'_>,
    me: AccountId,
    other: AccountId,
) -> rusqlite::Result<Change> {
    const SQL: &str = "UPDATE friends SET standing = ? WHERE me = ? AND friend = ?";
    let mut update = transaction.prepare_cached(SQL)?;
    update.execute(params![Standing::Friend, me, other])?;
    update.execute(params![Standing::Friend, other, me])?;
    Ok(Change::Accepted)
}

fn part(
    transaction: &Transaction<'_>,
    me: AccountId,
    other: AccountId,
    change: Change,
) -> rusqlite::Result<Change> {
    const SQL: &str = "DELETE FROM friends WHERE me = ? AND friend = ?";
    let mut delete = transaction.prepare_cached(SQL)?;
    delete.execute(params![me, other])?;
    delete.execute(params![other, me])?;
    Ok(change)
}

#[cfg(test)]
mod tests {
    use super::super::Friend;
    use super::super::testing::{database, person};
    use super::*;

    /// How each of two stands to the other.
    async fn between(database: &Database, a: AccountId, b: AccountId) -> [Option<Standing>; 2] {
        let standing = |friend: Option<Friend>| friend.map(|friend| friend.standing);
        [
            standing(database.standing(a, b).await.unwrap()),
            standing(database.standing(b, a).await.unwrap()),
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
    async fn one_asks_and_the_other_accepts() {
        let (database, zoe, ben) = two().await;
        assert_eq!(between(&database, zoe, ben).await, [None; 2]);
        assert_eq!(database.ask(zoe, ben).await.unwrap(), Ok(Change::Asked));
        assert_eq!(database.ask(zoe, ben).await.unwrap(), Ok(Change::None));
        assert_eq!(between(&database, zoe, ben).await, ASKED);
        // Nobody accepts for another.
        let accepted = database.accept(zoe, ben).await.unwrap();
        assert_eq!(accepted, Err(FriendError::NotAsked));
        assert_eq!(between(&database, zoe, ben).await, ASKED);
        assert_eq!(
            database.accept(ben, zoe).await.unwrap(),
            Ok(Change::Accepted)
        );
        assert_eq!(between(&database, zoe, ben).await, FRIENDS);
        assert_eq!(database.accept(ben, zoe).await.unwrap(), Ok(Change::None));
        assert_eq!(database.ask(zoe, ben).await.unwrap(), Ok(Change::None));
        assert_eq!(database.decline(ben, zoe).await.unwrap(), Change::None);
        assert_eq!(between(&database, zoe, ben).await, FRIENDS);
        assert_eq!(database.remove(ben, zoe).await.unwrap(), Change::Removed);
        assert_eq!(between(&database, zoe, ben).await, [None; 2]);
        assert_eq!(database.remove(zoe, ben).await.unwrap(), Change::None);
    }

    #[tokio::test]
    async fn requests_are_declined_taken_back_or_crossed() {
        let (database, zoe, ben) = two().await;
        assert_eq!(
            database.accept(ben, zoe).await.unwrap(),
            Err(FriendError::NotAsked)
        );
        database.ask(zoe, ben).await.unwrap().unwrap();
        // What one asks oneself is taken back, not declined.
        assert_eq!(database.decline(zoe, ben).await.unwrap(), Change::None);
        assert_eq!(database.remove(zoe, ben).await.unwrap(), Change::TakenBack);
        assert_eq!(between(&database, zoe, ben).await, [None; 2]);
        database.ask(zoe, ben).await.unwrap().unwrap();
        assert_eq!(database.decline(ben, zoe).await.unwrap(), Change::Declined);
        assert_eq!(between(&database, zoe, ben).await, [None; 2]);
        database.ask(zoe, ben).await.unwrap().unwrap();
        assert_eq!(database.ask(ben, zoe).await.unwrap(), Ok(Change::Accepted));
        assert_eq!(between(&database, zoe, ben).await, FRIENDS);
    }

    #[tokio::test]
    async fn nobody_is_asked_who_cannot_be() {
        let (database, zoe, _) = two().await;
        assert_eq!(
            database.ask(zoe, zoe).await.unwrap(),
            Err(FriendError::Oneself)
        );
        for id in [0, -1, 99, i64::MAX] {
            let asked = database.ask(zoe, AccountId(id)).await.unwrap();
            assert_eq!(asked, Err(FriendError::Nobody), "{id}");
        }
        assert_eq!(database.friends(zoe).await, Ok(vec![]));
    }

    #[tokio::test]
    async fn there_are_so_many_friends_at_most_on_either_side() {
        let (database, zoe, ben) = two().await;
        let mut last = ben;
        for i in 0..limits::FRIENDS_MAX {
            last = person(&database, &format!("friend {i}")).await.id;
            // In either direction.
            let (from, to) = if i % 2 == 0 { (zoe, last) } else { (last, zoe) };
            assert_eq!(database.ask(from, to).await.unwrap(), Ok(Change::Asked));
        }
        assert_eq!(
            database.ask(zoe, ben).await.unwrap(),
            Err(FriendError::Full)
        );
        assert_eq!(
            database.ask(ben, zoe).await.unwrap(),
            Err(FriendError::TheyAreFull)
        );
        // Those who are there already can still become friends, and make room.
        assert_eq!(
            database.accept(zoe, last).await.unwrap(),
            Ok(Change::Accepted)
        );
        database.remove(last, zoe).await.unwrap();
        assert_eq!(database.ask(ben, zoe).await.unwrap(), Ok(Change::Asked));
    }
}
