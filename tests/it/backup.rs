//! Back-ups of the log, and how they are restored, by the commands of the binary.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rusqlite::Connection;

use crate::support::binary;
use crate::support::client::{append, get};
use crate::support::log_dir::LogDir;
use crate::support::mailbox::{letter, look, text};
use crate::support::member::{Member, with};
use crate::support::person::PASSWORD;
use crate::support::reference_log::parts;
use crate::support::refusal::run;
use crate::support::wires::{Stream, StreamEvent};

/// Runs `backup` or `restore` on the log of a directory.
async fn command(log_dir: &LogDir, what: &str, file: &Path, more: &[&str]) -> Output {
    let (store, file) = (log_dir.store("log.db"), file.to_str().unwrap());
    run(binary::command(
        &[&[what, file, "--store", &store], more].concat(),
    ))
    .await
}

/// The line of a command that has done its work.
fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(
        (output.status.code(), &*err, out.lines().count()),
        (Some(0), "", 1)
    );
    out
}

/// The line of a command that has refused.
fn refused(output: &Output, what: &str) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    let err = String::from_utf8(err.clone()).unwrap();
    assert_eq!((output.status.code(), &**out), (Some(1), &b""[..]), "{err}");
    assert_eq!(err.lines().count(), 1, "{what}: {err}");
    println!("{what}: {err}");
    err
}

/// The cursor at which a back-up ends, or a restored log goes on, as its line says.
fn cursor_in(line: &str) -> &str {
    let mut words = line.split([' ', ',']);
    words
        .find(|word| word.contains('-') && !word.contains('/'))
        .unwrap()
}

/// The texts that a channel has.
async fn texts(addr: SocketAddr, channel: &str) -> Vec<String> {
    let stream = Stream::open(addr, "ndjson", channel, "until=now").await;
    let stream = stream.whole().await;
    assert!(stream.gaps().is_empty(), "{:?}", stream.gaps());
    stream.texts().into_iter().map(str::to_owned).collect()
}

/// Each back-up has all that was answered before it, and nothing but the beginning of what came.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backup_under_load_is_whole() {
    const BACKUPS: usize = 4;
    let log_dir = LogDir::new();
    let server = log_dir.start(&[]).await;
    let (addr, is_over) = (server.addr, AtomicBool::new(false));
    let publish = async {
        let (mut count, padding) = (0, "x".repeat(2_000));
        while !is_over.load(Relaxed) {
            append(addr, "a", &format!("{count} {padding}")).await;
            count += 1;
        }
        count
    };
    let back_up = async {
        let mut at_least = Vec::new();
        for n in 0..BACKUPS {
            let before = append(addr, "b", "before").await["seq"].as_u64().unwrap();
            let file = log_dir.at(&format!("copy-{n}.db"));
            let line = said(&command(&log_dir, "backup", &file, &[]).await);
            let (_, end) = parts(cursor_in(&line));
            assert!(end >= before, "{line} {before}");
            at_least.push(end);
        }
        is_over.store(true, Relaxed);
        at_least
    };
    let (count, ends) = tokio::join!(publish, back_up);
    assert_eq!(texts(addr, "a").await.len(), count, "the server goes on");
    let log = server.end("-TERM").await;
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    let mut names: Vec<String> = (0..BACKUPS).map(|n| format!("copy-{n}.db")).collect();
    names.extend(["log.db", "log.db-lock"].map(str::to_owned));
    assert_eq!(log_dir.names(), names, "nothing else is left");

    for (n, end) in ends.into_iter().enumerate() {
        let restored = LogDir::new();
        let file = log_dir.at(&format!("copy-{n}.db"));
        said(&command(&restored, "restore", &file, &[]).await);
        let server = restored.start(&[]).await;
        let (a, b) = (
            texts(server.addr, "a").await,
            texts(server.addr, "b").await.len(),
        );
        assert_eq!((a.len() + b) as u64, end, "copy {n}");
        for (at, text) in a.iter().enumerate() {
            assert!(text.starts_with(&format!("{at} ")), "copy {n}, {at}");
        }
        server.end("-TERM").await;
    }
}

