//! A reader's position in the log. Pure: what was read goes in.

use super::{Item, Selection, SharedFrame, Start, StoreError};
use crate::message::{Channel, Close, Gap, Seq};

/// Where a reader stands, and what it follows: the only thing that a reader owns of the log. All
/// messages of its channels up to [`Position::at`] have been read.
#[derive(Clone, Debug)]
pub struct Position {
    selection: Selection,
    at: Seq,
    /// Up to this seq the store is read and not the tail: messages that were trimmed before are
    /// reported as a gap, even if the tail still has them.
    store_until: Seq,
    /// Boxed, since there are many readers, and few begin with anything.
    beginning: Option<Box<Beginning>>,
}

/// What a reader is told before anything has been read.
#[derive(Clone, Debug)]
pub struct Beginning {
    gap: Option<Gap>,
    /// The channels that are closed where the reader stands.
    closes: Vec<Close>,
}

impl Beginning {
    /// The channels that are closed where the reader stands.
    pub(crate) fn closes(&self) -> &[Close] {
        &self.closes
    }
}

/// What the log has after a position.
#[derive(Debug)]
pub enum ReadOutcome {
    /// Messages and gaps of this position's channels, in seq order. May be empty.
    Items {
        /// As many as the limit allowed.
        items: Vec<Item>,
        /// Everything selected up to this seq is in `items`.
        through: Seq,
        /// The newest message that had been trimmed when this was read from the store.
        trimmed_through: Seq,
    },
    /// The next messages, as bytes that many readers share.
    Shared {
        /// The bytes.
        frame: SharedFrame,
        /// The newest message that had been trimmed when this was read from the store.
        trimmed_through: Seq,
    },
    /// The next messages are older than the tail: they have to be fetched from the store.
    Older,
    /// The next messages are being fetched from the store.
    Fetching,
    /// Nothing of these channels is new up to `through`.
    UpToDate {
        /// The newest seq of the log.
        through: Seq,
    },
    /// The store could not be read.
    Failed(StoreError),
}

impl Position {
    /// The position of a reader that begins at `start`.
    #[must_use]
    pub fn new(start: Start) -> Position {
        let Start {
            selection,
            at,
            gap,
            closes,
            store_until,
        } = start;
        let has_beginning = gap.is_some() || !closes.is_empty();
        Position {
            selection,
            at,
            store_until,
            beginning: has_beginning.then(|| Box::new(Beginning { gap, closes })),
        }
    }

    /// The seq up to which all of the channels have been read.
    #[must_use]
    pub fn at(&self) -> Seq {
        self.at
    }

    /// The channels, each with the seq after which its messages are wanted.
    #[must_use]
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Shares the selection of the only channel or pattern with other readers, once all has been read up
    /// to where it begins.
    pub(super) fn share_selection(&mut self, shared: &Selection) {
        if self.selection.last().is_none_or(|from| from <= self.at) {
            self.selection = shared.clone();
        }
    }

    /// Whether the next messages have to come from the store, whatever the tail has.
    #[must_use]
    pub fn is_before_store_until(&self) -> bool {
        self.at < self.store_until
    }

    /// Whether the next messages are those of one channel or pattern, with nothing known before.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.selection.count() == 1 && self.beginning.is_none()
    }

    /// Takes what is to be told before anything else: a gap, and the channels that are closed.
    #[must_use]
    pub fn take_beginning(&mut self) -> Vec<Item> {
        let Some(beginning) = self.beginning.take() else {
            return Vec::new();
        };
        let Beginning { gap, closes } = *beginning;
        let gap = gap.map(Item::Gap).into_iter();
        gap.chain(closes.into_iter().map(Item::Close)).collect()
    }

    /// Goes on to `through`. `trimmed_through` is the newest message that had been trimmed when that
    /// was read: a gap that ends after `through` is still to be reported, and only the store knows
    /// it.
    pub fn advance(&mut self, through: Seq, trimmed_through: Seq) {
        self.at = through;
        self.store_until = self.store_until.max(trimmed_through);
    }

    /// Goes back to `to`, if that is earlier: what comes after it is read once more.
    pub fn rewind(&mut self, to: Seq) {
        self.at = self.at.min(to);
    }

    /// What is to be told before anything else.
    #[must_use]
    pub fn beginning(&self) -> Option<&Beginning> {
        self.beginning.as_deref()
    }

    /// Goes back to `to`, with what was to be told there.
    pub fn return_to(&mut self, to: Seq, beginning: Option<Beginning>) {
        self.rewind(to);
        self.beginning = beginning.map(Box::new);
    }

    /// Adds a channel, whose messages after both `from` and [`Position::at`] are read. Returns false
    /// if `max` channels are followed already and this is not one of them.
    #[must_use]
    pub fn add_channel(&mut self, channel: Channel, from: Seq, max: usize) -> bool {
        if self.selection.from(&channel).is_some() {
            return true;
        }
        if self.selection.count() >= max {
            return false;
        }
        self.selection = self.selection.with(channel, from);
        true
    }
}
