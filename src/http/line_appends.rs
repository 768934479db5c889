//! The lines of an upload on their way to the log: while some are being appended, others gather, so that
//! neither the client nor the disk waits for the other, and a slow disk has fewer and larger commits.

use std::future::{Future, pending};
use std::pin::Pin;

use super::Call;
use super::receipts::NewestReceipt;
use crate::budget::{MemoryShare, Reservation};
use crate::limits;
use crate::log::{AppendError, DraftAnswer, DraftRefusal, Log, StoreError};
use crate::message::{Channel, Closing, Draft, DraftKey, EventName, Receipt, Seq, UploadKey};

/// The lines of an upload that are not appended yet, and how many are.
///
/// What gathers while an append is under way needs memory of its own; without any, nothing gathers
/// then, and nobody is refused.
pub(super) struct LineAppends {
    log: Log,
    channel: Channel,
    event: EventName,
    /// The key of the upload, if it has one.
    key: Option<UploadKey>,
    memory: MemoryShare,
    gathered: Vec<Draft>,
    /// The text of what has gathered, in bytes.
    bytes: usize,
    appending: Option<Appending>,
    /// Whether the channel is to be closed when the upload has ended.
    pub(super) closes: bool,
    /// Whether a mark on the last line does that.
    has_mark: bool,
    /// Where the client is told what has been appended, if it wants to be.
    receipts: Option<NewestReceipt>,
    pub(super) progress: UploadProgress,
}

/// An append that is under way.
struct Appending {
    answers: Pin<Box<dyn Future<Output = Result<Vec<DraftAnswer>, StoreError>> + Send>>,
    /// The memory for what gathers meanwhile, if there is any. An upload whose lines come one by one has
    /// no use for it.
    ahead: Option<Reservation>,
}

/// How much of an upload is in the log.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UploadProgress {
    /// The positions of the first and the last line, as far as they are known.
    pub(super) first: Option<Seq>,
    pub(super) last: Option<Seq>,
    /// How many lines of this upload are in the log.
    pub(super) lines: u64,
    /// How many of them had been appended before, under the same key.
    pub(super) duplicates: u64,
    /// How many more lines had been: if not 0, these lines have not been compared with those yet.
    pub(super) later: u64,
    /// The position of the entry that closed the channel at the end of the upload, if it is known.
    pub(super) closed: Option<Seq>,
    /// Whether that is an entry of its own which had not been appended before.
    pub(super) has_new_close: bool,
}

impl UploadProgress {
    /// Counts a line.
    fn count(&mut self, receipt: &Receipt) {
        let known = Some(receipt.seq).filter(|seq| *seq != Seq::START);
        if self.lines == 0 {
            self.first = known;
        }
        // Of a first line the seq is its own.
        self.last = known.filter(|_| self.lines > 0 || receipt.later == 0);
        self.lines += 1;
        self.duplicates += u64::from(receipt.duplicate);
        self.later = receipt.later;
    }

    /// Returns what is in the log under the key of an upload that this one is not.
    fn of_other(refusal: &DraftRefusal) -> Option<UploadProgress> {
        let DraftRefusal::OtherUpload { first, last, lines } = *refusal else {
            return None;
        };
        Some(UploadProgress {
            first: Some(first).filter(|seq| *seq != Seq::START),
            last: Some(last),
            lines,
            duplicates: lines,
            later: 0,
            closed: None,
            has_new_close: false,
        })
    }
}

impl LineAppends {
    pub(super) fn new(
        call: &Call<'_>,
        channel: Channel,
        event: EventName,
        key: Option<UploadKey>,
    ) -> LineAppends {
        LineAppends {
            log: call.app.log.clone(),
            channel,
            event,
            key,
            memory: MemoryShare {
                budget: call.app.bodies.clone(),
                network: call.network(),
            },
            gathered: Vec::new(),
            bytes: 0,
            appending: None,
            closes: false,
            has_mark: false,
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
            let draft = self.draft(data, Closing::No);
            self.gathered.push(draft);
        }
    }

    /// Adds the last line, which had no newline. The channel is closed by a mark on it.
    pub(super) fn gather_last(&mut self, line: Box<str>) {
        self.bytes += line.len();
        self.has_mark = self.closes;
        let draft = self.draft(line, Closing::by_message(self.closes));
        self.gathered.push(draft);
    }

    fn draft(&mut self, data: Box<str>, closing: Closing) -> Draft {
        let key = self.key.as_mut().map(|key| key.next(&data, closing));
        Draft {
            event: self.event.clone(),
            key: key.map(DraftKey::Line),
            closing,
            ..Draft::new(self.channel.clone(), data)
        }
    }

    /// Closes the channel if it is to be closed, after all that has gathered has been appended: by an entry
    /// of its own, unless a mark on the last line has done it.
    ///
    /// # Errors
    /// When the store could not take the close, or the key was used for another upload.
    pub(super) async fn close(&mut self) -> Result<(), AppendError> {
        if self.has_mark {
            self.progress.closed = self.progress.last;
        }
        if self.has_mark || !self.closes {
            return Ok(());
        }
        let draft = self.draft(Box::default(), Closing::Alone);
        let receipt = self.log.append_once(draft).await?;
        self.progress.later = receipt.later;
        self.progress.closed = Some(receipt.seq);
        self.progress.has_new_close = !receipt.duplicate;
        if receipt.duplicate {
            // What is known of the last line is the position of the close.
            self.progress.last = None;
        }
        Ok(())
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
            answers: Box::pin(async move { log.append_each(drafts).await }),
            ahead: is_fast.then(reserve).flatten(),
        });
    }

    /// Waits for the append that is under way, without an end if there is none.
    ///
    /// # Errors
    /// When the store could not take the lines, or the key does not let one of them be appended; then
    /// what has gathered since is dropped, too.
    pub(super) async fn appended(&mut self) -> Result<(), AppendError> {
        let Some(appending) = &mut self.appending else {
            return pending().await;
        };
        let answers = appending.answers.as_mut().await;
        self.appending = None;
        let counted = answers
            .map_err(AppendError::Store)
            .and_then(|answers| self.count(&answers));
        if counted.is_err() {
            self.gathered.clear();
        } else if let Some(receipts) = &self.receipts
            && self.progress.later == 0
        {
            receipts.put(self.progress);
        }
        counted
    }

    /// Counts the lines up to the first that was refused: none after it was appended.
    fn count(&mut self, answers: &[DraftAnswer]) -> Result<(), AppendError> {
        for answer in answers {
            match answer {
                Ok(receipt) => self.progress.count(receipt),
                Err(refusal) => {
                    let other = UploadProgress::of_other(refusal);
                    self.progress = other.unwrap_or(self.progress);
                    return Err(refusal.clone().into());
                }
            }
        }
        Ok(())
    }

    /// Checks that all that was appended under the key has come, if there is one.
    ///
    /// # Errors
    /// When the key was used for a longer upload.
    pub(super) fn check_end(&self) -> Result<(), AppendError> {
        let UploadProgress {
            first,
            last,
            lines,
            later,
            ..
        } = self.progress;
        if later == 0 {
            return Ok(());
        }
        Err(AppendError::Refused(DraftRefusal::OtherUpload {
            first: first.unwrap_or_default(),
            last: last.unwrap_or_default(),
            lines: lines + later,
        }))
    }

    /// Appends all that has gathered.
    ///
    /// # Errors
    /// When the store could not take it, or the key does not let it be appended.
    pub(super) async fn finish(&mut self) -> Result<(), AppendError> {
        self.begin();
        while self.appending.is_some() {
            self.appended().await?;
            self.begin();
        }
        Ok(())
    }
}
