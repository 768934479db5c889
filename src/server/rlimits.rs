//! How many files, and so connections, there may be, and how large they may be.

use crate::limits;

/// Raises the soft limit of open files to the hard one, and says what it is then, where the
/// system tells.
pub(super) fn raise_limit() -> Option<u64> {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => Some(limit),
        Err(error) => {
            log::warn!("cannot raise the limit of open files: {error}");
            None
        }
    }
}

/// Lets a write past the limit of a file's size (`ulimit -f`) fail as any other, rather than end
/// the process.
#[cfg(unix)]
pub(super) fn survive_size_limit() {
    use tokio::signal::unix::{SignalKind, signal};
    /// Its number on Linux (but for MIPS), macOS and the BSDs.
    const SIGXFSZ: i32 = 25;
    if let Err(error) = signal(SignalKind::from_raw(SIGXFSZ)) {
        log::warn!("cannot listen for SIGXFSZ: {error}");
    }
}

/// There is no such limit.
#[cfg(not(unix))]
pub(super) fn survive_size_limit() {}

/// How many connections there may be: what was asked for, or what the files allow.
pub(super) fn connections(asked: Option<usize>, max_files: Option<u64>) -> usize {
    let allowed = max_files.map_or(usize::MAX, |files| {
        usize::try_from(files.saturating_sub(limits::RESERVED_FILES).max(1)).unwrap_or(usize::MAX)
    });
    let asked = asked.unwrap_or(allowed);
    if asked > allowed {
        log::warn!(
            "--max-connections is {asked}, but the limit of open files (ulimit -n) allows for {allowed}"
        );
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!(connections(None, Some(1024)), 1024 - 128);
        assert_eq!(connections(Some(10), Some(1024)), 10);
        assert_eq!(connections(None, Some(64)), 1);
    }
}
