//! What the log keeps while the disk is full: as much as fits, and no more.
//!
//! When a write finds the disk full, the reserve is given up, the write-ahead log is written into the
//! file, so that its space can be written again, and the oldest messages are deleted until enough of
//! the file's pages are free. If enough are free, or if a deletion cannot be written, either, deleting
//! does not help, and nothing is deleted. After a deletion the log keeps no more bytes than it has
//! then, and its file gives no page back: another program that fills the disk takes nothing from it,
//! and makes it delete nothing more. That ends when the disk has room for the reserve again.

use std::path::Path;
use std::time::Instant;

use super::reserve::Reserve;
use crate::limits;
use crate::message;

/// Whether the disk is full, and what follows from that.
#[derive(Debug)]
pub(super) struct Shortage {
    reserve: Reserve,
    is_on: bool,
    /// When the reserve was last tried to be taken.
    tried: Option<Instant>,
    /// The longest message that has to fit, in bytes.
    pub(super) longest: usize,
}

impl Shortage {
    pub(super) fn new(path: &Path) -> Shortage {
        Shortage {
            reserve: Reserve::of(path),
            is_on: false,
            tried: None,
            longest: limits::MESSAGE_BYTES_DEFAULT,
        }
    }

    /// Whether the disk is full.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Returns how many bytes of pages have to be free so that appends go on: a full batch and some of
    /// the longest messages.
    pub(super) fn wanted(&self) -> u64 {
        (limits::BATCH_BYTES_MAX + 4 * message::cost(self.longest)) as u64
    }

    /// Notes that the disk is full, and gives up the reserve.
    pub(super) fn begin(&mut self, now: Instant) {
        self.reserve.release();
        self.is_on = true;
        self.tried = Some(now);
    }

    /// Takes the reserve if it is not held, which ends the shortage. Tries that once in
    /// [`limits::DISK_RESERVE_INTERVAL`]. Returns whether the shortage has ended.
    pub(super) fn try_end(&mut self, now: Instant) -> bool {
        let is_due = self
            .tried
            .is_none_or(|tried| now >= tried + limits::DISK_RESERVE_INTERVAL);
        if self.reserve.is_held() || !is_due {
            return false;
        }
        let is_first = self.tried.replace(now).is_none();
        match self.reserve.hold() {
            Ok(()) => std::mem::take(&mut self.is_on),
            Err(error) => {
                if is_first {
                    log::warn!(
                        "the disk has hardly any room for the log ({error}): when it is full, the \
                         oldest messages may not be deleted in time"
                    );
                }
                false
            }
        }
    }
}
