//! Writes notes of what has been received, one after the other, while others are served.

use std::sync::Arc;

use super::Mailbox;
use crate::limits;
use crate::message::Draft;

/// What is still to be noted.
#[derive(Debug, Default)]
pub(super) struct PendingAcks {
    /// How many notes: one for each letter received, see [`lookup::note`](super::lookup::note).
    notes: usize,
    /// Does a task write? Then it writes these, too.
    writing: bool,
}

/// Notes once more what the book says, soon.
pub(super) fn note(mailbox: &Arc<Mailbox>) {
    let mut unwritten = mailbox.unwritten.lock();
    unwritten.notes += 1;
    if !std::mem::replace(&mut unwritten.writing, true) {
        // The task holds the mailbox, or who came next would read what was noted before.
        tokio::spawn(write(Arc::clone(mailbox)));
    }
}

async fn write(mailbox: Arc<Mailbox>) {
    while let Some(notes) = next(&mailbox) {
        let note = mailbox.book.lock().note().write();
        let draft = |text| Draft::new(mailbox.notes.clone(), text);
        // Only the last is ever read; those before it count.
        let mut drafts = vec![draft(String::new()); notes - 1];
        drafts.push(draft(note));
        let mut warned = false;
        while let Err(error) = mailbox.log().append_all(drafts.clone()).await {
            if !std::mem::replace(&mut warned, true) {
                log::warn!(
                    "cannot note what was received from a mailbox, and will try again: {error}"
                );
            }
            tokio::time::sleep(limits::MAILBOX_RETRY).await;
        }
    }
}

/// How many notes to write now, if any.
fn next(mailbox: &Mailbox) -> Option<usize> {
    let mut unwritten = mailbox.unwritten.lock();
    let notes = unwritten.notes.min(limits::MAILBOX_IN_FLIGHT_MAX);
    unwritten.notes -= notes;
    unwritten.writing = notes > 0;
    (notes > 0).then_some(notes)
}
