//! A part of a channel that lies behind us: read once, not followed.

use super::{Log, Place, Room, StoreError, Stored};
use crate::limits;
use crate::message::{Channel, Seq, Timestamp};

/// What a channel keeps of the part that was asked for.
#[derive(Debug, Default)]
pub struct Span {
    /// Messages, and gaps where there were some, in seq order.
    pub items: Vec<Stored>,
    /// Does the channel keep messages before these?
    pub more: bool,
}

impl Span {
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
    /// The last messages of a channel up to a place, at most so many; with the gap before them if
    /// nothing older is kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn up_to(
        &self,
        channel: &Channel,
        through: Seq,
        most: usize,
    ) -> Result<Span, StoreError> {
        let (_, last) = self.bounds();
        let through = through.min(last);
        let place = Place::Last {
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
        let mut items = self.between(channel, from, through, most + 1).await?;
        let more = items.len() > most;
        if more {
            items.remove(0);
        } else {
            // All that there is: then what is gone before it is said, too.
            items = self.between(channel, Seq::START, through, most + 1).await?;
        }
        Ok(Span { items, more })
    }

    /// The first of the messages of a channel behind one place and up to another, at most so many;
    /// with the gaps that are among them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn between(
        &self,
        channel: &Channel,
        after: Seq,
        through: Seq,
        most: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let selection = Box::new([(channel.clone(), after)]);
        let selection = selection as super::Selection;
        let (mut at, mut items) = (after, Vec::new());
        while at < through && items.len() < most {
            let room = Room::new(most - items.len(), limits::FRAME_BYTES);
            let page = self.shared.store.read(&selection, at, room).await?;
            at = page.through;
            let within = page
                .items
                .into_iter()
                .filter(|item| item.place() <= through);
            items.extend(within);
        }
        Ok(items)
    }
}
