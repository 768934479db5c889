//! When a stream ends by itself. Pure: what was written is counted, and the reason comes out.

use std::time::Duration;

use super::EndAt;
use crate::message::Seq;
use crate::wire::EndReason;

/// The conditions under which a stream ends by itself, whichever comes first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ends {
    /// The stream ends after this many messages.
    pub limit: Option<u64>,
    /// The stream ends after this time, counted from its beginning.
    pub timeout: Option<Duration>,
    /// The stream ends after this time, counted from its beginning: the client is to reconnect with its
    /// cursor.
    pub rotate: Option<Duration>,
    /// The stream ends after this many bytes: the client is to reconnect with its cursor.
    pub bytes: Option<usize>,
    /// The stream ends when it has all of the log up to here.
    pub until: Option<EndAt>,
    /// The stream is a page: when it has come to its end, the rest of the page follows, and no end mark.
    pub is_page: bool,
    /// The stream ends with the first write that has a message or a gap: a long poll.
    pub is_long_poll: bool,
}

impl Ends {
    /// Whether the response ends soon by itself, so that its connection goes on afterwards.
    #[must_use]
    pub fn are_near(&self) -> bool {
        self.is_long_poll || self.is_page
    }

    /// Whether neither messages nor bytes are counted, nor their end is known.
    pub(super) fn count_nothing(&self) -> bool {
        let Ends {
            limit,
            bytes,
            until,
            ..
        } = self;
        limit.is_none() && bytes.is_none() && until.is_none() && !self.is_long_poll
    }

    /// Counts what was written.
    pub(super) fn count(&mut self, messages: u64, bytes: usize) {
        self.limit = self.limit.map(|left| left.saturating_sub(messages));
        self.bytes = self.bytes.map(|left| left.saturating_sub(bytes));
    }

    /// Whether the stream has all the messages that were asked for with these, which are not counted
    /// yet.
    pub(super) fn are_reached_with(&self, messages: u64) -> bool {
        self.limit.is_some_and(|left| left <= messages)
    }

    /// Why the stream is complete, if it is, when all up to `at` has been written.
    pub(super) fn reached(&self, at: Seq) -> Option<EndReason> {
        if self.limit == Some(0) {
            return Some(EndReason::Limit);
        }
        if self.until.is_some_and(|until| until.is_reached(at)) {
            return Some(EndReason::Until);
        }
        (self.bytes == Some(0)).then_some(EndReason::Rotate)
    }

    /// Whether the stream is a page that has all the messages that it is to have.
    pub(super) fn is_page_complete(&self, at: Seq) -> bool {
        self.is_page && self.until.is_some_and(|until| until.is_reached(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each condition alone, before and after what fulfils it; the number of messages comes first.
    #[test]
    fn ends_name_their_reason() {
        let none = Ends::default();
        let limit = Ends {
            limit: Some(2),
            ..none
        };
        let bytes = Ends {
            bytes: Some(100),
            ..none
        };
        let until = Ends {
            until: Some(EndAt::Seq(Seq(9))),
            ..none
        };
        let both = Ends {
            limit: Some(2),
            ..bytes
        };
        let rows = [
            (none, (99, 9999), 99, None),
            (limit, (1, 9999), 99, None),
            (limit, (2, 0), 0, Some(EndReason::Limit)),
            (limit, (3, 0), 0, Some(EndReason::Limit)),
            (bytes, (99, 99), 99, None),
            (bytes, (0, 100), 0, Some(EndReason::Rotate)),
            (until, (99, 9999), 8, None),
            (until, (0, 0), 9, Some(EndReason::Until)),
            (both, (2, 200), 0, Some(EndReason::Limit)),
        ];
        for (mut ends, (messages, bytes), at, reason) in rows {
            let asked = ends;
            ends.count(messages, bytes);
            assert_eq!(ends.reached(Seq(at)), reason, "{asked:?} at {at}");
        }
    }
}
