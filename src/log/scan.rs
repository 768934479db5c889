//! Reads a page out of the messages of all channels, where those that are wanted are in too many channels
//! to be looked up one by one. Pure.

use std::sync::Arc;

use super::{Page, PageLimit, Stored, closes};
use crate::limits;
use crate::message::{Close, Gap, Message, Seq};

/// A message of the log, on its way to a reader of some channels.
pub(super) struct Scanned {
    pub(super) seq: Seq,
    /// The message, if it is wanted.
    pub(super) message: Option<Arc<Message>>,
}

/// Reads a page from these messages, which are all messages of the log after a position, in seq order.
/// `last` is the position of the log's newest message, `trimmed_through` that of the newest message
/// that has been trimmed.
///
/// # Errors
/// The first error among the messages.
pub(super) fn scan<E>(
    messages: impl Iterator<Item = Result<Scanned, E>>,
    mut limit: PageLimit,
    last: Seq,
    trimmed_through: Seq,
) -> Result<Page, E> {
    let mut page = Page {
        items: Vec::new(),
        through: last,
        trimmed_through,
    };
    for (index, scanned) in messages.enumerate() {
        let Scanned { seq, message } = scanned?;
        if index == limits::SCAN_MESSAGES_MAX {
            page.through = seq.before();
            break;
        }
        let Some(message) = message else { continue };
        if !limit.try_take(message.data.len()) {
            page.through = seq.before();
            break;
        }
        page.items.push(Stored::Message(message));
    }
    Ok(page)
}

impl Page {
    /// Ends the page with the last of these closes, which are those after the page's beginning, in seq
    /// order, if there may be more of them: they are the first [`limits::PAGE_CLOSES_MAX`].
    pub(super) fn cut(&mut self, closes: &[Close]) {
        if let Some(last) = closes.last()
            && closes.len() >= limits::PAGE_CLOSES_MAX
            && last.seq < self.through
        {
            self.through = last.seq;
            self.items.retain(|item| item.seq() <= last.seq);
        }
    }

    /// Adds closes, without those past the end of the page. The gaps have been added before.
    pub(super) fn add_closes(&mut self, closes: impl IntoIterator<Item = Close>) {
        let through = self.through;
        let closes = closes.into_iter().filter(|close| close.seq <= through);
        closes::insert(&mut self.items, closes, Stored::seq);
    }

    /// Adds the gaps of channels, each of which ends within the page, as one.
    pub(super) fn add_gaps(&mut self, gaps: impl IntoIterator<Item = Gap>) {
        let one = gaps.into_iter().reduce(|one, other| Gap {
            reason: one.reason,
            missed: one.missed.zip(other.missed).map(|(a, b)| a + b),
            resumes: one.resumes.max(other.resumes),
        });
        if let Some(gap) = one {
            let index = self.items.partition_point(|item| item.seq() <= gap.resumes);
            self.items.insert(index, Stored::Gap(gap));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::log::testing::entry;
    use crate::message::GapReason;

    fn messages(wanted: &[u64], seqs: std::ops::RangeInclusive<u64>) -> Vec<Scanned> {
        let message = |seq| {
            wanted
                .contains(&seq)
                .then(|| entry(seq, "a").shared_message())
        };
        let scanned = |seq| Scanned {
            seq: Seq(seq),
            message: message(seq),
        };
        seqs.map(scanned).collect()
    }

    fn page(messages: Vec<Scanned>, limit: usize) -> (Vec<u64>, u64) {
        let messages = messages.into_iter().map(Ok::<_, Infallible>);
        let limit = PageLimit::new(limit, 1_000_000);
        let Ok(page) = scan(messages, limit, Seq(99_999), Seq::START);
        let seqs = page.items.iter().map(|item| item.seq().0).collect();
        (seqs, page.through.0)
    }

    /// A page ends before the first message that does not fit, or is one too many to be looked at.
    #[test]
    fn pages_are_bounded() {
        assert_eq!(
            page(messages(&[2, 5, 9], 1..=9), 5),
            (vec![2, 5, 9], 99_999)
        );
        assert_eq!(page(messages(&[2, 5, 9], 1..=9), 2), (vec![2, 5], 8));
        let max = limits::SCAN_MESSAGES_MAX as u64;
        assert_eq!(
            page(messages(&[3, max + 1], 1..=max + 1), 9),
            (vec![3], max)
        );
    }

    /// Several gaps are one, where the last of them ends.
    #[test]
    fn gaps_are_told_as_one() {
        let gap = |resumes, missed| Gap {
            reason: GapReason::Expired,
            missed,
            resumes: Seq(resumes),
        };
        let stored = |seq| Stored::Message(entry(seq, "a").shared_message());
        let mut page = Page {
            items: vec![stored(2), stored(8)],
            through: Seq(9),
            trimmed_through: Seq(9),
        };
        page.add_gaps([gap(3, Some(2)), gap(5, Some(1))]);
        let seqs: Vec<_> = page.items.iter().map(|item| item.seq().0).collect();
        assert_eq!(seqs, [2, 5, 8]);
        assert!(matches!(
            page.items[1],
            Stored::Gap(Gap {
                missed: Some(3),
                ..
            })
        ));
        page.add_gaps([gap(9, None), gap(6, Some(1))]);
        assert!(matches!(
            page.items[3],
            Stored::Gap(Gap { missed: None, .. })
        ));
    }
}
