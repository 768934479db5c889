//! A file of the first version: it is opened with all that it has, and cursors stay valid.

use rusqlite::params;

use crate::support::client::{append, get, send};
use crate::support::eventually;
use crate::support::log_dir::LogDir;
use crate::support::wires::{self, Stream};

/// The tables as the first version made them.
const TABLES: &str = "
    PRAGMA auto_vacuum = INCREMENTAL;
    CREATE TABLE log (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        epoch TEXT NOT NULL,
        last INTEGER NOT NULL DEFAULT 0,       -- the newest message's seq
        time INTEGER NOT NULL DEFAULT 0,       -- and its time, in ms since 1970
        lost INTEGER NOT NULL DEFAULT 0,       -- the newest message that was trimmed
        forgotten INTEGER NOT NULL DEFAULT 0,  -- the newest trimmed message of deleted channels
        bytes INTEGER NOT NULL DEFAULT 0,      -- what all messages count against the bound
        keys INTEGER NOT NULL DEFAULT 0,       -- rows of keys
        empty INTEGER NOT NULL DEFAULT 0,      -- rows of channels that keep no message
        probes INTEGER NOT NULL DEFAULT 0      -- raised to find out whether the file can be written
    ) STRICT;
    CREATE TABLE channels (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        kept INTEGER NOT NULL,                 -- rows of messages
        first INTEGER NOT NULL,                -- the first message it ever had, 0 if not known
        lost_through INTEGER NOT NULL,         -- its newest trimmed message
        lost INTEGER NOT NULL                  -- how many of its messages were trimmed
    ) STRICT;
    CREATE INDEX empty_channels ON channels (lost_through) WHERE kept = 0;
    CREATE TABLE messages (
        seq INTEGER PRIMARY KEY,
        channel INTEGER NOT NULL,
        time INTEGER NOT NULL,                 -- never less than that of the message before
        event TEXT,                            -- NULL for 'message'
        data TEXT NOT NULL
    ) STRICT;
    CREATE INDEX messages_of_channel ON messages (channel, seq);
    CREATE TABLE keys (
        seq INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        channel TEXT NOT NULL,
        key TEXT NOT NULL,
        UNIQUE (channel, key)
    ) STRICT;
    INSERT INTO log (id, epoch) VALUES (1, 'k3f9x2qa0b');
    INSERT INTO channels VALUES (1, 'a', 4, 1, 0, 0);
    PRAGMA application_id = 1717989997;
    PRAGMA user_version = 1;
    PRAGMA journal_mode = WAL;
    ";

const DAY: u64 = 24 * 60 * 60 * 1000;

/// Makes a file of the first version, with messages of these ages in milliseconds, each with its key
/// and its own text; a negative age is a time in the future.
fn first_version(log_dir: &LogDir, ages: &[i64]) {
    let connection = log_dir.connect();
    connection.execute_batch(TABLES).unwrap();
    let now: i64 = jiff::Timestamp::now().as_millisecond();
    for (seq, age) in (1_i64..).zip(ages) {
        let (time, text) = (now - age, format!("message {seq}"));
        let sql = "INSERT INTO messages VALUES (?, 1, ?, NULL, ?)";
        connection.execute(sql, params![seq, time, text]).unwrap();
        let sql = "INSERT INTO keys VALUES (?, ?, 'a', ?)";
        let key = format!("k{seq}");
        connection.execute(sql, params![seq, time, key]).unwrap();
        let sql = "UPDATE log SET last = ?, time = ?, keys = ?1, bytes = bytes + 512 + ?";
        let bytes = i64::try_from(text.len()).unwrap();
        connection.execute(sql, params![seq, time, bytes]).unwrap();
    }
    // The connection that is closed last empties the write-ahead log.
    connection.close().unwrap();
}

/// Sends a `POST` with a key, and returns the status.
async fn once(addr: std::net::SocketAddr, key: &str, text: &str) -> u16 {
    let request = format!("POST /c/a\r\nIdempotency-Key: {key}");
    send(addr, &request, text.as_bytes()).await.status
}

