//! Forms and frames of pages for browsers without scripts.

use crate::support::access::AccessFile;
use crate::support::client::{Response, get, post, send};
use crate::support::person::{PASSWORD, Person, encoded};
use crate::support::{TestServer, mailbox};

const BROWSER: &str = "Accept: text/html,*/*;q=0.8";

async fn submit(server: &TestServer, path: &str, form: &str) -> Response {
    let head =
        format!("POST {path}\r\n{BROWSER}\r\nContent-Type: application/x-www-form-urlencoded");
    send(server.addr, &head, form.as_bytes()).await
}

async fn page(server: &TestServer, path: &str) -> String {
    let head = format!("GET {path}\r\n{BROWSER}");
    send(server.addr, &head, b"").await.text().await
}

async fn log_of(server: &TestServer, channel: &str) -> String {
    let path = format!("/c/{channel}?as=text&until=now");
    get(server.addr, &path).await.text().await
}

/// Every form of a page is posted to an action that exists, or is a visit.
#[tokio::test]
async fn forms_have_actions() {
    let server = TestServer::start();
    for path in [
        "/",
        "/receiver",
        "/sender",
        "/events",
        "/frame",
        "/mailbox",
        "/wire",
        "/c/a?timeout=1ms",
        "/chat/login",
        "/chat/register",
    ] {
        let page = page(&server, path).await;
        let forms: Vec<&str> = page.split("<form ").skip(1).collect();
        assert!(!forms.is_empty(), "{path}");
        for form in forms {
            let tag = form.split('>').next().unwrap();
            assert!(tag.contains("action=\"/"), "{path}: {tag}");
            assert!(
                tag.contains("method=\"post\"") || tag.contains("action=\"/sender\""),
                "{path}: {tag}"
            );
        }
    }
    server.stop().await;
}

