//! Accounts of the chat: registering, logging in and out, passwords, sessions.

use std::time::{Duration, Instant};

use forever_frame::limits;

use crate::support::client::{Response, post, send};
use crate::support::person::{PASSWORD, Person};
use crate::support::wires::Stream;
use crate::support::{TestServer, soon};

/// The name of the account as which the server knows this client, if it is logged in.
async fn me(person: &Person) -> Option<String> {
    let mut answer = person.get("/chat/friends").await;
    if answer.status == 401 {
        return None;
    }
    assert_eq!(answer.status, 200);
    Some(answer.json().await["me"].as_str().unwrap().to_owned())
}

/// Checks that the answer is a refusal with this status, and a sentence that has these words.
async fn refused(mut answer: Response, status: u16, words: &str) {
    let text = answer.text().await;
    assert_eq!(answer.status, status, "{text}");
    assert!(text.contains(words), "{words:?} is not in {text:?}");
}

/// Waits for the end of a stream whose session is over.
async fn ends(stream: Stream) {
    let stream = soon(stream.whole()).await;
    assert_eq!(stream.end().map(|(_, reason)| reason), Some("revoked"));
}

/// An account can be registered, logged out, and logged in again, and by no other password.
#[tokio::test]
async fn account_register_logout_login() {
    let server = TestServer::start();
    let mut zoe = Person::new(server.addr, "Zoë 你好 👋").await;
    assert_eq!(me(&zoe).await.as_deref(), Some("Zoë 你好 👋"));
    let was = zoe.clone();
    assert!(zoe.post("/chat/logout", &[]).await.status < 400);
    assert_eq!(zoe.cookie, "", "the browser deletes it");
    assert_eq!((me(&zoe).await, me(&was).await), (None, None));
    for (name, password) in [
        ("Zoë 你好 👋", "wrong password"),
        ("Zoë 你好 👋", ""),
        ("Zoë 你好 👋", "CORRECT HÖRSE"),
        ("nobody", PASSWORD),
    ] {
        let answer = zoe.enter("login", name, password).await;
        refused(answer, 401, "name or the password").await;
        assert_eq!(zoe.cookie, "", "{name:?} {password:?}");
    }
    for name in ["", "\u{202e}"] {
        let answer = zoe.enter("login", name, PASSWORD).await;
        refused(answer, 400, "the name").await;
    }
    // The name and the password in other code points log in, too.
    let answer = zoe
        .enter("login", " zoe\u{308} 你好 👋", "correct ho\u{308}rse")
        .await;
    assert!(answer.status < 300);
    assert_eq!(me(&zoe).await.as_deref(), Some("Zoë 你好 👋"));
    server.stop().await;
}

/// The session cookie is for this server only: its attributes, its age, and its 256 bits.
#[tokio::test]
async fn session_cookie_attributes() {
    let server = TestServer::start();
    for (scheme, secure) in [("http", false), ("https", true)] {
        let body = format!("name={scheme}&password=12345678");
        let request = format!("POST /chat/register\r\nX-Forwarded-Proto: {scheme}");
        let answer = send(server.addr, &request, body.as_bytes()).await;
        let cookie = answer.header("set-cookie");
        let attributes: Vec<_> = cookie.split("; ").skip(1).collect();
        let age = attributes.iter().find_map(|a| a.strip_prefix("Max-Age="));
        let age: u64 = age.unwrap().parse().unwrap();
        // The cookie is given once, and must not expire for an account that is used every day.
        assert!(age > limits::LOGIN_IDLE_TIMEOUT.as_secs(), "{cookie}");
        for expected in ["HttpOnly", "SameSite=Lax"] {
            assert!(attributes.contains(&expected), "{cookie}");
        }
        assert!(
            attributes.iter().any(|a| a.starts_with("Path=/")),
            "{cookie}"
        );
        assert!(!cookie.contains("Domain"), "{cookie}");
        assert_eq!(attributes.contains(&"Secure"), secure, "{cookie}");
        let (_, token) = cookie.split(';').next().unwrap().split_once('=').unwrap();
        assert!(token.len() >= 43, "256 bits in {token:?}");
    }
    server.stop().await;
}

