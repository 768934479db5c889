//! The appends that were sent to be numbered elsewhere, and have not come back yet.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::message::Receipt;

/// The appends that wait until their entries come back with their places.
#[derive(Debug, Default)]
pub(super) struct SentAppends(Mutex<HashMap<u64, SentAppend>>);

/// An append whose entries have not all come back.
#[derive(Debug)]
struct SentAppend {
    /// How many entries it has.
    count: usize,
    /// The receipts of those that have come.
    receipts: Vec<Receipt>,
    answer: oneshot::Sender<Vec<Receipt>>,
}

/// What waits for an append that was sent. It is not waited for any more when this is dropped.
#[derive(Debug)]
pub(super) struct ReturnWaiter<'a> {
    appends: &'a SentAppends,
    sent_by: u64,
    /// The receipts of all entries of the append.
    pub(super) receipts: oneshot::Receiver<Vec<Receipt>>,
}

impl SentAppends {
    /// Expects an append of `count` entries, which its sender has numbered `sent_by`.
    pub(super) fn expect(&self, sent_by: u64, count: usize) -> ReturnWaiter<'_> {
        let (answer, receipts) = oneshot::channel();
        let append = SentAppend {
            count,
            receipts: Vec::new(),
            answer,
        };
        self.0.lock().insert(sent_by, append);
        ReturnWaiter {
            appends: self,
            sent_by,
            receipts,
        }
    }

    /// Gives the entries that have come back to those who sent them, each with its receipt.
    pub(super) fn returned(&self, entries: impl Iterator<Item = (u64, Receipt)>) {
        let mut waiting = self.0.lock();
        for (sent_by, receipt) in entries {
            let Some(append) = waiting.get_mut(&sent_by) else {
                continue;
            };
            append.receipts.push(receipt);
            if append.receipts.len() == append.count
                && let Some(append) = waiting.remove(&sent_by)
            {
                // The send fails if the sender has left; its messages are in the log.
                let _ = append.answer.send(append.receipts);
            }
        }
    }
}

impl Drop for ReturnWaiter<'_> {
    fn drop(&mut self) {
        self.appends.0.lock().remove(&self.sent_by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Seq, Timestamp};

    fn receipt(seq: u64) -> Receipt {
        Receipt {
            seq: Seq(seq),
            time: Timestamp(seq),
            duplicate: false,
            later: 0,
        }
    }

    /// An append is answered when all of its entries have come, those of others in between; one that nobody
    /// waits for is forgotten.
    #[test]
    fn sent_append_returns_as_a_whole() {
        let appends = SentAppends::default();
        let mut two = appends.expect(7, 2);
        drop(appends.expect(8, 1));
        appends.returned([(7, receipt(1)), (8, receipt(2))].into_iter());
        assert!(two.receipts.try_recv().is_err());
        appends.returned([(9, receipt(3)), (7, receipt(4))].into_iter());
        let seqs = two.receipts.try_recv().unwrap();
        assert_eq!(seqs, [receipt(1), receipt(4)]);
        drop(two);
        assert!(appends.0.lock().is_empty());
    }
}
