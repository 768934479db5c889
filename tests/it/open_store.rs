//! Opening a store: a file that is no log, or a log that cannot be opened, is refused in one line, and
//! nothing is changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::support::binary;
use crate::support::log_dir::LogDir;
use crate::support::reference_log::ReferenceLog;
use crate::support::refusal::{contents, one_line, run, stopped_log};

/// Checks that a server refuses the log file and leaves all files as they were, and gives its line.
async fn refuses(log_dir: &LogDir, what: &str) -> String {
    let dir = log_dir.at("");
    let before = contents(&dir);
    let output = run(log_dir.command("127.0.0.1:0")).await;
    let line = one_line(&output, what, &log_dir.file());
    let after = contents(&dir);
    let names = |contents: &BTreeMap<String, _>| contents.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after), "{what}: {line}");
    assert!(before == after, "{what}: the bytes have changed");
    line
}

/// A file that is damaged, or is no database, is refused and not changed.
#[tokio::test]
async fn store_damaged_file_refused() {
    let (log_dir, told) = stopped_log().await;
    let sound = fs::read(log_dir.file()).unwrap();
    let _ = fs::remove_file(log_dir.at("log.db-lock"));
    let mut garbage = vec![0; sound.len()];
    StdRng::seed_from_u64(7).fill_bytes(&mut garbage);
    let with = |from: usize, bytes: &[u8]| {
        let mut file = sound.clone();
        file[from..from + bytes.len()].copy_from_slice(bytes);
        file
    };
    for (what, bytes) in [
        ("garbage", garbage.clone()),
        ("a short text", b"hello\n".to_vec()),
        ("a long text", b"All work and no play.\n".repeat(1_000)),
        ("zeros", vec![0; 8192]),
        ("garbage for a header", with(0, &garbage[..100])),
        ("no magic word", with(0, b"SQLite format 4\0")),
        ("a page size that is none", with(16, &[0x12, 0x34])),
        ("truncated to half a page", sound[..2048].to_vec()),
        ("truncated to a page", sound[..4096].to_vec()),
        ("truncated in the middle", sound[..sound.len() / 2].to_vec()),
        (
            "truncated within a page",
            sound[..sound.len() / 2 + 100].to_vec(),
        ),
        (
            "without its last page",
            sound[..sound.len() - 4096].to_vec(),
        ),
        ("garbage after the header", with(100, &garbage[100..4096])),
        ("zeros after the header", with(100, &[0; 3996])),
    ] {
        fs::write(log_dir.file(), bytes).unwrap();
        let line = refuses(&log_dir, what).await;
        if what == "without its last page" {
            assert!(line.contains("cut short"), "{line}");
        }
    }
    // With the sound file the server starts.
    fs::write(log_dir.file(), sound).unwrap();
    let server = log_dir.start(&[]).await;
    let whole = ReferenceLog::read(server.addr, "a,b", told.last()).await;
    assert_eq!(whole.entries, told.entries);
}

/// Another program's database, and a log of a newer version, are refused and not changed.
#[tokio::test]
async fn store_of_other_program_refused() {
    for (what, sql) in [
        (
            "a table",
            "CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')",
        ),
        (
            "an application",
            "PRAGMA application_id = 7; CREATE TABLE notes (text)",
        ),
        (
            "a version",
            "PRAGMA user_version = 1; CREATE TABLE notes (text)",
        ),
        (
            "its own log",
            "PRAGMA journal_mode = WAL; CREATE TABLE notes (text)",
        ),
        ("nothing but a name", "PRAGMA application_id = 7"),
        ("nothing but a version", "PRAGMA user_version = 1"),
        (
            "a table of messages",
            "CREATE TABLE messages (seq INTEGER PRIMARY KEY, text)",
        ),
    ] {
        let log_dir = LogDir::new();
        log_dir.connect().execute_batch(sql).unwrap();
        refuses(&log_dir, what).await;
    }
    let (log_dir, told) = stopped_log().await;
    let _ = fs::remove_file(log_dir.at("log.db-lock"));
    let version = |version: i64| {
        let connection = log_dir.connect();
        let before = connection.pragma_query_value(None, "user_version", |row| row.get(0));
        connection
            .pragma_update(None, "user_version", version)
            .unwrap();
        before.unwrap()
    };
    let own: i64 = version(1_000_000);
    assert!(own > 0, "a version has a number");
    let line = refuses(&log_dir, "the far future").await;
    assert!(line.contains("newer"), "{line}");
    version(own + 1);
    refuses(&log_dir, "the next version").await;
    version(own);
    let server = log_dir.start(&[]).await;
    let whole = ReferenceLog::read(server.addr, "a,b", told.last()).await;
    assert_eq!(whole.entries, told.entries);
}