/// A restored log has a new epoch, which is told to whoever comes with a cursor of before; it goes on
/// with the letters and the accounts of the back-up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restored_log_goes_on() {
    let (log_dir, file) = (LogDir::new(), "copy.db");
    let server = log_dir.start(&[]).await;
    let addr = server.addr;
    let early = append(addr, "a", "kept").await["cursor"].clone();
    letter(addr, "bob", "first").await;
    let (ada, eve) = (
        Member::register(addr, "ada").await,
        Member::register(addr, "eve").await,
    );
    ada.befriend(&eve).await;
    ada.say("eve", "hello").await;
    let line = said(&command(&log_dir, "backup", &log_dir.at(file), &[]).await);
    let before = cursor_in(&line).to_owned();

    let late = append(addr, "a", "lost").await["cursor"].clone();
    assert_eq!(text(&look(addr, "bob").await), "first");
    letter(addr, "bob", "second").await;
    Member::register(addr, "zoe").await.befriend(&ada).await;
    ada.say("eve", "again").await;

    let line = refused(
        &command(&log_dir, "restore", &log_dir.at(file), &["--replace"]).await,
        "while a server has it",
    );
    assert!(line.contains("stop that one"), "{line}");
    assert_eq!(texts(addr, "a").await, ["kept", "lost"]);
    // Its write-ahead log belongs to the file that is replaced.
    server.end("-KILL").await;
    let line = refused(
        &command(&log_dir, "restore", &log_dir.at(file), &[]).await,
        "in the place of a log",
    );
    assert!(line.contains("--replace"), "{line}");
    let line = said(&command(&log_dir, "restore", &log_dir.at(file), &["--replace"]).await);
    let after = cursor_in(&line).to_owned();
    let is_left = |name: &String| !name.ends_with("-reserve");
    let names: Vec<String> = log_dir.names().into_iter().filter(is_left).collect();
    assert_eq!(names, ["copy.db", "log.db", "log.db-lock"]);
    let ((old, end), (new, same_end)) = (parts(&before), parts(&after));
    assert!(old != new && end == same_end, "{before} {after}");

    let server = log_dir.start(&[]).await;
    let addr = server.addr;
    let cursor = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    for old in [cursor(&early), cursor(&late), before] {
        let stream = Stream::open(addr, "ndjson", "a", &format!("since={old}&until=now")).await;
        let stream = stream.whole().await;
        let [StreamEvent::Gap(reason, ..)] = stream.gaps()[..] else {
            panic!("{old}: {:?}", stream.said)
        };
        assert_eq!((&**reason, stream.texts()), ("epoch", vec!["kept"]));
    }
    let since = format!("since={after}&limit=1");
    let stream = Stream::open(addr, "ndjson", "a", &since).await;
    assert_eq!(append(addr, "a", "new").await["seq"], end + 1);
    let stream = stream.whole().await;
    assert_eq!((stream.gaps().len(), stream.texts()), (0, vec!["new"]));

    assert_eq!(text(&look(addr, "bob").await), "first", "not received yet");
    let mut ada = ada.person.moved(addr);
    ada.cookie.clear();
    assert!(ada.enter("login", "ada", PASSWORD).await.status < 300);
    let ada = Member {
        person: ada,
        name: "ada".to_owned(),
    };
    let talk = get_text(&ada, &format!("{}?as=text&limit=1", with("eve"))).await;
    assert!(talk.contains("hello"), "{talk}");
    ada.say("eve", "at last").await;
    let talk = get_text(&ada, &format!("{}?as=text&limit=2", with("eve"))).await;
    assert!(
        talk.contains("at last") && !talk.contains("again"),
        "{talk}"
    );
    let zoe = ada.person.clone().befriend("ask", "zoe").await;
    assert!(zoe.status >= 400, "she came after the back-up");
    let log = server.end("-TERM").await;
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    // A later start has the same epoch.
    let server = log_dir.start(&[]).await;
    let stream = Stream::open(server.addr, "ndjson", "a", &since).await;
    assert!(stream.whole().await.gaps().is_empty());
}

async fn get_text(member: &Member, path: &str) -> String {
    let mut answer = member.person.get(path).await;
    assert_eq!(answer.status, 200, "{path}");
    answer.text().await
}

