//! Who may read the files of a log.

use std::os::unix::fs::PermissionsExt;

use crate::support::binary::{self, Binary, PROGRAM, SHELL};
use crate::support::client::append;
use crate::support::log_dir::LogDir;

/// Starts a server on the log's file under this umask.
async fn start_under(umask: &str, log_dir: &LogDir) -> Binary {
    let serve = format!("umask {umask}; exec \"$0\" \"$@\"");
    let store = log_dir.store("log.db");
    let args = [
        "-c",
        &serve,
        PROGRAM,
        "--listen",
        "127.0.0.1:0",
        "--store",
        &store,
    ];
    Binary::spawn(binary::command_by(SHELL, &args)).await
}

/// The permissions of each file in the directory.
fn modes(log_dir: &LogDir) -> Vec<(String, u32)> {
    let mode = |name: String| {
        let file = log_dir.at(&name).metadata().unwrap();
        (name, file.permissions().mode() & 0o777)
    };
    log_dir.names().into_iter().map(mode).collect()
}

/// Whatever the umask, a new log and all files next to it are for their owner alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_files_are_for_their_owner_alone() {
    for umask in ["000", "022", "077"] {
        let log_dir = LogDir::new();
        let server = start_under(umask, &log_dir).await;
        append(server.addr, "a", "secret").await;
        let modes = modes(&log_dir);
        assert!(modes.len() >= 4, "{modes:?}");
        assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
        let log = server.end("-KILL").await;
        assert!(!log.contains("every local user"), "{log}");
    }
}

/// Files that exist keep their permissions, which may be for a group; the operator is warned of those
/// that are for all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn existing_files_keep_their_permissions() {
    for (mode, is_warned) in [(0o660, false), (0o644, true)] {
        let log_dir = LogDir::new();
        let server = start_under("022", &log_dir).await;
        append(server.addr, "a", "hello").await;
        server.end("-TERM").await;
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(log_dir.file(), permissions).unwrap();
        let server = start_under("022", &log_dir).await;
        append(server.addr, "a", "hello").await;
        for (name, found) in modes(&log_dir) {
            let is_own = ["log.db-lock", "log.db-reserve"].contains(&&*name);
            let expected = if is_own { 0o600 } else { mode };
            assert_eq!(found, expected, "{name}");
        }
        let log = server.end("-TERM").await;
        assert_eq!(log.contains("every local user"), is_warned, "{log}");
    }
}
