//! Entries that were numbered elsewhere: what a copy of a log takes from the log that it copies.

use super::DraftAnswer;
use crate::message::{Draft, Seq, Timestamp};

/// Where an entry stands in the log, and the time that it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The entry's position.
    pub seq: Seq,
    /// When the entry was taken.
    pub time: Timestamp,
}

/// An entry of the log with the place that it has there.
#[derive(Clone, Debug)]
pub struct Numbered {
    /// Where it stands.
    pub place: Place,
    /// What it is; `None` for a position at which there is nothing that this program can read.
    pub draft: Option<Draft>,
    /// The number of the append that it came with, which its sender has given it.
    pub sent_by: Option<u64>,
}

/// What a store knows of a draft before it is appended.
#[derive(Clone, Debug)]
pub struct Known {
    /// The answer to the draft, if its key has one already.
    pub answer: Option<DraftAnswer>,
    /// The position of the last entry of its channel, if the draft has a precondition.
    pub last: Option<Seq>,
}
