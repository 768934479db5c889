//! The write-ahead log as a file (<https://sqlite.org/fileformat2.html#walformat>): which life it is
//! in, and which pages it has.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::main_file::read_at_start;
use super::open::with_suffix;

/// The life of a write-ahead log, which ends when all of it is in the main file: the salts in its
/// header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WalId(u64);

/// What the write-ahead log has that is committed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WalPages {
    /// How many pages the database has with it.
    pub(super) database_pages: u32,
    /// The pages that it has.
    pub(super) pages: BTreeSet<u32>,
}

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .take(4)
        .fold(0, |n, byte| n << 8 | u32::from(*byte))
}

impl WalId {
    /// Reads the life of the write-ahead log of the log at `path`; `None` if it has none.
    pub(super) fn read(path: &Path) -> Option<WalId> {
        WalId::read_from(&File::open(wal_path(path)).ok()?)
    }

    /// Reads the life of a write-ahead log that is open; `None` if it is empty.
    pub(super) fn read_from(wal: &File) -> Option<WalId> {
        let mut header = [0; HEADER];
        read_at_start(wal, &mut header).ok()?;
        Some(WalId::of(&header[16..24]))
    }

    fn of(salts: &[u8]) -> WalId {
        WalId(u64::from(number(salts)) << 32 | u64::from(number(&salts[4..])))
    }

    /// Reads what [`WalId`] shows.
    pub(super) fn parse(text: &str) -> Option<WalId> {
        u64::from_str_radix(text, 16).ok().map(WalId)
    }
}

impl fmt::Display for WalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Returns the path of the write-ahead log of the log at `path`.
pub(super) fn wal_path(path: &Path) -> PathBuf {
    with_suffix(path, "-wal")
}

impl WalPages {
    /// Reads which pages the write-ahead log of the log at `path` has; `None` if nothing in it is
    /// committed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn read(path: &Path) -> io::Result<Option<WalPages>> {
        let mut file = BufReader::new(File::open(wal_path(path))?);
        let mut header = [0; HEADER];
        if file.read_exact(&mut header).is_err() {
            return Ok(None);
        }
        let (life, page_size) = (WalId::of(&header[16..24]), number(&header[8..12]));
        let (mut uncommitted, mut committed) = (Vec::new(), None::<WalPages>);
        let mut frame = [0; FRAME_HEADER];
        // A frame of an earlier life is a rest, after which nothing counts.
        while file.read_exact(&mut frame).is_ok() && WalId::of(&frame[8..16]) == life {
            uncommitted.push(number(&frame[..4]));
            let database_pages = number(&frame[4..8]);
            // The last byte of the page, or the frame is not whole.
            let mut last = [0];
            file.seek_relative(i64::from(page_size) - 1)?;
            if file.read_exact(&mut last).is_err() {
                break;
            }
            if database_pages > 0 {
                let whole = committed.get_or_insert_with(|| WalPages {
                    database_pages,
                    pages: BTreeSet::new(),
                });
                whole.database_pages = database_pages;
                whole.pages.extend(uncommitted.drain(..));
            }
        }
        Ok(committed)
    }

    /// Returns the first page that is missing if the main file has this many.
    pub(super) fn missing(&self, main_pages: u64) -> Option<u32> {
        (1..=self.database_pages)
            .skip(usize::try_from(main_pages).unwrap_or(usize::MAX))
            .find(|page| !self.pages.contains(page))
    }
}
