//! A log that several servers share. NATS `JetStream`, the engine, numbers and keeps it; this server has a
//! copy, in the same store that a log of its own would be in.
//!
//! ```text
//!  append ──▶ publishing ──▶ engine (a majority has it on the disk)
//!                                │ sends on what is committed
//!                                ▼
//!   answer ◀── copy ◀── log-writer ◀── copying: what comes, and fills of what did not
//!                 └──▶ tail ──▶ followers, as on one server
//! ```
//!
//! The tail, the readers, the wake-ups and the streams know nothing of this. The epoch of the log is the
//! stream's: whoever makes the stream anew makes a new log.
//!
//! | file | what it is |
//! |---|---|
//! | `engine` | the connection, and what is asked of it |
//! | `stream_settings` | what the engine and its stream must be like |
//! | `subject`, `envelope` | entries as the engine has them |
//! | `publishing`, `publish_reply` | appends, and what the engine says to them |
//! | `copying`, `contiguous`, `fills` | the one follower of the engine's log |
//! | `cluster_status` | what is known, for those who ask and those who wait |
//!
//! The thread `cluster` has the connection and feeds the copy.

mod cluster_options;
mod cluster_status;
mod contiguous;
mod copying;
mod engine;
mod envelope;
mod fills;

mod publish_reply;
mod publishing;
mod stream_settings;
mod subject;

use std::sync::mpsc as blocking;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::sync::{Semaphore, oneshot};

use super::{Log, LogCopy, LogShared, Moment, Store, StoreError};
use crate::limits;
use crate::message::{Epoch, Seq};
use crate::metrics::ClusterReadings;
pub use cluster_options::ClusterOptions;
use cluster_status::ClusterStatus;
use copying::Copying;
use engine::{Engine, EngineFault, StreamState};
pub use stream_settings::StreamWishes;

/// Why a server cannot share its log.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The engine or its stream is not as it must be: a sentence for each thing.
    #[error("the cluster cannot be used: {}", .0.join("; "))]
    Wrong(Vec<String>),
    /// The connection cannot be made, whatever the engine says.
    #[error("the cluster cannot be used: {0}")]
    Options(String),
    /// The engine does not answer.
    #[error("the cluster does not answer: {0}")]
    Unreachable(String),
    /// The copy cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The part of a server in a cluster: the connection to the engine, and what feeds the copy.
#[derive(Debug)]
pub struct Cluster {
    options: Arc<ClusterOptions>,
    engine: Engine,
    status: Arc<ClusterStatus>,
    /// The batches that may be under way.
    batches: Semaphore,
    following: OnceLock<Following>,
    /// What the thread waits for: the copy that it is to feed.
    begin: parking_lot::Mutex<Option<oneshot::Sender<(LogCopy, Epoch)>>>,
    /// Ends the thread when it is dropped.
    _end: oneshot::Sender<()>,
}

/// The copy that is being fed.
#[derive(Debug)]
struct Following {
    copy: LogCopy,
    shared: Arc<LogShared>,
    epoch: Epoch,
}

/// Whether the copy has come to a position that a client has seen elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It has.
    Here,
    /// The log does not go so far.
    Future,
    /// It is not known, or the copy lags.
    Lags,
}

