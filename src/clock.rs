//! The server's time, appended every second while at least one client watches.
//!
//! The ticks are messages of a log of their own, in a channel that only the server can name. They
//! are followed like any others, and are neither stored nor numbered among the messages of users.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::limits;
use crate::log::{Keep, Log, LogClock, Memory, Store};
use crate::message::{Channel, Draft};

/// The clock. It does not tick while no client watches.
#[derive(Debug)]
pub struct Clock {
    log: Log,
    watched: Arc<Mutex<Watched>>,
}

/// A guard that keeps the clock ticking until it is dropped.
#[derive(Debug)]
pub struct Watching(Arc<Mutex<Watched>>);

#[derive(Debug, Default)]
struct Watched {
    watchers: usize,
    /// Whether there is a task that ticks.
    is_ticking: bool,
}

impl Clock {
    /// A clock without watchers, whose ticks expire by `clock`. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// When the log of the ticks cannot be opened.
    pub fn new(clock: Arc<LogClock>) -> io::Result<Clock> {
        let keep = Keep {
            messages: limits::CLOCK_TICKS_MAX,
            age: limits::CLOCK_KEEP_FOR,
        };
        let memory = Memory::new(keep, limits::CLOCK_LOG_BYTES);
        let log = Log::open_with(Store::Memory(memory), clock, Arc::default())?;
        Ok(Clock {
            log,
            watched: Arc::default(),
        })
    }

    /// The channel of the ticks.
    #[must_use]
    pub fn channel() -> Channel {
        Channel::of_server("clock")
    }

    /// The log of the ticks.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Makes the clock tick until the guard is dropped.
    #[must_use]
    pub fn watch(&self) -> Watching {
        let mut watched = self.watched.lock();
        watched.watchers += 1;
        if !std::mem::replace(&mut watched.is_ticking, true) {
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

/// Appends the time, now and at each full second, until there is no watcher.
async fn tick(log: Log, watched: Arc<Mutex<Watched>>) {
    loop {
        let now = jiff::Zoned::now();
        let time = now.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        if let Err(error) = log.append(Draft::new(Clock::channel(), time)).await {
            log::error!("cannot append a clock tick: {error}");
        }
        let past = u64::try_from(now.millisecond()).unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(1000 - past)).await;
        let mut watched = watched.lock();
        if watched.watchers == 0 {
            // The next watcher starts a new task: the lock is still held.
            watched.is_ticking = false;
            return;
        }
    }
}
