//! What one account can do to another that wants nothing of it: friend requests, messages, coming and
//! going; and how that one gets rid of it.

use forever_frame::limits;
use serde_json::Value;

use crate::support::TestServer;
use crate::support::client::Response;
use crate::support::log_dir::LogDir;
use crate::support::person::{PASSWORD, Person};
use crate::support::wires::Stream;

/// How another account stands to the person, by its list.
async fn standing(me: &Person, other: &str) -> Option<String> {
    let list = me.get("/chat/friends").await.json().await;
    let mut friends = list["friends"].as_array().unwrap().iter();
    let row = friends.find(|friend| friend["name"] == other)?;
    Some(row["standing"].as_str().unwrap().to_owned())
}

/// The changes of friendships that a stream has told: name and change.
fn told(stream: &Stream) -> Vec<(String, String)> {
    let friends = stream
        .messages()
        .filter(|message| message.event == "friends");
    let change = |data: &str| {
        let event: Value = serde_json::from_str(data).unwrap();
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        (text("name"), text("change"))
    };
    friends.map(|message| change(&message.data)).collect()
}

/// Reads a stream until it has told that change.
async fn until(stream: &mut Stream, name: &str, change: &str) {
    let change = (name.to_owned(), change.to_owned());
    while !told(stream).contains(&change) {
        assert!(
            crate::support::soon(stream.read()).await.unwrap(),
            "it ended"
        );
    }
}

/// Checks that an answer refuses something because there was too much of it, and says for how long.
async fn too_much(mut answer: Response) {
    let text = answer.text().await;
    assert_eq!(answer.status, 429, "{text}");
    let after: u64 = answer.header("retry-after").parse().unwrap();
    assert!(
        after >= 1 && text.contains(&format!("again in {after} s")),
        "{text}"
    );
}

/// An account that asks and takes back over and over is stopped after a few times. Only the two are
/// told of it, and nobody of a presence that has not changed.
#[tokio::test]
async fn friend_request_and_back_limited() {
    let server = TestServer::start();
    let [zoe, mut ben] = Person::friends(server.addr, "Zoë", "Ben").await;
    let mut mallory = Person::new(server.addr, "mallory").await;
    let mut mine = zoe.follow("/chat/stream").await;
    let mut watch = ben.follow("/chat/presence").await;
    let mut asked = 0;
    loop {
        let answer = mallory.befriend("ask", "Zoë").await;
        if answer.status != 200 {
            too_much(answer).await;
            break;
        }
        asked += 1;
        assert_eq!(mallory.befriend("remove", "Zoë").await.status, 200);
    }
    assert_eq!(asked, limits::FRIEND_REQUESTS_OF_PAIR.burst as usize);
    // A change of a friendship of Ben's comes after all that.
    let mut eve = Person::new(server.addr, "Eve").await;
    assert_eq!(eve.befriend("ask", "Ben").await.status, 200);
    assert_eq!(ben.befriend("accept", "Eve").await.status, 200);
    while !watch.messages().any(|message| message.data.contains("Eve")) {
        assert!(crate::support::soon(watch.read()).await.unwrap());
    }
    let of_zoe = watch
        .messages()
        .filter(|message| message.data.contains("Zoë"));
    assert!(of_zoe.count() <= 1, "her coming online: {:?}", watch.said);
    assert_eq!(ben.say(&zoe, "hello").await.status, 201);
    while !mine.messages().any(|message| message.event == "message") {
        assert!(crate::support::soon(mine.read()).await.unwrap());
    }
    assert_eq!(
        told(&mine)
            .iter()
            .filter(|(name, _)| name == "mallory")
            .count(),
        2 * asked
    );
    drop((mine, watch));
    server.stop().await;
}

/// However many have asked somebody, others can ask, and the one who was asked can ask and have friends.
/// What is pushed out is the oldest, and both are told.
#[tokio::test]
async fn friend_requests_fill_nobodys_list() {
    let log_dir = LogDir::new();
    let server = log_dir.start(&[]).await;
    let mut zoe = Person::new(server.addr, "Zoë").await;
    let mut first = Person::new(server.addr, "first").await;
    assert_eq!(first.befriend("ask", "Zoë").await.status, 200);
    let connection = log_dir.connect();
    let bots = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) \
             INSERT INTO accounts (name, key, hash, created) SELECT 'bot ' || i, 'bot ' || i, '', 1 FROM n; \
         INSERT INTO friends (me, friend, standing, since) SELECT id, 1, 'asked', 1 << 60 FROM accounts WHERE id > 2; \
         INSERT INTO friends (me, friend, standing, since) SELECT 1, id, 'asking', 1 << 60 FROM accounts WHERE id > 2;",
        limits::FRIEND_REQUESTS_MAX - 1
    );
    let filled = tokio::task::spawn_blocking(move || connection.execute_batch(&bots));
    filled.await.unwrap().unwrap();
    let mut mine = zoe.follow("/chat/stream").await;
    let mut firsts = first.follow("/chat/stream").await;
    let mut honest = Person::new(server.addr, "honest").await;
    assert_eq!(honest.befriend("ask", "Zoë").await.status, 200);
    until(&mut mine, "first", "gone").await;
    until(&mut firsts, "Zoë", "gone").await;
    assert_eq!(standing(&zoe, "honest").await.as_deref(), Some("asking"));
    assert_eq!(standing(&zoe, "first").await, None);
    let other = Person::new(server.addr, "other").await;
    for name in ["honest", "other"] {
        assert_eq!(zoe.befriend("ask", name).await.status, 200, "{name}");
    }
    assert_eq!(standing(&zoe, "honest").await.as_deref(), Some("friend"));
    assert_eq!(standing(&other, "Zoë").await.as_deref(), Some("asking"));
}

