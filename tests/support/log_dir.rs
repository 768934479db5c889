//! A directory for a log on the disk, and what happens there.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::binary::{self, Binary};

/// A directory of its own, which is removed when this is dropped.
pub(crate) struct LogDir {
    dir: TempDir,
}

impl LogDir {
    pub(crate) fn new() -> LogDir {
        let dir = crate::support::directory();
        LogDir { dir }
    }

    /// A path in the directory.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The path of the log's file.
    pub(crate) fn file(&self) -> PathBuf {
        self.at("log.db")
    }

    /// The value of `--store` for a file in the directory.
    pub(crate) fn store(&self, name: &str) -> String {
        format!("sqlite:{}", self.at(name).display())
    }

    /// Starts a server on the log's file.
    pub(crate) async fn start(&self, args: &[&str]) -> Binary {
        self.start_at("127.0.0.1:0", args).await
    }

    /// Starts a server on the log's file, at an address.
    pub(crate) async fn start_at(&self, listen: &str, args: &[&str]) -> Binary {
        let store = self.store("log.db");
        Binary::start_at(listen, &[&["--store", &store], args].concat()).await
    }

    /// The command that starts a server on the log's file, for tests in which it fails.
    pub(crate) fn command(&self, listen: &str) -> tokio::process::Command {
        binary::command(&["--listen", listen, "--store", &self.store("log.db")])
    }

    /// The names of the files in the directory, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = self.dir.path().read_dir().unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The size of all files in the directory together, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let size = |name: &String| self.at(name).metadata().map_or(0, |data| data.len());
        self.names().iter().map(size).sum()
    }

    /// Another program's connection to the log's file.
    pub(crate) fn connect(&self) -> Connection {
        let connection = Connection::open(self.file()).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection
    }
}

/// Another program's transaction that does not end: while this lives, nobody else can write.
pub(crate) struct Lock(Connection);

impl Lock {
    /// `how` is `IMMEDIATE` or `EXCLUSIVE`.
    pub(crate) async fn take(log_dir: &LogDir, how: &str) -> Lock {
        let (connection, begin) = (log_dir.connect(), format!("BEGIN {how}"));
        let take = move || {
            connection.execute_batch(&begin).unwrap();
            Lock(connection)
        };
        tokio::task::spawn_blocking(take).await.unwrap()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}
