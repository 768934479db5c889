//! Round trips: any message comes out as it went in, and after any request the server is up.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use parking_lot::Mutex;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::conformance::said_of;
use crate::support::binary::Binary;
use crate::support::client::{append, get};
use crate::support::difficult::{difficult, shown, uncolored};
use crate::support::text::TextReader;
use crate::support::wires::{ALL, Stream, StreamEvent};
use crate::support::{TestServer, soon};

/// A runner of this many cases. A failing case is made smaller and shown, not written to a file.
fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

/// Sends a message and reads it back on each transport, there being exactly one of it.
async fn round_trip(addr: SocketAddr, event: &str, text: &str) -> Result<(), TestCaseError> {
    let answer = append(addr, &format!("a?event={event}"), text).await;
    let (cursor, seq) = (
        answer["cursor"].as_str().unwrap(),
        answer["seq"].as_u64().unwrap(),
    );
    let next = append(addr, "a", "next").await;
    let next = next["cursor"].as_str().unwrap();
    for wire in ALL {
        // The next message is read, too, so that a message that became two would be noticed.
        let (mut seen, mut at) = (Vec::new(), (seq - 1).to_string());
        while seen.len() < 2 {
            let query = format!("since={at}&limit={}", 2 - seen.len());
            let stream = Stream::open(addr, wire, "a", &query).await.whole().await;
            prop_assert!(stream.gaps().is_empty(), "{}: {:?}", wire, stream.said);
            // The answer to a poll has a bound, so it may be one long message; a stream goes on.
            prop_assert!(wire == "json" || stream.messages().count() == 2, "{}", wire);
            seen.extend(stream.messages().cloned());
            stream.end().unwrap().0.clone_into(&mut at);
        }
        let expected = [
            said_of(wire, cursor, "a", event, &shown(wire, text)),
            said_of(wire, next, "a", "message", "next"),
        ];
        prop_assert!(seen == expected, "{}: {:.2000?}", wire, format!("{seen:?}"));
        prop_assert_eq!(at, next, "{}", wire);
    }
    colored_round_trip(addr, seq, text).await
}

/// Reads a message as a terminal that wants colours: without them its line is that of its characters, and
/// nothing else in it does anything.
async fn colored_round_trip(addr: SocketAddr, seq: u64, text: &str) -> Result<(), TestCaseError> {
    let path = format!("/c/a?color=1&since={}&limit=1", seq - 1);
    let colored = get(addr, &path).await.text().await;
    let plain = uncolored(&colored);
    let is_control = |c: char| c.is_control() && c != '\t' && c != '\n';
    prop_assert!(!plain.contains(is_control), "{:?}", colored);
    let said = TextReader::new(false).read(plain.as_bytes());
    let texts: Vec<&str> = said
        .iter()
        .filter_map(|said| match said {
            StreamEvent::Message(message) => Some(&*message.data),
            _ => None,
        })
        .collect();
    prop_assert_eq!(texts, [uncolored(text)]);
    Ok(())
}

/// Difficult messages come out of each transport as they went in. Known limits of the formats, and
/// of `POST`, are in [`shown`] and [`append`]: SSE has one kind of line end, HTML has no NUL, and
/// `POST` drops one newline at the end, so one is put there.
#[tokio::test]
async fn difficult_text_on_each_transport() {
    let server = TestServer::start();
    for (name, event, text) in difficult() {
        if let Err(error) = round_trip(server.addr, event, &text).await {
            panic!("{name}: {error}");
        }
    }
    server.stop().await;
}

