//! The limits that the system sets to the process: the number of open files, and so of connections,
//! and the size of a file.

use crate::limits;

/// Raises the soft limit of open files to the hard one. Returns the limit, where the system reports it.
pub(super) fn raise_limit() -> Option<u64> {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => Some(limit),
        Err(error) => {
            log::warn!("cannot raise the limit of open files: {error}");
            None
        }
    }
}

/// Makes a write past the limit of a file's size (`ulimit -f`) fail like any other write, instead of
/// ending the process.
#[cfg(unix)]
pub(super) fn survive_size_limit() {
    use tokio::signal::unix::{SignalKind, signal};
    /// The number of the signal on Linux (except MIPS), macOS and the BSDs.
    const SIGXFSZ: i32 = 25;
    if let Err(error) = signal(SignalKind::from_raw(SIGXFSZ)) {
        log::warn!("cannot listen for SIGXFSZ: {error}");
    }
}

/// Does nothing: this system has no such limit.
#[cfg(not(unix))]
pub(super) fn survive_size_limit() {}

/// The most connections at once: what the operator asked for, or what the limit of open files allows.
pub(super) fn connections(asked: Option<usize>, max_files: Option<u64>) -> usize {
    let allowed = max_files.map_or(usize::MAX, |files| {
        usize::try_from(files.saturating_sub(limits::RESERVED_FILES).max(1)).unwrap_or(usize::MAX)
    });
    let asked = asked.unwrap_or(allowed);
    let served = asked.min(allowed);
    if asked > allowed {
        log::warn!(
            "--max-connections is {asked}, but the limit of open files (ulimit -n) allows for \
             {allowed}: raise it"
        );
    } else if let Some(files) = max_files.filter(|files| is_low(*files) && served == allowed) {
        log::warn!(
            "the limit of open files (ulimit -n) is {files}, so only {allowed} connections are served \
             at once: raise it"
        );
    }
    served
}

/// Whether a limit of open files leaves fewer for connections than it takes for all else.
fn is_low(files: u64) -> bool {
    files < 2 * limits::RESERVED_FILES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some files are kept free for the store, the pages and the refusals.
    #[test]
    fn max_connections_leaves_files_for_the_rest() {
        assert_eq!(connections(None, Some(1024)), 1024 - 128);
        assert_eq!(connections(Some(10), Some(1024)), 10);
        assert_eq!(connections(Some(5000), Some(1024)), 1024 - 128);
        assert_eq!(connections(None, Some(64)), 1);
    }
}
