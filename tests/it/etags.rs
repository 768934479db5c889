//! Long polls by `ETag`: each answer has its cursor as the tag, and `If-None-Match` goes on from there.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::support::client::{Response, append, get, send};
use crate::support::{TestServer, soon};

async fn poll(addr: SocketAddr, query: &str, headers: &str) -> Response {
    let request = format!("GET /c/a?as=json&wait=0s&{query}{headers}");
    soon(send(addr, &request, b"")).await
}

/// The texts of an answer, and its tag, which is its cursor.
async fn read(mut answer: Response) -> (Vec<String>, String) {
    assert_eq!(answer.status, 200);
    let tag = answer.header("etag").to_owned();
    let object = answer.json().await;
    assert_eq!(tag, format!("\"{}\"", object["cursor"].as_str().unwrap()));
    let texts = object["messages"].as_array().unwrap().iter();
    let texts = texts.map(|message| message["data"].as_str().unwrap().to_owned());
    (texts.collect(), tag)
}

/// A client that only keeps the tag of the last answer has every message once.
#[tokio::test]
async fn tag_goes_on_where_the_answer_ended() {
    let directory = crate::support::directory();
    for server in [TestServer::start(), TestServer::stored(&directory)] {
        let addr = server.addr;
        append(addr, "a", "one").await;
        let (texts, tag) = read(poll(addr, "", "\r\nIf-None-Match: \"\"").await).await;
        assert_eq!(texts, ["one"]);
        for tag in [tag.clone(), format!("W/{tag}")] {
            let asked = format!("\r\nIf-None-Match: {tag}");
            let mut quiet = poll(addr, "", &asked).await;
            assert_eq!(quiet.status, 304);
            let same = tag.trim_start_matches("W/");
            assert_eq!(quiet.header("etag"), same);
            assert_eq!(quiet.text().await, "");
        }
        // The cursor of the whole log goes on, while there is nothing in this channel.
        append(addr, "b", "other").await;
        let asked = format!("\r\nIf-None-Match: {tag}");
        let quiet = poll(addr, "", &asked).await;
        assert_eq!((quiet.status, quiet.header("etag")), (304, &*tag));
        append(addr, "a", "two").await;
        let (texts, tag) = read(poll(addr, "", &asked).await).await;
        assert_eq!(texts, ["two"]);
        assert!(tag.ends_with("-3\""), "{tag}");
        server.stop().await;
    }
}

/// The connection goes on after 304, and after an answer that was waited for.
#[tokio::test]
async fn poll_waits_for_what_is_new() {
    let server = TestServer::start();
    let addr = server.addr;
    let (_, tag) = read(poll(addr, "", "").await).await;
    let asked = format!("GET /c/a?as=json&wait=20s\r\nIf-None-Match: {tag}");
    let answer = tokio::spawn(async move { send(addr, &asked, b"").await });
    server.open_streams(1).await;
    append(addr, "a", "new").await;
    let (texts, tag) = read(soon(answer).await.unwrap()).await;
    assert_eq!(texts, ["new"]);
    let began = Instant::now();
    let asked = format!("GET /c/a?as=json&wait=1s\r\nIf-None-Match: {tag}");
    assert_eq!(send(addr, &asked, b"").await.status, 304);
    // A wait is shortened a little, so that clients do not come back together.
    assert!(began.elapsed() >= Duration::from_millis(700));
    let twice = format!("{asked}\r\nX: y");
    let mut answer = send(addr, &twice, b"").await;
    answer.text().await;
    server.open_streams(0).await;
    server.stop().await;
}

/// `Last-Event-ID` wins over the tag, the tag over `lastEventId` and `since`; other transports know no tag.
#[tokio::test]
async fn tag_that_wins() {
    let server = TestServer::start();
    let addr = server.addr;
    let mut cursors = Vec::new();
    for text in ["one", "two", "three"] {
        let answer = append(addr, "a", text).await;
        cursors.push(answer["cursor"].as_str().unwrap().to_owned());
    }
    let [one, two, three] = &cursors[..] else {
        panic!("{cursors:?}")
    };
    let tag = |cursor: &str| format!("\r\nIf-None-Match: \"{cursor}\"");
    let id = format!("\r\nLast-Event-ID: {two}");
    let query = format!("lastEventId={two}&since={three}");
    let (texts, _) = read(poll(addr, &query, &tag(one)).await).await;
    assert_eq!(texts, ["two", "three"]);
    let (texts, _) = read(poll(addr, "", &(tag(one) + &id)).await).await;
    assert_eq!(texts, ["three"]);
    // The tag was not asked for, so there is an answer in any case.
    let id = format!("\r\nLast-Event-ID: {three}");
    let (texts, _) = read(poll(addr, "", &(tag(three) + &id)).await).await;
    assert!(texts.is_empty());
    let (texts, _) = read(poll(addr, &query, &tag("")).await).await;
    assert_eq!(texts, ["three"]);
    let text = format!("GET /c/a?limit=3{}", tag(two));
    let text = send(addr, &text, b"").await.text().await;
    assert!(text.starts_with("one\ntwo\nthree\n"), "{text}");
    server.stop().await;
}

/// A tag of another server, or of a log that was replaced, is a gap, and never 304.
#[tokio::test]
async fn foreign_tag_is_a_gap() {
    let server = TestServer::start();
    let addr = server.addr;
    append(addr, "a", "one").await;
    for tag in ["\"abc\"", "\"zzzz-1\"", "\"zzzz-9\", \"zzzz-8\""] {
        let asked = format!("\r\nIf-None-Match: {tag}");
        let mut answer = poll(addr, "", &asked).await;
        assert_eq!(answer.status, 200, "{tag}");
        let object = answer.json().await;
        assert_eq!(object["gap"]["reason"], "epoch", "{tag}");
        assert_eq!(object["messages"][0]["data"], "one", "{tag}");
    }
    let empty = get(addr, "/c/none?as=json&wait=0s&until=now").await;
    let (texts, _) = read(empty).await;
    assert!(texts.is_empty());
    server.stop().await;
}