/// A form appends its field as a message, or all its fields as an object, and leads back.
#[tokio::test]
async fn forms_append() {
    let server = TestServer::start();
    let answer = submit(&server, "/c/a?form=1", "msg=one%0D%0Atwo+%26").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/c/a"));
    let answer = submit(&server, "/c/main?form=1", "next=%2Fframe&msg=x").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/frame"));
    let form = "next=%2Fevents&from=Ada&text=%22hi%22";
    let answer = submit(&server, "/c/events?event=sentMessage&form=json", form).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/events"));
    for elsewhere in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example"] {
        let form = format!("msg=x&next={elsewhere}");
        let answer = submit(&server, "/c/b?form=1", &form).await;
        assert_eq!(answer.header("location"), "/c/b");
    }
    assert!(log_of(&server, "a").await.starts_with("one\\ntwo &\n# end"));
    let event = get(server.addr, "/c/events?as=ndjson&limit=1")
        .await
        .text()
        .await;
    assert!(event.contains(r#""event":"sentMessage""#), "{event}");
    assert!(
        event.contains(r#"{\"from\":\"Ada\",\"text\":\"\\\"hi\\\"\"}"#),
        "{event}"
    );
    // A program gets the usual answer, and is told what is wrong.
    let answer = post(server.addr, "/c/a?form=1&close=1", "msg=last").await;
    assert_eq!(answer.status, 201);
    assert!(log_of(&server, "a").await.contains("last\n# end"));
    for (path, form) in [
        ("/c/a?form=1", "text=x"),
        ("/c/a?form=1", "msg="),
        ("/c/a?form=2", "msg=x"),
    ] {
        assert_eq!(
            post(server.addr, path, form).await.status,
            400,
            "{path} {form}"
        );
    }
    // Without the parameter the body is the message, whatever it looks like.
    post(server.addr, "/c/plain", "msg=x").await;
    assert!(log_of(&server, "plain").await.starts_with("msg=x\n"));
    server.stop().await;
}

/// The mailbox works by its forms: a letter is sent, shown, and acknowledged by asking for the next one.
#[tokio::test]
async fn mailbox_by_forms() {
    let server = TestServer::start();
    let form = "action=send&me=Ada+B&toUserName=%E4%BD%A0&msg=%3Cb%3Ehi";
    let answer = submit(&server, "/mailbox", form).await;
    let location = "/mailbox?me=Ada%20B&to=%E4%BD%A0&sent=1";
    assert_eq!((answer.status, answer.header("location")), (303, location));
    let shown = page(&server, location).await;
    assert!(
        shown.contains("Sent to 你.") && shown.contains("value=\"Ada B\""),
        "{shown}"
    );
    let shown = submit(
        &server,
        "/mailbox",
        "action=receive&me=%E4%BD%A0&ack=&wait=1s",
    )
    .await
    .text()
    .await;
    assert!(
        shown.contains("&lt;b&gt;hi") && shown.contains("Ada B"),
        "{shown}"
    );
    let (_, ack) = shown.split_once("name=\"ack\" value=\"").unwrap();
    let ack = ack.split('"').next().unwrap();
    let next = format!("action=receive&me=%E4%BD%A0&ack={ack}&wait=0s");
    let shown = submit(&server, "/mailbox", &next).await.text().await;
    assert!(shown.contains("No message has come yet."), "{shown}");
    let answer = mailbox::ask(server.addr, "action=receive&me=%E4%BD%A0&wait=0s").await;
    assert_eq!(answer["Status"], "empty");
    server.stop().await;
}

/// Where a script would fill a list, a page has the same stream as a frame for browsers without.
#[tokio::test]
async fn pages_have_frames_without_scripts() {
    let server = TestServer::start();
    for (path, frame) in [
        ("/", "/c/main?as=html&amp;since=-5"),
        ("/events", "/c/events?as=html&amp;since=-10"),
        ("/frame", "/c/main?as=html&amp;since=-10"),
        ("/clock", "/clock?as=html"),
    ] {
        let shown = page(&server, path).await;
        let inside = shown.split("<noscript>").skip(1);
        let inside: String = inside
            .filter_map(|part| part.split("</noscript>").next())
            .collect();
        assert!(
            inside.contains(&format!("src=\"{frame}\"")),
            "{path}: {shown}"
        );
    }
    let mut clock = get(server.addr, "/clock?as=html").await;
    clock.until("<p class=\"message\"").await;
    // Framed, a stream has no links to other pages.
    let head = format!("GET /c/a?as=html&timeout=1ms\r\n{BROWSER}\r\nSec-Fetch-Dest: iframe");
    let framed = send(server.addr, &head, b"").await.text().await;
    assert!(framed.contains(" framed\""), "{framed}");
    server.stop().await;
}

/// The pages do not lead to demonstrations that are off.
#[tokio::test]
async fn links_lead_to_what_is_served() {
    let file = AccessFile::with_tokens("anyone.read = [\"main\"]", &[]);
    let server = file.serve();
    for path in ["/", "/events", "/c/main?timeout=1ms"] {
        let shown = page(&server, path).await;
        for off in ["/chat", "/mailbox", "/clock"] {
            assert!(
                !shown.contains(&format!("<a href=\"{off}\"")),
                "{path}: {shown}"
            );
        }
        assert!(shown.contains("<a href=\"/events\""), "{path}: {shown}");
    }
    server.stop().await;
    let server = TestServer::start();
    assert!(page(&server, "/").await.contains("<a href=\"/chat\""));
    // An error leads on, and is a sentence.
    let shown = page(&server, "/nothing").await;
    assert!(
        shown.contains("There is nothing at") && shown.contains("/c/NAME."),
        "{shown}"
    );
    assert!(
        shown.contains("<a href=\"/c/\">All channels</a>"),
        "{shown}"
    );
    server.stop().await;
}

/// Whoever asks for a conversation and has to log in first is led there.
#[tokio::test]
async fn chat_login_leads_to_what_was_asked_for() {
    let server = TestServer::start();
    let _friends = Person::friends(server.addr, "Zoë", "Ben").await;
    let head = format!("GET /chat/with/Ben\r\n{BROWSER}");
    let answer = send(server.addr, &head, b"").await;
    let location = "/chat/login?next=%2Fchat%2Fwith%2FBen";
    assert_eq!((answer.status, answer.header("location")), (303, location));
    let shown = page(&server, location).await;
    assert!(
        shown.contains("name=\"next\" value=\"/chat/with/Ben\""),
        "{shown}"
    );
    let form =
        |next: &str, password: &str| format!("name=Zo%C3%AB&password={password}&next={next}");
    let right = encoded(PASSWORD);
    let answer = submit(
        &server,
        "/chat/login",
        &form("%2Fchat%2Fwith%2FBen", "wrong"),
    )
    .await;
    assert_eq!(answer.status, 401);
    for (next, expected) in [
        ("%2Fchat%2Fwith%2FBen", "/chat/with/Ben"),
        ("%2Fsender", "/chat"),
        ("%2F%2Fevil", "/chat"),
    ] {
        let answer = submit(&server, "/chat/login", &form(next, &right)).await;
        assert_eq!((answer.status, answer.header("location")), (303, expected));
    }
    server.stop().await;
}
