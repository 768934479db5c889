//! The table of login sessions: each is a browser in which an account is logged in.

use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, params};

use super::{Account, AccountId, Database};
use crate::chat::{StoredHash, Token};
use crate::limits;
use crate::log::StoreError;
use crate::message::Timestamp;

/// A session's number. It is no secret (the [`Token`] is), and is never given to another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub i64);

/// A login session that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The session's number.
    pub id: SessionId,
    /// The account that is logged in.
    pub account: Account,
}

/// A session that has just begun.
#[derive(Debug)]
pub struct LogIn {
    /// The secret that the browser presents from now on.
    pub token: Token,
    /// The session.
    pub session: Session,
    /// Sessions of the account that have ended because this one began.
    pub(in crate::chat) ended: Vec<SessionId>,
}

impl Database {
    /// Begins a session in the table, as `Chat::begin_session` describes it.
    pub(in crate::chat) async fn begin_session(
        &self,
        account: &Account,
        verified: &StoredHash,
        now: Timestamp,
    ) -> Result<Option<LogIn>, StoreError> {
        let (account, verified) = (account.clone(), verified.clone());
        self.tables
            .write(move |transaction| {
                if !is_current(transaction, account.id, &verified)? {
                    return Ok(None);
                }
                delete_idle_sessions(transaction, now)?;
                let ended = evict_sessions(transaction, account.id)?;
                insert_session(transaction, account, ended, now).map(Some)
            })
            .await
    }

    /// Changes the account's password in the tables, as `Chat::replace_password` describes it.
    pub(in crate::chat) async fn change_password(
        &self,
        account: &Account,
        verified: &StoredHash,
        hash: StoredHash,
        now: Timestamp,
    ) -> Result<Option<LogIn>, StoreError> {
        const SQL: &str = "UPDATE accounts SET hash = ? WHERE id = ?";
        const END: &str = "DELETE FROM sessions WHERE account = ? RETURNING id";
        let (account, verified) = (account.clone(), verified.clone());
        self.tables
            .write(move |transaction| {
                if !is_current(transaction, account.id, &verified)? {
                    return Ok(None);
                }
                let values = params![hash.as_str(), account.id];
                transaction.prepare_cached(SQL)?.execute(values)?;
                let ended = session_ids(transaction, END, &[&account.id])?;
                insert_session(transaction, account, ended, now).map(Some)
            })
            .await
    }

    /// Returns the session of a token from the table, as `Chat::session` describes it.
    pub(in crate::chat) async fn session(
        &self,
        token: &Token,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let hash = token.hash();
        let found = self
            .tables
            .read(move |connection| find_session(connection, &hash));
        let Some((session, used)) = found.await? else {
            return Ok(None);
        };
        if used < now.earlier(limits::LOGIN_IDLE_TIMEOUT) {
            return Ok(None);
        }
        if used < now.earlier(limits::LOGIN_USED_INTERVAL) {
            self.touch_session(session.id, now).await;
        }
        Ok(Some(session))
    }

    /// Ends a session; one that has ended already stays so.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub(in crate::chat) async fn end_session(&self, session: SessionId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM sessions WHERE id = ?";
        self.tables
            .write(move |transaction| transaction.execute(SQL, params![session]))
            .await
            .map(drop)
    }

    /// Records that a session is used now.
    async fn touch_session(&self, session: SessionId, now: Timestamp) {
        const SQL: &str = "UPDATE sessions SET used = max(used, ?) WHERE id = ?";
        let recorded = self
            .tables
            .write(move |transaction| transaction.execute(SQL, params![now, session]));
        // A file that cannot be written can still be read, so the request goes on.
        if let Err(error) = recorded.await {
            log::warn!("cannot record that a session was used: {error}");
        }
    }
}

/// Whether `verified` is still the hash of the account's password. The password may have been
/// changed while it was being verified.
fn is_current(
    transaction: &Transaction<'_>,
    account: AccountId,
    verified: &StoredHash,
) -> rusqlite::Result<bool> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM accounts WHERE id = ? AND hash = ?)";
    let mut statement = transaction.prepare_cached(SQL)?;
    statement.query_row(params![account, verified.as_str()], |row| row.get(0))
}

