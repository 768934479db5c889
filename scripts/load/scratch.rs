//! The directory for what a run needs on disk. It goes when the run is over, however it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Result, server};

/// No run takes longer: what hangs is cut.
const LONGEST: Duration = Duration::from_mins(20);

/// See the module.
#[derive(Debug)]
pub(crate) struct Scratch(TempDir);

impl Scratch {
    /// A new directory in `parent`.
    pub(crate) fn new(parent: &Path) -> Result<Scratch> {
        let dir = TempDir::with_prefix_in("bench-", parent).map_err(|error| {
            format!("no directory can be made in {}: {error}", parent.display())
        })?;
        let path = dir.path().to_owned();
        std::thread::spawn(move || clean_up_early(&path));
        Ok(Scratch(dir))
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A new directory in it.
    pub(crate) fn dir(&self, name: &str) -> Result<PathBuf> {
        let path = self.unused(name);
        fs::create_dir(&path)?;
        Ok(path)
    }

    /// `--store` for a log in a new file.
    pub(crate) fn sqlite(&self, name: &str) -> String {
        format!("sqlite:{}.db", self.unused(name).display())
    }

    /// A path at which nothing has been yet.
    fn unused(&self, name: &str) -> PathBuf {
        static USED: AtomicU32 = AtomicU32::new(0);
        self.file(&format!("{name}-{}", USED.fetch_add(1, Relaxed)))
    }
}

/// Ctrl-C ends a process without dropping anything, and so may a run that hangs.
fn clean_up_early(dir: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else { return };
    let why = runtime.block_on(async {
        tokio::select! {
            () = forever_frame::server::stop() => "interrupted".to_owned(),
            () = tokio::time::sleep(LONGEST) => format!("not done after {} minutes", LONGEST.as_secs() / 60),
        }
    });
    server::kill_all();
    // It may be half gone already; the message below matters more.
    let _ = fs::remove_dir_all(dir);
    eprintln!("scripts/bench: {why}");
    exit(1);
}
