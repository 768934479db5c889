//! Where a stream begins that comes back, by what its client remembers: `Last-Event-ID`, then
//! `?lastEventId=`, then `?since=`.

use std::net::SocketAddr;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use crate::support::client::{append, send_raw};
use crate::support::member::Member;
use crate::support::wires::{ALL, Stream, StreamEvent, StreamReader};
use crate::support::{TestServer, soon};

/// Follows `a` to the end of a short time, with these lines of bytes in the request's head.
async fn follow(addr: SocketAddr, wire: &'static str, query: &str, lines: &[&[u8]]) -> Stream {
    let request = format!("GET /c/a?as={wire}&timeout=50ms&{query} HTTP/1.1\r\nHost: {addr}\r\n");
    let mut bytes = request.into_bytes();
    for line in lines {
        bytes.extend_from_slice(line);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    let response = soon(send_raw(addr, &bytes)).await.unwrap();
    assert_eq!(response.status, 200, "{wire} {query} {lines:?}");
    let (reader, said) = (StreamReader::new(wire), Vec::new());
    let stream = Stream {
        response,
        reader,
        said,
    };
    stream.whole().await
}

/// A server with three messages in `a`, and the cursors of them.
async fn server_with_three() -> (TestServer, Vec<String>) {
    let server = TestServer::start();
    let mut cursors = Vec::new();
    for text in ["one", "two", "three"] {
        let answer = append(server.addr, "a", text).await;
        cursors.push(answer["cursor"].as_str().unwrap().to_owned());
    }
    (server, cursors)
}

/// The header wins over the parameter of the polyfill, and that over `since`. What is empty does not
/// count.
#[tokio::test]
async fn cursor_that_wins() {
    let (server, cursors) = server_with_three().await;
    let header = |value: &str| format!("Last-Event-ID: {value}").into_bytes();
    let [one, two, three] = &cursors[..] else {
        panic!("{cursors:?}")
    };
    let empty = String::new();
    // The header, `lastEventId`, `since`, and the messages that are missing then.
    let rows = [
        (one, two, three, &["two", "three"][..]),
        (&empty, one, three, &["two", "three"]),
        (&empty, &empty, two, &["three"]),
        (&empty, &empty, &empty, &["one", "two", "three"]),
        (two, &empty, &empty, &["three"]),
    ];
    for wire in ALL {
        for (id, parameter, since, texts) in rows {
            let query = format!("lastEventId={parameter}&since={since}");
            let stream = follow(server.addr, wire, &query, &[&header(id)]).await;
            assert_eq!(stream.texts(), texts, "{wire}, {id:?}, {query}");
            assert!(stream.gaps().is_empty(), "{wire}, {id:?}, {query}");
        }
    }
    server.stop().await;
}

/// An id that is no cursor was given by another server at this address. It is a gap of the epoch, on
/// every transport, in the header and in the parameter: any error would end an `EventSource` for good.
#[tokio::test]
async fn id_of_another_server_is_a_gap() {
    let (server, cursors) = server_with_three().await;
    let own = cursors[1].as_bytes();
    let long = "x".repeat(8_000);
    let ids: [&[u8]; 15] = [
        b"2",
        b"0",
        b"now",
        b"all",
        b"-1",
        b"10m",
        b"urn:uuid:1",
        b"a b",
        b"{\"offset\":7}",
        b"zzzz-99999999999999999999",
        "你好".as_bytes(),
        b"\xff\xfe",
        long.as_bytes(),
        &[own, b","].concat(),
        &[own, b", ", own].concat(),
    ];
    for wire in ALL {
        for id in ids {
            let what = format!("{wire}, {}", String::from_utf8_lossy(id));
            let line = [b"Last-Event-ID: ", id].concat();
            let stream = follow(server.addr, wire, "since=now", &[&line]).await;
            let gap = StreamEvent::Gap("epoch".into(), None, cursors[0].replace("-1", "-0"));
            assert_eq!(stream.gaps(), [&gap], "{what}");
            assert_eq!(stream.texts(), ["one", "two", "three"], "{what}");
            let encoded = percent_encode(id, NON_ALPHANUMERIC);
            let query = format!("since=now&lastEventId={encoded}");
            let stream = follow(server.addr, wire, &query, &[]).await;
            assert_eq!(stream.gaps(), [&gap], "{what}, {query}");
        }
        // Of two ids none can be trusted; an empty one is none.
        let (two, empty) = ([b"Last-Event-ID: ", own].concat(), b"Last-Event-ID:");
        let stream = follow(server.addr, wire, "", &[&two, &two]).await;
        assert_eq!(stream.gaps().len(), 1, "{wire}");
        let stream = follow(server.addr, wire, "", &[empty, &two, empty]).await;
        assert_eq!(stream.texts(), ["three"], "{wire}");
    }
    server.stop().await;
}

/// The streams of the chat begin by the same rule.
#[tokio::test]
async fn id_of_another_server_in_the_chat() {
    let server = TestServer::start();
    let ada = Member::register(server.addr, "ada").await;
    for path in ["/chat/stream", "/chat/presence"] {
        for id in ["5", "urn:uuid:1"] {
            let path = format!("{path}?as=ndjson&timeout=50ms&since=now&lastEventId={id}");
            let said = ada.follow(&path).await.text().await;
            assert!(said.contains("\"reason\":\"epoch\""), "{path}: {said}");
        }
    }
    server.stop().await;
}
