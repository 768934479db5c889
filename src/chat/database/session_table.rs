//! Sessions: a browser in which somebody is logged in.

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Account, AccountId, Database};
use crate::chat::{Hash, Token};
use crate::limits;
use crate::log::StoreError;
use crate::message::Timestamp;

/// A session's number. It is no secret (that is its [`Token`]), and is never another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub i64);

impl ToSql for SessionId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for SessionId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<SessionId> {
        value.as_i64().map(SessionId)
    }
}

/// A session that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// Whose it is.
    pub account: Account,
}

/// A session that has begun.
#[derive(Debug)]
pub struct LogIn {
    /// What the browser is to show from now on.
    pub token: Token,
    /// The session.
    pub session: Session,
    /// Sessions of the account that have ended by that.
    pub ended: Vec<SessionId>,
}

impl Database {
    /// Begins a session for whoever has shown the password of this hash, with a token that nobody
    /// had before. `None` if that is not the account's password any more.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub async fn log_in(
        &self,
        account: &Account,
        verified: &Hash,
        now: Timestamp,
    ) -> Result<Option<LogIn>, StoreError> {
        let (account, verified) = (account.clone(), verified.clone());
        self.beside
            .write(move |transaction| {
                if !is_current(transaction, account.id, &verified)? {
                    return Ok(None);
                }
                forget(transaction, now)?;
                let ended = make_room(transaction, account.id)?;
                begin(transaction, account, ended, now).map(Some)
            })
            .await
    }

    /// Gives the account another password, for whoever has shown the password of the hash
    /// `verified`: all its sessions end, and a new one begins. Who has stolen a token is out.
    /// `None` if that is not the account's password any more.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub async fn change_password(
        &self,
        account: &Account,
        verified: &Hash,
        hash: Hash,
        now: Timestamp,
    ) -> Result<Option<LogIn>, StoreError> {
        const SQL: &str = "UPDATE accounts SET hash = ? WHERE id = ?";
        const END: &str = "DELETE FROM sessions WHERE account = ? RETURNING id";
        let (account, verified) = (account.clone(), verified.clone());
        self.beside
            .write(move |transaction| {
                if !is_current(transaction, account.id, &verified)? {
                    return Ok(None);
                }
                let values = params![hash.as_str(), account.id];
                transaction.prepare_cached(SQL)?.execute(values)?;
                let ended = ids(transaction, END, &[&account.id])?;
                begin(transaction, account, ended, now).map(Some)
            })
            .await
    }

    /// The session of a token, if there is one that goes on.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn session(
        &self,
        token: &Token,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let hash = token.hash();
        let found = self.beside.read(move |connection| find(connection, &hash));
        let Some((session, used)) = found.await? else {
            return Ok(None);
        };
        if used < now.earlier(limits::LOGIN_IDLE) {
            return Ok(None);
        }
        if used < now.earlier(limits::LOGIN_USED) {
            self.used(session.id, now).await;
        }
        Ok(Some(session))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub async fn log_out(&self, session: SessionId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM sessions WHERE id = ?";
        self.beside
            .write(move |transaction| transaction.execute(SQL, params![session]))
            .await
            .map(drop)
    }

    /// Notes that a session is used.
    async fn used(&self, session: SessionId, now: Timestamp) {
        const SQL: &str = "UPDATE sessions SET used = max(used, ?) WHERE id = ?";
        let noted = self
            .beside
            .write(move |transaction| transaction.execute(SQL, params![now, session]));
        // What cannot be written can still be read.
        if let Err(error) = noted.await {
            log::warn!("it is not noted that a session is used: {error}");
        }
    }
}

/// Is it still the account's password? It may have been changed while it was checked.
fn is_current(
    transaction: &Transaction<'_>,
    account: AccountId,
    verified: &Hash,
) -> rusqlite::Result<bool> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM accounts WHERE id = ? AND hash = ?)";
    let mut statement = transaction.prepare_cached(SQL)?;
    statement.query_row(params![account, verified.as_str()], |row| row.get(0))
}

fn begin(
    transaction: &Transaction<'_>,
    account: Account,
    ended: Vec<SessionId>,
    now: Timestamp,
) -> rusqlite::Result<LogIn> {
    const SQL: &str = "INSERT INTO sessions (token, account, used) VALUES (?, ?, ?)";
    let token = Token::random();
    let values = params![token.hash(), account.id, now];
    transaction.prepare_cached(SQL)?.execute(values)?;
    let id = SessionId(transaction.last_insert_rowid());
    Ok(LogIn {
        token,
        session: Session { id, account },
        ended,
    })
}

/// Ends those that an account has too many to begin another: the ones used longest ago.
fn make_room(
    transaction: &Transaction<'_>,
    account: AccountId,
) -> rusqlite::Result<Vec<SessionId>> {
    const SQL: &str = "DELETE FROM sessions WHERE id IN ( \
                           SELECT id FROM sessions WHERE account = ? \
                           ORDER BY used DESC, id DESC LIMIT -1 OFFSET ? \
                       ) RETURNING id";
    let stay = limits::SESSIONS_OF_ACCOUNT - 1;
    ids(transaction, SQL, &[&account, &stay])
}

