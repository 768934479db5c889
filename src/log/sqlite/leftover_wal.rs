//! A write-ahead log that a killed server left, and whether it belongs to the main file next to it.
//!
//! `SQLite` believes it does. If the main file was replaced or cut short meanwhile, `SQLite` would mix
//! the pages of both, and the mixture would be found out much later, or never.

use std::path::Path;

use super::lock_file::LogRecord;
use super::main_file::page_size;
use super::open::{OpenErrorKind, check_length, open_main_alone};
use super::wal_file::{WalId, WalPages, wal_path};
use crate::message::{Epoch, Seq};

/// Checks that an empty main file has no write-ahead log: `SQLite` would delete that.
pub(super) fn check_empty(path: &Path) -> Result<(), OpenErrorKind> {
    let length = wal_path(path).metadata().map_or(0, |file| file.len());
    if length > 0 {
        return Err(OpenErrorKind::OtherWal("it is empty"));
    }
    Ok(())
}

/// Checks that a main file of this header and length, and the write-ahead log next to it, make one
/// log, as far as the record of the lock file tells.
pub(super) fn check(
    path: &Path,
    header: &[u8],
    length: u64,
    record: Option<&LogRecord>,
) -> Result<(), OpenErrorKind> {
    let Some(pages) = WalPages::read(path)? else {
        // All that was committed is in the main file.
        return check_length(header, length);
    };
    // What the main file lacks at its end must be in the write-ahead log.
    if pages.missing(length / page_size(header)).is_some() {
        return Err(OpenErrorKind::OtherWal("it is cut short, or an older copy"));
    }
    let Some(record) = record.filter(|record| record.wal == WalId::read(path)) else {
        return Ok(());
    };
    let main = open_main_alone(path).and_then(|main| {
        main.query_row("SELECT epoch, last FROM log", [], |row| {
            Ok((row.get::<_, Epoch>(0)?, row.get::<_, Seq>(1)?))
        })
    });
    match main {
        Ok((epoch, last)) if epoch != record.epoch || last < record.base => Err(
            OpenErrorKind::OtherWal("it is an older copy, or another log"),
        ),
        // A page that cannot be read now may be in the write-ahead log.
        _ => Ok(()),
    }
}
