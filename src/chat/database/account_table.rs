//! Accounts: a name and the hash of a password.

use std::fmt;

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::Database;
use crate::chat::{AccountName, Hash};
use crate::limits;
use crate::log::StoreError;
use crate::message::Timestamp;

/// An account's number: 1, 2, 3, … It stays with the account and is never another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ToSql for AccountId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for AccountId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<AccountId> {
        value.as_i64().map(AccountId)
    }
}

/// Somebody who has registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: AccountName,
}

impl Account {
    /// From three columns: `id`, `name`, `key`, of which the first is `at`.
    pub(super) fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<Account> {
        let text: String = row.get(at + 1)?;
        let key: String = row.get(at + 2)?;
        Ok(Account {
            id: row.get(at)?,
            name: AccountName::known(text, key),
        })
    }
}

/// Why somebody has no account now.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RegisterError {
    /// Somebody has that name, or one that looks like it.
    #[error("the name {0:?} is taken; choose another")]
    Taken(AccountName),
    /// [`limits::ACCOUNTS_MAX`].
    #[error("there are as many accounts as this server takes, {max}", max = limits::ACCOUNTS_MAX)]
    Full,
}

impl Database {
    /// Creates an account.
    ///
    /// # Errors
    /// Outside when the tables cannot be written, inside when that account cannot be.
    pub async fn create(
        &self,
        name: AccountName,
        hash: Hash,
        now: Timestamp,
    ) -> Result<Result<Account, RegisterError>, StoreError> {
        self.beside
            .write(move |transaction| create(transaction, name, &hash, now))
            .await
    }

    /// Deletes an account, its sessions and its friendships. What was said stays in the log, where
    /// nobody finds it: the account's number is never another's.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub async fn delete(&self, account: AccountId) -> Result<(), StoreError> {
        const SQL: [&str; 3] = [
            "DELETE FROM friends WHERE me = ?1 OR friend = ?1",
            "DELETE FROM sessions WHERE account = ?1",
            "DELETE FROM accounts WHERE id = ?1",
        ];
        self.beside
            .write(move |transaction| {
                for sql in SQL {
                    transaction.execute(sql, params![account])?;
                }
                Ok(())
            })
            .await
    }

    /// The account of a name, and the hash of its password.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn find(&self, name: &AccountName) -> Result<Option<(Account, Hash)>, StoreError> {
        const SQL: &str = "SELECT id, name, key, hash FROM accounts WHERE key = ?";
        let key = name.key().clone();
        self.beside
            .read(move |connection| {
                let mut statement = connection.prepare_cached(SQL)?;
                let found = statement.query_row(params![key], |row| {
                    let hash: String = row.get(3)?;
                    Ok((Account::read(row, 0)?, Hash::known(hash)))
                });
                found.optional()
            })
            .await
    }
}

fn create(
    transaction: &Transaction<'_>,
    name: AccountName,
    hash: &Hash,
    now: Timestamp,
) -> rusqlite::Result<Result<Account, RegisterError>> {
    // Accounts stay (but for those of a demonstration), so the newest has the number of all.
    const COUNT: &str = "SELECT coalesce(max(id), 0) >= ? FROM accounts";
    const TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM accounts WHERE key = ?)";
    const SQL: &str = "INSERT INTO accounts (name, key, hash, created) VALUES (?, ?, ?, ?)";
    let holds = |sql, value: &dyn ToSql| {
        let mut statement = transaction.prepare_cached(sql)?;
        statement.query_row([value], |row| row.get::<_, bool>(0))
    };
    if holds(TAKEN, name.key())? {
        return Ok(Err(RegisterError::Taken(name)));
    }
    if holds(COUNT, &limits::ACCOUNTS_MAX)? {
        return Ok(Err(RegisterError::Full));
    }
    let values = params![name.as_str(), name.key(), hash.as_str(), now];
    transaction.prepare_cached(SQL)?.execute(values)?;
    let id = AccountId(transaction.last_insert_rowid());
    Ok(Ok(Account { id, name }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{database, hash, name, person};
    use super::*;

    #[tokio::test]
    async fn an_account_is_found_by_any_way_to_write_its_name() {
        let database = database();
        let zoe = person(&database, "Zoë").await;
        assert_eq!(zoe.name.as_str(), "Zoë");
        for written in ["Zoë", "ZOE\u{308}", "ｚｏë"] {
            let (found, known) = database.find(&name(written)).await.unwrap().unwrap();
            assert_eq!((&found, found.name.as_str()), (&zoe, "Zoë"));
            assert_eq!(known, hash("Zoë"));
            let taken = database
                .create(name(written), hash("x"), Timestamp(2))
                .await;
            let taken = taken.unwrap().unwrap_err();
            assert!(taken.to_string().contains("is taken"), "{taken}");
        }
        assert!(database.find(&name("Zoe")).await.unwrap().is_none());
        assert_ne!(person(&database, "Zoe").await.id, zoe.id);
    }

    #[tokio::test]
    async fn there_are_so_many_accounts_at_most() {
        let database = database();
        let last = person(&database, "last").await;
        let set = move |transaction: &Transaction<'_>| {
            let values = params![limits::ACCOUNTS_MAX - 1, last.id];
            transaction.execute("UPDATE accounts SET id = ? WHERE id = ?", values)?;
            transaction.execute(
                "UPDATE sqlite_sequence SET seq = ?",
                [limits::ACCOUNTS_MAX - 1],
            )
        };
        database.beside.write(set).await.unwrap();
        person(&database, "really last").await;
        let created = database.create(name("more"), hash("x"), Timestamp(1)).await;
        assert_eq!(created.unwrap(), Err(RegisterError::Full));
    }
}
