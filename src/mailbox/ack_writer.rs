//! The background task that appends a mailbox's ack records to the log, while receivers go on.
//!
//! An *ack record* is a message in the mailbox's second channel. There is one for each acknowledged
//! letter, so that their number is known even when retention has deleted them all; the text of the
//! newest is the mailbox's [`AckState`](super::ack_state::AckState).

use std::sync::Arc;

use super::Mailbox;
use crate::limits;
use crate::message::Draft;

/// Acknowledgements of a mailbox that are not in the log yet.
#[derive(Debug, Default)]
pub(super) struct UnwrittenAcks {
    /// The number of ack records still to append.
    records: usize,
    /// Whether a task is writing. It then also writes records that are added meanwhile.
    is_writing: bool,
}

/// Adds one ack record to those that will be written soon, and starts the writing task if there is
/// none.
pub(super) fn record(mailbox: &Arc<Mailbox>) {
    let mut unwritten = mailbox.unwritten.lock();
    unwritten.records += 1;
    if !std::mem::replace(&mut unwritten.is_writing, true) {
        // The task keeps the mailbox in use. Otherwise the next receiver could open the mailbox
        // anew, and would load an ack state older than this one.
        tokio::spawn(write(Arc::clone(mailbox)));
    }
}

/// Appends ack records until none is left to write.
async fn write(mailbox: Arc<Mailbox>) {
    while let Some(records) = take_batch(&mailbox) {
        let state = mailbox.deliveries.lock().ack_state().encode();
        let draft = |text| Draft::new(mailbox.ack_records.clone(), text);
        // Only the newest record is ever read; the ones before it only count, so they are empty.
        let mut drafts = vec![draft(String::new()); records - 1];
        drafts.push(draft(state));
        let mut warned = false;
        while let Err(error) = mailbox.log().append_all(drafts.clone()).await {
            if !std::mem::replace(&mut warned, true) {
                log::warn!(
                    "cannot record a mailbox's acknowledgements in the log, and will try again: \
                     {error}"
                );
            }
            tokio::time::sleep(limits::MAILBOX_RETRY_PAUSE).await;
        }
    }
}

/// Takes the records for the next append, at most as many as fit a commit; `None` ends the task.
fn take_batch(mailbox: &Mailbox) -> Option<usize> {
    let mut unwritten = mailbox.unwritten.lock();
    let records = unwritten.records.min(limits::MAILBOX_IN_FLIGHT_MAX);
    unwritten.records -= records;
    unwritten.is_writing = records > 0;
    (records > 0).then_some(records)
}
