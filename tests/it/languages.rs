//! Pages in English and in Chinese: which one a browser gets, and that it is one language.

use std::fs;

use crate::support::access::{AccessFile, secret};
use crate::support::client::{Response, get, post, send};
use crate::support::html::{attribute, has_han, texts};
use crate::support::person::Person;
use crate::support::{TestServer, directory};

const BROWSER: &str = "Accept: text/html,*/*;q=0.8";
const CHINESE: &str = "Accept-Language: zh-CN,zh;q=0.9";

/// Asks as a browser does, with more lines of headers.
async fn ask(server: &TestServer, path: &str, headers: &[&str]) -> Response {
    let lines = [&[BROWSER], headers].concat().join("\r\n");
    send(server.addr, &format!("GET {path}\r\n{lines}"), b"").await
}

/// The language of an answer, which its page and its header say both.
async fn language(mut answer: Response) -> String {
    let said = answer.header("content-language").to_owned();
    let page = answer.until("<body").await;
    let (_, html) = page.split_once("<html").unwrap();
    assert_eq!(
        attribute(html.split('>').next().unwrap(), "lang"),
        Some(&*said)
    );
    said
}

/// The address counts before the cookie, and the cookie before what the browser's user reads.
#[tokio::test]
async fn languages_are_chosen() {
    let server = TestServer::start();
    for (path, headers, expected) in [
        ("/", &[][..], "en"),
        ("/", &[CHINESE], "zh-Hans"),
        ("/", &["Accept-Language: zh-TW"], "zh-Hans"),
        (
            "/",
            &["Accept-Language: en;q=0.8, zh-Hant;q=0.9"],
            "zh-Hans",
        ),
        ("/", &["Accept-Language: zh;q=0.8, en;q=0.9"], "en"),
        ("/", &["Accept-Language: de, zh;q=0.1"], "zh-Hans"),
        ("/", &["Accept-Language: de, *"], "en"),
        ("/", &["Accept-Language: zh;q=0"], "en"),
        ("/", &["Cookie: a=b; lang=zh"], "zh-Hans"),
        ("/", &[CHINESE, "Cookie: lang=en"], "en"),
        ("/", &[CHINESE, "Cookie: lang=tlh"], "zh-Hans"),
        ("/?lang=zh", &["Cookie: lang=en"], "zh-Hans"),
        ("/?a=b&lang=en", &[CHINESE, "Cookie: lang=zh"], "en"),
        ("/c/?lang=zh", &[], "zh-Hans"),
        ("/c/a?since=now&lang=zh", &[], "zh-Hans"),
        ("/c/a?as=html&lang=zh", &[], "zh-Hans"),
        ("/probe?lang=zh", &[], "zh-Hans"),
        ("/docs/?lang=zh", &[], "zh-Hans"),
        ("/chat/login?lang=zh", &[], "zh-Hans"),
        ("/nothing?lang=zh", &[], "zh-Hans"),
    ] {
        let answer = ask(&server, path, headers).await;
        assert_eq!(language(answer).await, expected, "{path} {headers:?}");
    }
    server.stop().await;
}

/// A language that the address names is remembered; the switch leads to the same page in the other language.
#[tokio::test]
async fn languages_are_remembered() {
    let server = TestServer::start();
    let mut answer = ask(&server, "/events?b=%26&lang=zh&c", &[]).await;
    let cookie = answer.header("set-cookie").to_owned();
    let expected = "lang=zh; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax";
    assert_eq!(cookie, expected);
    let page = answer.text().await;
    let switch =
        "<a class=\"language\" href=\"?b=%26&amp;c&amp;lang=en\" lang=\"en\" hreflang=\"en\"";
    assert!(page.contains(switch), "{page}");
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    let mut later = ask(&server, "/clock", &[&cookie]).await;
    assert_eq!(later.header("set-cookie"), "");
    assert_eq!(later.header("content-language"), "zh-Hans");
    let page = later.until("</header>").await;
    let switch = "<a class=\"language\" href=\"?lang=en\" lang=\"en\" hreflang=\"en\"";
    assert!(page.contains(switch), "{page}");
    // A page that leads to another one leaves the language to that.
    let answer = ask(&server, "/chat?lang=zh", &[]).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/chat/login")
    );
    assert_eq!(answer.header("set-cookie"), expected);
    // Over TLS the cookie is one of TLS.
    let secure = ["X-Forwarded-Proto: https"];
    let answer = ask(&server, "/events?lang=en", &secure).await;
    assert_eq!(
        answer.header("set-cookie"),
        "__Host-lang=en; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax; Secure"
    );
    server.stop().await;
}

