//! The log: one for all channels, written by one writer, read by any number of cursors.
//!
//! The log is append-only. A message in it never changes, and no call deletes one. Only retention
//! removes messages: the oldest of a channel that has more than it keeps, the oldest of all when
//! they take too many bytes or the disk is full, and those past their age ([`Keep`], [`Store::retain`]). A cursor that
//! asks for removed messages gets a [`Gap`]. Age is told by a clock of the log's own, which counts the
//! time that passes; the wall clock only gives messages the time that they show ([`LogClock`]).
//!
//! # Reads
//!
//! A [`Position`] says where a follower of some channels stands, and a [`Source`] reads the
//! messages after it; a [`Reader`] is both together. Messages come from two places. While the
//! position is near the end of the log they come from the tail, which holds the newest committed
//! messages in memory: each is an [`Entry`] that all followers share, and that is encoded once per
//! transport. Older messages are fetched from the store, a [`Page`] at a time: those entries are the
//! reader's own, so each follower that catches up encodes them anew. When there is nothing new the
//! reader waits to be woken.
//!
//! A follower asks for channels by their names and by patterns ([`Subscription`]); what it reads, and from
//! where on in each channel, is its [`Selection`]. A pattern of few channels is read channel by channel, as
//! names are. Where it has many, the messages of all channels are looked at in the log's order, a bounded
//! number at a time (`scan.rs`).
//!
//! # The life of an append
//!
//! ```text
//! blocking store (SQLite):
//!   append ──▶ queue ──▶ log-writer: a batch ──▶ commit ──▶ tail ──▶ answers ──▶ wake followers
//! non-blocking store (memory):
//!   append ──▶ commit, in the appending task ──▶ tail ──▶ wake followers ──▶ return
//! ```
//!
//! Where several servers share the log, an append goes to the engine, and comes back to the writer with its
//! number (`cluster`); from the commit on all is the same.
//!
//! With a blocking store the append waits in a bounded queue, and the writer commits as many of the
//! waiting appends together as fit one batch. With a non-blocking store there is no queue: the
//! appending task commits its own messages, one task at a time. Either way `LogShared::publish`
//! does the rest, and a message is in the tail before its sender is answered and before any
//! follower is woken.
//!
//! # Threads
//!
//! - The thread `log-writer` does all that writes to a blocking store: commits, retention, and the
//!   probe after a commit that failed. With a non-blocking store it is a task on the runtime that
//!   opened the log, and does the retention only.
//! - Reads of the file run on tokio's blocking pool, at most [`limits::STORE_READERS_MAX`] at the
//!   same time; so do the [`SideTables`] of other modules, one access at a time.
//! - Each runtime that has followers has one task that tells them of messages: on a lane the one that
//!   serves its crowd (`server/crowd`), elsewhere one that only wakes tasks (`wake.rs`).

mod batch;
mod bell;
mod checked_read;
mod clock_state;
#[cfg(test)]
mod clock_state_tests;
mod closes;
#[cfg_attr(not(feature = "cluster"), path = "no_cluster.rs")]
mod cluster;
mod copy;
mod cursor;
mod entry;
mod error_report;
mod falls;
mod health;
mod history;
mod listing;
mod log_clock;
mod log_copy;
mod log_view;
mod memory;
mod merge;
mod moment;
mod numbered;
mod page_limit;

mod position;
mod read_health;
mod reader;
mod recent_keys;
mod ring_numbers;
mod rings;
mod scan;
mod selection;
#[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "nothing is sent"))]
mod sent_appends;
mod shared_frame;
mod shared_pages;
mod source;
mod sqlite;
mod store;
mod subscription;
mod tail;
#[cfg(test)]
mod testing;
mod trimmed;
mod until;
mod upload_keys;
mod used_keys;
mod wake;
mod writer;

use std::io;
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::{Mutex, RwLock, RwLockWriteGuard};
use tokio::sync::{oneshot, watch};

pub use bell::{Bell, BellAnswer};
pub(crate) use closes::insert as insert_closes;
pub use cluster::{Cluster, ClusterError, ClusterOptions, Reached, StreamWishes};
pub use cursor::{ParseSinceError, Since, Start, StartAt};
pub use entry::Entry;
use error_report::ErrorReport;
pub use history::History;
pub use listing::{ChannelInfo, ListedChannel};
pub use log_clock::LogClock;
pub use log_copy::LogCopy;
pub use log_view::LogView;
pub use memory::Memory;
pub use moment::{LogTime, Moment};
pub use numbered::{Known, Numbered, Place};
pub use page_limit::{PageLimit, Share};
pub use position::{Beginning, Position, ReadOutcome};
pub use reader::{Item, Reader};
pub use rings::{Member, Slots};
pub use selection::Selection;
pub use shared_frame::SharedFrame;
pub use source::Source;
pub use sqlite::{BackupError, OpenError, SideTables, Sqlite, WholeCopy, back_up, restore};
pub use store::{
    AppendError, Commit, DraftAnswer, DraftRefusal, Keep, LocateError, Page, Store, StoreError,
    Stored,
};
pub use subscription::Subscription;
pub use until::{ParseUntilError, Until};

