//! Servers that refuse to start: they say why in one line, and change nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use tokio::process::Command;

use super::log_dir::LogDir;
use super::reference_log::ReferenceLog;
use super::soon;

/// Runs a server that is to end by itself.
pub(crate) async fn run(mut command: Command) -> Output {
    soon(command.output()).await.unwrap()
}

/// The bytes of each file in a directory, by name; of a link those of the file that it leads to.
pub(crate) fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        contents.insert(name, fs::read(&path).unwrap_or_default());
    }
    contents
}

/// Each refusal has one of these, which says what to do.
const ADVICE: [&str; 9] = [
    "choose another",
    "create it",
    "delete the -wal",
    "give one",
    "must be",
    "put a copy",
    "stop that one",
    "remove all but one",
    "use a newer",
];

/// Checks a refusal, and gives its line: exit code 1, nothing on standard output, and one line that
/// names the file and says what to do.
pub(crate) fn one_line(output: &Output, what: &str, path: &Path) -> String {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().to_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    println!("{what}: {err}");
    assert_eq!(
        (output.status.code(), &*out),
        (Some(1), ""),
        "{what}: {err}"
    );
    assert_eq!(err.lines().count(), 1, "{what}: {err}");
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(err.contains(name), "{what}: which file? {err}");
    assert!(
        ADVICE.iter().any(|advice| err.contains(advice)),
        "{what}: {err}"
    );
    err
}

/// A log file with 200 messages, as a stopped server leaves it.
pub(crate) async fn stopped_log() -> (LogDir, ReferenceLog) {
    let (log_dir, mut told) = (LogDir::new(), ReferenceLog::default());
    let server = log_dir.start(&[]).await;
    for n in 0..200 {
        let text = format!("{n} {}", "x".repeat(1_000));
        told.append(server.addr, ["a", "b"][n % 2], &text).await;
    }
    server.end("-TERM").await;
    (log_dir, told)
}
