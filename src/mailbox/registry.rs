//! The mailboxes that are in use.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Letter, Mailbox, MailboxName};
use crate::log::{Log, StoreError};
use crate::message::{Channel, Draft};
use crate::metrics::Metrics;

/// All mailboxes. Clones are the same.
#[derive(Clone, Debug)]
pub struct Mailboxes(Arc<MailboxesShared>);

#[derive(Debug)]
pub(super) struct MailboxesShared {
    pub(super) log: Log,
    pub(super) metrics: Arc<Metrics>,
    /// Those in use, by the channel of their letters. Each belongs to a request or an answer, and
    /// so to a connection, or has a note being written.
    open: Mutex<HashMap<Channel, Weak<Mailbox>>>,
    closed: Notify,
}

impl Mailboxes {
    /// The mailboxes of a log, none of them in use.
    #[must_use]
    pub fn new(log: Log, metrics: Arc<Metrics>) -> Mailboxes {
        Mailboxes(Arc::new(MailboxesShared {
            log,
            metrics,
            open: Mutex::default(),
            closed: Notify::new(),
        }))
    }

    /// The mailbox of that name, in use until this is dropped.
    #[must_use]
    pub fn open(&self, name: &MailboxName) -> Arc<Mailbox> {
        let letters = name.letters();
        let mut open = self.0.open.lock();
        if let Some(mailbox) = open.get(&letters).and_then(Weak::upgrade) {
            return mailbox;
        }
        let mailbox = Arc::new(Mailbox {
            all: Arc::clone(&self.0),
            letters: letters.clone(),
            notes: name.notes(),
            loaded: tokio::sync::OnceCell::new(),
            book: Mutex::default(),
            walker: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            unwritten: Mutex::default(),
        });
        open.insert(letters, Arc::downgrade(&mailbox));
        mailbox
    }

    /// Sends a letter. When this returns it is as durable as the store promises.
    ///
    /// # Errors
    /// When the store could not take it; then it is not sent.
    pub async fn send(
        &self,
        from: &MailboxName,
        to: &MailboxName,
        text: &str,
    ) -> Result<(), StoreError> {
        let data = Letter::data(from.as_str(), text);
        self.0.log.append(Draft::new(to.letters(), data)).await?;
        Ok(())
    }

    /// Waits until none is in use: all that was received has been noted.
    pub async fn unused(&self) {
        loop {
            let closed = self.0.closed.notified();
            if self.0.open.lock().is_empty() {
                return;
            }
            closed.await;
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let mut open = self.all.open.lock();
        // Somebody may have opened it anew between the last use and now.
        if open
            .get(&self.letters)
            .is_some_and(|known| known.strong_count() == 0)
        {
            open.remove(&self.letters);
            self.all.closed.notify_waiters();
        }
    }
}
