//! The table of accounts: a number, a name, and the hash of a password.

use std::fmt;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{Database, is_true, session_table};
use crate::chat::{AccountName, StoredHash, TokenHash};
use crate::limits;
use crate::log::StoreError;
use crate::message::Timestamp;

/// An account's number: 1, 2, 3, … It stays with the account and is never given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A registered account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The account's number.
    pub id: AccountId,
    /// The account's name.
    pub name: AccountName,
}

impl Account {
    /// Reads an account from the columns `id`, `name` and `key`, of which the first is column `at`.
    pub(super) fn from_row(row: &Row<'_>, at: usize) -> rusqlite::Result<Account> {
        let text: String = row.get(at + 1)?;
        let key: String = row.get(at + 2)?;
        Ok(Account {
            id: row.get(at)?,
            name: AccountName::from_columns(text, key),
        })
    }
}

/// Why an account cannot be created.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CreateError {
    /// Another account has that name, or one that looks like it.
    #[error("the name {0:?} is taken; choose another")]
    Taken(AccountName),
    /// The name can be mistaken for that of another account.
    #[error("the name {0:?} looks too much like that of another account; choose another")]
    LooksAlike(AccountName),
    /// The server has [`limits::ACCOUNTS_MAX`] accounts.
    #[error("the server has reached its limit of {max} accounts", max = limits::ACCOUNTS_MAX)]
    Full,
}

impl Database {
    /// Creates an account.
    ///
    /// # Errors
    /// `Ok(Err(_))` when the name is taken or there are too many accounts; `Err(_)` when the store
    /// is not available.
    pub(in crate::chat) async fn create_account(
        &self,
        name: AccountName,
        hash: StoredHash,
        now: Timestamp,
    ) -> Result<Result<Account, CreateError>, StoreError> {
        self.tables
            .write(move |transaction| insert_account(transaction, name, &hash, now))
            .await
    }

    /// Returns why a new account cannot have a name; `None` if it can.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub(in crate::chat) async fn name_refusal(
        &self,
        name: AccountName,
    ) -> Result<Option<CreateError>, StoreError> {
        self.tables
            .read(move |connection| name_refusal(connection, &name))
            .await
    }

    /// Deletes an account, its sessions and its friendships. Its messages stay in the log, where no
    /// account can read them any more: the account's number is never given to another. Returns the
    /// sessions.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub(in crate::chat) async fn delete_account(
        &self,
        account: AccountId,
    ) -> Result<Vec<TokenHash>, StoreError> {
        const FRIENDS: &str = "DELETE FROM friends WHERE me = ?1 OR friend = ?1";
        const LOOKS: &str = "DELETE FROM looks WHERE account = ?1";
        const ACCOUNT: &str = "DELETE FROM accounts WHERE id = ?1";
        self.tables
            .write(move |transaction| {
                transaction.execute(FRIENDS, params![account])?;
                let sessions = session_table::end_all(transaction, account)?;
                transaction.execute(LOOKS, params![account])?;
                transaction.execute(ACCOUNT, params![account])?;
                Ok(sessions)
            })
            .await
    }

    /// Returns the account with a name, and the hash of its password.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub(in crate::chat) async fn account(
        &self,
        name: &AccountName,
    ) -> Result<Option<(Account, StoredHash)>, StoreError> {
        const SQL: &str = "SELECT id, name, key, hash FROM accounts WHERE key = ?";
        let key = name.key().clone();
        self.tables
            .read(move |connection| {
                let mut statement = connection.prepare_cached(SQL)?;
                let found = statement.query_row(params![key], |row| {
                    let hash: String = row.get(3)?;
                    Ok((Account::from_row(row, 0)?, StoredHash::from_column(hash)))
                });
                found.optional()
            })
            .await
    }
}

fn insert_account(
    transaction: &Transaction<'_>,
    name: AccountName,
    hash: &StoredHash,
    now: Timestamp,
) -> rusqlite::Result<Result<Account, CreateError>> {
    // Accounts are never deleted, apart from the demo accounts, so the highest id is the number of
    // accounts.
    const FULL: &str = "SELECT coalesce(max(id), 0) >= ? FROM accounts";
    const SQL: &str = "INSERT INTO accounts (name, key, hash, created) VALUES (?, ?, ?, ?)";
    if let Some(refusal) = name_refusal(transaction, &name)? {
        return Ok(Err(refusal));
    }
    if is_true(transaction, FULL, &[&limits::ACCOUNTS_MAX])? {
        return Ok(Err(CreateError::Full));
    }
    let values = params![name.as_str(), name.key(), hash.as_str(), now];
    transaction.prepare_cached(SQL)?.execute(values)?;
    let id = AccountId(transaction.last_insert_rowid());
    insert_looks(transaction, id, &name)?;
    Ok(Ok(Account { id, name }))
}

