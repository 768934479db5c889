//! Where a stream ends that is to have only a part of the log. Pure.

use std::time::Duration;

use crate::log::Item;
use crate::message::{Seq, Timestamp};

/// The end of the part of the log that a stream is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndAt {
    /// The newest message that is in the log when the stream begins.
    Now,
    /// The message with this seq.
    Seq(Seq),
    /// The message before the first, by seq, whose time is not earlier than this. If there is no such
    /// message yet, the end comes with the time.
    Time {
        /// The earliest time that does not belong to the part.
        time: Timestamp,
        /// How long after the beginning of the stream the time comes.
        after: Duration,
    },
}

impl EndAt {
    /// Takes what lies past the end out of items that were read after `at`. If there is something, the
    /// result is the position of a reader that has the rest, which is all of the part.
    pub(super) fn cut(self, mut at: Seq, items: &mut Vec<Item>) -> Option<Seq> {
        for (index, item) in items.iter().enumerate() {
            let end = match (self, item) {
                (EndAt::Seq(end), Item::Message(entry)) if entry.message().seq > end => Some(end),
                // Messages of the part are missing as long as it has not been read to its end.
                (EndAt::Seq(end), Item::Gap(_)) if at >= end => Some(end),
                (EndAt::Seq(end), Item::Close(close)) if close.seq > end => Some(end),
                (EndAt::Time { time, .. }, Item::Message(entry))
                    if entry.message().time >= time =>
                {
                    Some(entry.message().seq.before())
                }
                _ => None,
            };
            if let Some(end) = end {
                items.truncate(index);
                return Some(end.max(at));
            }
            at = item.seq();
        }
        None
    }

    /// Whether nothing of the part comes after `at`, as far as that can be told from the position.
    pub(super) fn is_reached(self, at: Seq) -> bool {
        matches!(self, EndAt::Seq(end) if at >= end)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::log::Entry;
    use crate::message::{Channel, EventName, Gap, GapReason, Message};

    /// The message with a seq, whose time has the same number.
    fn message(seq: u64) -> Item {
        Item::Message(Arc::new(Entry::new(Arc::new(Message {
            seq: Seq(seq),
            time: Timestamp(seq),
            channel: Channel::main(),
            event: EventName::DEFAULT,
            data: "".into(),
        }))))
    }

    fn gap(resumes: u64) -> Item {
        Item::Gap(Gap {
            reason: GapReason::Expired,
            missed: None,
            resumes: Seq(resumes),
        })
    }

    /// What lies past the end is taken out, and the position is that of the end. A gap in which the end
    /// lies is a part of it.
    #[test]
    fn end_at_cuts() {
        let seq = |seq| EndAt::Seq(Seq(seq));
        let time = |time| EndAt::Time {
            time: Timestamp(time),
            after: Duration::ZERO,
        };
        for (end, kept, through) in [
            (EndAt::Now, 4, None),
            (seq(3), 0, Some(3)),
            (seq(4), 1, Some(5)),
            (seq(5), 1, Some(5)),
            (seq(6), 2, Some(6)),
            (seq(8), 2, Some(8)),
            (seq(9), 3, Some(9)),
            (seq(10), 4, None),
            (seq(99), 4, None),
            (time(6), 1, Some(5)),
            (time(7), 2, Some(8)),
            (time(9), 2, Some(8)),
            (time(10), 3, Some(9)),
            (time(11), 4, None),
        ] {
            let mut items = vec![gap(5), message(6), message(9), message(10)];
            let found = end.cut(Seq(3), &mut items);
            assert_eq!((items.len(), found), (kept, through.map(Seq)), "{end:?}");
        }
    }
}
