//! The server's time, pushed every second while somebody watches.
//!
//! The ticks are messages of a log of their own, in a channel of the server's: they are followed
//! like any others, and are neither stored nor numbered among those of the users.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::log::{Keep, Log, Memory, Store};
use crate::message::{Channel, Draft, Timestamp};

/// How long a tick is worth showing: whoever comes sees the last one at once.
const FRESH: Duration = Duration::from_secs(2);

/// What all ticks together may take, which is never reached.
const BYTES: usize = 64 * 1024;

/// The clock. It stands still while nobody watches.
#[derive(Debug)]
pub struct Clock {
    log: Log,
    watched: Arc<Mutex<Watched>>,
}

/// A watcher: the clock goes while there is one.
#[derive(Debug)]
pub struct Watching(Arc<Mutex<Watched>>);

#[derive(Debug, Default)]
struct Watched {
    watchers: usize,
    /// Is there a task that ticks?
    going: bool,
}

impl Clock {
    /// A clock that nobody watches; needs the current tokio runtime.
    ///
    /// # Errors
    /// When it can have no log.
    pub fn new() -> io::Result<Clock> {
        let keep = Keep {
            messages: 10,
            age: FRESH,
        };
        let log = Log::open(Store::Memory(Memory::new(keep, BYTES)), Arc::default())?;
        Ok(Clock {
            log,
            watched: Arc::default(),
        })
    }

    /// Its channel.
    #[must_use]
    pub fn channel() -> Channel {
        Channel::of_server("clock")
    }

    /// The log of its ticks.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Watches it until the guard is dropped.
    #[must_use]
    pub fn watch(&self) -> Watching {
        let mut watched = self.watched.lock();
        watched.watchers += 1;
        if !std::mem::replace(&mut watched.going, true) {
            tokio::spawn(tick(self.log.clone(), Arc::clone(&self.watched)));
        }
        Watching(Arc::clone(&self.watched))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.lock().watchers -= 1;
    }
}

/// Says what time it is, now and at each full second, while anybody watches.
async fn tick(log: Log, watched: Arc<Mutex<Watched>>) {
    loop {
        let time = jiff::Zoned::now()
            .strftime("%Y-%m-%dT%H:%M:%S%:z")
            .to_string();
        if let Err(error) = log.append(Draft::new(Clock::channel(), time)).await {
            log::error!("the clock stands still: {error}");
        }
        let past = Timestamp::now().0 % 1000;
        tokio::time::sleep(Duration::from_millis(1000 - past)).await;
        let mut watched = watched.lock();
        if watched.watchers == 0 {
            // Whoever comes after this starts it again.
            watched.going = false;
            return;
        }
    }
}
