//! A file that takes up space next to the log's, to be given up when the disk is full: without any
//! space nothing can be deleted, since a deletion is written to the write-ahead log first.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::open::with_suffix;
use super::permissions;
use crate::limits;

/// The space that is held for the time when the disk is full.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    /// How much it is, in bytes; 0 until it was held once.
    bytes: u64,
    is_held: bool,
}

impl Reserve {
    /// Returns the reserve of the log at `path`. A server that was killed may have left it.
    pub(super) fn of(path: &Path) -> Reserve {
        let path = with_suffix(path, "-reserve");
        let bytes = path.metadata().map_or(0, |file| file.len());
        let is_held = bytes >= limits::DISK_RESERVE_BYTES_MIN;
        Reserve {
            bytes: if is_held { bytes } else { 0 },
            path,
            is_held,
        }
    }

    /// Whether the space is held.
    pub(super) fn is_held(&self) -> bool {
        self.is_held
    }

    /// Takes the space, if the disk has as much again besides: other programs need some, too. On a
    /// small disk it is less at the first time, and stays so: a disk that was full has room again when
    /// it has room for as much as before.
    ///
    /// # Errors
    /// When the disk has not as much.
    pub(super) fn hold(&mut self) -> io::Result<()> {
        if self.is_held {
            return Ok(());
        }
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let half = available(directory)? / 2;
        let bytes = if self.bytes > 0 {
            self.bytes
        } else {
            half.min(limits::DISK_RESERVE_BYTES)
        };
        if half < bytes || bytes < limits::DISK_RESERVE_BYTES_MIN {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let file = permissions::open_or_create(&self.path);
        match file.and_then(|file| fill(file, bytes)) {
            Ok(()) => {
                (self.bytes, self.is_held) = (bytes, true);
                Ok(())
            }
            Err(error) => {
                self.release();
                Err(error)
            }
        }
    }

    /// Gives the space back to the disk. Returns whether it was held.
    pub(super) fn release(&mut self) -> bool {
        // If it cannot be deleted, that is as if it had not been held.
        let _ = fs::remove_file(&self.path);
        std::mem::take(&mut self.is_held)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.release();
    }
}

/// Writes a file full of random bytes, which no file system can keep in less space. That they are hard to
/// guess is of no use here, and would take long.
fn fill(mut file: File, bytes: u64) -> io::Result<()> {
    let mut left = bytes;
    let mut piece = vec![0; 64 * 1024];
    let mut random = SmallRng::from_rng(&mut rand::rng());
    while left > 0 {
        random.fill_bytes(&mut piece);
        let length = left.min(piece.len() as u64);
        file.write_all(&piece[..usize::try_from(length).unwrap_or(piece.len())])?;
        left -= length;
    }
    Ok(())
}

/// Returns how much space the disk of a directory has for this program, in bytes.
#[cfg(unix)]
fn available(directory: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(directory)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Returns all there can be: on this system it is found out by trying.
#[cfg(not(unix))]
fn available(_: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The space is taken once, and given back.
    #[test]
    fn reserve_is_held_and_released() {
        let directory = tempfile::tempdir().unwrap();
        let (log, file) = (
            directory.path().join("log.db"),
            directory.path().join("log.db-reserve"),
        );
        let mut reserve = Reserve::of(&log);
        assert!(!reserve.is_held());
        reserve.hold().unwrap();
        let length = file.metadata().unwrap().len();
        assert_eq!(length, limits::DISK_RESERVE_BYTES);
        assert!(Reserve::of(&log).release(), "it is found again");
        assert!(reserve.release() && !reserve.release());
        reserve.hold().unwrap();
        drop(reserve);
        assert!(!file.exists());
    }
}