/// A login always makes a new token, so that no token planted in a browser becomes a session.
#[tokio::test]
async fn session_token_never_from_client() {
    let server = TestServer::start();
    let zoe = Person::new(server.addr, "Zoë").await;
    let (name, _) = zoe.cookie.split_once('=').unwrap();
    let planted = format!("{name}={}", "a".repeat(64));
    // The cookie is planted before anybody has logged in.
    let mut victim = Person::nobody(server.addr);
    let mut attacker = Person::nobody(server.addr);
    (victim.cookie, attacker.cookie) = (planted.clone(), planted);
    assert_eq!(me(&victim).await, None);
    assert!(victim.enter("login", "Zoë", PASSWORD).await.status < 300);
    assert_ne!(victim.cookie, attacker.cookie);
    assert_eq!(me(&victim).await.as_deref(), Some("Zoë"));
    assert_eq!(me(&attacker).await, None);
    // The attacker's own session is planted: it does not become the victim's.
    let mallory = Person::new(server.addr, "Mallory").await;
    let mut victim = Person::nobody(server.addr);
    victim.cookie.clone_from(&mallory.cookie);
    assert!(victim.enter("login", "Zoë", PASSWORD).await.status < 300);
    assert_eq!(me(&victim).await.as_deref(), Some("Zoë"));
    assert_ne!(me(&mallory).await.as_deref(), Some("Zoë"));
    let mut registering = Person::nobody(server.addr);
    registering.cookie.clone_from(&zoe.cookie);
    assert!(registering.enter("register", "Eva", PASSWORD).await.status < 300);
    assert_ne!(registering.cookie, zoe.cookie);
    assert_ne!(me(&zoe).await.as_deref(), Some("Eva"));
    // Another login gives a new token, and ends the old session.
    let mut zoe = victim;
    let before = zoe.clone();
    assert!(zoe.enter("login", "Zoë", PASSWORD).await.status < 300);
    assert_ne!(zoe.cookie, before.cookie);
    assert_eq!(
        (me(&before).await, me(&zoe).await),
        (None, Some("Zoë".into()))
    );
    server.stop().await;
}

/// A change of the password ends all other sessions of the account, and needs the old password.
#[tokio::test]
async fn password_change_ends_other_sessions() {
    const NEW: &str = "another password";
    let server = TestServer::start();
    let mut zoe = Person::new(server.addr, "Zoë").await;
    let mut elsewhere = Person::nobody(server.addr);
    assert!(elsewhere.enter("login", "Zoë", PASSWORD).await.status < 300);
    let stolen = zoe.clone();
    let one = zoe.follow("/chat/stream").await;
    let two = elsewhere.follow("/chat/stream").await;
    for (old, new, status, words) in [
        ("wrong", NEW, 401, "the old password is wrong"),
        (PASSWORD, "short", 400, "at least 8"),
        ("", "", 400, "at least 8"),
    ] {
        let answer = zoe
            .post("/chat/password", &[("old", old), ("new", new)])
            .await;
        refused(answer, status, words).await;
    }
    assert_eq!(me(&elsewhere).await.as_deref(), Some("Zoë"));
    let answer = zoe
        .post("/chat/password", &[("old", PASSWORD), ("new", NEW)])
        .await;
    assert!(answer.status < 300);
    assert_eq!(me(&zoe).await.as_deref(), Some("Zoë"));
    assert_eq!((me(&stolen).await, me(&elsewhere).await), (None, None));
    // Streams that were opened with the old tokens end.
    for stream in [one, two] {
        ends(stream).await;
    }
    let answer = elsewhere.enter("login", "Zoë", PASSWORD).await;
    refused(answer, 401, "name or the password").await;
    assert!(elsewhere.enter("login", "Zoë", NEW).await.status < 300);
    // Nobody can change the password of another account: no field names the account.
    let mut ben = Person::new(server.addr, "Ben").await;
    let fields = [
        ("old", PASSWORD),
        ("new", NEW),
        ("name", "Zoë"),
        ("me", "Zoë"),
    ];
    assert!(ben.post("/chat/password", &fields).await.status < 300);
    assert!(elsewhere.enter("login", "Ben", NEW).await.status < 300);
    let nobody = Person::nobody(server.addr);
    let answer = nobody.clone().post("/chat/password", &fields).await;
    assert_eq!(answer.status, 401);
    server.stop().await;
}

