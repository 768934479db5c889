//! A channel's history: past messages that are read once, not followed.

use std::collections::VecDeque;

use super::{Log, PageLimit, Selection, StartAt, StoreError, Stored, Subscription};
use crate::limits;
use crate::message::{Channel, Seq};

/// A part of a channel's history.
#[derive(Debug, Default)]
pub struct History {
    /// The messages, and the gaps where messages were trimmed, in seq order.
    pub items: Vec<Stored>,
    /// Whether the channel keeps older messages than these.
    pub more: bool,
}

impl History {
    /// Returns how many messages before these were trimmed; `None` if none were, or if the number
    /// is not known.
    #[must_use]
    pub fn missed(&self) -> Option<u64> {
        self.items.iter().find_map(|item| match item {
            Stored::Gap(gap) => gap.missed,
            Stored::Message(_) | Stored::Close(_) => None,
        })
    }
}

impl Log {
    /// Returns the last messages of a channel up to the position `through`: at most `limit` of
    /// them, with no more text than [`limits::HISTORY_BYTES`] unless it is a single message. If the
    /// channel keeps nothing older, the gap before them is included.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn history(
        &self,
        channel: &Channel,
        through: Seq,
        limit: usize,
    ) -> Result<History, StoreError> {
        let (_, last) = self.bounds();
        let through = through.min(last);
        let start_at = StartAt::Last {
            count: limit as u64 + 1,
            through,
        };
        let subscription = Subscription::from(channel.clone());
        let selection = self.shared.locate(&subscription, start_at).await?;
        let from = selection.first().unwrap_or(through);
        let history = self.last_between(channel, from, through, limit).await?;
        if history.more {
            return Ok(history);
        }
        // The channel keeps no other messages, so the gap before these belongs to the answer, too.
        let with_gap = limit + 1;
        self.last_between(channel, Seq::START, through, with_gap)
            .await
    }

    /// Returns the last `limit` items of a channel after `after` and up to `through`. The caller
    /// knows that there are at most `limit + 1`.
    async fn last_between(
        &self,
        channel: &Channel,
        after: Seq,
        through: Seq,
        limit: usize,
    ) -> Result<History, StoreError> {
        let (mut items, mut bytes, mut more) = (VecDeque::new(), 0, false);
        let keep = |item: Stored| {
            bytes += item.bytes();
            items.push_back(item);
            while items.len() > limit || (bytes > limits::HISTORY_BYTES && items.len() > 1) {
                bytes -= items.pop_front().map_or(0, |first| first.bytes());
                more = true;
            }
        };
        self.visit(channel, after, through, limit + 1, keep).await?;
        let items = items.into();
        Ok(History { items, more })
    }

    /// Calls `visitor` with the first messages of a channel after `after` and up to `through`, and
    /// with the gaps among them. It stops after `limit` messages, or earlier by as many gaps as
    /// there are. The log is read page by page, so few messages are in memory at a time.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn visit(
        &self,
        channel: &Channel,
        after: Seq,
        through: Seq,
        limit: usize,
        mut visitor: impl FnMut(Stored) + Send,
    ) -> Result<(), StoreError> {
        let selection = Selection::from_iter([(channel.clone(), after)]);
        let (mut at, mut remaining) = (after, limit);
        while at < through && remaining > 0 {
            let page_limit = PageLimit::new(remaining, limits::FRAME_BYTES);
            let page = self.shared.read(&selection, at, page_limit).await?;
            at = page.through;
            for item in page.items {
                if item.seq() <= through && !matches!(item, Stored::Close(_)) {
                    remaining = remaining.saturating_sub(1);
                    visitor(item);
                }
            }
        }
        Ok(())
    }
}
