//! The streams of the chat by themselves: who is a friend from now on, what is missed in between,
//! and who comes and goes.

use std::time::Duration;

use forever_frame::limits;
use serde_json::Value;
use tokio::time::Instant;

use crate::support::chatter::Account;
use crate::support::client::Response;
use crate::support::{TestServer, soon};

/// What a stream of ndjson says, an object a line.
struct Lines {
    stream: Response,
    rest: String,
}

impl Lines {
    async fn of(account: &Account, path: &str) -> Lines {
        Lines {
            stream: account.follow(path).await,
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

    /// The texts that are said, up to the one that is the last.
    async fn texts(&mut self, last: &str) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.last().is_none_or(|text| text != last) {
            let said = self.event("message").await;
            texts.push(said["text"].as_str().unwrap().to_owned());
        }
        texts
    }
}

/// A conversation that did not exist when the stream began is in it from its first word on: also
/// where that is said at the very moment in which the two become friends.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_hears_friends_who_come_later_from_their_first_word_on() {
    const FRIENDS: usize = 20;
    let server = TestServer::start();
    let me = Account::register(server.addr, "me").await;
    let mut mine = Lines::of(&me, "/chat/stream?as=ndjson&since=now").await;
    let mut expected = Vec::new();
    for number in 0..FRIENDS {
        let other = Account::register(server.addr, &format!("friend {number}")).await;
        let text = format!("I am friend {number}");
        other.friends("ask", "me").await;
        me.friends("accept", &other.name).await;
        tokio::join!(other.say("me", &text), me.say(&other.name, &text));
        expected.extend([text.clone(), text]);
    }
    let last = Account::register(server.addr, "last").await;
    last.befriend(&me).await;
    last.say("me", "the end").await;
    expected.push("the end".to_owned());
    assert_eq!(mine.texts("the end").await, expected);
    drop(mine);
    server.stop().await;
}

/// The cursor of one's own stream is valid though friends have come and gone since.
#[tokio::test]
async fn whoever_comes_back_gets_what_was_said_meanwhile_also_by_new_friends() {
    let server = TestServer::start();
    let me = Account::register(server.addr, "me").await;
    let old = Account::register(server.addr, "old").await;
    me.befriend(&old).await;
    old.say("me", "before").await;
    let list = me.get("/chat/friends").await;
    let since = list["since"].as_str().unwrap().to_owned();
    let new = Account::register(server.addr, "new").await;
    new.befriend(&me).await;
    new.say("me", "from somebody new").await;
    old.say("me", "goodbye").await;
    old.friends("remove", "me").await;
    new.say("me", "the end").await;
    let path = format!("/chat/stream?as=ndjson&since={since}");
    let texts = Lines::of(&me, &path).await.texts("the end").await;
    // The conversation with somebody who is no friend any more is closed.
    assert_eq!(texts, ["from somebody new", "the end"]);
    server.stop().await;
}

/// Long messages are paged by their length, backwards and, in a browser, forwards.
#[tokio::test]
async fn a_page_of_long_messages_has_fewer_and_none_is_lost() {
    const MESSAGES: usize = 40;
    let server = TestServer::start();
    let me = Account::register(server.addr, "me").await;
    let other = Account::register(server.addr, "other").await;
    me.befriend(&other).await;
    let long = "x".repeat(limits::CHAT_TEXT_BYTES - 2);
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
    // From the oldest page on by the links to the later ones; the newest are in the conversation.
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

/// A reload and a second tab are not a leaving; to leave is one, within a second.
#[tokio::test]
async fn presence_is_told_once_for_each_coming_and_going() {
    let server = TestServer::start();
    let me = Account::register(server.addr, "me").await;
    let other = Account::register(server.addr, "other").await;
    let list = me.get("/chat/friends").await;
    let since = list["presence"].as_str().unwrap();
    let path = format!("/chat/presence?as=ndjson&since={since}");
    let mut seen = Lines::of(&me, &path).await;
    me.befriend(&other).await;
    // Who becomes a friend is told of; when, nobody else waits for.
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
            // The other one is loaded anew.
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
    // The best of them: the others are the machine's, which may be busy with other tests.
    let best = delays.iter().min().unwrap();
    assert!(*best < Duration::from_secs(1), "{delays:?}");
    drop(seen);
    server.stop().await;
}
