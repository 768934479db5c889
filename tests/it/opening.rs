//! Files that are no log, and logs that cannot be had: one line says so, and nothing is touched.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Output;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::process::Command;

use crate::support::binary;
use crate::support::ledger::Ledger;
use crate::support::place::Place;
use crate::support::soon;

/// Runs a server that is to end by itself.
async fn run(mut command: Command) -> Output {
    soon(command.output()).await.unwrap()
}

/// All that lies in a directory; of a link what it leads to.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        contents.insert(name, fs::read(&path).unwrap_or_default());
    }
    contents
}

/// One of these is what to do.
const ADVICE: [&str; 8] = [
    "choose another",
    "create it",
    "give one",
    "must be",
    "put a copy",
    "stop that one",
    "remove all but one",
    "use a newer",
];

/// Exit code 1, nothing on standard output, and one line that names the file and says what to do;
/// gives the line.
fn one_line(output: &Output, what: &str, path: &Path) -> String {
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

/// Holds it to refusing the place's file, and to leaving all as it was.
async fn refuses(place: &Place, what: &str) -> String {
    let dir = place.at("");
    let before = contents(&dir);
    let output = run(place.command("127.0.0.1:0")).await;
    let line = one_line(&output, what, &place.file());
    let after = contents(&dir);
    let names = |contents: &BTreeMap<String, _>| contents.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after), "{what}: {line}");
    assert!(before == after, "{what}: the bytes have changed");
    line
}

/// A log as a server leaves it, with some messages.
async fn log() -> (Place, Ledger) {
    let (place, mut told) = (Place::new(), Ledger::default());
    let server = place.start(&[]).await;
    for n in 0..200 {
        let text = format!("{n} {}", "x".repeat(1_000));
        told.append(server.addr, ["a", "b"][n % 2], &text).await;
    }
    server.end("-TERM").await;
    (place, told)
}

#[tokio::test]
async fn a_file_that_is_damaged_or_is_no_database_is_refused_and_left_alone() {
    let (place, told) = log().await;
    let sound = fs::read(place.file()).unwrap();
    let _ = fs::remove_file(place.at("log.db-lock"));
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
        ("garbage behind the header", with(100, &garbage[100..4096])),
        ("zeros behind the header", with(100, &[0; 3996])),
    ] {
        fs::write(place.file(), bytes).unwrap();
        let line = refuses(&place, what).await;
        if what == "without its last page" {
            assert!(line.contains("cut short"), "{line}");
        }
    }
    // It was all the file's fault.
    fs::write(place.file(), sound).unwrap();
    let server = place.start(&[]).await;
    let whole = Ledger::read(server.addr, "a,b", told.last()).await;
    assert_eq!(whole.entries, told.entries);
}

#[tokio::test]
async fn another_programs_database_and_a_newer_log_are_refused_and_left_alone() {
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
        let place = Place::new();
        place.connect().execute_batch(sql).unwrap();
        refuses(&place, what).await;
    }
    let (place, told) = log().await;
    let _ = fs::remove_file(place.at("log.db-lock"));
    let version = |version: i64| {
        let connection = place.connect();
        let before = connection.pragma_query_value(None, "user_version", |row| row.get(0));
        connection
            .pragma_update(None, "user_version", version)
            .unwrap();
        before.unwrap()
    };
    let own: i64 = version(1_000_000);
    assert!(own > 0, "a version has a number");
    let line = refuses(&place, "the far future").await;
    assert!(line.contains("newer"), "{line}");
    version(own + 1);
    refuses(&place, "the next version").await;
    version(own);
    let server = place.start(&[]).await;
    let whole = Ledger::read(server.addr, "a,b", told.last()).await;
    assert_eq!(whole.entries, told.entries);
}