/// Whoever was declined cannot ask again at once, and whoever is blocked cannot ask at all; neither is
/// told which of the two it is. What was between the two ends.
#[tokio::test]
async fn blocked_account_is_told_nothing() {
    let server = TestServer::start();
    let [mut zoe, mut mallory] = Person::friends(server.addr, "Zoë", "mallory").await;
    let mut eve = Person::new(server.addr, "Eve").await;
    assert_eq!(eve.befriend("ask", "Zoë").await.status, 200);
    assert_eq!(zoe.befriend("decline", "Eve").await.status, 200);
    let mut mine = zoe.follow("/chat/stream").await;
    let mut theirs = mallory.follow("/chat/stream").await;
    let mut frame = mallory.get(&zoe.path("frame")).await;
    let mut answer = zoe.befriend("block", "MALLORY").await;
    let object = answer.json().await;
    assert_eq!(
        (&object["name"], &object["standing"]),
        (&"mallory".into(), &"blocked".into())
    );
    until(&mut mine, "mallory", "blocked").await;
    until(&mut theirs, "Zoë", "gone").await;
    crate::support::soon(frame.text()).await;
    let mut refusals = Vec::new();
    for asking in [&mut eve, &mut mallory] {
        let mut answer = asking.befriend("ask", "Zoë").await;
        refusals.push((answer.status, answer.text().await));
        assert_eq!(asking.say(&zoe, "hello?").await.status, 404);
        assert_eq!(standing(asking, "Zoë").await, None);
    }
    assert_eq!(refusals[0], refusals[1]);
    assert_eq!(refusals[0].0, 403, "{refusals:?}");
    let path = zoe.path("with");
    let mut to_mallory = mallory.get(&path).await;
    let mut to_stranger = Person::new(server.addr, "stranger").await.get(&path).await;
    assert_eq!(to_mallory.status, to_stranger.status);
    assert_eq!(to_mallory.text().await, to_stranger.text().await);
    // A stranger that is blocked learns nothing of it, nor of being blocked no more.
    assert_eq!(zoe.befriend("block", "Eve").await.status, 200);
    let mut eves = eve.follow("/chat/stream").await;
    assert_eq!(zoe.befriend("ask", "Eve").await.status, 409);
    for name in ["Eve", "mallory"] {
        assert_eq!(zoe.befriend("unblock", name).await.status, 200);
        assert_eq!(standing(&zoe, name).await, None);
    }
    assert_eq!(zoe.befriend("ask", "Eve").await.status, 200);
    assert_eq!(mallory.befriend("ask", "Zoë").await.status, 200, "again");
    until(&mut mine, "mallory", "asking").await;
    until(&mut eves, "Zoë", "asking").await;
    assert_eq!(
        told(&eves).len(),
        3,
        "asked, declined, and that: {:?}",
        told(&eves)
    );
    drop((mine, theirs, eves));
    server.stop().await;
}

/// The page works without JavaScript: it blocks, lists who is blocked, and unblocks.
#[tokio::test]
async fn blocked_accounts_on_the_plain_page() {
    const ROW: &str = "aria-label=\"Unblock &lt;b&gt;mallory&lt;/b&gt;\"";
    let server = TestServer::start();
    let [zoe, mallory] = Person::friends(server.addr, "Zoë", "<b>mallory</b>").await;
    let page = async |path: &str| {
        let request = format!("GET {path}\r\nAccept: text/html");
        zoe.send(&request, b"").await.text().await
    };
    let form = async |action: &str| {
        let body = format!("action={action}&name=%3Cb%3Emallory%3C%2Fb%3E");
        let request = "POST /chat/friends\r\nAccept: text/html";
        let answer = zoe.send(request, body.as_bytes()).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/chat"));
    };
    assert!(
        page(&mallory.path("with"))
            .await
            .contains("value=\"block\">Yes, block")
    );
    assert!(!page("/chat").await.contains(ROW));
    form("block").await;
    assert!(page("/chat").await.contains(ROW));
    form("unblock").await;
    assert!(!page("/chat").await.contains(ROW));
    server.stop().await;
}

/// A friend who says very much very fast has to wait; others do not.
#[tokio::test]
async fn message_flood_of_a_friend_limited() {
    let server = TestServer::start();
    let [mut zoe, mut ben] = Person::friends(server.addr, "Zoë", "Ben").await;
    let mut said = 0;
    loop {
        let answer = ben.say(&zoe, "and another thing").await;
        if answer.status != 201 {
            too_much(answer).await;
            break;
        }
        said += 1;
        assert!(said < 100_000);
    }
    assert!(said >= limits::SAYS_OF_ACCOUNT.burst, "{said}");
    assert_eq!(zoe.say(&ben, "enough").await.status, 201);
    // Logging in again changes nothing.
    assert_eq!(ben.enter("login", "Ben", PASSWORD).await.status, 200);
    server.stop().await;
}