fn name_refusal(
    connection: &Connection,
    name: &AccountName,
) -> rusqlite::Result<Option<CreateError>> {
    const TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM accounts WHERE key = ?)";
    const ALIKE: &str = "SELECT EXISTS (SELECT 1 FROM looks WHERE look = ?)";
    if is_true(connection, TAKEN, &[&name.key()])? {
        return Ok(Some(CreateError::Taken(name.clone())));
    }
    for look in name.looks() {
        if is_true(connection, ALIKE, &[&look])? {
            return Ok(Some(CreateError::LooksAlike(name.clone())));
        }
    }
    Ok(None)
}

fn insert_looks(
    transaction: &Transaction<'_>,
    account: AccountId,
    name: &AccountName,
) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO looks (look, account) VALUES (?, ?)";
    let mut insert = transaction.prepare_cached(SQL)?;
    for look in name.looks() {
        insert.execute(params![look, account])?;
    }
    Ok(())
}

/// Notes how the names look of accounts from before that was noted. Two of them may look alike.
pub(super) fn add_missing_looks(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    const SQL: &str = "SELECT id, name, key FROM accounts \
                       WHERE NOT EXISTS (SELECT 1 FROM looks WHERE account = id)";
    let mut statement = transaction.prepare(SQL)?;
    let accounts = statement.query_map([], |row| Account::from_row(row, 0))?;
    let accounts = accounts.collect::<rusqlite::Result<Vec<_>>>()?;
    for account in accounts {
        insert_looks(transaction, account.id, &account.name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{database, hash, name, person};
    use super::*;

    /// An account is found by any spelling of its name, and no other account can have one of them.
    #[tokio::test]
    async fn account_found_by_any_spelling() {
        let database = database();
        let zoe = person(&database, "Zoë").await;
        assert_eq!(zoe.name.as_str(), "Zoë");
        for written in ["Zoë", "ZOE\u{308}", "ｚｏë"] {
            let (found, known) = database.account(&name(written)).await.unwrap().unwrap();
            assert_eq!((&found, found.name.as_str()), (&zoe, "Zoë"));
            assert_eq!(known, hash("Zoë"));
            let taken = database
                .create_account(name(written), hash("x"), Timestamp(2))
                .await;
            let taken = taken.unwrap().unwrap_err();
            assert!(taken.to_string().contains("is taken"), "{taken}");
        }
        assert!(database.account(&name("Zoe")).await.unwrap().is_none());
        assert_ne!(person(&database, "Zoe").await.id, zoe.id);
    }

    /// A name that can be mistaken for another account's is refused. Accounts from before that was
    /// noted stay, also where two look alike, and new ones are compared with them.
    #[tokio::test]
    async fn account_that_looks_like_another_refused() {
        let database = database();
        let create = async |text| {
            let created = database.create_account(name(text), hash("x"), Timestamp(1));
            created.await.unwrap().map(|account| account.name)
        };
        create("Ilya").await.unwrap();
        let refused = create("llya").await.unwrap_err();
        assert_eq!(refused, CreateError::LooksAlike(name("llya")));
        assert!(
            refused.to_string().contains("looks too much like"),
            "{refused}"
        );
        let old = |transaction: &Transaction<'_>| {
            const OLD: &str =
                "INSERT INTO accounts (name, key, hash, created) VALUES (?, ?, '', 1)";
            for text in ["victim", "vіctim"] {
                transaction.execute(OLD, params![text, name(text).key()])?;
            }
            add_missing_looks(transaction)?;
            add_missing_looks(transaction)
        };
        database.tables.write(old).await.unwrap();
        for text in ["victim", "vіctim"] {
            assert!(database.account(&name(text)).await.unwrap().is_some());
        }
        let refused = create("vlctlm").await.unwrap_err();
        assert_eq!(refused, CreateError::LooksAlike(name("vlctlm")));
        create("Victor").await.unwrap();
    }

    #[tokio::test]
    async fn accounts_limited() {
        let database = database();
        let last = person(&database, "last").await;
        let set = move |transaction: &Transaction<'_>| {
            let values = params![limits::ACCOUNTS_MAX - 1, last.id];
            transaction.execute("DELETE FROM looks", [])?;
            transaction.execute("UPDATE accounts SET id = ? WHERE id = ?", values)?;
            transaction.execute(
                "UPDATE sqlite_sequence SET seq = ?",
                [limits::ACCOUNTS_MAX - 1],
            )
        };
        database.tables.write(set).await.unwrap();
        person(&database, "really last").await;
        let created = database
            .create_account(name("more"), hash("x"), Timestamp(1))
            .await;
        assert_eq!(created.unwrap(), Err(CreateError::Full));
    }
}
