//! Colours in messages: kept for a terminal that asks for them, classes in a page, and no other escape
//! sequence in either; and the style sheet's colours, which everybody can read.

use std::collections::HashMap;

use serde_json::Value;

use crate::support::TestServer;
use crate::support::client::{append, get, send};

const STYLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/pages/style.css"));

/// What cargo prints for a warning, a message that leaves its colour on, and escape sequences that do
/// more than set colours.
const SENT: [&str; 4] = [
    "\x1b[1m\x1b[33mwarning\x1b[0m\x1b[1m: unused `x`\x1b[0m",
    "\x1b[1;31mred",
    "plain",
    "\x1b[2J\x1b]0;title\x07\x1b[?25l\x1b[38;2;255;165;0morange\x1b[K",
];

/// The bytes of a stream of the channel `build`, without the end mark of `text`.
async fn stream(server: &TestServer, query: &str) -> String {
    let text = get(server.addr, &format!("/c/{query}")).await.text().await;
    text.split("# end ").next().unwrap().to_owned()
}

/// A terminal gets colours if it asks for them, and never anything else; every other transport has the
/// text as it was sent.
#[tokio::test]
async fn colors_on_each_transport() {
    let server = TestServer::start();
    for text in SENT {
        append(server.addr, "build", text).await;
    }
    let plain = stream(&server, "build?limit=4").await;
    assert!(!plain.contains('\x1b'), "{plain:?}");
    assert!(plain.contains("\\x1b[1;31mred\n"), "{plain:?}");
    assert_eq!(stream(&server, "build?limit=4&color=0").await, plain);
    let colored = "\x1b[1m\x1b[33mwarning\x1b[0m\x1b[1m: unused `x`\x1b[0m\n\
                   \x1b[1;31mred\x1b[m\n\
                   plain\n\
                   \\x1b[2J\\x1b]0;title\\x07\\x1b[?25l\x1b[38;2;255;165;0morange\\x1b[K\x1b[m\n";
    assert_eq!(stream(&server, "build?limit=4&color=1").await, colored);
    let named = stream(&server, "build,other?limit=4&color=1").await;
    let expected: Vec<String> = colored
        .lines()
        .map(|line| format!("build: {line}\n"))
        .collect();
    assert_eq!(named, expected.concat());

    let page = stream(&server, "build?limit=4&as=html").await;
    assert!(!page.contains(['\x1b', '\x07']), "{page:?}");
    for element in [
        "dir=\"auto\"><span><span class=\"fg3 bold\">warning</span><span class=\"bold\">: unused `x`</span></span></p>",
        "dir=\"auto\"><span><span class=\"fg1 bold\">red</span></span></p>",
        "dir=\"auto\">plain</p>",
        "dir=\"auto\"><span>&#27;[2J&#27;]0;title&#7;&#27;[?25l<span class=\"fg11\">orange&#27;[K</span></span></p>",
    ] {
        assert!(page.contains(element), "{element} is not in {page}");
    }

    // It is no parameter of the other transports, and does nothing there.
    let lines = stream(&server, "build?limit=4&as=ndjson&color=1").await;
    let objects = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let texts: Vec<String> = objects
        .filter(|object| object["type"] == "message")
        .map(|object| object["data"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(texts, SENT);
    let events = stream(&server, "build?limit=4&as=sse&color=1").await;
    for text in SENT {
        assert!(events.contains(&format!("\ndata: {text}\n")), "{events:?}");
    }
    let wrong = get(server.addr, "/c/build?color=yes").await;
    assert_eq!(wrong.status, 400);
    server.stop().await;
}

/// New messages reach those who want colours and those who do not, each as it wants them.
#[tokio::test]
async fn colors_live() {
    let server = TestServer::start();
    let follow = async |query: &str| {
        let request = format!("GET /c/build?heartbeat=60s&{query}");
        let mut stream = send(server.addr, &request, b"").await;
        stream.until(".").await;
        stream
    };
    let mut streams = [
        (follow("").await, "\\x1b[31mred\n"),
        (follow("color=1").await, "\x1b[31mred\x1b[m\n"),
        (
            follow("color=1&names=1").await,
            "build: \x1b[31mred\x1b[m\n",
        ),
        (follow("color=1").await, "\x1b[31mred\x1b[m\n"),
    ];
    for round in 0..3 {
        append(server.addr, "build", "\x1b[31mred").await;
        for (stream, expected) in &mut streams {
            let line = stream.until("\n").await;
            let dots = if round == 0 { "\n" } else { "" };
            assert_eq!(line, format!("{dots}{expected}"));
        }
    }
    drop(streams);
    server.stop().await;
}

/// The colours of the style sheet that have a name, in a light and in a dark page.
fn palettes() -> [HashMap<&'static str, [f64; 3]>; 2] {
    let mut palettes = [HashMap::new(), HashMap::new()];
    for declaration in STYLE.split(['{', '}', ';', '\n']) {
        let Some((name, color)) = declaration.trim().split_once(": #") else {
            continue;
        };
        if let Some(name) = name.strip_prefix("--") {
            let dark = usize::from(palettes[0].contains_key(name));
            assert_eq!(palettes[dark].insert(name, rgb(color)), None, "{name}");
        }
    }
    palettes
}

/// The parts of a colour such as `fff` or `1c2128`, from 0 to 1.
fn rgb(hex: &str) -> [f64; 3] {
    let width = hex.len() / 3;
    [0, 1, 2].map(|part| {
        let digits = &hex[part * width..][..width];
        let most = f64::from(16_u32.pow(u32::try_from(width).unwrap()) - 1);
        f64::from(u32::from_str_radix(digits, 16).unwrap()) / most
    })
}

/// The contrast of two colours (WCAG 2.2, "contrast ratio" and "relative luminance").
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let luminance = |color: [f64; 3]| {
        let [red, green, blue] = color.map(|part| {
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05
    };
    let ratio = luminance(one) / luminance(other);
    ratio.max(ratio.recip())
}

/// Every colour of characters can be read on every background, on the page, and inverse, by everybody.
#[test]
fn colors_have_contrast() {
    assert!((contrast(rgb("000"), rgb("ffffff")) - 21.0).abs() < 0.01);
    assert!((contrast(rgb("777777"), rgb("fff")) - 4.48).abs() < 0.01);
    let numbered = |kind: &str| (0..16).map(|n| format!("{kind}-{n}")).collect::<Vec<_>>();
    for (scheme, palette) in ["light", "dark"].into_iter().zip(palettes()) {
        let of = |name: &str| {
            *palette
                .get(name)
                .unwrap_or_else(|| panic!("no {name} in {scheme}"))
        };
        // `wash` is what a new message is shown on for a moment.
        let pages = ["bg", "panel", "wash"].map(str::to_owned);
        let texts = ["text", "muted"].map(str::to_owned);
        for paper in pages.into_iter().chain(numbered("paper")) {
            for ink in numbered("ink").iter().chain(&texts) {
                let ratio = contrast(of(ink), of(&paper));
                assert!(ratio >= 4.5, "{scheme}: {ink} on {paper} has {ratio:.2}");
            }
        }
        // What has another colour is seen to have it.
        for kind in ["ink", "paper"] {
            for n in 1..7 {
                let (one, other) = (
                    of(&format!("{kind}-{n}")),
                    of(&format!("{kind}-{}", n % 6 + 1)),
                );
                let distance: f64 = (0..3).map(|part| (one[part] - other[part]).abs()).sum();
                assert!(distance > 0.1, "{scheme}: {kind}-{n}");
            }
        }
    }
}

/// Each class that a message may have has a rule.
#[test]
fn colors_have_rules() {
    let numbered = |kind: &'static str| (0..16).map(move |n| format!("{kind}{n}"));
    let effects = ["bold", "faint", "italic", "underline", "strike"].map(str::to_owned);
    for class in numbered("fg").chain(numbered("bg")).chain(effects) {
        assert!(STYLE.contains(&format!(".{class} {{")), "{class}");
    }
    assert!(STYLE.contains(" span.inverse {"));
}