/// Random texts come out of each transport as they went in.
#[test]
fn random_text_on_each_transport() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(async { TestServer::start() });
    // Any character may come; those with a meaning on some transport come more often.
    let special = prop::sample::select(vec![
        "\r",
        "\n",
        "\r\n",
        "\u{2028}",
        "\u{2029}",
        "\0",
        "\u{feff}",
        "\u{85}",
        "\u{1b}",
        "\u{1b}[1;31m",
        "\u{1b}[m",
        "\u{1b}[2J",
        "\t",
        " ",
        ".",
        "#",
        "\\",
        "\\n",
        "\\x",
        "\\u",
        "&",
        "<",
        ">",
        "\"",
        "'",
        ";",
        ":",
        "</script>",
        "<!--",
        "</p>",
        "]]>",
        "# end x",
        "# gap ",
        "data: ",
        "&#13;",
        "&amp;",
        "\u{10ffff}",
    ]);
    let piece = prop_oneof![
        3 => special.prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "\\PC{0,20}",
    ];
    let text = vec(piece, 0..24).prop_map(|pieces| pieces.concat());
    // On a transport with named events these names mean something else.
    let event = "[A-Za-z0-9._:-]{1,64}"
        .prop_filter("the server's own", |name| !OWN_EVENTS.contains(&&**name));
    let result = runner(96).run(&(event, text), |(event, text)| {
        runtime.block_on(round_trip(server.addr, &event, &text))
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    runtime.block_on(server.stop());
}

/// The names of the events that are the server's own in an event stream.
const OWN_EVENTS: [&str; 7] = ["gap", "end", "heartbeat", "live", "closed", "open", "error"];

/// A strategy that chooses one of these words.
fn word(words: &'static str) -> impl Strategy<Value = String> {
    prop::sample::select(words.split(' ').map(str::to_owned).collect::<Vec<_>>())
}

/// A request that makes sense in most of its parts: one that makes none is refused by hyper before
/// this project's code sees it.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let bytes = |most| vec(any::<u8>(), 0..most);
    let method = prop_oneof![
        20 => word("GET GET GET POST POST POST PUT PUT HEAD OPTIONS DELETE"),
        1 => "[!-~]{1,8}",
    ];
    let path = prop_oneof![
        20 => word("/c/a /c/a /c/a,b /c/b /stream /send /sender /receiver"),
        10 => word(
            "/ /c/ /c/~x /c/%00 /c/%ff /c/% /mailbox /chat /clock /frame /events /metrics /../x \
             // * http://x/c/a /%2e%2e/ /style.css /c/a%2cb"
        ),
        2 => "/[!-~]{0,24}",
    ];
    let pair = prop_oneof![
        12 => word(
            "as=text as=html as=script as=sse as=ndjson as=json since=all since=now since=-2 \
             since=x-1 since=1h since=0 limit=1 limit=18446744073709551615 timeout=1ms \
             timeout=18446744073709551615s heartbeat=1s wait=60s wait=0s retry=0 sent=x \
             heartbeat_event=1 event=note event=gap origin=https://x since=9999999999y"
        ),
        1 => "[a-z_]{0,9}=((-)?[0-9]{1,25}(ms|s|d|y)?|[!-~]{0,12}|(%[0-9a-fA-F]{2}){0,6})",
    ];
    // A parameter of another method is refused, so many requests have none.
    let query = prop_oneof![
        vec(pair, 0..4).prop_map(|pairs| pairs.join("&")),
        Just(String::new()),
    ];
    let name = prop_oneof![
        20 => word(
            "Accept Idempotency-Key Origin Cookie Range Content-Type Sec-Purpose Sec-Fetch-Dest \
             Access-Control-Request-Method If-None-Match X"
        ),
        1 => word("Last-Event-ID Connection Expect Content-Length Transfer-Encoding Host"),
    ];
    let value = prop_oneof![
        6 => word("text/html text/event-stream */* x-1 prefetch document keep-alive chunked 7"),
        6 => "[ -~]{0,40}",
        2 => "[\u{a0}-\u{10ffff}]{0,9}",
    ];
    let value = prop_oneof![
        30 => value.prop_map(String::into_bytes),
        1 => bytes(20),
    ];
    let headers = vec((name, value), 0..4);
    let body = prop_oneof![
        2 => "(\\PC|[\\r\\n\0=&%+]){0,99}".prop_map(String::into_bytes),
        1 => bytes(300),
    ];
    let sized = prop::bool::weighted(0.9);
    (method, path, query, headers, body, sized).prop_map(
        |(method, path, query, headers, body, sized)| {
            let mut all = format!("{method} {path}?{query}").into_bytes();
            all.extend(b" HTTP/1.1\r\nHost: localhost\r\n");
            for (name, value) in headers {
                all.extend([name.as_bytes(), b": ", &value, b"\r\n"].concat());
            }
            if sized {
                all.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
            }
            all.extend(b"\r\n");
            all.extend(body);
            all
        },
    )
}

/// Sends these bytes, and reads until the head of the answer is there or the connection has ended.
async fn throw(addr: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let mut answer = Vec::new();
    // A client that is refused early may find the connection closed, which is a proper end.
    if socket.write_all(bytes).await.is_err() {
        return answer;
    }
    let mut piece = [0; 1024];
    let mut half_closed = false;
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = socket.read(&mut piece);
        let patience = std::time::Duration::from_millis(100);
        match tokio::time::timeout(patience, read).await {
            Ok(Ok(n @ 1..)) => answer.extend_from_slice(&piece[..n]),
            Ok(_) => break,
            // The server waits for more of the request, and there is none.
            Err(_) if half_closed => soon(socket.readable()).await.unwrap(),
            Err(_) => {
                half_closed = true;
                let _ = socket.shutdown().await;
            }
        }
    }
    answer
}

/// Random requests are answered or their connections closed, and the server stays up.
#[test]
fn random_requests_never_break_server() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Binary::start(&["--drain", "0s"]));
    let addr = server.addr;
    let answers = Mutex::new(BTreeMap::<String, u32>::new());
    let bytes = prop_oneof![1 => vec(any::<u8>(), 0..2000), 15 => request()];
    let result = runner(600).run(&bytes, |bytes| {
        let answer = runtime.block_on(throw(addr, &bytes));
        let status = answer.strip_prefix(b"HTTP/1.1 ");
        prop_assert!(answer.is_empty() || status.is_some(), "{:?}", answer);
        // 503 is for a stopping or a full server, and this one is neither; and for prefetches of
        // pages that act.
        let asked = String::from_utf8_lossy(&bytes);
        let failed = status.is_some_and(|status| status.starts_with(b"5"));
        let refused = asked.contains("prefetch") && answer.starts_with(b"HTTP/1.1 503");
        prop_assert!(!failed || refused, "{}", asked);
        let status = String::from_utf8_lossy(status.map_or(b"closed", |status| &status[..3]));
        *answers.lock().entry(status.into_owned()).or_default() += 1;
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let answers = answers.into_inner();
    println!("{answers:?}");
    // With fewer of these the requests would have been nonsense only.
    for (status, least) in [("200", 60), ("201", 5), ("400", 60), ("404", 5), ("405", 5)] {
        let count = answers.get(status).copied().unwrap_or_default();
        assert!(count >= least, "{status}: {answers:?}");
    }

    runtime.block_on(async {
        assert_eq!(get(addr, "/healthz").await.status, 200);
        // A stream ends when the server has noticed the end of its client.
        soon(async {
            loop {
                let metrics = get(addr, "/metrics").await.text().await;
                let mut open = metrics
                    .lines()
                    .filter(|line| line.starts_with("forever_frame_open_streams{"));
                if open.all(|line| line.ends_with(" 0")) {
                    break;
                }
            }
        })
        .await;
        let log = server.end("-TERM").await;
        assert!(!log.contains("panicked"), "{log}");
    });
}
