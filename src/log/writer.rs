//! The one task that appends.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};

use super::{Entry, Shared, StoreError, batch};
use crate::limits;
use crate::message::{Channel, Draft, Message, Timestamp};

/// An append that waits for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) draft: Draft,
    pub(super) answer: oneshot::Sender<Result<Arc<Message>, StoreError>>,
}

/// Commits what waits, a batch at a time, until nobody can append any more. What comes while a
/// batch is committed is the next batch.
pub(super) async fn run(shared: Arc<Shared>, mut queue: mpsc::Receiver<Pending>) {
    let woken = Arc::new(Woken::default());
    let waking = tokio::spawn(wake(Arc::clone(&shared), Arc::clone(&woken)));
    let mut waiting = VecDeque::new();
    let mut retain = tokio::time::interval(limits::RETAIN_EVERY);
    retain.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // Whichever is ready; if both are, either: neither can starve the other.
        tokio::select! {
            some = gather(&mut queue, &mut waiting) => {
                if !some {
                    break;
                }
                let size = batch::size(waiting.iter().map(|pending| pending.draft.data.len()));
                commit(&shared, &woken, waiting.drain(..size)).await;
            }
            _ = retain.tick() => {
                if let Err(error) = shared.store.retain(Timestamp::now()).await {
                    log::warn!("cannot let go of old messages: {error}");
                }
            }
        }
    }
    waking.abort();
}

/// Waits until some appends wait, and takes those that have come meanwhile; false when there will
/// be none any more. Nothing is lost if this is dropped while it waits.
async fn gather(queue: &mut mpsc::Receiver<Pending>, waiting: &mut VecDeque<Pending>) -> bool {
    if waiting.is_empty() {
        match queue.recv().await {
            Some(first) => waiting.push_back(first),
            None => return false,
        }
    }
    while waiting.len() < limits::BATCH_MESSAGES
        && let Ok(next) = queue.try_recv()
    {
        waiting.push_back(next);
    }
    true
}

async fn commit(shared: &Shared, woken: &Woken, batch: impl Iterator<Item = Pending>) {
    let (drafts, answers): (Vec<_>, Vec<_>) =
        batch.map(|pending| (pending.draft, pending.answer)).unzip();
    match shared.store.commit(drafts, Timestamp::now()).await {
        Ok(committed) => {
            // Before the answers, so that a sender who reads at once reads its own message.
            shared.tail.write().push(
                committed
                    .iter()
                    .map(|message| Arc::new(Entry::new(Arc::clone(message)))),
            );
            woken.add(committed.iter().map(|message| message.channel.clone()));
            for (answer, message) in answers.into_iter().zip(committed) {
                // A sender who has left does not hear it.
                let _ = answer.send(Ok(message));
            }
        }
        Err(error) => {
            log::error!("{} messages were refused: {error}", answers.len());
            for answer in answers {
                let _ = answer.send(Err(error.clone()));
            }
        }
    }
}

/// The channels whose followers are to be woken. A task of its own does it, so that neither the
/// sender's answer nor the next commit waits behind thousands of wake-ups.
#[derive(Debug, Default)]
struct Woken {
    channels: Mutex<BTreeSet<Channel>>,
    some: Notify,
}

impl Woken {
    fn add(&self, channels: impl Iterator<Item = Channel>) {
        self.channels.lock().extend(channels);
        self.some.notify_one();
    }
}

async fn wake(shared: Arc<Shared>, woken: Arc<Woken>) {
    loop {
        woken.some.notified().await;
        let channels = std::mem::take(&mut *woken.channels.lock());
        for channel in &channels {
            shared.wake.wake(channel).await;
        }
    }
}
