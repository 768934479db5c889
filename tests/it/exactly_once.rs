//! Many publishers, many followers, and lines that break anywhere.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::support::client::{get, post};
use crate::support::text::{Reader, Said};
use crate::support::{TestServer, soon};

const PUBLISHERS: u64 = 64;
const FOLLOWERS: u64 = 200;
const MESSAGES_EACH: u64 = 40;
const CHANNELS: [&str; 4] = ["a", "b", "c", "d"];
const LAST: &str = "that was all";

/// seq → (channel, text)
type Seen = BTreeMap<u64, (String, String)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_that_break_off_anywhere_see_each_message_once_in_order() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let server = TestServer::start();
    let addr = server.addr;
    let followers: Vec<_> = (0..FOLLOWERS)
        .map(|n| tokio::spawn(follow(addr, StdRng::seed_from_u64(seed ^ n))))
        .collect();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|n| tokio::spawn(publish(addr, n, StdRng::seed_from_u64(seed ^ (n << 32)))))
        .collect();
    let mut sent = Seen::new();
    for publisher in publishers {
        sent.extend(soon(publisher).await.unwrap());
    }
    for channel in CHANNELS {
        let seq = append(addr, channel, LAST).await;
        sent.insert(seq, (channel.to_owned(), LAST.to_owned()));
    }
    assert_eq!(sent.len() as u64, PUBLISHERS * MESSAGES_EACH + 4);
    let sent = Arc::new(sent);
    let mut breaks = 0;
    for follower in followers {
        let (channels, seen, broke_off) = soon(follower).await.unwrap();
        breaks += broke_off;
        let mine = sent
            .values()
            .filter(|(channel, _)| channels.contains(&channel.as_str()));
        let expected: Vec<_> = mine.map(|(_, text)| text.clone()).collect();
        assert_eq!(seen, expected, "seed {seed}, {channels:?}");
    }
    println!("{breaks} breaks");
    assert!(breaks > FOLLOWERS, "lines did break: {breaks}");
    server.stop().await;
}

async fn append(addr: SocketAddr, channel: &str, text: &str) -> u64 {
    post(addr, &format!("/c/{channel}"), text)
        .await
        .json()
        .await["seq"]
        .as_u64()
        .unwrap()
}

async fn publish(addr: SocketAddr, publisher: u64, mut random: StdRng) -> Seen {
    let mut sent = Seen::new();
    for n in 0..MESSAGES_EACH {
        let channel = *CHANNELS.choose(&mut random).unwrap();
        let text = format!(
            "{publisher}.{n} {}",
            "<&>".repeat(random.random_range(0..40))
        );
        sent.insert(
            append(addr, channel, &text).await,
            (channel.to_owned(), text),
        );
    }
    sent
}

/// Follows some channels until each has said its last, breaking off and coming back with its
/// cursor; gives the channels, the texts in their order, and how often it broke off.
async fn follow(addr: SocketAddr, mut random: StdRng) -> (Vec<&'static str>, Vec<String>, u64) {
    let count = random.random_range(1..=CHANNELS.len());
    let channels: Vec<&str> = CHANNELS.sample(&mut random, count).copied().collect();
    let path = format!("/c/{}", channels.join(","));
    let (mut cursor, mut seen, mut breaks) = ("0".to_owned(), Vec::new(), 0);
    while seen.iter().filter(|text| *text == LAST).count() < channels.len() {
        let part = if random.random_bool(0.7) {
            cut_html(addr, &path, &mut cursor, &mut random).await
        } else {
            limited_text(addr, &path, &mut cursor, &mut random).await
        };
        seen.extend(part);
        breaks += 1;
    }
    (channels, seen, breaks)
}

/// An HTML stream, cut after a random number of bytes: what is whole counts, and its cursor.
async fn cut_html(
    addr: SocketAddr,
    path: &str,
    cursor: &mut String,
    random: &mut StdRng,
) -> Vec<String> {
    let mut response = get(addr, &format!("{path}?as=html&since={cursor}")).await;
    let most = random.random_range(1_000..60_000);
    let mut bytes = Vec::new();
    while bytes.len() < most
        && !bytes
            .windows(LAST.len())
            .any(|window| window == LAST.as_bytes())
    {
        bytes.extend(soon(response.chunk()).await.unwrap().unwrap());
    }
    bytes.truncate(most.max(bytes.len().saturating_sub(random.random_range(0..200))));
    let text = String::from_utf8_lossy(&bytes);
    let mut seen = Vec::new();
    for element in text.split("<p class=\"message\" data-cursor=\"").skip(1) {
        let Some((inside, _)) = element.split_once("</p>\n") else {
            break;
        };
        let (place, _) = inside.split_once('"').unwrap();
        let (_, shown) = inside.split_once('>').unwrap();
        seen.push(
            shown
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&"),
        );
        place.clone_into(cursor);
    }
    seen
}

/// A text stream that says where it ends.
async fn limited_text(
    addr: SocketAddr,
    path: &str,
    cursor: &mut String,
    random: &mut StdRng,
) -> Vec<String> {
    let limit = random.random_range(1..200);
    let text = get(
        addr,
        &format!("{path}?as=text&since={cursor}&limit={limit}&timeout=500ms"),
    )
    .await
    .text()
    .await;
    let mut said = Reader::default().read(text.as_bytes());
    let Some(Said::End(end)) = said.pop() else {
        panic!("no end mark: {text}")
    };
    *cursor = end;
    let texts = said.into_iter().map(|said| {
        if let Said::Message(text) = said {
            text
        } else {
            panic!("{said:?}")
        }
    });
    texts.collect()
}