#[tokio::test]
async fn a_path_where_no_file_can_be_is_refused() {
    let place = Place::new();
    fs::create_dir(place.file()).unwrap();
    refuses(&place, "a directory").await;
    for (what, name) in [
        ("no directory", "nowhere/log.db"),
        ("no directory at all", "nowhere/nowhere/log.db"),
        ("a file for a directory", "file/log.db"),
    ] {
        fs::write(place.at("file"), "x").unwrap();
        let before = contents(&place.at(""));
        let store = place.store(name);
        let args = ["--listen", "127.0.0.1:0", "--store", &store];
        let output = run(binary::command(&args)).await;
        one_line(&output, what, &place.at(name));
        assert!(before == contents(&place.at("")), "{what}");
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Do permissions bind those who run the tests? They do not bind root.
fn is_bound() -> bool {
    let place = Place::new();
    mode(&place.at(""), 0o500);
    let is_bound = fs::write(place.at("probe"), "").is_err();
    mode(&place.at(""), 0o700);
    is_bound
}

/// The same command, bound by permissions.
fn bound(command: Command) -> Command {
    if is_bound() {
        return command;
    }
    let command = command.as_std();
    let without = "-dac_override,-dac_read_search";
    let mut bound = Command::new("setpriv");
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

#[tokio::test]
async fn a_file_that_one_may_not_write_is_refused_and_left_alone() {
    let (place, told) = log().await;
    let _ = fs::remove_file(place.at("log.db-lock"));
    let (dir, file) = (place.at(""), place.file());
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
        let output = run(bound(place.command("127.0.0.1:0"))).await;
        mode(&dir, 0o700);
        mode(&file, 0o600);
        one_line(&output, what, &file);
        assert!(before == contents(&dir), "{what}: {:?}", place.names());
    }
    fs::rename(&file, place.at("aside")).unwrap();
    mode(&dir, 0o500);
    let output = run(bound(place.command("127.0.0.1:0"))).await;
    mode(&dir, 0o700);
    one_line(&output, "a new file in a directory to be read only", &file);
    assert_eq!(place.names(), ["aside"]);
    fs::rename(place.at("aside"), &file).unwrap();
    let server = place.start(&[]).await;
    let whole = Ledger::read(server.addr, "a,b", told.last()).await;
    assert_eq!(whole.entries, told.entries);
}

#[tokio::test]
async fn a_second_server_on_the_same_file_is_refused_and_the_first_goes_on() {
    let (place, mut told) = (Place::new(), Ledger::default());
    let server = place.start(&[]).await;
    told.append(server.addr, "a", "before").await;
    symlink(place.file(), place.at("link.db")).unwrap();
    symlink("log.db", place.at("near.db")).unwrap();
    let other = Place::new();
    symlink(place.at(""), other.at("dir")).unwrap();
    let through = format!("sqlite:{}/dir/log.db", other.at("").display());
    for (what, store) in [
        ("the same path", place.store("log.db")),
        ("another spelling", place.store("./log.db")),
        ("a link", place.store("link.db")),
        ("a link from near", place.store("near.db")),
        ("a link to the directory", through),
    ] {
        let before = place.names();
        let args = ["--listen", "127.0.0.1:0", "--store", &store];
        let output = run(binary::command(&args)).await;
        let path = store.strip_prefix("sqlite:").unwrap();
        let line = one_line(&output, what, Path::new(path));
        assert!(line.contains("another"), "{what}: {line}");
        assert_eq!(before, place.names(), "{what}");
        told.append(server.addr, "a", what).await;
    }
    server.end("-KILL").await;
    // Whoever was killed holds nothing.
    let server = place.start(&[]).await;
    let whole = Ledger::read(server.addr, "a", told.last()).await;
    assert_eq!(whole.entries, told.entries);
}

/// Each name has a write-ahead log of its own, so two servers would spoil what both have.
#[tokio::test]
async fn a_second_server_is_refused_also_by_another_name_of_the_same_file() {
    let (place, mut told) = (Place::new(), Ledger::default());
    let server = place.start(&[]).await;
    told.append(server.addr, "a", "before").await;
    let name = "other.db";
    fs::hard_link(place.file(), place.at(name)).unwrap();
    let args = ["--listen", "127.0.0.1:0", "--store", &place.store(name)];
    let output = run(binary::command(&args)).await;
    one_line(&output, "a hard link", &place.at(name));
    told.append(server.addr, "a", "after").await;
}

#[tokio::test]
async fn a_store_that_is_none_is_bad_usage() {
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