/// The page of an error leads to itself in the other language, but not to what a form asked for.
#[tokio::test]
async fn languages_of_errors_can_be_switched() {
    let server = TestServer::start();
    let mut answer = ask(&server, "/c/a?since=tomorrow", &[]).await;
    let page = answer.text().await;
    assert!(
        page.contains("href=\"?since=tomorrow&amp;lang=zh\""),
        "{page}"
    );
    let request = format!("POST /c/a?form=1\r\n{BROWSER}");
    let page = send(server.addr, &request, b"x=y").await.text().await;
    assert!(page.contains("href=\"?lang=zh\""), "{page}");
    server.stop().await;
}

/// There are two languages, and pages alone are in one of them.
#[tokio::test]
async fn languages_that_there_are_not() {
    let server = TestServer::start();
    for path in ["/?lang=de", "/c/a?lang=", "/chat/login?lang=ZH"] {
        let mut answer = ask(&server, path, &[]).await;
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.header("set-cookie"), "", "{path}");
        let page = answer.text().await;
        assert!(page.contains("is neither en nor zh"), "{path}: {page}");
    }
    for path in ["/c/a?lang=zh", "/c/?lang=zh", "/probe?lang=zh"] {
        let mut answer = get(server.addr, path).await;
        assert_eq!(answer.status, 400, "{path}");
        let text = answer.text().await;
        assert!(
            text.contains("there is no parameter \\\"lang\\\""),
            "{text}"
        );
    }
    // A file has parameters of its own.
    let file = ask(&server, "/style.css?lang=de", &[]).await;
    assert_eq!((file.status, file.header("content-language")), (200, ""));
    server.stop().await;
}

/// What is for programs is English, whatever the header says.
#[tokio::test]
async fn languages_are_of_pages() {
    let server = TestServer::start();
    let requests = [
        "GET /c/a?as=smoke\r\nAccept: application/json",
        "GET /c/a?as=smoke\r\nAccept: text/plain",
        "GET /nothing",
        "GET /c/?as=json",
    ];
    for request in requests {
        let mut answer = send(server.addr, &format!("{request}\r\n{CHINESE}"), b"").await;
        assert_eq!(answer.header("content-language"), "", "{request}");
        let text = answer.text().await;
        assert!(text.is_ascii(), "{request}: {text}");
    }
    let mut page = ask(&server, "/c/a?as=smoke", &[CHINESE]).await;
    assert_eq!(page.status, 400);
    let page = page.text().await;
    assert!(page.contains("没有"), "{page}");
    server.stop().await;
}

/// A cache keeps the two apart: they have other tags, and say by what they were chosen.
#[tokio::test]
async fn languages_are_cached_apart() {
    let server = TestServer::start();
    for path in ["/", "/events", "/wire", "/c/", "/docs/run", "/?class=1"] {
        let english = ask(&server, path, &["Accept-Encoding: gzip"]).await;
        let chinese = ask(&server, path, &[CHINESE, "Accept-Encoding: gzip"]).await;
        let tag = english.header("etag").to_owned();
        assert_ne!(tag, chinese.header("etag"), "{path}");
        assert_ne!(
            english.header("content-length"),
            chinese.header("content-length")
        );
        let known = format!("If-None-Match: {tag}");
        for (headers, status) in [(&[&*known][..], 304), (&[CHINESE, &*known], 200)] {
            let again = ask(&server, path, headers).await;
            assert_eq!(again.status, status, "{path} {headers:?}");
            let vary = again.header("vary");
            assert!(vary.contains("accept-language, cookie"), "{path}: {vary}");
        }
    }
    server.stop().await;
}

