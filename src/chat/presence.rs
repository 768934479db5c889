//! Presence: which accounts are online, told to their friends as messages.
//!
//! Presence is derived from the streams that are open, so it is in no file: the messages are in a log
//! of their own, in memory, which is followed like any other.

use std::io;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::online::{OnlineTracker, PresenceChange};
use super::{Account, AccountId, Chat, Database, Standing};
use crate::limits;
use crate::log::{Keep, Log, LogClock, Memory, Store, StoreError};
use crate::message::{Channel, Draft, EventName};

/// A handle on the presence of all accounts. Clones are the same presence.
#[derive(Clone, Debug)]
pub(super) struct Presence(Arc<PresenceShared>);

#[derive(Debug)]
struct PresenceShared {
    log: Log,
    database: Database,
    tracker: Mutex<OnlineTracker>,
    changed: Arc<Notify>,
}

/// Keeps an account online until it is dropped.
#[derive(Debug)]
pub struct PresenceGuard {
    id: AccountId,
    shared: Arc<PresenceShared>,
}

/// The data of the event `presence`.
#[derive(Serialize)]
struct PresenceEvent<'a> {
    name: &'a str,
    online: bool,
}

impl Presence {
    /// Starts the presence, under which no account is online yet, and whose events expire by `clock`;
    /// needs the current tokio runtime.
    ///
    /// # Errors
    /// When its log cannot be opened.
    pub(super) fn new(database: Database, clock: Arc<LogClock>) -> io::Result<Presence> {
        let keep = Keep {
            messages: limits::FRIENDS_MAX as usize,
            age: limits::PRESENCE_KEEP_FOR,
        };
        let memory = Memory::new(keep, limits::PRESENCE_BYTES);
        let changed = Arc::new(Notify::new());
        let shared = Arc::new(PresenceShared {
            log: Log::open_with(Store::Memory(memory), clock, Arc::default())?,
            database,
            tracker: Mutex::new(OnlineTracker::new(limits::PRESENCE_GRACE)),
            changed: Arc::clone(&changed),
        });
        tokio::spawn(tell_all(Arc::downgrade(&shared), changed));
        Ok(Presence(shared))
    }

    /// Returns the log of the presence events.
    pub(super) fn log(&self) -> &Log {
        &self.0.log
    }

    /// Returns the channel in which an account is told of its friends.
    pub(super) fn channel(id: AccountId) -> Channel {
        Channel::of_server(&format!("presence.{id}"))
    }

    /// Keeps an account online until the guard is dropped.
    fn arrive(&self, account: &Account) -> PresenceGuard {
        self.0.tracker.lock().arrive(account, Instant::now());
        self.0.changed.notify_one();
        PresenceGuard {
            id: account.id,
            shared: Arc::clone(&self.0),
        }
    }

    /// Whether an account is online.
    fn is_online(&self, id: AccountId) -> bool {
        self.0.tracker.lock().is_online(id)
    }

    /// Tells two accounts that have become friends of each other.
    pub(super) fn introduce(&self, one: &Account, other: &Account) {
        let mut tracker = self.0.tracker.lock();
        tracker.introduce(one, other.id);
        tracker.introduce(other, one.id);
        drop(tracker);
        self.0.changed.notify_one();
    }
}

impl Chat {
    /// Keeps an account online until the guard is dropped.
    #[must_use]
    pub fn arrive(&self, account: &Account) -> PresenceGuard {
        self.presence.arrive(account)
    }

    /// Whether an account is online.
    #[must_use]
    pub fn is_online(&self, account: &Account) -> bool {
        self.presence.is_online(account.id)
    }

    /// Returns the log of the presence events, for streams that follow it.
    #[must_use]
    pub fn presence_log(&self) -> &Log {
        self.presence.log()
    }

    /// Returns the channels of the presence log in which an account is told of its friends.
    #[must_use]
    pub fn presence_channels(me: &Account) -> Vec<Channel> {
        vec![Presence::channel(me.id)]
    }
}

impl Drop for PresenceGuard {
    fn drop(&mut self) {
        self.shared.tracker.lock().leave(self.id, Instant::now());
        self.shared.changed.notify_one();
    }
}

impl Drop for PresenceShared {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

/// Tells each change, until the last handle on the presence is dropped.
async fn tell_all(shared: Weak<PresenceShared>, changed: Arc<Notify>) {
    loop {
        let next = {
            let Some(shared) = shared.upgrade() else {
                return;
            };
            let (changes, next) = shared.tracker.lock().take_changes(Instant::now());
            for change in changes {
                if let Err(error) = shared.tell(change).await {
                    log::error!("cannot append a presence change: {error}");
                }
            }
            next
        };
        let time = async {
            match next {
                Some(next) => tokio::time::sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = changed.notified() => {}
            () = time => {}
        }
    }
}

impl PresenceShared {
    /// Tells a change to all friends of the account, or to the one that it is for, online or not: a
    /// friend whose page is loading is not online yet, and has to get what changes meanwhile.
    async fn tell(&self, change: PresenceChange) -> Result<(), StoreError> {
        let event = PresenceEvent {
            name: change.account.name.as_str(),
            online: change.online,
        };
        let data = serde_json::to_string(&event).unwrap_or_default();
        let friends = self.database.friends(change.account.id).await?;
        let friends = friends
            .into_iter()
            .filter(|friend| friend.standing == Standing::Friend)
            .map(|friend| friend.account.id)
            .filter(|friend| change.to.is_none_or(|to| to == *friend));
        let draft = |id| Draft {
            event: EventName::of_server("presence"),
            ..Draft::new(Presence::channel(id), data.as_str())
        };
        let drafts: Vec<Draft> = friends.map(draft).collect();
        if !drafts.is_empty() {
            self.log.append_all(drafts).await?;
        }
        Ok(())
    }
}