use crate::limits;
use crate::machine_clock::MachineClock;
use crate::message::{Close, Closing, Cursor, Draft, Epoch, Gap, Receipt, Seq};
use crate::metrics::Metrics;
use cursor::Resolved;
use health::Health;
use read_health::ReadHealth;
use sent_appends::SentAppends;
use shared_pages::SharedPages;
use tail::Tail;
use wake::Wake;
use writer::{AppendQueue, QueuedAppend, writer_stopped};

/// A handle on the log. Clones are handles on the same log.
#[derive(Clone, Debug)]
pub struct Log {
    shared: Arc<LogShared>,
    /// Kept out of `shared`, because the writer holds `shared` and ends when the last handle has
    /// dropped the queue.
    queue: Arc<AppendQueue>,
    /// What numbers and keeps the log, if several servers share it.
    cluster: Option<Arc<Cluster>>,
}

/// The state that the handles, the readers and the writer of a log share.
#[derive(Debug)]
struct LogShared {
    epoch: Epoch,
    store: Store,
    clock: Arc<LogClock>,
    tail: RwLock<Tail>,
    wake: Wake,
    /// What readers that lag have in common, while there are any.
    pages: Mutex<Weak<SharedPages>>,
    health: Health,
    read_health: ReadHealth,
    metrics: Arc<Metrics>,
    /// The position of the last entry, in a log that is a copy.
    last: watch::Sender<Seq>,
    /// What was sent to be numbered elsewhere, where this log is a copy.
    sent: SentAppends,
}

impl Log {
    /// Opens the log of a store by the clocks of this machine, as [`Log::open_with`] does.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn open(store: Store, metrics: Arc<Metrics>) -> io::Result<Log> {
        let clock = store.resume_clock(MachineClock::System);
        Log::open_with(store, Arc::new(clock), metrics)
    }

    /// Opens the log of a store, and starts its writer: on the current tokio runtime, or on a
    /// thread of its own if the store blocks. A store that is kept has its own clock
    /// ([`Store::resume_clock`]); one in memory may share that of another log.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn open_with(store: Store, clock: Arc<LogClock>, metrics: Arc<Metrics>) -> io::Result<Log> {
        let (_, last) = store.bounds();
        let tail = RwLock::new(Tail::new(last, limits::TAIL_BYTES));
        let shared = Arc::new(LogShared {
            epoch: store.epoch().clone(),
            store,
            clock,
            tail,
            wake: Wake::default(),
            pages: Mutex::default(),
            health: Health::default(),
            read_health: ReadHealth::default(),
            metrics,
            last: watch::Sender::new(last),
            sent: SentAppends::default(),
        });
        let queue = Arc::new(writer::start(&shared)?);
        Ok(Log {
            shared,
            queue,
            cluster: None,
        })
    }

    /// Returns the log's epoch.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.shared.epoch
    }

    /// Returns the cursor of a position in this log.
    #[must_use]
    pub fn cursor(&self, seq: Seq) -> Cursor {
        Cursor {
            epoch: self.shared.epoch.clone(),
            seq,
        }
    }

    /// Returns the position of the oldest message that is kept (0 if none is), and that of the
    /// newest message that was ever committed.
    #[must_use]
    pub fn bounds(&self) -> (Seq, Seq) {
        self.shared.store.bounds()
    }

    /// Returns the clock of the log, for other logs to share.
    #[must_use]
    pub fn clock(&self) -> &Arc<LogClock> {
        &self.shared.clock
    }

    /// Returns the present moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.shared.clock.now()
    }

    /// Returns how many idempotency keys are held.
    #[must_use]
    pub fn keys_held(&self) -> usize {
        self.shared.store.keys_held()
    }

    /// Appends a message, whatever its key and its precondition. When this returns, the message is as
    /// durable as the store promises, and every reader can read it.
    ///
    /// # Errors
    /// When the store could not take the message; then it is not in the log.
    pub async fn append(&self, draft: Draft) -> Result<Receipt, StoreError> {
        let receipts = self.append_all(vec![draft]).await?;
        receipts.first().copied().ok_or_else(writer_stopped)
    }

    /// Appends messages directly after each other, whatever their keys and preconditions, all or none of
    /// them. One call should have no more messages than fit one commit ([`limits::BATCH_MESSAGES_MAX`]).
    ///
    /// # Errors
    /// When the store could not take the messages; then none of them is in the log.
    pub async fn append_all(&self, mut drafts: Vec<Draft>) -> Result<Vec<Receipt>, StoreError> {
        for draft in &mut drafts {
            draft.key = None;
            draft.precondition = None;
        }
        let answers = self.commit(drafts).await?;
        // Only a key or a precondition is a reason to refuse a draft.
        Ok(answers.into_iter().flatten().collect())
    }

    /// Appends a message as [`Log::append`] does, unless it is a second try with the key of a message
    /// that was appended before, or the last entry of its channel is not what its precondition wants. The
    /// receipt of a second try is that of the first.
    ///
    /// # Errors
    /// When the store could not take the message, or its key or its precondition forbids it; then it is
    /// not in the log.
    pub async fn append_once(&self, draft: Draft) -> Result<Receipt, AppendError> {
        let answers = self.commit(vec![draft]).await?;
        let answer = answers.into_iter().next().ok_or_else(writer_stopped)?;
        Ok(answer?)
    }

    /// Appends messages as [`Log::append_once`] does, in one commit. Returns the answers to them in
    /// their order; those that are refused are not in the log.
    ///
    /// # Errors
    /// When the store could not take the messages; then none of them is in the log.
    pub async fn append_each(&self, drafts: Vec<Draft>) -> Result<Vec<DraftAnswer>, StoreError> {
        self.commit(drafts).await
    }

    /// Commits drafts, and returns the answers to them.
    async fn commit(&self, drafts: Vec<Draft>) -> Result<Vec<DraftAnswer>, StoreError> {
        let began = Instant::now();
        // A close that is an entry of its own is no message.
        let size = |draft: &Draft| (draft.closing != Closing::Alone).then_some(draft.data.len());
        let sizes: Vec<_> = drafts.iter().map(size).collect();
        let answers = if let Some(cluster) = &self.cluster {
            self.shared.health.get()?;
            let _pending = self.shared.wake.pending_append();
            cluster.append(drafts).await?
        } else if let Some(memory) = self.shared.store.as_nonblocking() {
            self.shared.append(memory, drafts)
        } else {
            let (answer, answered) = oneshot::channel();
            let _pending = self.shared.wake.pending_append();
            self.queue.push(QueuedAppend { drafts, answer }).await?;
            answered.await.map_err(|_| writer_stopped())??
        };
        let latency = began.elapsed();
        for (answer, bytes) in answers.iter().zip(sizes) {
            if let Some(bytes) = bytes
                && answer.as_ref().is_ok_and(|receipt| !receipt.duplicate)
            {
                self.shared.metrics.appended(bytes, latency);
            }
        }
        Ok(answers)
    }

    /// Finds where a follower starts.
    ///
    /// # Errors
    /// When the store cannot be read, or the follower asks for the last message of too many channels.
    pub async fn start(
        &self,
        subscription: &Subscription,
        since: &Since,
    ) -> Result<Start, LocateError> {
        self.reach(since).await?;
        let (_, last) = self.bounds();
        let (selection, gap) = match since.resolve(self.epoch(), last, self.now().time) {
            Resolved::At(at, gap) => (Selection::at(subscription, at), gap),
            Resolved::Ask(start_at, gap) => {
                let start_at = self.shared.as_published(start_at);
                (self.shared.locate(subscription, start_at).await?, gap)
            }
        };
        let at = selection.first().unwrap_or(last);
        let named = subscription.channels();
        let closes = self
            .shared
            .closes(named, selection.last().unwrap_or(at))
            .await?;
        // Later ones are read where they come.
        let is_here =
            |close: &Close| !selection.wants(&close.channel, close.seq) || close.seq <= at;
        let closes = closes.into_iter().filter(is_here).collect();
        let gap = gap.map(|reason| Gap {
            reason,
            missed: None,
            resumes: at,
        });
        Ok(Start {
            selection,
            at,
            gap,
            closes,
            store_until: self.shared.store.trimmed_through(),
        })
    }

    /// Returns a reader that begins at `start`.
    #[must_use]
    pub fn reader(&self, start: Start) -> Reader {
        Reader::new(self.view(), start)
    }

    /// The log for those who only read it.
    #[must_use]
    pub fn view(&self) -> LogView {
        LogView::new(&self.shared)
    }
}

