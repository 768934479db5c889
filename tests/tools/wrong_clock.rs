//! A machine whose wall clock is set while the real binary runs, by Debian's faketime.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;

use crate::support::binary::{self, Binary};
use crate::support::client::{append, get};
use crate::support::eventually;

/// A wall clock that only one process sees.
struct WrongClock {
    directory: TempDir,
}

impl WrongClock {
    fn new() -> WrongClock {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let clock = WrongClock { directory };
        clock.set("+0");
        clock
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("offset")
    }

    /// Sets the clock: `+8d` is eight days ahead of the machine's.
    fn set(&self, offset: &str) {
        let new = self.directory.path().join("new");
        fs::write(&new, format!("{offset}\n")).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    /// Starts a server under the clock. Its monotonic clock is the machine's.
    async fn start(&self) -> Binary {
        let log = self.directory.path().join("log.db");
        let store = format!("sqlite:{}", log.display());
        let mut command = binary::command(&["--listen", "127.0.0.1:0", "--store", &store]);
        command
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", self.file())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Binary::spawn(command).await
    }
}

/// The library of faketime, which is in a directory of the machine's architecture.
fn library() -> PathBuf {
    let architectures = fs::read_dir("/usr/lib").unwrap();
    let mut libraries = architectures.map(|entry| {
        let directory = entry.unwrap().path();
        directory.join("faketime/libfaketimeMT.so.1")
    });
    let library = libraries.find(|library| library.exists());
    library.expect("faketime is installed")
}

/// The texts that are kept in the channel, and the times that they show.
async fn kept(server: &Binary) -> Vec<(String, String)> {
    let answer = get(server.addr, "/c/a?as=json&wait=1s").await.json().await;
    let messages = answer["messages"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    messages
        .map(|message| (text(&message["data"]), text(&message["time"])))
        .collect()
}

/// A clock that is far ahead for a while deletes nothing, a warning is logged when it is set, and the
/// times of messages follow it back, also over a restart.
#[tokio::test]
async fn clock_far_ahead_deletes_nothing() {
    let clock = WrongClock::new();
    let server = clock.start().await;
    append(server.addr, "a", "one").await;
    clock.set("+3650d");
    append(server.addr, "a", "two").await;
    let ahead = async || {
        let metrics = get(server.addr, "/metrics").await.text().await;
        !metrics.contains("\nforever_frame_wall_clock_ahead_seconds 0\n")
    };
    eventually("the step is noticed", ahead).await;
    // Retention looks every second.
    sleep(Duration::from_secs(3)).await;
    let log = server.end("-TERM").await;
    assert!(log.contains("WARN") && log.contains("set forward"), "{log}");
    let server = clock.start().await;
    append(server.addr, "a", "three").await;
    clock.set("+0");
    append(server.addr, "a", "four").await;
    let said = kept(&server).await;
    let texts: Vec<&str> = said.iter().map(|(text, _)| &**text).collect();
    assert_eq!(texts, ["one", "two", "three", "four"]);
    let times: Vec<&str> = said.iter().map(|(_, time)| &**time).collect();
    assert!(times[1] > times[0] && times[2] > times[1], "{times:?}");
    assert!(times[3] >= times[0] && times[3] < times[1], "{times:?}");
    let log = server.end("-TERM").await;
    assert!(log.contains("WARN") && log.contains("set back"), "{log}");
}