/// The messages of a file of the first version, its cursors and its keys are there; what was too old
/// goes, and what has a time in the future does not stay for ever nor push out the rest.
#[tokio::test]
async fn file_of_first_version_is_opened() {
    let ahead = -i64::try_from(3650 * DAY).unwrap();
    for ages in [
        [60_000, 50_000, 40_000, 100],
        [60_000, 50_000, ahead, ahead],
    ] {
        let log_dir = LogDir::new();
        first_version(&log_dir, &ages);
        let mut server = log_dir.start(&[]).await;
        for round in 0..2 {
            let addr = server.addr;
            let since = "since=k3f9x2qa0b-1&limit=3";
            let stream = Stream::open(addr, "ndjson", "a", since).await;
            let stream = stream.whole().await;
            let texts = ["message 2", "message 3", "message 4"];
            assert_eq!((stream.gaps().len(), stream.texts()), (0, texts.to_vec()));
            assert_eq!(once(addr, "k4", "message 4").await, 200, "{round} {ages:?}");
            assert_eq!(once(addr, "k3", "another").await, 422, "{round} {ages:?}");
            let answer = append(addr, "a", "new").await;
            let time: jiff::Timestamp = answer["time"].as_str().unwrap().parse().unwrap();
            let now = jiff::Timestamp::now();
            assert!(now.duration_since(time).abs().as_secs() < 60, "{time}");
            server.end("-TERM").await;
            server = log_dir.start(&[]).await;
        }
    }
}

/// Messages of the first version expire by their age.
#[tokio::test]
async fn messages_of_first_version_expire() {
    let log_dir = LogDir::new();
    let ahead = -i64::try_from(3650 * DAY).unwrap();
    first_version(&log_dir, &[60_000, 50_000, ahead, ahead]);
    let server = log_dir.start(&["--keep-for", "30s"]).await;
    let mut stream = Stream::open(server.addr, "ndjson", "a", "since=k3f9x2qa0b-0").await;
    stream.until(2).await;
    let texts = stream.texts();
    assert_eq!(texts[texts.len() - 2..], ["message 3", "message 4"]);
    server.end("-TERM").await;
    let server = log_dir.start(&["--keep-for", "1ms"]).await;
    eventually("all expire", async || {
        let metrics = get(server.addr, "/metrics").await.text().await;
        metrics.contains("\nforever_frame_log_first_seq 0\n")
    })
    .await;
}

/// Messages whose names are the server's own words now are served with them on each transport, and a cursor
/// between them is valid.
#[tokio::test]
async fn reserved_names_of_first_version_are_served() {
    let log_dir = LogDir::new();
    first_version(&log_dir, &[60_000, 50_000, 40_000, 30_000]);
    let names = ["live", "closed", "open", "error"];
    let connection = log_dir.connect();
    for (seq, name) in (1_i64..).zip(names) {
        let sql = "UPDATE messages SET event = ? WHERE seq = ?";
        connection.execute(sql, params![name, seq]).unwrap();
    }
    connection.close().unwrap();
    let server = log_dir.start(&[]).await;
    for wire in wires::ALL {
        for seen in 0..4 {
            let since = format!("since=k3f9x2qa0b-{seen}&until=now");
            if wire == "sse" {
                let mut body = get(server.addr, &format!("/c/a?as=sse&{since}")).await;
                let body = body.text().await;
                for (at, name) in names.iter().enumerate() {
                    let seq = at + 1;
                    let block =
                        format!("id: k3f9x2qa0b-{seq}\nevent: {name}\ndata: message {seq}\n\n");
                    assert_eq!(body.contains(&block), seq > seen, "{body}");
                }
                continue;
            }
            let stream = Stream::open(server.addr, wire, "a", &since).await;
            let stream = stream.whole().await;
            assert!(stream.gaps().is_empty(), "{wire}");
            let said = stream.messages().map(|message| {
                let has_name = wire != "text";
                (has_name.then_some(&*message.event), &*message.data)
            });
            let texts: Vec<String> = (1..=4).map(|seq| format!("message {seq}")).collect();
            let expected = names.iter().zip(&texts).skip(seen);
            let expected = expected.map(|(name, text)| {
                let has_name = wire != "text";
                (has_name.then_some(*name), &**text)
            });
            assert_eq!(
                said.collect::<Vec<_>>(),
                expected.collect::<Vec<_>>(),
                "{wire} after {seen}"
            );
        }
    }
    assert_eq!(
        send(server.addr, "POST /c/a?event=live", b"x").await.status,
        400
    );
    server.end("-TERM").await;
}