fn insert_session(
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

/// Ends the sessions of an account that leave no room for a new one: those used longest ago.
fn evict_sessions(
    transaction: &Transaction<'_>,
    account: AccountId,
) -> rusqlite::Result<Vec<SessionId>> {
    const SQL: &str = "DELETE FROM sessions WHERE id IN ( \
                           SELECT id FROM sessions WHERE account = ? \
                           ORDER BY used DESC, id DESC LIMIT -1 OFFSET ? \
                       ) RETURNING id";
    let stay = limits::ACCOUNT_SESSIONS_MAX - 1;
    session_ids(transaction, SQL, &[&account, &stay])
}

/// Deletes some of the sessions, of any account, that have been idle for too long.
fn delete_idle_sessions(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
    const SQL: &str = "DELETE FROM sessions WHERE id IN ( \
                           SELECT id FROM sessions WHERE used < ? ORDER BY used LIMIT ? \
                       )";
    let values = params![
        now.earlier(limits::LOGIN_IDLE_TIMEOUT),
        limits::LOGIN_CLEANUP_ROWS
    ];
    transaction.prepare_cached(SQL)?.execute(values).map(drop)
}

fn session_ids(
    transaction: &Transaction<'_>,
    sql: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<Vec<SessionId>> {
    let mut statement = transaction.prepare_cached(sql)?;
    let ids = statement.query_map(values, |row| row.get(0))?;
    ids.collect()
}

/// Returns the session with the hash of a token, and when it was used last.
fn find_session(
    connection: &Connection,
    token: &[u8; 32],
) -> rusqlite::Result<Option<(Session, Timestamp)>> {
    const SQL: &str = "SELECT sessions.id, used, accounts.id, name, key \
                       FROM sessions JOIN accounts ON accounts.id = account WHERE token = ?";
    let mut statement = connection.prepare_cached(SQL)?;
    let found = statement.query_row(params![token], |row| {
        let (id, account) = (row.get(0)?, Account::from_row(row, 2)?);
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
        let begun = database.begin_session(account, &known, now).await;
        begun.unwrap().unwrap()
    }

    /// A token leads to its session, and to no other, until the session ends.
    #[tokio::test]
    async fn session_found_by_token_until_it_ends() {
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
        database.end_session(one.session.id).await.unwrap();
        database.end_session(one.session.id).await.unwrap();
        assert_eq!(database.session(&one.token, START).await, Ok(None));
        assert!(database.session(&two.token, START).await.unwrap().is_some());
        assert_eq!(database.session(&Token::random(), START).await, Ok(None));
    }

    /// A session in use goes on; one that is idle for too long has ended.
    #[tokio::test]
    async fn session_expires_when_idle() {
        let database = database();
        let zoe = person(&database, "Zoë").await;
        let (one, two) = (
            log_in(&database, &zoe, START).await,
            log_in(&database, &zoe, START).await,
        );
        let idle = limits::LOGIN_IDLE_TIMEOUT;
        for days in [20, 40, 60] {
            let now = after(Duration::from_hours(days * 24));
            assert!(database.session(&one.token, now).await.unwrap().is_some());
        }
        let now = after(idle + Duration::from_millis(1));
        assert_eq!(database.session(&two.token, now).await, Ok(None));
        // Its row is deleted when any account logs in.
        log_in(&database, &person(&database, "Ben").await, now).await;
        assert_eq!(database.session(&two.token, START).await, Ok(None));
    }

    #[tokio::test]
    async fn session_used_longest_ago_evicted() {
        let database = database();
        let zoe = person(&database, "Zoë").await;
        let other = log_in(&database, &person(&database, "Ben").await, START).await;
        let mut begun = Vec::new();
        for _ in 0..limits::ACCOUNT_SESSIONS_MAX {
            begun.push(log_in(&database, &zoe, START).await);
        }
        assert!(begun.iter().all(|login| login.ended.is_empty()));
        let used = after(2 * limits::LOGIN_USED_INTERVAL);
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

    /// A change of the password ends all sessions and begins one; the old password is of no use.
    #[tokio::test]
    async fn password_change_ends_all_sessions() {
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
        // A client whose old password was being verified meanwhile comes too late.
        assert!(
            database
                .begin_session(&zoe, &old, START)
                .await
                .unwrap()
                .is_none()
        );
        let late = database.change_password(&zoe, &old, hash("x"), START).await;
        assert!(late.unwrap().is_none());
        assert!(
            database
                .begin_session(&zoe, &new, START)
                .await
                .unwrap()
                .is_some()
        );
    }
}