/// The requests for all pages, with their status: a page of each template, in each of its states.
async fn all_pages(server: &TestServer, language: &str) -> Vec<(String, String)> {
    let addr = server.addr;
    let [mut ada, alan] = Person::friends(addr, "Ada", "Alan").await;
    ada.say(&alan, "hello").await;
    let cookie = format!("Cookie: {}", alan.cookie);
    post(addr, "/c/build", "a line").await;
    post(addr, "/c/over?close=1", "the last").await;
    let sent = "action=send&me=Ada&toUserName=Alan&msg=hello";
    post(addr, &format!("/mailbox?{sent}"), "").await;
    let mut pages = Vec::new();
    for request in [
        "GET /",
        "GET /?class=1",
        "GET /receiver",
        "GET /sender\r\nSec-Fetch-Dest: document",
        "POST /receiver",
        "GET /mailbox",
        "GET /mailbox?sent=1&to=A&me=B",
        "POST /mailbox?action=receive&me=Alan&wait=1s",
        "POST /mailbox?action=receive&me=Alan&wait=1ms",
        "GET /events",
        "GET /frame",
        "GET /clock",
        "GET /clock?as=html&limit=1",
        "GET /wire",
        "GET /probe",
        "GET /probe?as=html&lines=1&quiet=1ms",
        "GET /c/",
        "GET /c/?limit=1",
        "GET /c/?prefix=none",
        "GET /c/build?timeout=1ms",
        "GET /c/over",
        "GET /c/build,over?timeout=1ms&as=html",
        "GET /c/build*?timeout=1ms&since=none-1",
        "GET /docs/",
        "GET /docs/run",
        "GET /nothing",
        "GET /c/a?as=smoke",
        "GET /chat",
        "GET /chat/with/Ada",
        "GET /chat/with/Ada?limit=1&before=CURSOR",
        "GET /chat/password",
        "GET /chat/password?changed",
        "GET /chat/login\r\nCookie: none=1",
        "GET /chat/register\r\nCookie: none=1",
        "GET /chat/frame/Ada?timeout=1ms",
    ] {
        let cursor = server_cursor(addr).await;
        let request = request.replace("CURSOR", &cursor);
        let cookie = if request.contains("Cookie:") {
            ""
        } else {
            &*cookie
        };
        let lines = [&*request, BROWSER, language, cookie];
        let lines = lines.into_iter().filter(|line| !line.is_empty());
        let lines = lines.collect::<Vec<_>>().join("\r\n");
        let mut answer = send(addr, &lines, b"").await;
        let is_endless = ["POST /receiver", "GET /chat/frame"];
        let page = if is_endless.iter().any(|begin| request.starts_with(begin)) {
            answer.until("class=\"stream\"").await
        } else {
            answer.text().await
        };
        pages.push((request, page));
    }
    pages
}

/// The cursor of the newest message of the log.
async fn server_cursor(addr: std::net::SocketAddr) -> String {
    let answer = crate::support::client::append(addr, "cursor", "x").await;
    answer["cursor"].as_str().unwrap().to_owned()
}

/// Whether a text is the same in both languages: a path, a name, a number, a place that a script fills.
fn is_of_both(text: &str) -> bool {
    const NAMES: [&str; 14] = [
        "forever-frame",
        "WebSocket",
        "JSON",
        "HTML",
        "HTTP",
        "NDJSON",
        "UTC",
        "KiB",
        "sixty_lines",
        "rs",
        "main",
        "build",
        "over",
        "cursor",
    ];
    let is_part = |c: char| !(c.is_alphanumeric() || c == '-' || c == '_');
    // A letter alone is a sign of a drawing.
    let is_sign = |word: &str| word.chars().count() == 1;
    let has_digit = |word: &str| word.contains(|c: char| c.is_ascii_digit());
    let is_name = |word: &str| NAMES.contains(&word) || is_sign(word) || has_digit(word);
    let text = text
        .split("{{")
        .map(|part| part.rsplit("}}").next().unwrap());
    let text = text.collect::<String>();
    let mut words = text
        .split(is_part)
        .filter(|word| word.contains(char::is_alphabetic));
    text.starts_with('/') || words.all(is_name)
}

