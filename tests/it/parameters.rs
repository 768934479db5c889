//! The parameters of requests: those that there are, and what becomes of others.

use crate::support::TestServer;
use crate::support::client::{append, get, send};
use crate::support::member::Member;
use crate::support::wires::ALL;

/// A parameter that does not exist is an error that names those that do, wherever the server's own
/// things are read or written; nothing is done then.
#[tokio::test]
async fn unknown_parameter_is_refused() {
    let server = TestServer::start();
    let addr = server.addr;
    append(addr, "a", "one").await;
    for (request, known) in [
        ("GET /c/a?sicne=now", "since"),
        ("GET /c/a?now", "since"),
        ("GET /c/a?Since=now", "since"),
        ("GET /c/a?limit=1&unitl=now", "since"),
        ("GET /c/a?event=load", "since"),
        ("HEAD /c/a?sicne=now", ""),
        ("GET /stream?sicne=now", "since"),
        ("GET /clock?sicne=now", "since"),
        ("POST /c/a?evnet=load", "event"),
        ("POST /c/a?since=now", "event"),
        ("PUT /c/a?evnet=load", "event"),
        ("POST /send?msg=hello", "event"),
        ("PUT /send?evnet=load", "event"),
        ("POST /mailbox?action=receive&me=a&wiat=0s", "wait"),
    ] {
        let body: &[u8] = if request.starts_with('P') { b"x" } else { b"" };
        let mut refused = send(addr, request, body).await;
        assert_eq!(refused.status, 400, "{request}");
        let said = refused.text().await;
        assert!(said.contains(known), "{request}: {said}");
    }
    for wire in ALL {
        let refused = get(addr, &format!("/c/a?as={wire}&sicne=now")).await;
        assert_eq!(refused.status, 400, "{wire}");
    }
    let form = b"action=receive&me=a&akc=";
    assert_eq!(send(addr, "POST /mailbox", form).await.status, 400);
    let ada = Member::register(addr, "ada").await;
    for path in ["/chat/stream", "/chat/presence"] {
        let refused = ada.person.get(&format!("{path}?sicne=now")).await;
        assert_eq!(refused.status, 400, "{path}");
    }
    let last = get(addr, "/c/a?timeout=50ms").await.text().await;
    assert!(last.starts_with("one\n# end "), "{last}");
    server.stop().await;
}

/// What gets past caches, what other transports take, and what links to pages carry is passed over.
#[tokio::test]
async fn foreign_parameter_is_passed_over() {
    let server = TestServer::start();
    let addr = server.addr;
    append(addr, "a?_=17", "one").await;
    for path in [
        "/c/a?limit=1&_=17",
        "/c/a?limit=1&_",
        "/c/a?limit=1&retry=5&wait=1s&envelope=1&names=0&heartbeat_event=1",
        "/c/a?limit=1&limit=1&",
        "/stream?timeout=1ms&_=1",
        "/clock?limit=1&_=1",
        "/?utm_source=x",
        "/receiver?utm_source=x",
        "/mailbox?utm_source=x",
        "/events?utm_source=x",
        "/healthz?x=1",
        "/metrics?x=1",
        "/style.css?v=2",
    ] {
        assert_eq!(get(addr, path).await.status, 200, "{path}");
    }
    let mut page = send(addr, "GET /clock?utm_source=x\r\nAccept: text/html", b"").await;
    assert!(page.status == 200 && page.text().await.contains("</html>"));
    let form = b"action=receive&me=a&wait=0s&_=1";
    assert_eq!(send(addr, "POST /mailbox?_=1", form).await.status, 200);
    // How an error of an append is to be said may stand in its address.
    let appended = send(addr, "POST /c/a?as=sse", b"x").await;
    assert_eq!(appended.status, 201);
    server.stop().await;
}

/// A parameter with two values is an error that names both, since none can be meant.
#[tokio::test]
async fn parameter_with_two_values_is_refused() {
    let server = TestServer::start();
    for request in [
        "GET /c/a?since=now&since=all",
        "GET /c/a?limit=1&as=text&limit=2",
        "POST /c/a?event=one&event=two",
    ] {
        let mut refused = send(server.addr, request, b"x").await;
        assert_eq!(refused.status, 400, "{request}");
        let said = refused.text().await;
        assert!(said.contains("another value"), "{request}: {said}");
    }
    server.stop().await;
}
