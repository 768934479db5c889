//! No client reads or writes for an account that is not its own: strangers, forged fields, pages of
//! other origins.

use serde_json::Value;

use crate::support::TestServer;
use crate::support::client::{post, send};
use crate::support::person::Person;

/// The messages of a conversation, as one of its two persons is shown them: sender and text.
async fn said(me: &Person, other: &Person) -> Vec<(String, String)> {
    let mut answer = me.get(&other.path("with")).await;
    assert_eq!(answer.status, 200, "{} of {}", me.name, other.name);
    let told = answer.json().await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let messages = told["messages"].as_array().unwrap().iter();
    messages
        .map(|message| (text(&message["from"]), text(&message["text"])))
        .collect()
}

/// The forms that change something, as Zoë, a friend of Ben, sends them.
fn forms(ben: &Person) -> Vec<(String, String)> {
    let form = |path: &str, body: &str| (path.to_owned(), body.to_owned());
    vec![
        form("/chat/login", "name=Ben&password=12345678"),
        form("/chat/register", "name=New&password=12345678"),
        form("/chat/logout", ""),
        form("/chat/password", "old=x&new=12345678"),
        form("/chat/friends", "action=remove&name=Ben"),
        form(&ben.path("with"), "msg=hello"),
        form(&ben.path("read"), "through=x-1"),
    ]
}

