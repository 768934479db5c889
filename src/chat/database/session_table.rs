//! The table of login sessions: each is a browser in which an account is logged in.

use rusqlite::{OptionalExtension, ToSql, Transaction, params};

use super::{Account, AccountId, Database};
use crate::chat::{StoredHash, Token, TokenHash};
use crate::limits;
use crate::log::{LogTime, Moment, StoreError};

/// A session that has just begun.
#[derive(Debug)]
pub struct LogIn {
    /// The secret that the browser presents from now on.
    pub token: Token,
    /// The account that is logged in.
    pub account: Account,
    /// Sessions of the account that have ended because this one began.
    pub(in crate::chat) ended: Vec<TokenHash>,
}

impl Database {
    /// Begins a session in the table, as `Chat::begin_session` describes it.
    pub(in crate::chat) async fn begin_session(
        &self,
        account: &Account,
        verified: &StoredHash,
        now: &Moment,
    ) -> Result<Option<LogIn>, StoreError> {
        let (account, verified) = (account.clone(), verified.clone());
        let (used, too_old) = (now.log_time, now.earlier(limits::LOGIN_IDLE_TIMEOUT));
        self.tables
            .write(move |transaction| {
                if !is_current(transaction, account.id, &verified)? {
                    return Ok(None);
                }
                delete_idle_sessions(transaction, too_old)?;
                let ended = evict_sessions(transaction, account.id)?;
                insert_session(transaction, account, ended, used).map(Some)
            })
            .await
    }

    /// Changes the account's password in the tables, as `Chat::replace_password` describes it.
    pub(in crate::chat) async fn change_password(
        &self,
        account: &Account,
        verified: &StoredHash,
        hash: StoredHash,
        now: &Moment,
    ) -> Result<Option<LogIn>, StoreError> {
        const SQL: &str = "UPDATE accounts SET hash = ? WHERE id = ?";
        let (account, verified, used) = (account.clone(), verified.clone(), now.log_time);
        self.tables
            .write(move |transaction| {
                if !is_current(transaction, account.id, &verified)? {
                    return Ok(None);
                }
                let values = params![hash.as_str(), account.id];
                transaction.prepare_cached(SQL)?.execute(values)?;
                let ended = end_all(transaction, account.id)?;
                insert_session(transaction, account, ended, used).map(Some)
            })
            .await
    }

    /// Returns the account of a session, and when the session was used last; `None` if there is no
    /// such session.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub(in crate::chat) async fn session(
        &self,
        session: TokenHash,
    ) -> Result<Option<(Account, LogTime)>, StoreError> {
        const SQL: &str = "SELECT used, accounts.id, name, key \
                           FROM sessions JOIN accounts ON accounts.id = account WHERE token = ?";
        self.tables
            .read(move |connection| {
                let mut statement = connection.prepare_cached(SQL)?;
                let found = statement.query_row(params![session], |row| {
                    Ok((Account::from_row(row, 1)?, row.get(0)?))
                });
                found.optional()
            })
            .await
    }

    /// Returns when each of these sessions was used last, in their order; `None` for those that do not
    /// exist.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub(in crate::chat) async fn sessions_used(
        &self,
        sessions: Vec<TokenHash>,
    ) -> Result<Vec<Option<LogTime>>, StoreError> {
        const SQL: &str = "SELECT used FROM sessions WHERE token = ?";
        self.tables
            .read(move |connection| {
                let mut statement = connection.prepare_cached(SQL)?;
                let mut used = |session| statement.query_row(params![session], |row| row.get(0));
                sessions
                    .iter()
                    .map(|session| used(session).optional())
                    .collect()
            })
            .await
    }

    /// Ends a session; one that has ended already stays so.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub(in crate::chat) async fn end_session(&self, session: TokenHash) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM sessions WHERE token = ?";
        self.tables
            .write(move |transaction| transaction.execute(SQL, params![session]))
            .await
            .map(drop)
    }

    /// Records that a session is used now.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub(in crate::chat) async fn touch_session(
        &self,
        session: TokenHash,
        now: LogTime,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE sessions SET used = max(used, ?) WHERE token = ?";
        self.tables
            .write(move |transaction| transaction.execute(SQL, params![now, session]))
            .await
            .map(drop)
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
    ended: Vec<TokenHash>,
    now: LogTime,
) -> rusqlite::Result<LogIn> {
    const SQL: &str = "INSERT INTO sessions (token, account, used) VALUES (?, ?, ?)";
    let token = Token::random();
    let values = params![token.hash(), account.id, now];
    transaction.prepare_cached(SQL)?.execute(values)?;
    Ok(LogIn {
        token,
        account,
        ended,
    })
}

/// Ends all sessions of an account.
pub(super) fn end_all(
    transaction: &Transaction<'_>,
    account: AccountId,
) -> rusqlite::Result<Vec<TokenHash>> {
    const SQL: &str = "DELETE FROM sessions WHERE account = ? RETURNING token";
    ended_sessions(transaction, SQL, &[&account])
}

/// Ends the sessions of an account that leave no room for a new one: those used longest ago.
fn evict_sessions(
    transaction: &Transaction<'_>,
    account: AccountId,
) -> rusqlite::Result<Vec<TokenHash>> {
    const SQL: &str = "DELETE FROM sessions WHERE id IN ( \
                           SELECT id FROM sessions WHERE account = ? \
                           ORDER BY used DESC, id DESC LIMIT -1 OFFSET ? \
                       ) RETURNING token";
    let stay = limits::ACCOUNT_SESSIONS_MAX - 1;
    ended_sessions(transaction, SQL, &[&account, &stay])
}

