//! A part of a channel that lies behind us: read once, not followed.

use std::collections::VecDeque;

use super::{Log, PageLimit, Selection, StartAt, StoreError, Stored};
use crate::limits;
use crate::message::{Channel, Seq, Timestamp};

/// What a channel keeps of the part that was asked for.
#[derive(Debug, Default)]
pub struct History {
    /// Messages, and gaps where there were some, in seq order.
    pub items: Vec<Stored>,
    /// Does the channel keep messages before these?
    pub more: bool,
}

impl History {
    /// How many messages before these are gone, if it is known that some are.
    #[must_use]
    pub fn missed(&self) -> Option<u64> {
        self.items.iter().find_map(|item| match item {
            Stored::Gap(gap) => gap.missed,
            Stored::Message(_) => None,
        })
    }
}

impl Log {
    /// The last messages of a channel up to a place, at most so many, and no more than
    /// [`limits::HISTORY_BYTES`] of them; with the gap before them if nothing older is kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn up_to(
        &self,
        channel: &Channel,
        through: Seq,
        most: usize,
    ) -> Result<History, StoreError> {
        let (_, last) = self.bounds();
        let through = through.min(last);
        let place = StartAt::Last {
            count: most as u64 + 1,
            through,
        };
        let channels = std::slice::from_ref(channel);
        let selection = self
            .shared
            .store
            .locate(channels, place, Timestamp(0))
            .await?;
        let from = selection.first().map_or(through, |(_, from)| *from);
        let span = self.last_behind(channel, from, through, most).await?;
        if span.more {
            return Ok(span);
        }
        // All that there is: then what is gone before it is said, too.
        let with_gap = most + 1;
        self.last_behind(channel, Seq::START, through, with_gap)
            .await
    }

    /// The last of what a channel has behind one place and up to another, where that is at most one
    /// more than there may be.
    async fn last_behind(
        &self,
        channel: &Channel,
        after: Seq,
        through: Seq,
        most: usize,
    ) -> Result<History, StoreError> {
        let (mut items, mut bytes, mut more) = (VecDeque::new(), 0, false);
        let keep = |item: Stored| {
            bytes += item.bytes();
            items.push_back(item);
            while items.len() > most || (bytes > limits::HISTORY_BYTES && items.len() > 1) {
                bytes -= items.pop_front().map_or(0, |first| first.bytes());
                more = true;
            }
        };
        self.visit(channel, after, through, most + 1, keep).await?;
        let items = items.into();
        Ok(History { items, more })
    }

    /// Shows the first of the messages of a channel behind one place and up to another, at most so
    /// many, with the gaps that are among them. It holds few of them at a time.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn visit(
        &self,
        channel: &Channel,
        after: Seq,
        through: Seq,
        mut most: usize,
        mut show: impl FnMut(Stored) + Send,
    ) -> Result<(), StoreError> {
        let selection: Selection = Box::new([(channel.clone(), after)]);
        let mut at = after;
        while at < through && most > 0 {
            let room = PageLimit::new(most, limits::FRAME_BYTES);
            let page = self.shared.store.read(&selection, at, room).await?;
            at = page.through;
            for item in page.items {
                if item.seq() <= through {
                    most = most.saturating_sub(1);
                    show(item);
                }
            }
        }
        Ok(())
    }
}
