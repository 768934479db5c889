//! Programs from Debian and other people's packages, which scripts/test installs.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// The failure where a program is missing. No test is skipped: one that did not run has not passed.
pub(crate) const MISSING: &str = "scripts/test installs the programs that these tests need";

/// Longer than the longest pause that an `EventSource` may be told to make.
pub(crate) const LONG: Duration = Duration::from_secs(90);

/// A program with these arguments.
pub(crate) fn command(program: impl AsRef<OsStr>, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// curl, which shows a response as it comes.
pub(crate) fn curl(url: &str) -> Command {
    command("curl", &["-sN", "--noproxy", "*", url])
}

/// Runs a program to its end, which must be a success, and gives its standard output.
pub(crate) async fn output(mut command: Command) -> String {
    command.kill_on_drop(true).stdin(Stdio::null());
    let ran = timeout(LONG, command.output())
        .await
        .unwrap_or_else(|_| panic!("{command:?} does not end"));
    let output = ran.unwrap_or_else(|error| panic!("{command:?}: {error}; {MISSING}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {errors}; if a program is missing, {MISSING}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The directory where scripts/test has installed the parsers of npm and pip. It puts each list there
/// last, so that a list is there only with all its packages.
pub(crate) fn parsers() -> PathBuf {
    let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("parsers");
    for (name, wanted) in [
        (
            "package-lock.json",
            include_str!("../parsers/package-lock.json"),
        ),
        (
            "requirements.txt",
            include_str!("../parsers/requirements.txt"),
        ),
    ] {
        let installed = std::fs::read_to_string(home.join("installed").join(name));
        assert!(
            installed.is_ok_and(|installed| installed == wanted),
            "the packages that tests/tools/parsers/{name} names are not in {}: run scripts/test, \
             which installs them",
            home.display()
        );
    }
    home
}
