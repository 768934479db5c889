//! The table of friendships: how accounts stand to each other, and how far each has read.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, params};

use super::{Account, AccountId, Database};
use crate::log::StoreError;
use crate::message::Seq;

/// How another account stands to mine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The two are friends.
    Friend,
    /// I have sent a friend request, which is not answered yet.
    Asked,
    /// The other account has sent me a friend request, which I have not answered yet.
    Asking,
    /// I have declined the other account's friend request, which cannot ask again for a while. The
    /// other account does not stand to me at all, apart from that.
    Declined,
    /// I have blocked the other account.
    Blocked,
}

impl Standing {
    const ALL: [Standing; 5] = [
        Standing::Friend,
        Standing::Asked,
        Standing::Asking,
        Standing::Declined,
        Standing::Blocked,
    ];

    /// Returns the word for the standing in JSON and in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Friend => "friend",
            Standing::Asked => "asked",
            Standing::Asking => "asking",
            Standing::Declined => "declined",
            Standing::Blocked => "blocked",
        }
    }
}

impl ToSql for Standing {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Standing {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Standing> {
        let text = value.as_str()?;
        Standing::ALL
            .into_iter()
            .find(|standing| standing.as_str() == text)
            .ok_or(FromSqlError::InvalidType)
    }
}

/// An account that is my friend, or may become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Friend {
    /// The other account.
    pub account: Account,
    /// How the other account stands to mine.
    pub standing: Standing,
    /// My read position: I have read all of the friend's messages up to here. My own messages do
    /// not move it, so it may be older than they are.
    pub read_through: Seq,
    /// The friend's read position in what we said to each other, as far as the friend has told.
    pub seen_through: Seq,
}

impl Friend {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Friend> {
        Ok(Friend {
            account: Account::from_row(row, 0)?,
            standing: row.get(3)?,
            read_through: row.get(4)?,
            seen_through: row.get::<_, Option<Seq>>(5)?.unwrap_or(Seq::START),
        })
    }
}

impl Database {
    /// Returns my friends, the accounts with an open request to or from me, and those that I have
    /// blocked, ordered by name.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub(in crate::chat) async fn friends(&self, me: AccountId) -> Result<Vec<Friend>, StoreError> {
        const SQL: &str = "SELECT id, name, key, standing, read, \
                           (SELECT theirs.read FROM friends AS theirs \
                           WHERE theirs.me = friends.friend AND theirs.friend = friends.me) \
                           FROM friends JOIN accounts ON id = friend \
                           WHERE me = ? AND standing <> 'declined' ORDER BY key";
        self.tables
            .read(move |connection| {
                let mut statement = connection.prepare_cached(SQL)?;
                let friends = statement.query_map(params![me], Friend::from_row)?;
                friends.collect()
            })
            .await
    }

    /// Returns how another account stands to mine, as `Chat::standing` describes it; one whose request I
    /// have declined does not.
    pub(in crate::chat) async fn friend(
        &self,
        me: AccountId,
        other: AccountId,
    ) -> Result<Option<Friend>, StoreError> {
        const SQL: &str = "SELECT id, name, key, standing, read, \
                           (SELECT theirs.read FROM friends AS theirs \
                           WHERE theirs.me = friends.friend AND theirs.friend = friends.me) \
                           FROM friends JOIN accounts ON id = friend \
                           WHERE me = ? AND friend = ? AND standing <> 'declined'";
        self.tables
            .read(move |connection| {
                let mut statement = connection.prepare_cached(SQL)?;
                statement
                    .query_row(params![me, other], Friend::from_row)
                    .optional()
            })
            .await
    }

    /// Moves my read position in the conversation with a friend forward to `seq`; a position that is
    /// further already stays. Returns true if it has moved.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub(in crate::chat) async fn mark_read(
        &self,
        me: AccountId,
        friend: AccountId,
        seq: Seq,
    ) -> Result<bool, StoreError> {
        const SQL: &str =
            "UPDATE friends SET read = ?1 WHERE me = ?2 AND friend = ?3 AND read < ?1";
        self.tables
            .write(move |transaction| transaction.execute(SQL, params![seq, me, friend]))
            .await
            .map(|rows| rows > 0)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Transaction;

    use super::super::schema;
    use super::super::testing::{database, person};
    use super::*;
    use crate::log::LogTime;
    use crate::log::SideTables;

    /// Friendships from before accounts could be blocked stay as they were.
    #[tokio::test]
    async fn friends_of_earlier_version_stay() {
        let tables = SideTables::in_memory().unwrap();
        tables.migrate("accounts", &schema::STEPS[..1]).unwrap();
        let fill = |transaction: &Transaction<'_>| {
            transaction.execute_batch(
                "INSERT INTO accounts (name, key, hash, created) \
                     VALUES ('a', 'a', '', 1), ('b', 'b', '', 1), ('c', 'c', '', 1); \
                 INSERT INTO friends (me, friend, standing, read) VALUES (1, 2, 'friend', 7), \
                     (2, 1, 'friend', 5), (1, 3, 'asked', 0), (3, 1, 'asking', 0);",
            )
        };
        tables.write(fill).await.unwrap();
        let database = Database::open(tables).unwrap();
        let friends = database.friends(AccountId(1)).await.unwrap();
        let rows: Vec<_> = friends
            .iter()
            .map(|friend| (friend.account.id.0, friend.standing, friend.read_through))
            .collect();
        assert_eq!(
            rows,
            [(2, Standing::Friend, Seq(7)), (3, Standing::Asked, Seq(0))]
        );
        let accepted = database
            .accept(AccountId(3), AccountId(1), LogTime(1))
            .await;
        assert!(accepted.unwrap().is_ok());
    }

    /// Friends are listed by name, each with a read position that never moves back.
    #[tokio::test]
    async fn friends_listed_by_name_with_read_position() {
        let database = database();
        let zoe = person(&database, "Zoë").await.id;
        let ben = person(&database, "Ben").await.id;
        let anna = person(&database, "anna").await.id;
        let eva = person(&database, "Eva").await.id;
        for (from, to) in [(zoe, eva), (ben, zoe), (zoe, anna)] {
            database.ask(from, to, LogTime(1)).await.unwrap().unwrap();
        }
        database
            .accept(eva, zoe, LogTime(1))
            .await
            .unwrap()
            .unwrap();
        for seq in [7, 3] {
            database.mark_read(zoe, eva, Seq(seq)).await.unwrap();
        }
        database.mark_read(zoe, zoe, Seq(9)).await.unwrap();
        let friends = database.friends(zoe).await.unwrap();
        let seen: Vec<_> = friends
            .iter()
            .map(|friend| {
                let name = friend.account.name.as_str();
                (name, friend.standing, friend.read_through)
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("anna", Standing::Asked, Seq(0)),
                ("Ben", Standing::Asking, Seq(0)),
                ("Eva", Standing::Friend, Seq(7)),
            ]
        );
        // My read position says nothing about the friend's.
        let other = database.friend(eva, zoe).await.unwrap().unwrap();
        assert_eq!(other.read_through, Seq(0));
    }
}
