//! Whose line is it: the channel in front of each line of `text`, and the envelope of `sse`. What
//! readers take for the end of a line, and what turns or hides others, stays harmless.

use serde_json::Value;

use crate::support::TestServer;
use crate::support::client::{append, get, send};

/// What a stream says to its end, without the end mark.
async fn lines(server: &TestServer, path: &str) -> Vec<String> {
    let text = get(server.addr, path).await.text().await;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(lines.pop().unwrap().starts_with("# end "), "{text}");
    lines
}

/// The characters at which `str.splitlines` of Python ends a line, besides CR and LF.
const LINE_ENDS: [char; 8] = [
    '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}',
];

/// Lines begin with their channel where there are several, or where that is asked for.
#[tokio::test]
async fn names_where_there_are_several() {
    let server = TestServer::start();
    for (channel, text) in [
        ("a", "one"),
        ("b.x", "# end x"),
        ("a", "..."),
        ("a", "x\ny"),
    ] {
        append(server.addr, channel, text).await;
    }
    let named = ["a: one", "b.x: \\# end x", "a: \\...", "a: x\\ny"];
    let plain = ["one", "\\# end x", "\\...", "x\\ny"];
    assert_eq!(lines(&server, "/c/a,b.x?limit=4").await, named);
    assert_eq!(lines(&server, "/c/a,b.x?limit=4&names=0").await, plain);
    assert_eq!(lines(&server, "/c/a,b.x?limit=4&names=1").await, named);
    assert_eq!(lines(&server, "/c/a,a?limit=1").await, ["one"]);
    assert_eq!(lines(&server, "/c/a?limit=1&names=1").await, ["a: one"]);
    // A gap and dots belong to no channel.
    let mut stream = get(server.addr, "/c/a,b.x?since=99&heartbeat=60s").await;
    let opened = stream.until("\n").await;
    assert!(opened.starts_with("# gap reason=future"), "{opened}");
    append(server.addr, "b.x", "new").await;
    assert_eq!(stream.until("new\n").await, "b.x: new\n");
    let page = |query: &'static str| {
        let request = format!("GET /c/a,b.x?as=html&limit=1{query}");
        let addr = server.addr;
        async move { send(addr, &request, b"").await.text().await }
    };
    assert!(page("").await.contains("class=\"live bare many "));
    assert!(page("&names=0").await.contains("class=\"live bare one "));
    drop(stream);
    server.stop().await;
}

/// With an envelope the data of each event of `sse` is the line of `ndjson`.
#[tokio::test]
async fn envelope_is_the_line_of_ndjson() {
    let server = TestServer::start();
    append(server.addr, "a?event=load", "two\r\nlines\u{2028}x").await;
    append(server.addr, "b", "").await;
    let query = "limit=2&since=9&names=1";
    for since in ["since=all", "since=99&timeout=1ms"] {
        let query = query.replace("since=9", since);
        let path = format!("/c/a,b?as=sse&envelope=1&{query}");
        let sse = get(server.addr, &path).await.text().await;
        let path = format!("/c/a,b?as=ndjson&{query}");
        let ndjson = get(server.addr, &path).await.text().await;
        let data: Vec<_> = sse
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .collect();
        let lines: Vec<_> = ndjson.lines().skip(1).collect();
        assert_eq!(data, lines, "{sse}");
    }
    let sse = get(server.addr, "/c/a?as=sse&envelope=1&limit=1")
        .await
        .text()
        .await;
    assert!(
        sse.contains("\nevent: load\ndata: {\"type\":\"message\","),
        "{sse}"
    );
    server.stop().await;
}

/// JSON of any kind is one line for every reader, and its text arrives as it was sent.
#[tokio::test]
async fn json_is_one_line_for_every_reader() {
    let server = TestServer::start();
    let text: String = LINE_ENDS.iter().flat_map(|end| ['x', *end]).collect();
    append(server.addr, "a", &text).await;
    for wire in ["ndjson", "json", "script", "sse&envelope=1"] {
        let path = format!("/c/a?as={wire}&limit=1");
        let said = get(server.addr, &path).await.text().await;
        let found: Vec<_> = said.chars().filter(|c| LINE_ENDS.contains(c)).collect();
        assert!(found.is_empty(), "{wire}: {said:?}");
        let at = said.find("\"data\":").unwrap() + "\"data\":".len();
        let mut read = serde_json::Deserializer::from_str(&said[at..]).into_iter::<Value>();
        assert_eq!(read.next().unwrap().unwrap(), *text, "{wire}");
    }
    // Letters and refusals are JSON of the same kind.
    let encoded = "%E2%80%A8%C2%85";
    let form = format!("action=send&me=a&toUserName=b&msg=x{encoded}");
    assert_eq!(
        send(server.addr, "POST /mailbox", form.as_bytes())
            .await
            .status,
        200
    );
    let form = b"action=receive&me=b";
    let letter = send(server.addr, "POST /mailbox", form).await.text().await;
    assert!(letter.contains("x\\u2028\\u0085"), "{letter}");
    server.stop().await;
}

/// A character that turns or hides others is shown, and what writing needs is kept.
#[tokio::test]
async fn format_characters_are_shown() {
    let server = TestServer::start();
    let turns =
        "\u{202a}\u{202e}\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}\u{200b}\u{feff}\u{ad}\u{e0041}";
    append(server.addr, "a", turns).await;
    append(server.addr, "a", "👨\u{200d}👩 ❤\u{fe0f} می\u{200c}خواهم").await;
    let said = lines(&server, "/c/a?limit=2").await;
    let shown = r"\u202a\u202e\u2066\u2069\u200e\u200f\u061c\u200b\ufeff\xad\U000e0041";
    assert_eq!(said, [shown, "👨\u{200d}👩 ❤\u{fe0f} می\u{200c}خواهم"]);
    let html = get(server.addr, "/c/a?as=html&limit=1").await.text().await;
    assert!(
        html.contains(&format!(" dir=\"auto\">{turns}</p>")),
        "{html}"
    );
    server.stop().await;
}
