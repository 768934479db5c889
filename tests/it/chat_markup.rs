//! Markup in names and texts of the chat is shown as characters, and never interpreted.

use serde_json::Value;

use crate::support::TestServer;
use crate::support::person::{Person, encoded};

/// Names that have a meaning in a page, a path, a form or a stream.
const NAMES: [&str; 7] = [
    "<b>x</b>",
    "\"><img src=x onerror=alert(1)>",
    "</title></textarea><script>",
    "' onclick='alert(1)",
    "../../login?a=b&c=%2e#x",
    "{{me}} {{friends}}",
    "&lt;b&gt;",
];

const PAGE: &str = "\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8";

async fn page(person: &Person, request: &str, body: &str) -> (u16, String) {
    let mut answer = person
        .send(&format!("{request}{PAGE}"), body.as_bytes())
        .await;
    let text = answer.text().await;
    if answer.status < 300 || answer.status >= 400 {
        let kind = answer.header("content-type");
        assert_eq!(kind, "text/html; charset=utf-8", "{request}");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("default-src") && !policy.contains("unsafe"),
            "{policy}"
        );
    }
    (answer.status, text)
}

/// The text as it stands in a page, or in the value of an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// Checks that a page shows the name, and never as markup.
fn shows(page: &str, what: &str, name: &str) {
    let shown = page.replace("&#x27;", "&#39;").replace("&#34;", "&quot;");
    assert!(
        shown.contains(&escaped(name)),
        "{what} does not show {name}: {page}"
    );
    if name.contains(['<', '>', '"']) {
        assert!(!shown.contains(name), "{what} has {name} as it is");
    }
}

/// A name that looks like markup is text on each page of the chat.
#[tokio::test]
async fn markup_in_name_is_text_on_pages() {
    let server = TestServer::start();
    let mut zoe = Person::new(server.addr, "Zoë").await;
    for name in NAMES {
        let mut other = Person::new(server.addr, name).await;
        let (status, chat) = page(&other, "GET /chat", "").await;
        assert_eq!(status, 200);
        shows(&chat, "one's own page", name);
        let (_, password) = page(&other, "GET /chat/password", "").await;
        shows(&password, "the change of the password", name);
        assert_eq!(zoe.befriend("ask", name).await.status, 200);
        shows(&page(&zoe, "GET /chat", "").await.1, "who is asked", name);
        assert_eq!(zoe.befriend("remove", name).await.status, 200);
        assert_eq!(other.befriend("ask", "Zoë").await.status, 200);
        shows(&page(&zoe, "GET /chat", "").await.1, "who asks", name);
        assert_eq!(zoe.befriend("accept", name).await.status, 200);
        shows(&page(&zoe, "GET /chat", "").await.1, "the friends", name);
        assert_eq!(other.say(&zoe, name).await.status, 201);
        let (status, with) = page(&zoe, &format!("GET {}", other.path("with")), "").await;
        assert_eq!(status, 200, "{}", other.path("with"));
        shows(&with, "the conversation", name);
        // A frame comes piece by piece.
        let request = format!("GET {}{PAGE}", other.path("frame"));
        let mut frame = zoe.send(&request, b"").await;
        assert_eq!(frame.status, 200);
        let said = frame.until("</p>").await;
        shows(&said, "the frame", name);
    }
    server.stop().await;
}

/// A refused form comes back with what was typed, as text.
#[tokio::test]
async fn markup_in_form_comes_back_as_text() {
    let server = TestServer::start();
    let person = Person::new(server.addr, "<b>x</b>").await;
    let nobody = Person::nobody(server.addr);
    for name in NAMES {
        let form = encoded(name);
        for path in ["/chat/login", "/chat/register"] {
            let body = format!("name={form}&password=short");
            let (status, again) = page(&nobody, &format!("POST {path}"), &body).await;
            assert!((400..500).contains(&status));
            shows(&again, path, name);
        }
        let body = format!("action=ask&name={form}x");
        let (status, again) = page(&person, "POST /chat/friends", &body).await;
        assert!((400..500).contains(&status), "{status}");
        assert!(
            !again.contains("<b>x</b>") && !again.contains("<img src=x"),
            "{again}"
        );
        let (status, again) = page(&person, &format!("GET /chat/with/{form}x"), "").await;
        assert!((400..500).contains(&status), "{status}");
        assert!(
            !again.contains("<b>x</b>x") && !again.contains("<img src=x"),
            "{again}"
        );
    }
    server.stop().await;
}

/// Names and texts arrive unchanged by each transport.
#[tokio::test]
async fn markup_in_name_passes_streams() {
    let server = TestServer::start();
    for (number, name) in NAMES.into_iter().enumerate() {
        let to = format!("friend {number}");
        let [mut from, to] = Person::friends(server.addr, name, &to).await;
        assert_eq!(from.say(&to, name).await.status, 201);
        for wire in ["sse", "ndjson", "script", "json"] {
            let mut stream = to.follow_as(wire, "/chat/stream", "since=-1").await;
            stream.until(1).await;
            let told: Value = serde_json::from_str(stream.texts()[0]).unwrap();
            assert_eq!([&told["from"], &told["text"]], [name; 2], "{wire}");
            assert_eq!(told["to"], *to.name, "{wire}");
        }
    }
    server.stop().await;
}