impl LogShared {
    /// Commits drafts to a store that does not block, and publishes them.
    fn append(&self, memory: &Memory, drafts: Vec<Draft>) -> Vec<DraftAnswer> {
        // Locked before the commit, so that the batch that is committed next also comes next in the
        // tail.
        let tail = self.tail.write();
        let commit = memory.commit(drafts, &self.clock.now());
        self.publish(tail, commit, |answers| answers)
    }

    /// Lets a beginning that counts back from the end count from the last message that followers can have.
    /// One that is committed, and not published yet, would be the last, and a poll that does not wait would
    /// have nothing.
    fn as_published(&self, start_at: StartAt) -> StartAt {
        match start_at {
            StartAt::Last { count, through } => StartAt::Last {
                count,
                through: through.min(self.tail.read().last()),
            },
            start_at => start_at,
        }
    }

    /// Publishes a commit: makes its messages visible in the tail, has `answer` give the senders
    /// their answers, and wakes the followers of the messages' channels. Returns the result of
    /// `answer`.
    fn publish<T>(
        &self,
        mut tail: RwLockWriteGuard<'_, Tail>,
        commit: Commit,
        answer: impl FnOnce(Vec<DraftAnswer>) -> T,
    ) -> T {
        let Commit {
            answers,
            messages,
            closes,
        } = commit;
        let closed: Vec<_> = closes.iter().map(|close| close.channel.clone()).collect();
        tail.push(messages.iter().map(Entry::shared), closes);
        drop(tail);
        let answered = answer(answers);
        let channels = messages.iter().map(|message| &message.channel);
        self.wake.wake(&channels.chain(&closed).collect());
        answered
    }
}