/// Deletes some that have run out.
fn forget(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
    const SQL: &str = "DELETE FROM sessions WHERE id IN ( \
                           SELECT id FROM sessions WHERE used < ? ORDER BY used LIMIT ? \
                       )";
    let values = params![now.earlier(limits::LOGIN_IDLE), limits::LOGINS_FORGOTTEN];
    transaction.prepare_cached(SQL)?.execute(values).map(drop)
}

fn ids(
    transaction: &Transaction<'_>,
    sql: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<Vec<SessionId>> {
    let mut statement = transaction.prepare_cached(sql)?;
    let ids = statement.query_map(values, |row| row.get(0))?;
    ids.collect()
}

/// The session of a token's hash, and when it was used last.
fn find(
    connection: &Connection,
    token: &[u8; 32],
) -> rusqlite::Result<Option<(Session, Timestamp)>> {
    const SQL: &str = "SELECT sessions.id, used, accounts.id, name, key \
                       FROM sessions JOIN accounts ON accounts.id = account WHERE token = ?";
    let mut statement = connection.prepare_cached(SQL)?;
    let found = statement.query_row(params![token], |row| {
        let (id, account) = (row.get(0)?, Account::read(row, 2)?);
        Ok((Session { id, account }, row.get(1)?))
    });
    found.optional()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{database, hash, person};
    use super::*;

    const START: Timestamp = Timestamp(1_800_000_000_000);

    fn after(span: Duration) -> Timestamp {
        Timestamp(START.0 + u64::try_from(span.as_millis()).unwrap())
    }

    async fn log_in(database: &Database, account: &Account, now: Timestamp) -> LogIn {
        let known = hash(account.name.as_str());
        let begun = database.log_in(account, &known, now).await;
        begun.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_session_is_known_by_its_token_until_it_ends() {
        let database = database();
        let zoe = person(&database, "Zoë").await;
        let (one, two) = (
            log_in(&database, &zoe, START).await,
            log_in(&database, &zoe, START).await,
        );
        assert_eq!((one.ended, two.ended), (vec![], vec![]));
        for (token, session) in [(&one.token, &one.session), (&two.token, &two.session)] {
            let known = database.session(token, START).await.unwrap();
            assert_eq!(known.as_ref(), Some(session));
        }
        assert_eq!(one.session.account, zoe);
        assert_ne!(one.session.id, two.session.id);
        database.log_out(one.session.id).await.unwrap();
        database.log_out(one.session.id).await.unwrap();
        assert_eq!(database.session(&one.token, START).await, Ok(None));
        assert!(database.session(&two.token, START).await.unwrap().is_some());
        assert_eq!(database.session(&Token::random(), START).await, Ok(None));
    }

    #[tokio::test]
    async fn a_session_that_is_used_goes_on_and_others_run_out() {
        let database = database();
        let zoe = person(&database, "Zoë").await;
        let (one, two) = (
            log_in(&database, &zoe, START).await,
            log_in(&database, &zoe, START).await,
        );
        let idle = limits::LOGIN_IDLE;
        for days in [20, 40, 60] {
            let now = after(Duration::from_hours(days * 24));
            assert!(database.session(&one.token, now).await.unwrap().is_some());
        }
        let now = after(idle + Duration::from_millis(1));
        assert_eq!(database.session(&two.token, now).await, Ok(None));
        // It is deleted when anybody logs in.
        log_in(&database, &person(&database, "Ben").await, now).await;
        assert_eq!(database.session(&two.token, START).await, Ok(None));
    }

    #[tokio::test]
    async fn the_session_used_longest_ago_makes_room() {
        let database = database();
        let zoe = person(&database, "Zoë").await;
        let other = log_in(&database, &person(&database, "Ben").await, START).await;
        let mut begun = Vec::new();
        for _ in 0..limits::SESSIONS_OF_ACCOUNT {
            begun.push(log_in(&database, &zoe, START).await);
        }
        assert!(begun.iter().all(|login| login.ended.is_empty()));
        let used = after(2 * limits::LOGIN_USED);
        database.session(&begun[0].token, used).await.unwrap();
        let newest = log_in(&database, &zoe, used).await;
        assert_eq!(newest.ended, vec![begun[1].session.id]);
        for (token, stays) in [
            (&begun[0].token, true),
            (&begun[1].token, false),
            (&newest.token, true),
            (&other.token, true),
        ] {
            let session = database.session(token, used).await.unwrap();
            assert_eq!(session.is_some(), stays);
        }
    }

    #[tokio::test]
    async fn with_the_password_all_sessions_change() {
        let database = database();
        let zoe = person(&database, "Zoë").await;
        let (one, two) = (
            log_in(&database, &zoe, START).await,
            log_in(&database, &zoe, START).await,
        );
        let (old, new) = (hash("Zoë"), hash("new"));
        let changed = database.change_password(&zoe, &old, new.clone(), START);
        let changed = changed.await.unwrap().unwrap();
        assert_eq!(changed.ended, vec![one.session.id, two.session.id]);
        for (token, stays) in [(&one, false), (&two, false), (&changed, true)]
            .map(|(login, stays)| (&login.token, stays))
        {
            let session = database.session(token, START).await.unwrap();
            assert_eq!(session.is_some(), stays);
        }
        // Who was checking the old password at the same time comes too late.
        assert!(database.log_in(&zoe, &old, START).await.unwrap().is_none());
        let late = database.change_password(&zoe, &old, hash("x"), START).await;
        assert!(late.unwrap().is_none());
        assert!(database.log_in(&zoe, &new, START).await.unwrap().is_some());
    }
}