/// A logout ends the streams of its own session, and those of no other.
#[tokio::test]
async fn logout_ends_streams_of_session() {
    let server = TestServer::start();
    let mut zoe = Person::new(server.addr, "Zoë").await;
    let mut elsewhere = Person::nobody(server.addr);
    assert!(elsewhere.enter("login", "Zoë", PASSWORD).await.status < 300);
    let mine = zoe.follow("/chat/stream").await;
    let presence = zoe.follow("/chat/presence").await;
    let mut other = elsewhere.follow("/chat/stream").await;
    let was = zoe.clone();
    assert!(zoe.post("/chat/logout", &[]).await.status < 400);
    ends(mine).await;
    ends(presence).await;
    for path in ["/chat/stream", "/chat/presence", "/chat/friends"] {
        assert_eq!(was.get(path).await.status, 401, "{path}");
    }
    // The other session's stream goes on, and tells what happens.
    let mut ben = Person::new(server.addr, "Ben").await;
    assert_eq!(ben.befriend("ask", "Zoë").await.status, 200);
    other.until(1).await;
    server.stop().await;
}

/// An account that logs in more often than it may have sessions loses the oldest session.
#[tokio::test]
async fn session_limit_ends_oldest() {
    let server = TestServer::start();
    let zoe = Person::new(server.addr, "Zoë").await;
    let first = zoe.follow("/chat/stream").await;
    let mut second = Person::nobody(server.addr);
    assert!(second.enter("login", "Zoë", PASSWORD).await.status < 300);
    for _ in 1..limits::ACCOUNT_SESSIONS_MAX {
        let mut elsewhere = Person::nobody(server.addr);
        assert!(elsewhere.enter("login", "Zoë", PASSWORD).await.status < 300);
    }
    ends(first).await;
    assert_eq!(
        (me(&zoe).await, me(&second).await),
        (None, Some("Zoë".into()))
    );
    server.stop().await;
}

/// A name that looks like an existing one is taken, and a name that is invisible is none.
#[tokio::test]
async fn account_name_lookalike_taken() {
    let server = TestServer::start();
    let mut who = Person::nobody(server.addr);
    for (name, others) in [
        (
            "Zoë Straße",
            [
                "Zoe\u{308} Straße",
                "ZOË STRASSE",
                "Ｚｏë Straße",
                " zoë straße\n",
            ],
        ),
        (
            "علی\u{200c}رضا",
            ["علیرضا", "علی\u{200c}رضا", "علی\u{200d}رضا", " علیرضا "],
        ),
        (
            "❤\u{fe0f}한",
            [
                "❤한",
                "❤\u{fe0f}\u{1112}\u{1161}\u{11ab}",
                "❤\u{fe0e}한",
                "❤\u{3164}한",
            ],
        ),
    ] {
        assert!(who.enter("register", name, PASSWORD).await.status < 300);
        for other in others {
            let answer = who.enter("register", other, "another password").await;
            refused(answer, 409, "is taken").await;
        }
    }
    for name in [
        "",
        " ",
        "a\u{202e}b",
        "a\nb",
        "a\0b",
        "\u{301}",
        "\u{200b}",
        "a  b",
    ] {
        let answer = who.enter("register", name, PASSWORD).await;
        refused(answer, 400, "the name").await;
    }
    server.stop().await;
}

