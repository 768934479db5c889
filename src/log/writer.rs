//! The log's writer: it appends to a store that blocks, and does the housekeeping of every store.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};

use super::log_copy::{self, CopyWork};
use super::{DraftAnswer, LogShared, StoreError, batch};
use crate::limits;
use crate::message::Draft;

/// An append that waits for its answer: messages that are committed together.
#[derive(Debug)]
pub(super) struct QueuedAppend {
    pub(super) drafts: Vec<Draft>,
    pub(super) answer: oneshot::Sender<Result<Vec<DraftAnswer>, StoreError>>,
}

impl QueuedAppend {
    fn size(&self) -> batch::Size {
        let bytes = self.drafts.iter().map(|draft| draft.data.len()).sum();
        batch::Size {
            messages: self.drafts.len(),
            bytes,
        }
    }
}

/// The queue of appends to the writer. The writer ends when the queue is dropped.
#[derive(Debug)]
pub(super) struct AppendQueue {
    appends: Option<mpsc::Sender<QueuedAppend>>,
    /// What is asked of the writer of a copy. It does not keep the writer going.
    copy_work: mpsc::Sender<CopyWork>,
    thread: Option<JoinHandle<()>>,
}

impl AppendQueue {
    /// Queues an append, and waits while the queue is full.
    ///
    /// # Errors
    /// When the writer has stopped.
    pub(super) async fn push(&self, append: QueuedAppend) -> Result<(), StoreError> {
        let sender = self.sender()?;
        sender.send(append).await.map_err(|_| writer_stopped())
    }

    /// Returns the sending side of the work for a copy.
    pub(super) fn copy_work(&self) -> mpsc::Sender<CopyWork> {
        self.copy_work.clone()
    }

    /// Returns the sending side of the queue.
    ///
    /// # Errors
    /// When the writer has stopped.
    pub(super) fn sender(&self) -> Result<&mpsc::Sender<QueuedAppend>, StoreError> {
        let open = self.appends.as_ref().filter(|appends| !appends.is_closed());
        open.ok_or_else(writer_stopped)
    }
}

impl Drop for AppendQueue {
    /// Waits until the writer's thread has committed what was queued: the thread holds the store,
    /// which has to be closed.
    fn drop(&mut self) {
        drop(self.appends.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Returns the error of an append to a writer that has stopped.
pub(super) fn writer_stopped() -> StoreError {
    StoreError("the log's writer has stopped: restart the server".to_owned())
}

/// Starts the writer.
///
/// A store that blocks is written to on a thread that does nothing else, and the whole writer runs
/// on it: with 64 publishers over HTTP a fifth more is appended than if each commit went to such a
/// thread and back.
pub(super) fn start(shared: &Arc<LogShared>) -> io::Result<AppendQueue> {
    let (appends, queued) = mpsc::channel(limits::QUEUED_APPENDS_MAX);
    let (copy_work, asked) = mpsc::channel(limits::COPY_WORK_MAX);
    let running = run(Arc::clone(shared), queued, asked);
    let thread = if shared.store.as_nonblocking().is_none() {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let thread = thread::Builder::new().name("log-writer".to_owned());
        Some(thread.spawn(move || runtime.block_on(running))?)
    } else {
        Handle::current().spawn(running);
        None
    };
    Ok(AppendQueue {
        appends: Some(appends),
        copy_work,
        thread,
    })
}

/// Commits the queued appends, a batch at a time, until the queue is closed. Appends that arrive
/// during a commit make the next batch.
async fn run(
    shared: Arc<LogShared>,
    mut queue: mpsc::Receiver<QueuedAppend>,
    mut copy_work: mpsc::Receiver<CopyWork>,
) {
    let mut waiting = VecDeque::new();
    let mut retain = tokio::time::interval(limits::RETAIN_INTERVAL);
    retain.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut has_more = Ok(false);
    loop {
        let due = async {
            if has_more != Ok(true) {
                retain.tick().await;
            }
        };
        // If both are ready, select! takes either at random: neither can starve the other.
        tokio::select! {
            is_open = recv_batch(&mut queue, &mut waiting) => {
                if !is_open {
                    break;
                }
                let size = batch::fit(waiting.iter().map(QueuedAppend::size));
                commit(&shared, waiting.drain(..size)).await;
                // While appends always wait the thread would not look at its timer.
                tokio::task::yield_now().await;
            }
            Some(work) = copy_work.recv() => {
                log_copy::work(&shared, work).await;
                tokio::task::yield_now().await;
            }
            () = due => {
                let result = housekeeping(&shared).await;
                if let Err(error) = &result && has_more != result {
                    log::warn!("cannot delete expired messages: {error}");
                }
                has_more = result;
                if has_more == Ok(true) {
                    // On a runtime that does other work, too, that work has its turn.
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

/// Does one step of what has to be done besides the appends: retention, and a probe of a store that
/// failed. Returns whether retention may have more to do.
async fn housekeeping(shared: &LogShared) -> Result<bool, StoreError> {
    // Also while the store fails: the clock has to see when the wall clock is set.
    let now = shared.clock.now();
    let retained = match shared.health.get() {
        Ok(()) => shared.store.retain(&now).await,
        Err(_) => Ok(false),
    };
    if retained.is_err() || shared.health.get().is_err() {
        // It may be that no client sends anything any more, so no append would find out.
        shared.health.set(shared.store.probe().await);
    }
    retained
}

/// Waits until at least one append is queued, and takes all that have arrived meanwhile. Returns
/// false when the queue is closed and empty. No append is lost if this is dropped while it waits.
async fn recv_batch(
    queue: &mut mpsc::Receiver<QueuedAppend>,
    waiting: &mut VecDeque<QueuedAppend>,
) -> bool {
    if waiting.is_empty() {
        match queue.recv().await {
            Some(first) => waiting.push_back(first),
            None => return false,
        }
    }
    while waiting.len() < limits::BATCH_MESSAGES_MAX
        && let Ok(next) = queue.try_recv()
    {
        waiting.push_back(next);
    }
    true
}

/// Commits a batch of appends, publishes it, and answers each append.
async fn commit(shared: &LogShared, batch: impl Iterator<Item = QueuedAppend>) {
    let mut drafts = Vec::new();
    let mut answers = Vec::new();
    for append in batch {
        answers.push((append.drafts.len(), append.answer));
        drafts.extend(append.drafts);
    }
    match shared.store.commit(drafts, &shared.clock.now()).await {
        Ok(commit) => {
            // A log that is not healthy is so again when a probe says it: a longer message might not fit.
            shared.publish(shared.tail.write(), commit, |committed| {
                let mut committed = committed.into_iter();
                for (count, answer) in answers {
                    // The send fails if the sender has left; its messages are in the log.
                    let _ = answer.send(Ok(committed.by_ref().take(count).collect()));
                }
            });
        }
        Err(error) => {
            // Before the answers, so that a sender who then asks for the health gets the same
            // error.
            shared.health.set(Err(error.clone()));
            for (_, answer) in answers {
                let _ = answer.send(Err(error.clone()));
            }
        }
    }
}