/// No page has a sentence in one language only.
#[tokio::test]
async fn pages_are_in_one_language() {
    let server = TestServer::start();
    let mut findings = Vec::new();
    for (request, page) in all_pages(&server, CHINESE).await {
        assert!(page.contains("<html lang=\"zh-Hans\""), "{request}: {page}");
        for text in texts(&page) {
            // The docs are English, and so are their titles.
            let is_title = request.contains("/docs/") && text.ends_with(" · forever-frame");
            if !has_han(&text) && !is_of_both(&text) && !is_title {
                findings.push(format!("{request}: {text}"));
            }
        }
        assert!(!page.contains("<span lang=\"en\">"), "{request}: {page}");
    }
    assert!(
        findings.is_empty(),
        "English in Chinese pages: {findings:#?}"
    );
    server.stop().await;
    let server = TestServer::start();
    for (request, page) in all_pages(&server, "Accept-Language: en").await {
        assert!(page.contains("lang=\"en\""), "{request}: {page}");
        for text in texts(&page) {
            if has_han(&text) {
                findings.push(format!("{request}: {text}"));
            }
        }
    }
    assert!(
        findings.is_empty(),
        "Chinese in English pages: {findings:#?}"
    );
    server.stop().await;
}

/// The login with a token, which is there where access is restricted.
#[tokio::test]
async fn login_is_in_one_language() {
    let file = AccessFile::with_tokens("", &[("ada", "read = [\"*\"]\nwrite = [\"*\"]")]);
    let server = file.serve();
    let cookie = format!("Cookie: forever-frame-access={}", secret("ada"));
    for (path, headers) in [
        ("/login", &[CHINESE][..]),
        ("/c/a", &[CHINESE]),
        ("/login", &[CHINESE, &*cookie]),
    ] {
        let mut answer = ask(&server, path, headers).await;
        let page = answer.text().await;
        for text in texts(&page) {
            assert!(has_han(&text) || is_of_both(&text), "{path}: {text}");
        }
    }
    server.stop().await;
}

/// A directory of pages may have texts of its own, with their translations; what it lacks is built in. One that
/// cannot be read is passed over.
#[tokio::test]
async fn pages_of_a_directory_are_translated() {
    let dir = directory();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write(
        "frame.html",
        "<html lang=\"en\"><h1>Our frame</h1><p>Clock</p>{{nav}}<script src=\"{{files}}own.js\">",
    );
    write("zh-pages.toml", "'Our frame' = '我们的页面'\n");
    write("zh-scripts.toml", "[own]\nhello = '你好'\n");
    let server = TestServer::with(|config| config.pages = Some(dir.path().to_owned()));
    let page = ask(&server, "/frame", &[CHINESE]).await.text().await;
    assert!(
        page.starts_with("<html lang=\"zh-Hans\"><h1>我们的页面</h1><p>时钟</p>"),
        "{page}"
    );
    assert!(page.contains("\"hello\":\"你好\""), "{page}");
    let other = ask(&server, "/clock", &[CHINESE]).await.text().await;
    assert!(other.contains("<h1>时钟</h1>"), "{other}");
    write("zh-pages.toml", "'Our frame = 1\n");
    let page = ask(&server, "/frame", &[CHINESE]).await.text().await;
    assert!(
        page.starts_with("<html lang=\"zh-Hans\"><h1>Our frame</h1><p>时钟</p>"),
        "{page}"
    );
    server.stop().await;
}

/// Scripts get their words with a page that is not in English, before the first of them.
#[tokio::test]
async fn scripts_get_their_words() {
    let server = TestServer::start();
    for (path, words) in [
        ("/wire", &["\"Copy\":\"复制\"", "\"Start\":"][..]),
        ("/?class=1", &["\"Copy\":\"复制\""]),
        ("/c/a?timeout=1ms", &["\"Copy\":\"复制\"", "\"Jan\":"]),
    ] {
        let english = ask(&server, path, &[]).await.text().await;
        assert!(!english.contains("id=\"words\""), "{path}");
        let chinese = ask(&server, path, &[CHINESE]).await.text().await;
        let (before, after) = chinese.split_once("<script").unwrap();
        assert!(!before.contains(".js\" defer"), "{path}");
        let (json, _) = after.split_once("</script>").unwrap();
        let json = json
            .strip_prefix(" type=\"application/json\" id=\"words\">")
            .unwrap();
        let read: serde_json::Value = serde_json::from_str(json).unwrap();
        assert!(read.as_object().unwrap().len() > 20, "{json}");
        for word in words {
            assert!(json.contains(word), "{path}: {word} {json}");
        }
    }
    let page = ask(&server, "/receiver", &[CHINESE]).await.text().await;
    assert!(!page.contains("<script"), "{page}");
    server.stop().await;
}
