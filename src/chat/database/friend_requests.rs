//! Friend requests: sending, accepting, declining and withdrawing them, and ending friendships.

use rusqlite::{OptionalExtension, Transaction, params};

use super::friend_step::FriendStep;
use super::standing_rows::{self, count, delete, is_account, row, set};
use super::{Account, AccountId, Database, FriendChange, FriendError, Standing};
use crate::limits;
use crate::log::{LogTime, StoreError};

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
        now: LogTime,
    ) -> Result<Result<FriendStep, FriendError>, StoreError> {
        self.tables
            .write(move |transaction| ask(transaction, me, other, now))
            .await
    }

    /// Accepts the friend request that the other account has sent me.
    ///
    /// # Errors
    /// `Ok(Err(_))` when the other account has not asked, or one of the two has too many friends;
    /// `Err(_)` when the store is not available.
    pub(in crate::chat) async fn accept(
        &self,
        me: AccountId,
        other: AccountId,
        now: LogTime,
    ) -> Result<Result<FriendStep, FriendError>, StoreError> {
        self.tables
            .write(move |transaction| match standing(transaction, me, other)? {
                Some(Standing::Asking) => befriend(transaction, me, other, now),
                Some(Standing::Friend) => Ok(Ok(FriendStep::none())),
                _ => Ok(Err(FriendError::NotAsked)),
            })
            .await
    }

    /// Declines the friend request that the other account has sent me. That account cannot ask again
    /// for [`limits::DECLINED_PAUSE`].
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub(in crate::chat) async fn decline(
        &self,
        me: AccountId,
        other: AccountId,
        now: LogTime,
    ) -> Result<FriendStep, StoreError> {
        self.tables
            .write(move |transaction| match standing(transaction, me, other)? {
                Some(Standing::Asking) => decline(transaction, me, other, now),
                _ => Ok(FriendStep::none()),
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
        now: LogTime,
    ) -> Result<FriendStep, StoreError> {
        self.tables
            .write(move |transaction| {
                let change = match standing(transaction, me, other)? {
                    Some(Standing::Friend) => FriendChange::Removed,
                    Some(Standing::Asked) => FriendChange::Withdrawn,
                    Some(Standing::Asking) => return decline(transaction, me, other, now),
                    Some(Standing::Declined | Standing::Blocked) | None => {
                        return Ok(FriendStep::none());
                    }
                };
                delete(transaction, me, other)?;
                delete(transaction, other, me)?;
                Ok(FriendStep {
                    was_friend: change == FriendChange::Removed,
                    ..FriendStep::of_both(change)
                })
            })
            .await
    }
}

fn standing(
    transaction: &Transaction<'_>,
    me: AccountId,
    other: AccountId,
) -> rusqlite::Result<Option<Standing>> {
    Ok(row(transaction, me, other)?.map(|(standing, _)| standing))
}

fn ask(
    transaction: &Transaction<'_>,
    me: AccountId,
    other: AccountId,
    now: LogTime,
) -> rusqlite::Result<Result<FriendStep, FriendError>> {
    match standing(transaction, me, other)? {
        Some(Standing::Asking) => return befriend(transaction, me, other, now),
        Some(Standing::Friend | Standing::Asked) => return Ok(Ok(FriendStep::none())),
        Some(Standing::Blocked) => return Ok(Err(FriendError::YouBlocked)),
        Some(Standing::Declined) | None => {}
    }
    let is_refused = match row(transaction, other, me)? {
        Some((Standing::Blocked, _)) => true,
        Some((Standing::Declined, since)) => since >= now.earlier(limits::DECLINED_PAUSE),
        _ => false,
    };
    let refused = if me == other {
        Some(FriendError::Oneself)
    } else if !is_account(transaction, other)? {
        Some(FriendError::NoAccount)
    } else if is_refused {
        Some(FriendError::NotTaken)
    } else if count(transaction, me, Standing::Friend)? >= limits::FRIENDS_MAX {
        Some(FriendError::Full)
    } else if count(transaction, other, Standing::Friend)? >= limits::FRIENDS_MAX {
        Some(FriendError::OtherFull)
    } else if count(transaction, me, Standing::Asked)? >= limits::FRIEND_REQUESTS_MAX {
        Some(FriendError::RequestsFull)
    } else {
        None
    };
    if let Some(refused) = refused {
        return Ok(Err(refused));
    }
    let pushed_out = push_out(transaction, other)?;
    set(transaction, me, other, Standing::Asked, now)?;
    set(transaction, other, me, Standing::Asking, now)?;
    Ok(Ok(FriendStep {
        pushed_out,
        ..FriendStep::of_both(FriendChange::Asked)
    }))
}

/// Makes room for one more request to an account: the oldest is forgotten if there are too many.
fn push_out(transaction: &Transaction<'_>, me: AccountId) -> rusqlite::Result<Option<Account>> {
    const OLDEST: &str = "SELECT id, name, key FROM friends JOIN accounts ON id = friend \
                          WHERE me = ? AND standing = 'asking' ORDER BY since, friend LIMIT 1";
    if count(transaction, me, Standing::Asking)? < limits::FRIEND_REQUESTS_MAX {
        return Ok(None);
    }
    let mut statement = transaction.prepare_cached(OLDEST)?;
    let oldest = statement.query_row(params![me], |row| Account::from_row(row, 0));
    let oldest = oldest.optional()?;
    if let Some(oldest) = &oldest {
        delete(transaction, me, oldest.id)?;
        delete(transaction, oldest.id, me)?;
    }
    Ok(oldest)
}

/// Makes friends of two accounts, of which one has asked the other.
fn befriend(
    transaction: &Transaction<'_>,
    me: AccountId,
    other: AccountId,
    now: LogTime,
) -> rusqlite::Result<Result<FriendStep, FriendError>> {
    if count(transaction, me, Standing::Friend)? >= limits::FRIENDS_MAX {
        return Ok(Err(FriendError::Full));
    }
    if count(transaction, other, Standing::Friend)? >= limits::FRIENDS_MAX {
        return Ok(Err(FriendError::OtherFull));
    }
    set(transaction, me, other, Standing::Friend, now)?;
    set(transaction, other, me, Standing::Friend, now)?;
    Ok(Ok(FriendStep::of_both(FriendChange::Accepted)))
}

/// Declines the request of an account that has asked mine.
fn decline(
    transaction: &Transaction<'_>,
    me: AccountId,
    other: AccountId,
    now: LogTime,
) -> rusqlite::Result<FriendStep> {
    set(transaction, me, other, Standing::Declined, now)?;
    delete(transaction, other, me)?;
    standing_rows::forget_declined(transaction, me, now)?;
    Ok(FriendStep::of_both(FriendChange::Declined))
}

#[cfg(test)]
mod tests {
    use super::super::Friend;
    use super::super::testing::{database, person};
    use super::*;

    const NOW: LogTime = LogTime(1_800_000_000_000);
    const FRIENDS: [Option<Standing>; 2] = [Some(Standing::Friend); 2];
    const ASKED: [Option<Standing>; 2] = [Some(Standing::Asked), Some(Standing::Asking)];

    /// Two accounts, of which the first is `a`.
    struct Two {
        database: Database,
        a: AccountId,
        b: AccountId,
        now: LogTime,
    }

    impl Two {
        async fn new() -> Two {
            let database = database();
            Two {
                a: person(&database, "Zoë").await.id,
                b: person(&database, "Ben").await.id,
                database,
                now: NOW,
            }
        }

        /// How each of the two stands to the other.
        async fn between(&self) -> [Option<Standing>; 2] {
            let standing = |friend: Option<Friend>| friend.map(|friend| friend.standing);
            [
                standing(self.database.friend(self.a, self.b).await.unwrap()),
                standing(self.database.friend(self.b, self.a).await.unwrap()),
            ]
        }

        async fn ask(&self, me: AccountId, other: AccountId) -> Result<FriendChange, FriendError> {
            let asked = self.database.ask(me, other, self.now).await.unwrap();
            asked.map(|step| step.change)
        }

        async fn accept(
            &self,
            me: AccountId,
            other: AccountId,
        ) -> Result<FriendChange, FriendError> {
            let accepted = self.database.accept(me, other, self.now).await.unwrap();
            accepted.map(|step| step.change)
        }

        async fn decline(&self, me: AccountId, other: AccountId) -> FriendChange {
            let declined = self.database.decline(me, other, self.now).await;
            declined.unwrap().change
        }

        async fn remove(&self, me: AccountId, other: AccountId) -> FriendChange {
            self.database
                .remove(me, other, self.now)
                .await
                .unwrap()
                .change
        }
    }

    #[tokio::test]
    async fn request_accepted_by_the_other() {
        let two = Two::new().await;
        let (a, b) = (two.a, two.b);
        assert_eq!(two.between().await, [None; 2]);
        assert_eq!(two.ask(a, b).await, Ok(FriendChange::Asked));
        assert_eq!(two.ask(a, b).await, Ok(FriendChange::None));
        assert_eq!(two.between().await, ASKED);
        // The account that has asked cannot accept its own request.
        assert_eq!(two.accept(a, b).await, Err(FriendError::NotAsked));
        assert_eq!(two.between().await, ASKED);
        assert_eq!(two.accept(b, a).await, Ok(FriendChange::Accepted));
        assert_eq!(two.between().await, FRIENDS);
        assert_eq!(two.accept(b, a).await, Ok(FriendChange::None));
        assert_eq!(two.ask(a, b).await, Ok(FriendChange::None));
        assert_eq!(two.decline(b, a).await, FriendChange::None);
        assert_eq!(two.between().await, FRIENDS);
        assert_eq!(two.remove(b, a).await, FriendChange::Removed);
        assert_eq!(two.between().await, [None; 2]);
        assert_eq!(two.remove(a, b).await, FriendChange::None);
    }

    #[tokio::test]
    async fn requests_withdrawn_and_crossed() {
        let two = Two::new().await;
        let (a, b) = (two.a, two.b);
        assert_eq!(two.accept(b, a).await, Err(FriendError::NotAsked));
        two.ask(a, b).await.unwrap();
        // My own request is withdrawn, not declined.
        assert_eq!(two.decline(a, b).await, FriendChange::None);
        assert_eq!(two.remove(a, b).await, FriendChange::Withdrawn);
        assert_eq!(two.between().await, [None; 2]);
        two.ask(a, b).await.unwrap();
        assert_eq!(two.ask(b, a).await, Ok(FriendChange::Accepted));
        assert_eq!(two.between().await, FRIENDS);
    }

    /// An account whose request was declined cannot ask again for a while; the other one can at once.
    #[tokio::test]
    async fn declined_request_not_asked_again_at_once() {
        let mut two = Two::new().await;
        let (a, b) = (two.a, two.b);
        for declines in [true, false] {
            two.ask(a, b).await.unwrap();
            let change = if declines {
                two.decline(b, a).await
            } else {
                two.remove(b, a).await
            };
            assert_eq!(change, FriendChange::Declined);
            assert_eq!(two.between().await, [None; 2]);
            assert_eq!(two.ask(a, b).await, Err(FriendError::NotTaken));
            let pause = u64::try_from(limits::DECLINED_PAUSE.as_millis()).unwrap();
            two.now = LogTime(two.now.0 + pause);
            assert_eq!(two.ask(a, b).await, Err(FriendError::NotTaken));
            two.now = LogTime(two.now.0 + 1);
        }
        two.ask(a, b).await.unwrap();
        two.decline(b, a).await;
        assert_eq!(two.ask(b, a).await, Ok(FriendChange::Asked));
        assert_eq!(two.accept(a, b).await, Ok(FriendChange::Accepted));
        assert_eq!(two.between().await, FRIENDS);
    }

    /// An account can ask neither itself nor an account that does not exist.
    #[tokio::test]
    async fn request_to_oneself_or_no_account_refused() {
        let two = Two::new().await;
        assert_eq!(two.ask(two.a, two.a).await, Err(FriendError::Oneself));
        for id in [0, -1, 99, i64::MAX] {
            let asked = two.ask(two.a, AccountId(id)).await;
            assert_eq!(asked, Err(FriendError::NoAccount), "{id}");
        }
        assert_eq!(two.database.friends(two.a).await, Ok(vec![]));
    }

    /// However many ask an account, it can be asked and ask: the oldest request is forgotten. How many it
    /// asks itself is limited.
    #[tokio::test]
    async fn newest_requests_kept() {
        let mut two = Two::new().await;
        let (a, b) = (two.a, two.b);
        let mut first = None;
        for i in 0..limits::FRIEND_REQUESTS_MAX {
            let other = person(&two.database, &format!("asking {i}")).await;
            two.now = LogTime(NOW.0 + u64::from(i));
            assert_eq!(two.ask(other.id, a).await, Ok(FriendChange::Asked));
            first.get_or_insert(other);
        }
        let first = first.unwrap();
        let step = two.database.ask(b, a, two.now).await.unwrap().unwrap();
        assert_eq!(step.pushed_out.as_ref(), Some(&first));
        assert_eq!(two.database.friend(first.id, a).await, Ok(None));
        let friends = two.database.friends(a).await.unwrap();
        assert_eq!(friends.len(), limits::FRIEND_REQUESTS_MAX as usize);
        for i in 0..limits::FRIEND_REQUESTS_MAX {
            let other = person(&two.database, &format!("asked {i}")).await.id;
            assert_eq!(two.ask(a, other).await, Ok(FriendChange::Asked));
        }
        assert_eq!(two.ask(a, first.id).await, Err(FriendError::RequestsFull));
        assert_eq!(two.ask(a, b).await, Ok(FriendChange::Accepted));
    }

    /// The limit of friends holds for the account that asks and for the one asked. Requests do not count.
    #[tokio::test]
    async fn friends_limited_on_either_side() {
        let two = Two::new().await;
        let (a, b) = (two.a, two.b);
        let mut last = b;
        let late = person(&two.database, "late").await.id;
        assert_eq!(two.ask(late, a).await, Ok(FriendChange::Asked));
        for i in 0..limits::FRIENDS_MAX {
            last = person(&two.database, &format!("friend {i}")).await.id;
            let (from, to) = if i % 2 == 0 { (a, last) } else { (last, a) };
            two.ask(from, to).await.unwrap();
            two.accept(to, from).await.unwrap();
        }
        assert_eq!(two.ask(a, b).await, Err(FriendError::Full));
        assert_eq!(two.ask(b, a).await, Err(FriendError::OtherFull));
        assert_eq!(two.accept(a, late).await, Err(FriendError::Full));
        // To remove a friend makes room for another.
        two.remove(last, a).await;
        assert_eq!(two.accept(a, late).await, Ok(FriendChange::Accepted));
    }
}