/// What is no back-up, or no log, is refused with a sentence, and the log stays as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_files_are_refused() {
    let log_dir = LogDir::new();
    let copy = log_dir.at("copy.db");
    let line = refused(&command(&log_dir, "backup", &copy, &[]).await, "no log");
    assert!(line.contains("there is no log"), "{line}");
    let server = log_dir.start(&[]).await;
    for n in 0..100 {
        append(server.addr, "a", &format!("{n} {}", "x".repeat(1_000))).await;
    }
    said(&command(&log_dir, "backup", &copy, &[]).await);
    let line = refused(&command(&log_dir, "backup", &copy, &[]).await, "exists");
    assert!(line.contains("--replace"), "{line}");
    append(server.addr, "a", "one more").await;
    let whole = fs::read(&copy).unwrap();
    said(&command(&log_dir, "backup", &copy, &["--replace"]).await);
    assert_ne!(fs::read(&copy).unwrap(), whole);
    let nowhere = log_dir.at("nowhere/copy.db");
    refused(&command(&log_dir, "backup", &nowhere, &[]).await, "nowhere");
    let itself = command(&log_dir, "backup", &log_dir.file(), &["--replace"]).await;
    refused(&itself, "itself");

    // A log that a server has open, and one that was killed.
    let other = LogDir::new();
    let is_open = command(&other, "restore", &log_dir.file(), &[]).await;
    assert!(refused(&is_open, "open").contains("forever-frame backup"));
    server.end("-KILL").await;
    let is_log = command(&other, "restore", &log_dir.file(), &[]).await;
    refused(&is_log, "killed");
    let server = log_dir.start(&[]).await;
    server.end("-TERM").await;

    let before = fs::read(log_dir.file()).unwrap();
    let mut spoilt = whole.clone();
    let middle = whole.len() / 2 / 4096 * 4096;
    spoilt[middle..middle + 4096].fill(0x55);
    let foreign = log_dir.at("foreign.db");
    let connection = Connection::open(&foreign).unwrap();
    connection.execute_batch("CREATE TABLE t (x)").unwrap();
    connection.close().unwrap();
    let newer = log_dir.at("newer.db");
    fs::write(&newer, &whole).unwrap();
    let connection = Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    connection.close().unwrap();
    for (what, bytes, sentence) in [
        ("empty", Vec::new(), "not an SQLite database"),
        ("text", b"hello".to_vec(), "not an SQLite database"),
        ("cut", whole[..whole.len() - 4096].to_vec(), "cut short"),
        ("spoilt", spoilt, "damaged"),
        ("foreign", fs::read(&foreign).unwrap(), "another program"),
        ("newer", fs::read(&newer).unwrap(), "use a newer"),
    ] {
        let file = log_dir.at("wrong.db");
        fs::write(&file, bytes).unwrap();
        let restored = command(&log_dir, "restore", &file, &["--replace"]).await;
        let line = refused(&restored, what);
        assert!(
            line.contains(sentence) && line.contains("wrong.db"),
            "{line}"
        );
        assert_eq!(fs::read(log_dir.file()).unwrap(), before, "{what}");
    }
    for (what, file) in [
        ("nothing", log_dir.at("nothing.db")),
        ("a directory", log_dir.at("")),
        ("itself", log_dir.file()),
    ] {
        let restored = command(&log_dir, "restore", &file, &["--replace"]).await;
        refused(&restored, what);
        assert_eq!(fs::read(log_dir.file()).unwrap(), before, "{what}");
    }
    let names = log_dir.names();
    assert!(
        !names.iter().any(|name| name.contains("-partial")),
        "{names:?}"
    );
    // A log in memory has no file.
    for what in ["backup", "restore"] {
        let output = run(binary::command(&[what, "copy.db"])).await;
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    let server = log_dir.start(&[]).await;
    assert_eq!(get(server.addr, "/healthz").await.status, 200);
}

/// What an operator forgot: a back-up of a log that is stopped, restored in the place of one that is
/// spoilt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spoilt_log_is_replaced() {
    let log_dir = LogDir::new();
    let server = log_dir.start(&[]).await;
    append(server.addr, "a", "hello").await;
    server.end("-TERM").await;
    let copy = log_dir.at("copy.db");
    said(&command(&log_dir, "backup", &copy, &[]).await);
    assert_eq!(log_dir.names(), ["copy.db", "log.db", "log.db-lock"]);
    fs::write(log_dir.file(), "spoilt").unwrap();
    said(&command(&log_dir, "restore", &copy, &["--replace"]).await);
    let server = log_dir.start(&[]).await;
    assert_eq!(texts(server.addr, "a").await, ["hello"]);
}