/// The newest time in the file that the first version has made, in milliseconds.
const MADE: i64 = 1_795_849_751_976;

/// Makes the file as the first version's code did, a minute ago.
fn made_by_first_version(log_dir: &LogDir) {
    let connection = log_dir.connect();
    connection
        .execute_batch(include_str!("first_version.sql"))
        .unwrap();
    let later = jiff::Timestamp::now().as_millisecond() - MADE - 60_000;
    for (table, column) in [
        ("messages", "time"),
        ("keys", "time"),
        ("log", "time"),
        ("sessions", "used"),
        ("accounts", "created"),
    ] {
        let sql = format!("UPDATE {table} SET {column} = {column} + {later}");
        connection.execute(&sql, ()).unwrap();
    }
    connection.close().unwrap();
}

/// All that a file of the first version has is there: messages, cursors, keys, letters, accounts, logins,
/// friends and conversations.
#[tokio::test]
async fn all_of_first_version_is_there() {
    let log_dir = LogDir::new();
    made_by_first_version(&log_dir);
    let server = log_dir.start(&[]).await;
    let addr = server.addr;
    let stream = Stream::open(addr, "ndjson", "build", "since=wrk20v1450-7&until=now").await;
    let stream = stream.whole().await;
    assert!(stream.gaps().is_empty());
    let said: Vec<_> = stream
        .messages()
        .map(|said| (&*said.event, &*said.data))
        .collect();
    assert_eq!(said, [("live", "live or not")]);

    let again = "POST /c/orders\r\nIdempotency-Key: k1";
    assert_eq!(send(addr, again, b"once").await.status, 200);
    assert_eq!(send(addr, again, b"twice").await.status, 422);

    let form = "Content-Type: application/x-www-form-urlencoded\r\nAccept: application/json";
    let ask = format!("POST /mailbox\r\n{form}");
    let letter = send(addr, &ask, b"action=receive&me=Bob")
        .await
        .text()
        .await;
    assert!(
        letter.contains("\"FromUserName\":\"Ada\",\"Msg\":\"hi\""),
        "{letter}"
    );

    // By her password, and by the cookie that she had.
    let log_in = format!("POST /chat/login\r\n{form}");
    let login = send(addr, &log_in, b"name=Zoe&password=correct-horse").await;
    assert_eq!(login.status, 200);
    let cookie =
        "forever-frame-chat=8d054f1e0eee6e6ef83f6978444200e1647268a8d736260fdb65349f761c7c4d";
    let with_yan = format!("GET /chat/with/Yan\r\nAccept: application/json\r\nCookie: {cookie}");
    let talk = send(addr, &with_yan, b"").await.text().await;
    assert!(talk.contains("\"text\":\"hello Yan\""), "{talk}");
    let friends = format!("GET /chat/friends\r\nAccept: application/json\r\nCookie: {cookie}");
    let friends = send(addr, &friends, b"").await.text().await;
    assert!(friends.contains("Yan"), "{friends}");
    // The demo accounts, whose password everybody knows, are there only where they are wanted.
    let demo = send(addr, &log_in, b"name=liger_zql&password=12345").await;
    assert_eq!(demo.status, 401);
    server.end("-TERM").await;
}