impl Cluster {
    /// Connects to the engine, on a thread of its own. Whether it answers is not known yet.
    ///
    /// # Errors
    /// When the options cannot be used, or the thread cannot be started.
    pub fn connect(options: ClusterOptions) -> Result<Cluster, ClusterError> {
        let (options, status) = (Arc::new(options), Arc::new(ClusterStatus::default()));
        let (connected, connection) = blocking::channel();
        let (begin, begun) = oneshot::channel();
        let (end, mut ended) = oneshot::channel::<()>();
        let (own_options, own_status) = (Arc::clone(&options), Arc::clone(&status));
        let run = async move {
            let connect = Engine::connect(Arc::clone(&own_options), Arc::clone(&own_status));
            let engine = match connect.await {
                Ok(engine) => engine,
                Err(error) => return drop(connected.send(Err(error))),
            };
            let _ = connected.send(Ok(engine.clone()));
            let follow = async {
                let Ok((copy, epoch)) = begun.await else {
                    return;
                };
                let status = Arc::clone(&own_status);
                let copying = Copying::new(engine, own_options, status, copy, epoch);
                if let Err(error) = copying.run().await {
                    own_status.fail(error);
                }
            };
            tokio::select! {
                () = follow => {}
                _ = &mut ended => {}
            }
        };
        let options_error = |error: String| ClusterError::Options(error);
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| options_error(error.to_string()))?;
        thread::Builder::new()
            .name("cluster".to_owned())
            .spawn(move || {
                runtime.block_on(run);
                runtime.shutdown_background();
            })
            .map_err(|error| options_error(error.to_string()))?;
        let engine = connection
            .recv()
            .map_err(|error| options_error(error.to_string()))?;
        Ok(Cluster {
            options,
            engine: engine.map_err(ClusterError::Options)?,
            status,
            batches: Semaphore::new(limits::CLUSTER_BATCHES_MAX),
            following: OnceLock::new(),
            begin: parking_lot::Mutex::new(Some(begin)),
            _end: end,
        })
    }

    /// Makes a store the copy of the engine's log: one that is a copy of another log, or has what this log
    /// does not have, is emptied. Without an answer of the engine a copy stays what it is; a store that is
    /// no copy yet waits for one, as it does not know what log it will have.
    ///
    /// # Errors
    /// When the engine or its stream is not as it must be, or the store cannot be written.
    pub fn prepare(&self, store: &mut Store, now: &Moment) -> Result<(), ClusterError> {
        let is_copy = store.bounds().1 > Seq::START;
        let state = match self.contact(limits::CLUSTER_START_TIMEOUT) {
            Err(ClusterError::Unreachable(why)) if is_copy => {
                log::warn!(
                    "{}; until it does the copy is served",
                    ClusterError::Unreachable(why)
                );
                return Ok(());
            }
            Err(ClusterError::Unreachable(why)) => {
                log::warn!(
                    "{}; there is no copy to be served yet, so the server waits",
                    ClusterError::Unreachable(why)
                );
                self.contact(Duration::MAX)?
            }
            state => state?,
        };
        let (_, last) = store.bounds();
        if *store.epoch() == state.epoch && last <= state.last {
            log::info!(
                "the copy has come to seq {last}, and the cluster's log to {}",
                state.last
            );
            return Ok(());
        }
        if last > Seq::START {
            log::warn!(
                "the copy is not of the cluster's log as it is now (it has epoch {} and seq {last}, the log \
                 {} and {}): it is built anew",
                store.epoch(),
                state.epoch,
                state.last
            );
        }
        Ok(store.begin_anew(&state.epoch, state.first.before(), now)?)
    }

    /// Asks the engine for its state, and checks it and its stream, which is made if there is none. It is
    /// asked again until it answers, or `patience` ends.
    fn contact(&self, patience: Duration) -> Result<StreamState, ClusterError> {
        let began = Instant::now();
        loop {
            let runtime = Builder::new_current_thread().enable_time().build();
            let runtime = runtime.map_err(|error| ClusterError::Options(error.to_string()))?;
            // The server's own runtime may be running on this thread.
            let engine = self.engine.clone();
            let asked = thread::spawn(move || runtime.block_on(engine.contact()));
            let why = match asked.join() {
                Ok(Ok(state)) => return Ok(state),
                Ok(Err(EngineFault::Wrong(faults))) => return Err(ClusterError::Wrong(faults)),
                Ok(Err(EngineFault::Unreachable(why))) => why,
                Err(_) => "the question failed".to_owned(),
            };
            if began.elapsed() >= patience {
                return Err(ClusterError::Unreachable(why));
            }
            thread::sleep(limits::CLUSTER_TRY_PAUSE);
        }
    }

    /// Checks the engine and its stream, which is made if there is none, and returns lines that say what
    /// was found.
    ///
    /// # Errors
    /// When the engine does not answer, or is not as it must be.
    pub fn check(&self) -> Result<Vec<String>, ClusterError> {
        let state = self.contact(limits::CLUSTER_START_TIMEOUT)?;
        Ok(self.engine.describe(&state))
    }

    /// Begins to feed a log, which is the copy.
    pub(super) fn follow(&self, log: &Log) {
        let (copy, epoch) = (log.copy(), log.epoch().clone());
        let following = Following {
            copy: copy.clone(),
            shared: Arc::clone(&log.shared),
            epoch: epoch.clone(),
        };
        if self.following.set(following).is_ok()
            && let Some(begin) = self.begin.lock().take()
        {
            // It fails if the thread has ended, which has said why.
            let _ = begin.send((copy, epoch));
        }
    }

    fn following(&self) -> Result<&Following, StoreError> {
        let following = self.following.get();
        following.ok_or_else(|| StoreError("the copy of the log is not open yet".to_owned()))
    }

    /// Whether this server has what the others have, and can append.
    ///
    /// # Errors
    /// When it does not or cannot, with the reason.
    pub fn ready(&self) -> Result<(), StoreError> {
        let copy = self.following()?.copy.last();
        self.status.check(copy, Instant::now())
    }

    /// Waits until the copy has come to a position that a client has seen elsewhere.
    pub async fn reach(&self, seq: Seq) -> Reached {
        let Ok(following) = self.following() else {
            return Reached::Lags;
        };
        let began = Instant::now();
        let is_future = async {
            let extent = self.status.extent_after(began).await;
            // A leader that was just elected may not know the end of its log yet.
            let later = extent.asked + limits::CLUSTER_TICK;
            let second = self.status.extent_after(later).await;
            if extent.last.max(second.last) >= seq {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = following.copy.reached(seq) => Reached::Here,
            () = is_future => Reached::Future,
            () = tokio::time::sleep(limits::CLUSTER_CURSOR_TIMEOUT) => Reached::Lags,
        }
    }

    /// Waits until the server has to end, and returns why.
    pub async fn failed(&self) -> String {
        self.status.failed().await
    }

    /// The state for the metrics.
    #[must_use]
    pub fn readings(&self) -> ClusterReadings {
        let copy = self.following.get().map(|own| own.copy.last());
        self.status
            .readings(copy.unwrap_or_default(), Instant::now())
    }
}
