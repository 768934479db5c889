//! Friends: who stands how to whom.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, params};

use super::{Account, AccountId, Database};
use crate::log::StoreError;
use crate::message::Seq;

/// How somebody stands to me.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A friend.
    Friend,
    /// I have asked them.
    Asked,
    /// They have asked me.
    Asking,
}

impl Standing {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Friend => "friend",
            Standing::Asked => "asked",
            Standing::Asking => "asking",
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
        [Standing::Friend, Standing::Asked, Standing::Asking]
            .into_iter()
            .find(|standing| standing.as_str() == text)
            .ok_or(FromSqlError::InvalidType)
    }
}

/// Somebody who is my friend, or may become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Friend {
    /// Who.
    pub account: Account,
    /// How they stand to me.
    pub standing: Standing,
    /// How far I have read what we said to each other.
    pub read: Seq,
}

impl Friend {
    fn read(row: &Row<'_>) -> rusqlite::Result<Friend> {
        Ok(Friend {
            account: Account::read(row, 0)?,
            standing: row.get(3)?,
            read: row.get(4)?,
        })
    }
}

impl Database {
    /// My friends, and those who are asked or asking, by name.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn friends(&self, me: AccountId) -> Result<Vec<Friend>, StoreError> {
        const SQL: &str = "SELECT id, name, key, standing, read \
                           FROM friends JOIN accounts ON id = friend WHERE me = ? ORDER BY key";
        self.beside
            .read(move |connection| {
                let mut statement = connection.prepare_cached(SQL)?;
                let friends = statement.query_map(params![me], Friend::read)?;
                friends.collect()
            })
            .await
    }

    /// How somebody stands to me; `None` if not at all.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn standing(
        &self,
        me: AccountId,
        other: AccountId,
    ) -> Result<Option<Friend>, StoreError> {
        const SQL: &str = "SELECT id, name, key, standing, read \
                           FROM friends JOIN accounts ON id = friend WHERE me = ? AND friend = ?";
        self.beside
            .read(move |connection| {
                let mut statement = connection.prepare_cached(SQL)?;
                statement
                    .query_row(params![me, other], Friend::read)
                    .optional()
            })
            .await
    }

    /// I have read what a friend and I said up to this place; that never goes back. True if it has
    /// gone on.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub async fn read_through(
        &self,
        me: AccountId,
        friend: AccountId,
        seq: Seq,
    ) -> Result<bool, StoreError> {
        const SQL: &str =
            "UPDATE friends SET read = ?1 WHERE me = ?2 AND friend = ?3 AND read < ?1";
        self.beside
            .write(move |transaction| transaction.execute(SQL, params![seq, me, friend]))
            .await
            .map(|rows| rows > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{database, person};
    use super::*;

    #[tokio::test]
    async fn friends_are_listed_by_name_with_how_far_one_has_read() {
        let database = database();
        let zoe = person(&database, "Zoë").await.id;
        let ben = person(&database, "Ben").await.id;
        let anna = person(&database, "anna").await.id;
        let eva = person(&database, "Eva").await.id;
        for (from, to) in [(zoe, eva), (ben, zoe), (zoe, anna)] {
            database.ask(from, to).await.unwrap().unwrap();
        }
        database.accept(eva, zoe).await.unwrap().unwrap();
        for seq in [7, 3] {
            database.read_through(zoe, eva, Seq(seq)).await.unwrap();
        }
        database.read_through(zoe, zoe, Seq(9)).await.unwrap();
        let friends = database.friends(zoe).await.unwrap();
        let seen: Vec<_> = friends
            .iter()
            .map(|friend| (friend.account.name.as_str(), friend.standing, friend.read))
            .collect();
        assert_eq!(
            seen,
            [
                ("anna", Standing::Asked, Seq(0)),
                ("Ben", Standing::Asking, Seq(0)),
                ("Eva", Standing::Friend, Seq(7)),
            ]
        );
        // What one has read says nothing of the other.
        let other = database.standing(eva, zoe).await.unwrap().unwrap();
        assert_eq!(other.read, Seq(0));
    }
}
