//! The streams of the chat: new friendships, messages that were missed meanwhile, long histories,
//! and presence.

use std::time::Duration;

use forever_frame::limits;
use serde_json::Value;
use tokio::time::Instant;

use crate::support::client::Response;
use crate::support::member::Member;
use crate::support::{TestServer, soon};

/// The objects of an NDJSON stream, one in each line.
struct Lines {
    stream: Response,
    rest: String,
}

impl Lines {
    async fn of(member: &Member, path: &str) -> Lines {
        Lines {
            stream: member.follow(path).await,
            rest: String::new(),
        }
    }

    async fn next(&mut self) -> Value {
        loop {
            if let Some(end) = self.rest.find('\n') {
                let line: String = self.rest.drain(..=end).collect();
                return serde_json::from_str(&line).unwrap();
            }
            let chunk = soon(self.stream.chunk())
                .await
                .unwrap()
                .expect("it goes on");
            self.rest.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The data of the next message of that event.
    async fn event(&mut self, event: &str) -> Value {
        loop {
            let line = self.next().await;
            if line["type"] == "message" && line["event"] == event {
                return serde_json::from_str(line["data"].as_str().unwrap()).unwrap();
            }
        }
    }

    /// The texts of the messages up to the one with the text `last`.
    async fn texts(&mut self, last: &str) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.last().is_none_or(|text| text != last) {
            let said = self.event("message").await;
            texts.push(said["text"].as_str().unwrap().to_owned());
        }
        texts
    }
}

/// A conversation that did not exist when the stream began is in the stream from its first message
/// on, also where that is sent at the very moment in which the two become friends.
#[tokio::test(flavor = "multi_thread")]
async fn chat_stream_includes_new_friends() {
    const FRIENDS: usize = 20;
    let server = TestServer::start();
    let me = Member::register(server.addr, "me").await;
    let mut mine = Lines::of(&me, "/chat/stream?as=ndjson&since=now").await;
    let mut expected = Vec::new();
    for number in 0..FRIENDS {
        let other = Member::register(server.addr, &format!("friend {number}")).await;
        let text = format!("I am friend {number}");
        other.friends("ask", "me").await;
        me.friends("accept", &other.name).await;
        tokio::join!(other.say("me", &text), me.say(&other.name, &text));
        expected.extend([text.clone(), text]);
    }
    let last = Member::register(server.addr, "last").await;
    last.befriend(&me).await;
    last.say("me", "the end").await;
    expected.push("the end".to_owned());
    assert_eq!(mine.texts("the end").await, expected);
    drop(mine);
    server.stop().await;
}

/// The cursor of an account's stream stays valid though friends have come and gone since: a client
/// that resumes gets the messages of new friends, too.
#[tokio::test]
async fn chat_stream_resume_with_new_friends() {
    let server = TestServer::start();
    let me = Member::register(server.addr, "me").await;
    let old = Member::register(server.addr, "old").await;
    me.befriend(&old).await;
    old.say("me", "before").await;
    let list = me.get("/chat/friends").await;
    let since = list["since"].as_str().unwrap().to_owned();
    let new = Member::register(server.addr, "new").await;
    new.befriend(&me).await;
    new.say("me", "from somebody new").await;
    old.say("me", "goodbye").await;
    old.friends("remove", "me").await;
    new.say("me", "the end").await;
    let path = format!("/chat/stream?as=ndjson&since={since}");
    let texts = Lines::of(&me, &path).await.texts("the end").await;
    // The conversation with an account that is no friend any more is closed.
    assert_eq!(texts, ["from somebody new", "the end"]);
    server.stop().await;
}

/// Pages of long messages have fewer of them, and no message is missing: backwards, and in a
/// browser forwards.
#[tokio::test]
async fn chat_history_pages_by_length() {
    const MESSAGES: usize = 40;
    let server = TestServer::start();
    let me = Member::register(server.addr, "me").await;
    let other = Member::register(server.addr, "other").await;
    me.befriend(&other).await;
    let long = "x".repeat(limits::CHAT_TEXT_BYTES_MAX - 2);
    let all: Vec<String> = (0..MESSAGES).map(|n| format!("{n:02}{long}")).collect();
    for text in &all {
        other.say("me", text).await;
    }
    let (mut texts, mut pages, mut before) = (Vec::new(), 0, String::new());
    loop {
        let path = format!(
            "/chat/with/other?limit={}{before}",
            limits::HISTORY_MESSAGES_MAX
        );
        let page = me.get(&path).await;
        let said = page["messages"].as_array().unwrap().iter();
        let mut said: Vec<String> = said.map(|m| m["text"].as_str().unwrap().into()).collect();
        assert!(said.iter().map(String::len).sum::<usize>() <= limits::HISTORY_BYTES);
        said.append(&mut texts);
        (texts, pages) = (said, pages + 1);
        let Some(cursor) = page["before"].as_str() else {
            break;
        };
        before = format!("&before={cursor}");
    }
    assert!(texts == all, "{} messages", texts.len());
    assert!((3..6).contains(&pages), "{pages} pages");
    // The links lead from the oldest page to later ones; the newest messages are in the conversation.
    let mut path = format!("/chat/with/other?{}", &before[1..]);
    let mut shown = 0;
    loop {
        let request = format!("GET {path}\r\nAccept: text/html");
        let page = me.person.send(&request, b"").await.text().await;
        for text in all.iter().filter(|text| page.contains(&text[..100])) {
            assert!(*text == all[shown], "{} comes after {shown}", &text[..2]);
            shown += 1;
        }
        let Some(link) = page
            .split(">Later messages")
            .next()
            .filter(|part| *part != page)
        else {
            break;
        };
        path = link.rsplit('"').nth(1).unwrap().to_owned();
    }
    assert!(shown < MESSAGES && shown + 16 >= MESSAGES, "{shown}");
    server.stop().await;
}

/// Presence is told once for each change: a reload and a second tab are not a leaving, and a
/// leaving is told within a second.
#[tokio::test]
async fn presence_told_once_per_change() {
    let server = TestServer::start();
    let me = Member::register(server.addr, "me").await;
    let other = Member::register(server.addr, "other").await;
    let list = me.get("/chat/friends").await;
    let since = list["presence"].as_str().unwrap();
    let path = format!("/chat/presence?as=ndjson&since={since}");
    let mut seen = Lines::of(&me, &path).await;
    me.befriend(&other).await;
    // A new friend's presence is told, too, after a while that has no bound here.
    let friend = soon(seen.event("presence")).await;
    assert_eq!(
        (&friend["name"], &friend["online"]),
        (&"other".into(), &false.into())
    );
    let stream = "/chat/stream?as=ndjson&since=now";
    let mut delays = Vec::new();
    for _ in 0..4 {
        let first = Lines::of(&other, stream).await;
        let came = soon(seen.event("presence")).await;
        let mut tabs = vec![first];
        for _ in 0..5 {
            tabs.push(Lines::of(&other, stream).await);
            // The older tab is loaded anew.
            tabs.remove(0);
        }
        let left = Instant::now();
        drop(tabs);
        let went = soon(seen.event("presence")).await;
        delays.push(left.elapsed());
        for (told, online) in [(&came, true), (&went, false)] {
            assert_eq!(told["name"], "other");
            assert_eq!(told["online"], online, "{told}");
        }
    }
    // The shortest delay counts: in the others the machine may have been busy with other tests.
    let best = delays.iter().min().unwrap();
    assert!(*best < Duration::from_secs(1), "{delays:?}");
    drop(seen);
    server.stop().await;
}
