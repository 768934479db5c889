//! A log that is a copy of one that is numbered elsewhere, as those see it who feed it.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::writer::writer_stopped;
use super::{Cluster, Known, Log, LogShared, Numbered, Reached, Since, StoreError};
use crate::limits;
use crate::message::{Cursor, Draft, Seq};

/// What the writer of a log does for a copy, in the order in which it is asked.
#[derive(Debug)]
pub(super) enum CopyWork {
    /// Commits entries that were numbered elsewhere.
    Apply(Vec<Numbered>, oneshot::Sender<Result<(), StoreError>>),
    /// Lets the log begin after a position.
    Skip(Seq, oneshot::Sender<Result<(), StoreError>>),
    /// Sets the position before which nothing is kept.
    Head(Seq),
    /// Says what is known of drafts.
    Ask(Vec<Draft>, oneshot::Sender<Result<AskedDrafts, StoreError>>),
}

/// Drafts, and what is known of them.
pub(super) type AskedDrafts = (Vec<Draft>, Vec<Known>);

/// A handle on the writer of a log that is a copy. It does not keep the writer going.
#[derive(Clone, Debug)]
pub struct LogCopy {
    work: mpsc::Sender<CopyWork>,
    last: watch::Receiver<Seq>,
}

impl Log {
    /// Returns the log for whoever feeds it with what was numbered elsewhere. Nothing else may append to it
    /// then.
    #[must_use]
    pub fn copy(&self) -> LogCopy {
        LogCopy {
            work: self.queue.copy_work(),
            last: self.shared.last.subscribe(),
        }
    }

    /// Makes the log one that servers share: its appends go to the cluster, which feeds it.
    #[must_use]
    pub fn shared_by(mut self, cluster: Arc<Cluster>) -> Log {
        cluster.follow(&self);
        self.cluster = Some(cluster);
        self
    }

    /// Returns what numbers and keeps the log, if several servers share it.
    #[must_use]
    pub fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.cluster.as_ref()
    }

    /// Waits until a copy has come to where a client has been, on another server.
    ///
    /// # Errors
    /// When the copy lags for too long, or it cannot be found out whether there is such a position.
    pub(super) async fn reach(&self, since: &Since) -> Result<(), StoreError> {
        let Some(cluster) = &self.cluster else {
            return Ok(());
        };
        let seq = match since {
            Since::Cursor(Cursor { epoch, seq }) if epoch == self.epoch() => *seq,
            Since::Seq(seq) => *seq,
            _ => return Ok(()),
        };
        let (_, last) = self.bounds();
        if seq <= last || cluster.reach(seq).await != Reached::Lags {
            return Ok(());
        }
        Err(StoreError(format!(
            "this server's copy of the log has come to seq {last}, and not to {seq} within {} s; ask \
             another server, or try again",
            limits::CLUSTER_CURSOR_TIMEOUT.as_secs()
        )))
    }
}

impl LogCopy {
    /// Commits entries that were numbered elsewhere and follow the last one of the log, as
    /// [`Store::apply`](super::Store::apply) does, and gives them to the log's followers.
    ///
    /// # Errors
    /// When the store could not take them, or the log has been closed.
    pub async fn apply(&self, entries: Vec<Numbered>) -> Result<(), StoreError> {
        self.ask(|done| CopyWork::Apply(entries, done)).await
    }

    /// Lets the log begin after `through`, as [`Store::skip`](super::Store::skip) does. Its followers are
    /// told of a gap.
    ///
    /// # Errors
    /// When the store could not be written, or the log has been closed.
    pub async fn skip(&self, through: Seq) -> Result<(), StoreError> {
        self.ask(|done| CopyWork::Skip(through, done)).await
    }

    /// Sets the position before which nothing is kept.
    pub async fn set_head(&self, head: Seq) {
        // It fails if the log has been closed.
        let _ = self.work.send(CopyWork::Head(head)).await;
    }

    /// Returns drafts, and what is known of them before they are appended.
    ///
    /// # Errors
    /// When the store cannot be read, or the log has been closed.
    pub async fn known(&self, drafts: Vec<Draft>) -> Result<(Vec<Draft>, Vec<Known>), StoreError> {
        self.ask(|answer| CopyWork::Ask(drafts, answer)).await
    }

    /// Returns the position of the last entry that the copy has.
    #[must_use]
    pub fn last(&self) -> Seq {
        *self.last.borrow()
    }

    /// Waits until the copy has come to a position; for ever if the log is closed before.
    pub async fn reached(&self, seq: Seq) {
        let mut last = self.last.clone();
        if last.wait_for(|last| *last >= seq).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn ask<T>(
        &self,
        work: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> CopyWork,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.work.send(work(answer)).await;
        sent.map_err(|_| writer_stopped())?;
        answered.await.map_err(|_| writer_stopped())?
    }
}

/// Does what a copy asks of the log's writer.
pub(super) async fn work(shared: &LogShared, work: CopyWork) {
    // The sends fail if nobody waits any more.
    match work {
        CopyWork::Apply(entries, done) => {
            let _ = done.send(apply(shared, entries).await);
        }
        CopyWork::Skip(through, done) => {
            let skipped = shared.store.skip(through, &shared.clock.now()).await;
            if skipped.is_ok() {
                shared.tail.write().skip(through);
                shared.last.send_replace(through);
            }
            let _ = done.send(note(shared, skipped));
        }
        CopyWork::Head(head) => shared.store.set_head(head),
        CopyWork::Ask(drafts, answer) => {
            let known = shared.store.known(&drafts, &shared.clock.now()).await;
            let _ = answer.send(known.map(|known| (drafts, known)));
        }
    }
}

/// Commits entries, publishes them, and answers those who had sent them.
async fn apply(shared: &LogShared, entries: Vec<Numbered>) -> Result<(), StoreError> {
    let Some(through) = entries.last().map(|entry| entry.place.seq) else {
        return Ok(());
    };
    let are_there = entries.iter().filter(|entry| entry.draft.is_some());
    let senders: Vec<_> = are_there.map(|entry| entry.sent_by).collect();
    let commit = shared.store.apply(entries, &shared.clock.now()).await;
    let commit = note(shared, commit)?;
    shared.publish(shared.tail.write(), commit, |answers| {
        shared.last.send_replace(through);
        let answers = senders.into_iter().zip(answers);
        let returned = answers.filter_map(|(sent_by, answer)| Some((sent_by?, answer.ok()?)));
        shared.sent.returned(returned);
    });
    Ok(())
}

/// Notes that the store failed, if it did.
fn note<T>(shared: &LogShared, result: Result<T, StoreError>) -> Result<T, StoreError> {
    if let Err(error) = &result {
        shared.health.set(Err(error.clone()));
    }
    result
}
