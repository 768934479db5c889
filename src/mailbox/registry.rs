//! The mailboxes that are in use.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::returned::ReturnedLetters;
use super::{Letter, Mailbox, MailboxName};
use crate::log::{Log, StoreError};
use crate::message::{Channel, Draft};
use crate::metrics::Metrics;

/// A handle on all mailboxes of a log. Clones share the same mailboxes.
#[derive(Clone, Debug)]
pub struct Mailboxes(Arc<MailboxesShared>);

/// The state that all handles and all mailboxes in use share.
#[derive(Debug)]
pub(super) struct MailboxesShared {
    pub(super) log: Log,
    pub(super) metrics: Arc<Metrics>,
    /// The mailboxes in use, by the channel of their letters. Each is kept in use by a request or a
    /// delivery, and so by a connection, or by the task that writes its ack records.
    open: Mutex<HashMap<Channel, Weak<Mailbox>>>,
    /// Notified when a mailbox goes out of use.
    closed: Notify,
    /// Outlives the mailboxes: a letter that has returned keeps its mailbox in use no longer.
    pub(super) returned: ReturnedLetters,
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
            returned: ReturnedLetters::default(),
        }))
    }

    /// Returns the mailbox of this name. It is in use until the last reference to it is dropped.
    #[must_use]
    pub fn open(&self, name: &MailboxName) -> Arc<Mailbox> {
        let letters = name.letters();
        let mut open = self.0.open.lock();
        if let Some(mailbox) = open.get(&letters).and_then(Weak::upgrade) {
            return mailbox;
        }
        let mailbox = Arc::new(Mailbox {
            registry: Arc::clone(&self.0),
            letters: letters.clone(),
            ack_records: name.ack_records(),
            loaded: tokio::sync::OnceCell::new(),
            deliveries: Mutex::default(),
            scanner: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            unwritten: Mutex::default(),
        });
        open.insert(letters, Arc::downgrade(&mailbox));
        mailbox
    }

    /// Sends a letter. When this returns, the letter is as durable as the store promises.
    ///
    /// # Errors
    /// When the store could not take the letter; then it is not sent.
    pub async fn send(
        &self,
        from: &MailboxName,
        to: &MailboxName,
        text: &str,
    ) -> Result<(), StoreError> {
        let data = Letter::encode(from.as_str(), text);
        self.0.log.append(Draft::new(to.letters(), data)).await?;
        Ok(())
    }

    /// Waits until no mailbox is in use: then all acknowledgements are in the log.
    pub async fn wait_idle(&self) {
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
        let mut open = self.registry.open.lock();
        // A request may have opened the mailbox anew between the last use of this one and now.
        if open
            .get(&self.letters)
            .is_some_and(|mailbox| mailbox.strong_count() == 0)
        {
            open.remove(&self.letters);
            self.registry.closed.notify_waiters();
        }
    }
}
