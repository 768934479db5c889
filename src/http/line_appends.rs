//! The lines of an upload on their way to the log: while some are being appended, others gather, so that
//! neither the client nor the disk waits for the other, and a slow disk has fewer and larger commits.

use std::future::{Future, pending};
use std::pin::Pin;

use super::Call;
use super::receipts::NewestReceipt;
use crate::budget::{MemoryShare, Reservation};
use crate::limits;
use crate::log::{Log, StoreError};
use crate::message::{Channel, Draft, EventName, Receipt, Seq};

/// The lines of an upload that are not appended yet, and how many are.
///
/// What gathers while an append is under way needs memory of its own; without any, nothing gathers
/// then, and nobody is refused.
pub(super) struct LineAppends {
    log: Log,
    channel: Channel,
    event: EventName,
    memory: MemoryShare,
    gathered: Vec<Draft>,
    /// The text of what has gathered, in bytes.
    bytes: usize,
    appending: Option<Appending>,
    /// Where the client is told what has been appended, if it wants to be.
    receipts: Option<NewestReceipt>,
    pub(super) progress: UploadProgress,
}

/// An append that is under way.
struct Appending {
    receipts: Pin<Box<dyn Future<Output = Result<Vec<Receipt>, StoreError>> + Send>>,
    /// The memory for what gathers meanwhile, if there is any. An upload whose lines come one by one has
    /// no use for it.
    ahead: Option<Reservation>,
}

/// How much of an upload has been appended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UploadProgress {
    /// The positions of the first and the last message.
    pub(super) first_and_last: Option<(Seq, Seq)>,
    pub(super) count: u64,
}

impl LineAppends {
    pub(super) fn new(call: &Call<'_>, channel: Channel, event: EventName) -> LineAppends {
        LineAppends {
            log: call.app.log.clone(),
            channel,
            event,
            memory: MemoryShare {
                budget: call.app.bodies.clone(),
                network: call.network(),
            },
            gathered: Vec::new(),
            bytes: 0,
            appending: None,
            receipts: None,
            progress: UploadProgress::default(),
        }
    }

    /// Gives a receipt after each commit.
    pub(super) fn give_receipts(&mut self, receipts: NewestReceipt) {
        self.receipts = Some(receipts);
    }

    /// Returns how many lines may gather now.
    pub(super) fn room(&self) -> usize {
        let has_memory = self
            .appending
            .as_ref()
            .is_none_or(|own| own.ahead.is_some());
        if has_memory && self.bytes < limits::UPLOAD_BATCH_BYTES {
            limits::BATCH_MESSAGES_MAX - self.gathered.len()
        } else {
            0
        }
    }

    /// Adds lines, no more than there is room for.
    pub(super) fn gather(&mut self, lines: Vec<Box<str>>) {
        for data in lines {
            self.bytes += data.len();
            self.gathered.push(Draft {
                event: self.event.clone(),
                ..Draft::new(self.channel.clone(), data)
            });
        }
    }

    /// Begins to append what has gathered, unless an append is under way.
    pub(super) fn begin(&mut self) {
        if self.appending.is_some() || self.gathered.is_empty() {
            return;
        }
        let drafts = std::mem::take(&mut self.gathered);
        let bytes = std::mem::take(&mut self.bytes);
        let log = self.log.clone();
        let is_fast = bytes > limits::SMALL_BODY_BYTES;
        let reserve = || self.memory.try_reserve(limits::UPLOAD_AHEAD_BYTES);
        self.appending = Some(Appending {
            receipts: Box::pin(async move { log.append_all(drafts).await }),
            ahead: is_fast.then(reserve).flatten(),
        });
    }

    /// Waits for the append that is under way, without an end if there is none.
    ///
    /// # Errors
    /// When the store could not take the lines; then what has gathered since is dropped, too.
    pub(super) async fn appended(&mut self) -> Result<(), StoreError> {
        let Some(appending) = &mut self.appending else {
            return pending().await;
        };
        let receipts = appending.receipts.as_mut().await;
        self.appending = None;
        let receipts = receipts.inspect_err(|_| self.gathered.clear())?;
        if let (Some(first), Some(last)) = (receipts.first(), receipts.last()) {
            let first = self
                .progress
                .first_and_last
                .map_or(first.seq, |(first, _)| first);
            self.progress.first_and_last = Some((first, last.seq));
            self.progress.count += receipts.len() as u64;
            if let Some(receipts) = &self.receipts {
                receipts.put(self.progress);
            }
        }
        Ok(())
    }

    /// Appends all that has gathered.
    ///
    /// # Errors
    /// When the store could not take it.
    pub(super) async fn finish(&mut self) -> Result<(), StoreError> {
        self.begin();
        while self.appending.is_some() {
            self.appended().await?;
            self.begin();
        }
        Ok(())
    }
}
