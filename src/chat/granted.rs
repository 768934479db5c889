//! The rights with which streams and requests of the chat go on: a login session, and a friendship.
//!
//! The changes that end them say so at once ([`Rights::end`]). What ends without a change, such as a
//! session that is idle for too long, is found when the rights in use are looked up in the tables
//! again, every [`limits::RIGHTS_LOOKUP_INTERVAL`].

use std::sync::{Arc, Weak};

use super::{AccountId, Chat, Database, Standing, TokenHash};
use crate::limits;
use crate::log::{LogClock, LogTime, Moment, StoreError};
use crate::right::{Right, RightEnd, Rights};

/// Two accounts, in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pair(AccountId, AccountId);

impl Pair {
    /// The pair of two accounts, given in whatever order.
    pub(super) fn of(a: AccountId, b: AccountId) -> Pair {
        Pair(a.min(b), a.max(b))
    }
}

/// The rights that are in use.
#[derive(Debug)]
pub(super) struct Granted {
    database: Database,
    clock: Arc<LogClock>,
    /// A right for each session.
    pub(super) sessions: Rights<TokenHash>,
    /// A right for each friendship: to read and write in its conversation.
    pub(super) friendships: Rights<Pair>,
}

impl Granted {
    /// No rights yet; needs the current tokio runtime, on which they are looked up again.
    pub(super) fn new(database: Database, clock: Arc<LogClock>) -> Arc<Granted> {
        let granted = Arc::new(Granted {
            database,
            clock,
            sessions: Rights::new(),
            friendships: Rights::new(),
        });
        tokio::spawn(look_up_again(Arc::downgrade(&granted)));
        granted
    }

    /// Ends the rights in use that the tables do not have any more.
    pub(super) async fn look_up(&self, now: &Moment) -> Result<(), StoreError> {
        let sessions = self.sessions.keys();
        let used = self.database.sessions_used(sessions.clone()).await?;
        for (session, used) in sessions.iter().zip(used) {
            match used {
                None => drop(self.sessions.end(session, RightEnd::Revoked)),
                Some(used) if is_idle(used, now) => {
                    drop(self.sessions.end(session, RightEnd::Expired));
                }
                Some(_) => {}
            }
        }
        for pair in self.friendships.keys() {
            // The friendship of this pair does not change between the look and the end.
            let _alone = self.friendships.right(pair).alone().await;
            let found = self.database.friend(pair.0, pair.1).await?;
            if found.is_none_or(|friend| friend.standing != Standing::Friend) {
                self.friendships.end(&pair, RightEnd::Revoked);
            }
        }
        Ok(())
    }
}

/// Whether a session that was used last at `used` is over.
pub(super) fn is_idle(used: LogTime, now: &Moment) -> bool {
    used < now.earlier(limits::LOGIN_IDLE_TIMEOUT)
}

/// Looks the rights up again and again, until the chat is dropped.
async fn look_up_again(granted: Weak<Granted>) {
    loop {
        tokio::time::sleep(limits::RIGHTS_LOOKUP_INTERVAL).await;
        let Some(granted) = granted.upgrade() else {
            return;
        };
        // What cannot be read now is read the next time. Changes end rights meanwhile.
        if let Err(error) = granted.look_up(&granted.clock.now()).await {
            log::warn!("cannot look up which sessions have ended: {error}");
        }
    }
}

impl Chat {
    /// Returns the right to the conversation of two accounts. Whether they are friends is to be looked
    /// up afterwards.
    pub(super) fn friendship_right(&self, a: AccountId, b: AccountId) -> Right {
        self.granted.friendships.right(Pair::of(a, b))
    }
}
