//! A file that is made next to its place, and put there when it is whole.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::open::with_suffix;
use super::permissions;

/// A file that is not whole yet; it is deleted if it never is. The name ends with `-partial`, and what a
/// process that was killed left there is written over.
#[derive(Debug)]
pub(super) struct NewFile {
    place: PathBuf,
    path: PathBuf,
    /// Open, since its lock keeps others from making the same file.
    file: File,
    is_placed: bool,
}

impl NewFile {
    /// Begins a file that is to be at `place`, for its owner alone.
    ///
    /// # Errors
    /// When it cannot be created, or when another process makes it now.
    pub(super) fn begin(place: &Path) -> io::Result<NewFile> {
        let path = with_suffix(place, "-partial");
        let file = permissions::open_or_create(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!("another process writes {}", path.display());
                return Err(io::Error::new(io::ErrorKind::WouldBlock, text));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        Ok(NewFile {
            place: place.to_owned(),
            path,
            file,
            is_placed: false,
        })
    }

    /// Returns the path at which the file is made.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the file, for writing.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts the file in its place, as a whole, when all of it is on the disk. A file that is there is
    /// replaced only if `replaces` says so. Returns its length.
    ///
    /// # Errors
    /// When that cannot be done, and nothing is changed; [`io::ErrorKind::AlreadyExists`] when there is
    /// a file.
    pub(super) fn put_in_place(mut self, replaces: bool) -> io::Result<u64> {
        self.file.sync_all()?;
        let length = self.file.metadata()?.len();
        if replaces {
            fs::rename(&self.path, &self.place)?;
        } else {
            // Unlike a renaming it fails if there is a file.
            fs::hard_link(&self.path, &self.place)?;
            fs::remove_file(&self.path)?;
        }
        self.is_placed = true;
        sync_directory(&self.place)?;
        Ok(length)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Puts the names of a directory on the disk, with that of the file at `path`.
#[cfg(unix)]
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| *parent != Path::new(""));
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// Does nothing: this system does not open directories.
#[cfg(not(unix))]
pub(super) fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
