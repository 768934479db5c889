//! Presence: who is online, told to their friends as messages.
//!
//! Derived from the streams that are open, so it is in no file: the messages are in a log of their
//! own, in memory, followed like any other.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::online::{Change, Tracker};
use super::{Account, AccountId, Database, Standing};
use crate::limits;
use crate::log::{Keep, Log, Memory, Store, StoreError};
use crate::message::{Channel, Draft, EventName};

/// For how long a change is kept for those whose line has broken; whoever comes later is told that
/// there is a gap, and asks for the whole.
const KEPT: Duration = Duration::from_mins(1);

/// A handle on the presence of all. Clones are the same.
#[derive(Clone, Debug)]
pub struct Presence(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    log: Log,
    database: Database,
    roster: Mutex<Tracker>,
    changed: Arc<Notify>,
}

/// Somebody is online for as long as this is not dropped.
#[derive(Debug)]
pub struct PresenceGuard {
    id: AccountId,
    shared: Arc<Shared>,
}

/// What a friend is told.
#[derive(Serialize)]
struct Told<'a> {
    name: &'a str,
    online: bool,
}

impl Presence {
    /// Nobody is online; needs the current tokio runtime.
    ///
    /// # Errors
    /// When it can have no log.
    pub fn new(database: Database) -> io::Result<Presence> {
        let keep = Keep {
            messages: limits::FRIENDS_MAX as usize,
            age: KEPT,
        };
        let memory = Memory::new(keep, limits::PRESENCE_BYTES);
        let changed = Arc::new(Notify::new());
        let shared = Arc::new(Shared {
            log: Log::open(Store::Memory(memory), Arc::default())?,
            database,
            roster: Mutex::new(Tracker::new(limits::PRESENCE_GRACE)),
            changed: Arc::clone(&changed),
        });
        tokio::spawn(tell_all(Arc::downgrade(&shared), changed));
        Ok(Presence(shared))
    }

    /// The log of what is told.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.0.log
    }

    /// The channel in which somebody is told of friends.
    #[must_use]
    pub fn channel(id: AccountId) -> Channel {
        Channel::of_server(&format!("presence.{id}"))
    }

    /// Somebody is online until the guard is dropped.
    #[must_use]
    pub fn arrive(&self, account: &Account) -> PresenceGuard {
        self.0.roster.lock().arrive(account, Instant::now());
        self.0.changed.notify_one();
        PresenceGuard {
            id: account.id,
            shared: Arc::clone(&self.0),
        }
    }

    /// Is somebody online?
    #[must_use]
    pub fn is_online(&self, id: AccountId) -> bool {
        self.0.roster.lock().is_online(id)
    }

    /// These have become friends: each is told of the other.
    pub fn introduce(&self, accounts: [&Account; 2]) {
        let mut roster = self.0.roster.lock();
        for account in accounts {
            roster.say_again(account);
        }
        drop(roster);
        self.0.changed.notify_one();
    }
}

impl Drop for PresenceGuard {
    fn drop(&mut self) {
        self.shared.roster.lock().leave(self.id, Instant::now());
        self.shared.changed.notify_one();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

/// Tells each change, until nobody is left who could come or go.
async fn tell_all(shared: Weak<Shared>, changed: Arc<Notify>) {
    loop {
        let next = {
            let Some(shared) = shared.upgrade() else {
                return;
            };
            let (changes, next) = shared.roster.lock().changes(Instant::now());
            for change in changes {
                if let Err(error) = shared.tell(change).await {
                    log::error!("a change of presence is not told: {error}");
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

impl Shared {
    /// Tells a change to all friends: one whose page is loading is not online yet, and is to hear of
    /// what changes meanwhile.
    async fn tell(&self, change: Change) -> Result<(), StoreError> {
        let told = Told {
            name: change.account.name.as_str(),
            online: change.online,
        };
        let told = serde_json::to_string(&told).unwrap_or_default();
        let friends = self.database.friends(change.account.id).await?;
        let friends = friends
            .into_iter()
            .filter(|friend| friend.standing == Standing::Friend)
            .map(|friend| friend.account.id);
        let draft = |id| Draft {
            event: EventName::of_server("presence"),
            ..Draft::new(Presence::channel(id), told.as_str())
        };
        let drafts: Vec<Draft> = friends.map(draft).collect();
        if !drafts.is_empty() {
            self.log.append_all(drafts).await?;
        }
        Ok(())
    }
}