/// Of several clients that register one name at the same time, exactly one gets it.
#[tokio::test]
async fn account_name_race_has_one_winner() {
    let server = TestServer::start();
    let register = move |n: usize| async move {
        let name = ["Zoë", "ZOE\u{308}"][n % 2];
        let mut person = Person::nobody(server.addr).at(&format!("192.0.2.{n}"));
        let status = person.enter("register", name, PASSWORD).await.status;
        (status, person)
    };
    let mut asking = tokio::task::JoinSet::new();
    for n in 0..8 {
        asking.spawn(register(n));
    }
    let answers = soon(asking.join_all()).await;
    let (got, others): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(s, _)| *s < 300);
    assert_eq!(got.len(), 1);
    assert!(
        others.iter().all(|(status, _)| *status == 409),
        "the others are told"
    );
    assert!(others.iter().all(|(_, person)| person.cookie.is_empty()));
    server.stop().await;
}

/// Names and passwords that are too long are refused before anything is computed from them.
#[tokio::test]
async fn account_form_too_long_refused() {
    let server = TestServer::start();
    let began = Instant::now();
    let long = "x".repeat(1 << 20);
    let mut zoe = Person::new(server.addr, "Zoë").await;
    for (path, fields) in [
        ("/chat/register", [("name", &*long), ("password", PASSWORD)]),
        ("/chat/register", [("name", "Ben"), ("password", &long)]),
        ("/chat/login", [("name", &long), ("password", PASSWORD)]),
        ("/chat/login", [("name", "Zoë"), ("password", &long)]),
        ("/chat/password", [("old", &long), ("new", PASSWORD)]),
        ("/chat/password", [("old", PASSWORD), ("new", &long)]),
        ("/chat/friends", [("action", "ask"), ("name", &long)]),
        ("/chat/friends", [("action", &long), ("name", "Ben")]),
    ] {
        let answer = zoe.post(path, &fields).await;
        assert!(
            (400..500).contains(&answer.status),
            "{path}: {}",
            answer.status
        );
    }
    // These are slightly longer than what is accepted.
    let name = "🐢".repeat(33);
    refused(
        zoe.enter("register", &name, PASSWORD).await,
        400,
        "32 characters",
    )
    .await;
    let password = "x".repeat(1025);
    refused(zoe.enter("register", "Ben", &password).await, 400, "1024").await;
    refused(
        zoe.enter("register", "Ben", "7 bytes").await,
        400,
        "at least 8",
    )
    .await;
    for form in [
        &b"name=%FF&password=12345678"[..],
        b"name=a",
        b"password=12345678",
        b"",
    ] {
        let answer = post(server.addr, "/chat/register", form).await;
        assert_eq!(answer.status, 400);
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    server.stop().await;
}

/// Accounts, sessions, friendships and conversations survive a restart of the server.
#[tokio::test]
async fn account_survives_restart() {
    let directory = crate::support::directory();
    let server = TestServer::stored(&directory);
    let [zoe, mut ben] = Person::friends(server.addr, "Zoë", "Ben").await;
    assert_eq!(ben.say(&zoe, "before").await.status, 201);
    let mut out = Person::new(server.addr, "Out").await;
    let was = out.clone();
    assert!(out.post("/chat/logout", &[]).await.status < 400);
    server.stop().await;
    let server = TestServer::stored(&directory);
    let [mut zoe, ben, was, mut out] = [zoe, ben, was, out].map(|person| person.moved(server.addr));
    assert_eq!(
        (me(&zoe).await.as_deref(), me(&was).await),
        (Some("Zoë"), None)
    );
    assert_eq!(zoe.say(&ben, "after").await.status, 201);
    let mut answer = ben.get(&zoe.path("with")).await;
    let told = answer.json().await;
    let texts: Vec<_> = told["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["text"])
        .collect();
    assert_eq!(texts, ["before", "after"]);
    assert!(out.enter("login", "Out", PASSWORD).await.status < 300);
    refused(
        out.enter("register", "ZOË", PASSWORD).await,
        409,
        "is taken",
    )
    .await;
    server.stop().await;
}
