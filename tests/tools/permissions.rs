//! A log that the permissions of its file or its directory keep from being opened. For root, whom
//! permissions do not bind, setpriv takes that power away.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::process::Command;

use crate::support::log_dir::LogDir;
use crate::support::reference_log::ReferenceLog;
use crate::support::refusal::{contents, one_line, run, stopped_log};

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Whether permissions bind the user who runs the tests. They do not bind root.
fn is_bound() -> bool {
    let log_dir = LogDir::new();
    mode(&log_dir.at(""), 0o500);
    let is_bound = fs::write(log_dir.at("probe"), "").is_err();
    mode(&log_dir.at(""), 0o700);
    is_bound
}

/// The command, run without root's power to ignore permissions.
fn bound(command: Command) -> Command {
    if is_bound() {
        return command;
    }
    let command = command.as_std();
    let without = "-dac_override,-dac_read_search";
    let mut bound = Command::new("setpriv"); // part of util-linux
    bound
        .args(["--inh-caps", without, "--bounding-set", without])
        .arg(command.get_program())
        .args(command.get_args())
        .kill_on_drop(true);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(name, value),
            None => bound.env_remove(name),
        };
    }
    bound
}

/// A log file whose permissions forbid writing or reading is refused and not changed.
#[tokio::test]
async fn store_without_permission_refused() {
    let (log_dir, told) = stopped_log().await;
    let _ = fs::remove_file(log_dir.at("log.db-lock"));
    let (dir, file) = (log_dir.at(""), log_dir.file());
    let before = contents(&dir);
    for (what, dir_mode, file_mode) in [
        ("a file to be read only", 0o700, 0o400),
        ("a file that is closed", 0o700, 0o000),
        ("a directory to be read only", 0o500, 0o600),
        ("both", 0o500, 0o400),
        ("a directory that is closed", 0o000, 0o600),
    ] {
        mode(&file, file_mode);
        mode(&dir, dir_mode);
        let output = run(bound(log_dir.command("127.0.0.1:0"))).await;
        mode(&dir, 0o700);
        mode(&file, 0o600);
        one_line(&output, what, &file);
        assert!(before == contents(&dir), "{what}: {:?}", log_dir.names());
    }
    fs::rename(&file, log_dir.at("aside")).unwrap();
    mode(&dir, 0o500);
    let output = run(bound(log_dir.command("127.0.0.1:0"))).await;
    mode(&dir, 0o700);
    one_line(&output, "a new file in a directory to be read only", &file);
    assert_eq!(log_dir.names(), ["aside"]);
    fs::rename(log_dir.at("aside"), &file).unwrap();
    let server = log_dir.start(&[]).await;
    let whole = ReferenceLog::read(server.addr, "a,b", told.last()).await;
    assert_eq!(whole.entries, told.entries);
}