/// A path at which there can be no file is refused.
#[tokio::test]
async fn store_impossible_path_refused() {
    let log_dir = LogDir::new();
    fs::create_dir(log_dir.file()).unwrap();
    refuses(&log_dir, "a directory").await;
    for (what, name) in [
        ("no directory", "nowhere/log.db"),
        ("no directory at all", "nowhere/nowhere/log.db"),
        ("a file for a directory", "file/log.db"),
    ] {
        fs::write(log_dir.at("file"), "x").unwrap();
        let before = contents(&log_dir.at(""));
        let store = log_dir.store(name);
        let args = ["--listen", "127.0.0.1:0", "--store", &store];
        let output = run(binary::command(&args)).await;
        one_line(&output, what, &log_dir.at(name));
        assert!(before == contents(&log_dir.at("")), "{what}");
    }
}

/// A second server on the same file is refused, also by way of links, and the first one goes on.
#[tokio::test]
async fn store_in_use_refuses_second_server() {
    let (log_dir, mut told) = (LogDir::new(), ReferenceLog::default());
    let server = log_dir.start(&[]).await;
    told.append(server.addr, "a", "before").await;
    symlink(log_dir.file(), log_dir.at("link.db")).unwrap();
    symlink("log.db", log_dir.at("near.db")).unwrap();
    let other = LogDir::new();
    symlink(log_dir.at(""), other.at("dir")).unwrap();
    let through = format!("sqlite:{}/dir/log.db", other.at("").display());
    for (what, store) in [
        ("the same path", log_dir.store("log.db")),
        ("another spelling", log_dir.store("./log.db")),
        ("a link", log_dir.store("link.db")),
        ("a link from near", log_dir.store("near.db")),
        ("a link to the directory", through),
    ] {
        let before = log_dir.names();
        let args = ["--listen", "127.0.0.1:0", "--store", &store];
        let output = run(binary::command(&args)).await;
        let path = store.strip_prefix("sqlite:").unwrap();
        let line = one_line(&output, what, Path::new(path));
        assert!(line.contains("another"), "{what}: {line}");
        assert_eq!(before, log_dir.names(), "{what}");
        told.append(server.addr, "a", what).await;
    }
    server.end("-KILL").await;
    // A server that was killed holds no lock.
    let server = log_dir.start(&[]).await;
    let whole = ReferenceLog::read(server.addr, "a", told.last()).await;
    assert_eq!(whole.entries, told.entries);
}

/// A second server is refused also by a hard link to the file: each name has a write-ahead log of
/// its own, so two servers would spoil what both have.
#[tokio::test]
async fn store_in_use_refused_by_hard_link() {
    let (log_dir, mut told) = (LogDir::new(), ReferenceLog::default());
    let server = log_dir.start(&[]).await;
    told.append(server.addr, "a", "before").await;
    let name = "other.db";
    fs::hard_link(log_dir.file(), log_dir.at(name)).unwrap();
    let args = ["--listen", "127.0.0.1:0", "--store", &log_dir.store(name)];
    let output = run(binary::command(&args)).await;
    one_line(&output, "a hard link", &log_dir.at(name));
    told.append(server.addr, "a", "after").await;
}

/// A value of `--store` that names no store is bad usage.
#[tokio::test]
async fn store_option_bad_value() {
    for store in [
        "",
        "floppy",
        "sqlite",
        "sqlite:",
        "Memory",
        "memory:x",
        "postgres://x",
    ] {
        let output = run(binary::command(&["--store", store])).await;
        let err = std::str::from_utf8(&output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(2), 0),
            "{store:?}"
        );
        assert!(
            err.contains("sqlite:") && err.contains("memory"),
            "{store:?}: {err}"
        );
    }
}
