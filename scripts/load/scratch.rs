//! The directory for the files of a run. It is removed when the run ends, however it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Result, server};

/// The longest that a run may take, so that one that hangs is ended.
const RUN_TIMEOUT: Duration = Duration::from_mins(90);

/// A directory that is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(TempDir);

impl Scratch {
    /// Creates a directory in `parent`.
    pub(crate) fn new(parent: &Path) -> Result<Scratch> {
        let dir = TempDir::with_prefix_in("bench-", parent).map_err(|error| {
            format!("no directory can be made in {}: {error}", parent.display())
        })?;
        let path = dir.path().to_owned();
        std::thread::spawn(move || clean_up_early(&path));
        Ok(Scratch(dir))
    }

    /// The path of a file in the directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Creates a directory in the directory.
    pub(crate) fn dir(&self, name: &str) -> Result<PathBuf> {
        let path = self.unused(name);
        fs::create_dir(&path)?;
        Ok(path)
    }

    /// The value of `--store` for a log in a new file.
    pub(crate) fn sqlite(&self, name: &str) -> String {
        format!("sqlite:{}.db", self.unused(name).display())
    }

    /// A path that has not been used yet.
    pub(crate) fn unused(&self, name: &str) -> PathBuf {
        static USED: AtomicU32 = AtomicU32::new(0);
        self.file(&format!("{name}-{}", USED.fetch_add(1, Relaxed)))
    }
}

/// Waits for Ctrl-C or the timeout, either of which ends the process without dropping anything, and
/// cleans up.
fn clean_up_early(dir: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else { return };
    let Ok(asked_to_stop) = forever_frame::server::asked_to_stop(|| false) else {
        return;
    };
    let why = runtime.block_on(async {
        tokio::select! {
            () = asked_to_stop => "interrupted".to_owned(),
            () = tokio::time::sleep(RUN_TIMEOUT) => {
                format!("not done after {} minutes", RUN_TIMEOUT.as_secs() / 60)
            }
        }
    });
    server::kill_all();
    // An error is ignored, since the run itself may be removing the directory.
    let _ = fs::remove_dir_all(dir);
    eprintln!("scripts/bench: {why}");
    exit(1);
}
