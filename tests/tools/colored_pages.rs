//! Colours in messages, in Chromium: what the forever frame shows, and what the pages' scripts show.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::helpers::browser::Browser;
use crate::support::client::{append, get};
use crate::support::{TestServer, eventually};

/// The number of messages that are compared; the page shows no more.
const COUNT: usize = 200;

/// What a page has in one of its elements for each message.
const SHOWN: &str =
    "return [...document.querySelectorAll('#messages .text')].map(text => text.innerHTML)";

/// A text with many sequences that set colours, and many that do not.
fn text(random: &mut StdRng) -> String {
    const PIECES: [&str; 14] = [
        "\x1b[", "\x1b", "m", ";", "1", "a", "<b>&", "\n", "é", " ", "\x1b[m", "\x1b[2J",
        "\x1b[0;", "]",
    ];
    let mut text = "x".to_owned();
    for _ in 0..random.random_range(0..20) {
        if random.random_ratio(1, 2) {
            let numbers = (0..random.random_range(0..8)).map(|_| number(random));
            let numbers = numbers.collect::<Vec<_>>().join(";");
            text.extend(["\x1b[", &*numbers, "m"]);
        } else {
            text += PIECES.choose(random).unwrap();
        }
    }
    text.push('.');
    text
}

/// A parameter: most of those that mean something are below 110, and some of the others begin a colour.
fn number(random: &mut StdRng) -> String {
    match random.random_range(0..8) {
        0 => String::new(),
        1 => "38;5".to_owned(),
        2 => "48;2".to_owned(),
        3 => random.random_range(0..1100).to_string(),
        4 => random.random_range(0..10).to_string(),
        _ => random.random_range(0..110).to_string(),
    }
}

/// Scripts show the colours of a message as the forever frame does: the same elements with the same
/// classes around the same characters.
#[tokio::test]
async fn colors_of_scripts_and_frame_agree() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let server = TestServer::start();
    let browser = Browser::start().await;
    browser.open(server.addr, "/events").await;
    browser
        .read("#state", "live", |text| text.starts_with("live by "))
        .await;
    for _ in 0..COUNT {
        append(server.addr, "events", &text(&mut random)).await;
    }
    eventually("the page shows all", async || {
        let count = browser.count("#messages .text").await;
        (count == COUNT).then_some(()).ok_or(count.to_string())
    })
    .await;
    let by_script = browser.execute(SHOWN).await;
    let frame = get(server.addr, &format!("/c/events?as=html&limit={COUNT}"))
        .await
        .text()
        .await;
    let by_frame = format!(
        "const page = new DOMParser().parseFromString({}, 'text/html');
         return [...page.querySelectorAll('.message')].map(({{ innerHTML, firstElementChild: inner }}) =>
             inner?.outerHTML === innerHTML && !inner.className ? inner.innerHTML : innerHTML)",
        json!(frame)
    );
    let by_frame = browser.execute(&by_frame).await;
    assert_eq!(by_script.as_array().unwrap().len(), COUNT);
    for (script, frame) in by_script
        .as_array()
        .unwrap()
        .iter()
        .zip(by_frame.as_array().unwrap())
    {
        assert_eq!(script, frame);
    }
    assert!(by_script.to_string().contains("<span class="));
    browser.close().await;
    server.stop().await;
}

/// The page shows a message in its colours, and its text is one block next to the name of its channel.
#[tokio::test]
async fn colors_in_frame() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    browser.open(server.addr, "/c/build,deploy?as=html").await;
    append(
        server.addr,
        "build",
        "\x1b[1;31merror\x1b[0m: \x1b[7mwrong\x1b[m\nsecond line",
    )
    .await;
    browser
        .read(".message", "the message", |text| {
            text.contains("second line")
        })
        .await;
    let looks = browser
        .execute(
            "const style = css => getComputedStyle(document.querySelector(css));
             const [one, two] = document.querySelector('.message > span').getClientRects();
             return {
                 text: document.querySelector('.message').textContent,
                 weight: style('.fg1').fontWeight,
                 differ: new Set([style('.message').color, style('.fg1').color, style('.inverse').color]).size,
                 inverse: style('.inverse').backgroundColor === style('.message').color,
                 blocks: two === undefined && one.height > 30,
             }",
        )
        .await;
    let expected: Value = json!({
        "text": "error: wrong\nsecond line",
        "weight": "700",
        "differ": 3,
        "inverse": true,
        "blocks": true,
    });
    assert_eq!(looks, expected);
    browser.close().await;
    server.stop().await;
}
