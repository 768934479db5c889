//! The directory for what a run needs on disk. It goes when the run is over, however it ends.

use std::path::{Path, PathBuf};
use std::process::exit;
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
    let _ = std::fs::remove_dir_all(dir);
    eprintln!("scripts/bench: {why}");
    exit(1);
}