/// Deletes some of the sessions, of any account, that have been idle for too long.
fn delete_idle_sessions(transaction: &Transaction<'_>, too_old: LogTime) -> rusqlite::Result<()> {
    const SQL: &str = "DELETE FROM sessions WHERE id IN ( \
                           SELECT id FROM sessions WHERE used < ? ORDER BY used LIMIT ? \
                       )";
    let values = params![too_old, limits::LOGIN_CLEANUP_ROWS];
    transaction.prepare_cached(SQL)?.execute(values).map(drop)
}

fn ended_sessions(
    transaction: &Transaction<'_>,
    sql: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<Vec<TokenHash>> {
    let mut statement = transaction.prepare_cached(sql)?;
    let ended = statement.query_map(values, |row| row.get(0))?;
    ended.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{database, hash, person};
    use super::*;

    fn after(span: Duration) -> Moment {
        Moment::at(1_800_000_000_000 + u64::try_from(span.as_millis()).unwrap())
    }

    fn start() -> Moment {
        after(Duration::ZERO)
    }

    async fn log_in(database: &Database, account: &Account, now: &Moment) -> LogIn {
        let known = hash(account.name.as_str());
        let begun = database.begin_session(account, &known, now).await;
        begun.unwrap().unwrap()
    }

    async fn exists(database: &Database, login: &LogIn) -> bool {
        let found = database.session(login.token.hash()).await;
        found.unwrap().is_some()
    }

    /// A token leads to its session, and to no other, until the session ends.
    #[tokio::test]
    async fn session_found_by_token_until_it_ends() {
        let database = database();
        let zoe = person(&database, "Zoë").await;
        let (one, two) = (
            log_in(&database, &zoe, &start()).await,
            log_in(&database, &zoe, &start()).await,
        );
        assert_eq!((&one.ended, &two.ended), (&vec![], &vec![]));
        let used = vec![one.token.hash(), Token::random().hash(), two.token.hash()];
        let used = database.sessions_used(used).await.unwrap();
        assert_eq!(used, [Some(start().log_time), None, Some(start().log_time)]);
        let known = database.session(one.token.hash()).await.unwrap();
        assert_eq!(known, Some((zoe, start().log_time)));
        database.end_session(one.token.hash()).await.unwrap();
        database.end_session(one.token.hash()).await.unwrap();
        assert!(!exists(&database, &one).await);
        assert!(exists(&database, &two).await);
        let strange = database.session(Token::random().hash()).await;
        assert_eq!(strange, Ok(None));
    }

    /// The row of a session that is idle for too long is deleted when any account logs in.
    #[tokio::test]
    async fn idle_session_deleted_at_login() {
        let database = database();
        let zoe = person(&database, "Zoë").await;
        let (one, two) = (
            log_in(&database, &zoe, &start()).await,
            log_in(&database, &zoe, &start()).await,
        );
        let later = after(Duration::from_hours(24));
        database
            .touch_session(one.token.hash(), later.log_time)
            .await
            .unwrap();
        let now = after(limits::LOGIN_IDLE_TIMEOUT + Duration::from_millis(1));
        log_in(&database, &person(&database, "Ben").await, &now).await;
        assert!(exists(&database, &one).await);
        assert!(!exists(&database, &two).await);
    }

    #[tokio::test]
    async fn session_used_longest_ago_evicted() {
        let database = database();
        let zoe = person(&database, "Zoë").await;
        let other = log_in(&database, &person(&database, "Ben").await, &start()).await;
        let mut begun = Vec::new();
        for _ in 0..limits::ACCOUNT_SESSIONS_MAX {
            begun.push(log_in(&database, &zoe, &start()).await);
        }
        assert!(begun.iter().all(|login| login.ended.is_empty()));
        let used = after(2 * limits::LOGIN_USED_INTERVAL);
        let first = begun[0].token.hash();
        database.touch_session(first, used.log_time).await.unwrap();
        let newest = log_in(&database, &zoe, &used).await;
        assert_eq!(newest.ended, vec![begun[1].token.hash()]);
        for (login, stays) in [
            (&begun[0], true),
            (&begun[1], false),
            (&newest, true),
            (&other, true),
        ] {
            assert_eq!(exists(&database, login).await, stays);
        }
    }

    /// A change of the password ends all sessions and begins one; the old password is of no use.
    #[tokio::test]
    async fn password_change_ends_all_sessions() {
        let database = database();
        let zoe = person(&database, "Zoë").await;
        let (one, two) = (
            log_in(&database, &zoe, &start()).await,
            log_in(&database, &zoe, &start()).await,
        );
        let (old, new) = (hash("Zoë"), hash("new"));
        let now = start();
        let changed = database.change_password(&zoe, &old, new.clone(), &now);
        let changed = changed.await.unwrap().unwrap();
        assert_eq!(changed.ended, vec![one.token.hash(), two.token.hash()]);
        for (login, stays) in [(&one, false), (&two, false), (&changed, true)] {
            assert_eq!(exists(&database, login).await, stays);
        }
        // A client whose old password was being verified meanwhile comes too late.
        assert!(
            database
                .begin_session(&zoe, &old, &start())
                .await
                .unwrap()
                .is_none()
        );
        let late = database
            .change_password(&zoe, &old, hash("x"), &start())
            .await;
        assert!(late.unwrap().is_none());
        assert!(
            database
                .begin_session(&zoe, &new, &start())
                .await
                .unwrap()
                .is_some()
        );
    }
}