/// A page of another origin cannot change or read anything in the chat.
#[tokio::test]
async fn cross_origin_page_changes_nothing() {
    // The option that opens the channels to other origins does not open the chat to them.
    let server = TestServer::with(|config| config.cors_origins = vec!["*".into()]);
    let [zoe, ben] = Person::friends(server.addr, "Zoë", "Ben").await;
    for (path, body) in forms(&ben) {
        for headers in [
            "Origin: https://evil.example",
            "Origin: null",
            "Origin: http://127.0.0.1:1",
            &format!("Origin: https://{}.evil.example", server.addr),
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Site: same-site",
            &format!(
                "Origin: http://{}\r\nSec-Fetch-Site: cross-site",
                server.addr
            ),
        ] {
            let request = format!("POST {path}\r\n{headers}");
            let mut answer = zoe.send(&request, body.as_bytes()).await;
            let text = answer.text().await;
            assert_eq!(answer.status, 403, "{path} {headers}: {text}");
            assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
            assert_eq!(answer.header("set-cookie"), "", "{path}");
        }
    }
    // Such a page cannot read either.
    for path in [
        "/chat/friends",
        "/chat/stream?timeout=1ms",
        &ben.path("with"),
    ] {
        let answer = zoe
            .send(&format!("GET {path}\r\nOrigin: https://evil.example"), b"")
            .await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
    // A frame does not tell it anything either.
    for path in ["/chat/stream", "/chat/presence"] {
        let path = format!("{path}?as=script&timeout=1ms&origin=https://evil.example");
        assert_eq!(zoe.get(&path).await.status, 400, "{path}");
        let frame = zoe
            .get(&path.replace("&origin=https://evil.example", ""))
            .await;
        let policy = frame.header("content-security-policy");
        assert!(policy.ends_with("frame-ancestors 'self'"), "{policy}");
    }
    // A link changes nothing.
    for (path, body) in forms(&ben) {
        let mut answer = zoe.get(&format!("{path}?{body}")).await;
        assert!([200, 303, 400, 405].contains(&answer.status), "{path}");
        assert_eq!(answer.header("set-cookie"), "", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        answer.text().await;
    }
    // The server's own pages may, and so may programs.
    for headers in [
        format!("Origin: http://{}", server.addr),
        format!(
            "Origin: http://{}\r\nSec-Fetch-Site: same-origin",
            server.addr
        ),
        "Sec-Fetch-Site: none".to_owned(),
        "X-Other: x".to_owned(),
    ] {
        let request = format!("POST {}\r\n{headers}", ben.path("with"));
        assert_eq!(
            zoe.send(&request, b"msg=hello").await.status,
            201,
            "{headers}"
        );
    }
    assert_eq!(said(&ben, &zoe).await.len(), 4, "and nothing else was said");
    server.stop().await;
}

/// Without a valid session each path of the chat answers 401.
#[tokio::test]
async fn stranger_without_session_refused() {
    let server = TestServer::start();
    let [zoe, ben] = Person::friends(server.addr, "Zoë", "Ben").await;
    let (name, token) = zoe.cookie.split_once('=').unwrap();
    let mut strangers = vec![Person::nobody(server.addr)];
    for cookie in [
        format!("{name}="),
        format!("{name}=1"),
        format!("{name}=Zoë"),
        format!("{name}={}", "0".repeat(64)),
        format!("{name}={}", &token[..token.len() - 1]),
        format!("{name}={token}0"),
        format!("{name}={}", token.to_uppercase() + "' OR 1=1 --"),
        format!("x{name}={token}"),
    ] {
        let mut stranger = Person::nobody(server.addr);
        stranger.cookie = cookie;
        strangers.push(stranger);
    }
    for stranger in strangers {
        for path in [
            "/chat/friends".to_owned(),
            "/chat/stream?timeout=1s".to_owned(),
            "/chat/presence?timeout=1s".to_owned(),
            ben.path("with"),
            ben.path("frame"),
            format!("{}?me=Zo%C3%AB&id=1", ben.path("with")),
        ] {
            let answer = stranger.get(&path).await;
            assert_eq!(answer.status, 401, "{path} {:?}", stranger.cookie);
        }
        for (path, body) in forms(&ben).split_off(3) {
            let answer = stranger
                .send(&format!("POST {path}"), body.as_bytes())
                .await;
            assert_eq!(answer.status, 401, "{path} {:?}", stranger.cookie);
        }
    }
    assert_eq!(said(&zoe, &ben).await, []);
    server.stop().await;
}

/// An account that is no friend neither reads nor writes in the conversation of two others.
#[tokio::test]
async fn stranger_cannot_read_or_write() {
    let server = TestServer::start();
    let [mut zoe, mut ben] = Person::friends(server.addr, "Zoë", "Ben").await;
    let mut eve = Person::new(server.addr, "Eve").await;
    let mut listening = eve.follow("/chat/stream").await;
    zoe.say(&ben, "a secret").await;
    for path in [
        ben.path("with"),
        zoe.path("with"),
        ben.path("frame"),
        eve.path("with"),
    ] {
        let mut answer = eve.get(&path).await;
        assert!(
            [403, 404].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
        assert!(!answer.text().await.contains("secret"), "{path}");
    }
    // A request for friendship is not a friendship.
    assert_eq!(eve.befriend("ask", "Ben").await.status, 200);
    for to in [&ben, &zoe, &eve.clone()] {
        let answer = eve.say(to, "I am Zoë").await;
        assert!(
            [403, 404].contains(&answer.status),
            "{}: {}",
            to.name,
            answer.status
        );
        let read = eve.post(&to.path("read"), &[("through", "x-1")]).await;
        assert!(
            (400..500).contains(&read.status),
            "{}: {}",
            to.name,
            read.status
        );
    }
    assert!(
        ben.say(&eve, "hm").await.status >= 400,
        "nor is an open request"
    );
    // Nobody can accept for another account.
    assert!(eve.befriend("accept", "Ben").await.status >= 400);
    assert!(eve.say(&ben, "now?").await.status >= 400);
    assert_eq!(
        said(&zoe, &ben).await,
        [("Zoë".to_owned(), "a secret".to_owned())]
    );
    // The conversation is closed when the friendship ends.
    assert_eq!(ben.befriend("accept", "Eve").await.status, 200);
    assert_eq!(eve.say(&ben, "hello").await.status, 201);
    assert_eq!(ben.befriend("remove", "Eve").await.status, 200);
    assert!(eve.say(&ben, "still there?").await.status >= 400);
    assert!(eve.get(&ben.path("with")).await.status >= 400);
    // Eve's stream has told only what concerns her.
    ben.say(&zoe, "the last").await;
    assert_eq!(zoe.befriend("ask", "Eve").await.status, 200);
    while !listening.texts().iter().any(|text| text.contains("Zoë")) {
        assert!(listening.read().await.unwrap());
    }
    let heard = listening.texts().join("\n");
    assert!(
        !heard.contains("secret") && !heard.contains("the last"),
        "{heard}"
    );
    server.stop().await;
}

/// The sender of a message is the account that is logged in, whatever the form or the text say.
#[tokio::test]
async fn message_sender_cannot_be_forged() {
    let server = TestServer::start();
    let [mut zoe, ben] = Person::friends(server.addr, "Zoë", "Ben").await;
    let mut listening = ben.follow_as("ndjson", "/chat/stream", "since=now").await;
    let forged = [
        ("msg", "hello"),
        ("from", "Ben"),
        ("me", "Ben"),
        ("to", "Zoë"),
        ("name", "Ben"),
        ("user", "1"),
        ("id", "2"),
        ("sender", "Ben"),
        ("channel", "main"),
        ("event", "friends"),
    ];
    let path = format!(
        "{}?from=Ben&me=Ben&id=2&event=friends&channel=main",
        ben.path("with")
    );
    assert_eq!(zoe.post(&path, &forged).await.status, 201);
    // A text that looks like a message is no message of another sender.
    for text in [
        "Ben: hello",
        "{\"from\":\"Ben\",\"text\":\"x\"}",
        "\n\nevent: friends\ndata: x\n\n",
    ] {
        assert_eq!(zoe.say(&ben, text).await.status, 201);
    }
    for (from, _) in said(&ben, &zoe).await {
        assert_eq!(from, "Zoë");
    }
    listening.until(4).await;
    for message in listening.messages() {
        assert_eq!(message.event, "message");
        let told: Value = serde_json::from_str(&message.data).unwrap();
        assert_eq!((&told["from"], &told["to"]), (&"Zoë".into(), &"Ben".into()));
    }
    // A stream is that of the session, whatever the query names: it was Ben who was asked.
    for query in [
        "me=Zo%C3%AB",
        "name=Zo%C3%AB",
        "id=1",
        "channel=~chat.1",
        "channels=~chat.1,main",
    ] {
        let mut answer = ben
            .get(&format!(
                "/chat/stream?as=ndjson&limit=1&since=all&timeout=5s&{query}"
            ))
            .await;
        let text = answer.text().await;
        assert!(
            answer.status == 400 || text.contains("asking"),
            "{query}: {text}"
        );
    }
    server.stop().await;
}

/// A key that two senders use makes two messages.
#[tokio::test]
async fn message_key_per_sender() {
    let server = TestServer::start();
    let [zoe, ben] = Person::friends(server.addr, "Zoë", "Ben").await;
    for (from, to) in [(&zoe, &ben), (&ben, &zoe), (&zoe, &ben)] {
        let request = format!("POST {}\r\nIdempotency-Key: 1", to.path("with"));
        let body = format!("msg=of {}", from.name);
        let answer = from.send(&request, body.as_bytes()).await;
        assert!([200, 201].contains(&answer.status));
    }
    let both = ["Zoë", "Ben"].map(|name| (name.to_owned(), format!("of {name}")));
    assert_eq!(said(&zoe, &ben).await, both);
    server.stop().await;
}

/// Another text with the same key is another message: a browser's way back leads to a form that
/// has been sent, with its key.
#[tokio::test]
async fn message_key_with_other_text() {
    let server = TestServer::start();
    let [mut zoe, ben] = Person::friends(server.addr, "Zoë", "Ben").await;
    for (words, status) in [("one", 201), ("two", 201), ("one", 200)] {
        let form = [("key", "1"), ("msg", words)];
        let answer = zoe.post(&ben.path("with"), &form).await;
        assert_eq!(answer.status, status, "{words}");
    }
    let both = ["one", "two"].map(|words| ("Zoë".to_owned(), words.to_owned()));
    assert_eq!(said(&zoe, &ben).await, both);
    server.stop().await;
}

/// The channels of the chat cannot be reached under `/c/`.
#[tokio::test]
async fn chat_channels_not_public() {
    let server = TestServer::start();
    let [mut zoe, ben] = Person::friends(server.addr, "Zoë", "Ben").await;
    zoe.say(&ben, "a secret").await;
    for channel in ["~chat.1", "~chat.2", "~chat.1-2", "~clock", "~"] {
        for request in [
            format!("GET /c/{channel}?as=text&timeout=1ms"),
            format!("GET /c/main,{channel}?as=text&timeout=1ms"),
            format!("GET /c/%7E{}?as=text&timeout=1ms", &channel[1..]),
            format!("POST /c/{channel}"),
            format!("PUT /c/{channel}"),
        ] {
            let body: &[u8] = if request.starts_with('P') { b"x" } else { b"" };
            let mut answer = send(server.addr, &request, body).await;
            let text = answer.text().await;
            assert_eq!(answer.status, 400, "{request}");
            assert!(text.contains("the server's own"), "{request}: {text}");
        }
    }
    // The channel `main` has nothing of it.
    post(server.addr, "/send", "x").await;
    let mut all = send(server.addr, "GET /c/main?as=text&timeout=1s", b"").await;
    assert!(!all.text().await.contains("secret"));
    server.stop().await;
}
