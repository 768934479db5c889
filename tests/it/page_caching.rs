//! What browsers may keep of the pages and their files, and what they may not.

use crate::support::client::{Response, get, post, send};
use crate::support::{TestServer, person::Person};

const BROWSER: &str = "Accept: text/html,*/*;q=0.8";

async fn ask(server: &TestServer, path: &str, headers: &str) -> Response {
    send(
        server.addr,
        &format!("GET {path}\r\n{BROWSER}{headers}"),
        b"",
    )
    .await
}

/// The addresses of the files that a page loads.
fn files_of(page: &str) -> Vec<&str> {
    let attributes = page.split(['"', '\'']);
    attributes
        .filter(|text| text.starts_with("/files/"))
        .collect()
}

/// A page is asked for again by its tag, and not sent again.
#[tokio::test]
async fn pages_are_asked_for_by_tag() {
    let server = TestServer::start();
    let paths = [
        "/",
        "/events",
        "/frame",
        "/wire",
        "/docs/run",
        "/probe",
        "/clock",
        "/mailbox",
        "/example",
        "/style.css",
        "/forever-frame.js",
    ];
    for path in paths {
        let mut first = ask(&server, path, "").await;
        assert_eq!(first.header("cache-control"), "no-cache", "{path}");
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with("W/\"") && tag.len() == 20, "{path}: {tag}");
        assert!(!first.text().await.is_empty(), "{path}");
        for known in [
            tag.clone(),
            format!("\"other\", {tag}"),
            tag.replace("W/", ""),
        ] {
            let mut again = ask(&server, path, &format!("\r\nIf-None-Match: {known}")).await;
            assert_eq!(again.status, 304, "{path} {known}");
            assert_eq!(again.header("etag"), tag);
            assert_eq!(again.text().await, "");
        }
        let other = ask(&server, path, "\r\nIf-None-Match: \"other\"").await;
        assert_eq!(other.status, 200, "{path}");
    }
    server.stop().await;
}

/// What pages load has the revision of the files in its address, and is kept for ever.
#[tokio::test]
async fn files_of_pages_are_kept() {
    let server = TestServer::start();
    for path in [
        "/",
        "/chat/login",
        "/c/build?timeout=1ms",
        "/wire",
        "/c/",
        "/nothing",
    ] {
        let page = ask(&server, path, "").await.text().await;
        let files = files_of(&page);
        assert!(!files.is_empty(), "{path}: {page}");
        for file in files {
            let answer = get(server.addr, file).await;
            assert_eq!(answer.status, 200, "{path} {file}");
            let kept = "public, max-age=31536000, immutable";
            assert_eq!(answer.header("cache-control"), kept, "{file}");
        }
    }
    // Another revision, which an old page names, is the file as it is, and not kept.
    let other = get(server.addr, "/files/0000000000000000/style.css").await;
    assert_eq!(
        (other.status, other.header("cache-control")),
        (200, "no-cache")
    );
    for path in [
        "/files/",
        "/files/x",
        "/files/x/chat.html",
        "/files/x/y/style.css",
    ] {
        assert_eq!(get(server.addr, path).await.status, 404, "{path}");
    }
    server.stop().await;
}

/// The files that the pages of channels load are there without the demonstrations, too.
#[tokio::test]
async fn files_of_pages_without_demos() {
    let server = TestServer::with(|config| config.demos = false);
    for path in ["/c/build?timeout=1ms", "/c/"] {
        let page = ask(&server, path, "").await.text().await;
        for file in files_of(&page) {
            assert_eq!(get(server.addr, file).await.status, 200, "{file}");
        }
        assert!(
            !page.contains("\"/receiver\"") && page.contains("\"/c/\""),
            "{page}"
        );
    }
    server.stop().await;
}

/// What is text is compressed for who takes that; a stream, an answer of somebody's own and what is small
/// are not.
#[tokio::test]
async fn pages_are_compressed() {
    let server = TestServer::start();
    post(server.addr, "/c/a", "x").await;
    let gzip = "\r\nAccept-Encoding: gzip, br";
    for (path, expected) in [
        ("/", "gzip"),
        ("/style.css", "gzip"),
        ("/forever-frame.js", "gzip"),
        ("/favicon.svg", ""),
        ("/c/a?as=html&limit=1", ""),
        ("/c/a?timeout=1ms", ""),
        ("/sender", ""),
        ("/chat/login", ""),
        ("/healthz", ""),
    ] {
        let mut plain = ask(&server, path, "").await;
        assert_eq!(plain.header("content-encoding"), "", "{path}");
        let whole = plain.text().await.len();
        let compressed = ask(&server, path, gzip).await;
        assert_eq!(compressed.header("content-encoding"), expected, "{path}");
        if expected == "gzip" {
            let length: usize = compressed.header("content-length").parse().unwrap();
            assert!(length * 2 < whole, "{path}: {length} of {whole}");
            assert_eq!(compressed.header("etag"), plain.header("etag"));
        }
    }
    server.stop().await;
}

/// Streams, and pages that are somebody's own or do something, are not kept at all.
#[tokio::test]
async fn private_pages_are_not_kept() {
    let server = TestServer::start();
    for path in [
        "/sender",
        "/receiver",
        "/receiver/live",
        "/c/a?timeout=1ms",
        "/chat/login",
        "/clock?as=html",
    ] {
        let answer = ask(&server, path, "").await;
        assert!(
            answer.header("cache-control").starts_with("no-store"),
            "{path}"
        );
        assert_eq!(answer.header("etag"), "", "{path}");
    }
    let zoe = Person::new(server.addr, "Zoë").await;
    let answer = zoe.get("/chat").await;
    assert_eq!(answer.header("cache-control"), "no-store");
    server.stop().await;
}

/// The page of the docs is the one at `/example`, where its script may run; nothing else in a page may.
#[tokio::test]
async fn example_is_the_page_of_the_docs() {
    const DOC: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/pages/docs/page.md"));
    let server = TestServer::start();
    let (_, after) = DOC.split_once("## In a page\n\n```html\n").unwrap();
    let (printed, _) = after.split_once("```").unwrap();
    let mut answer = get(server.addr, "/example").await;
    let policy = answer.header("content-security-policy").to_owned();
    assert_eq!(policy.matches("'sha256-").count(), 1, "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let origin = format!("http://{}", server.addr);
    assert_eq!(
        answer.text().await,
        printed.replace("http://localhost:8080", &origin)
    );
    let page = ask(&server, "/events", "").await;
    assert!(!page.header("content-security-policy").contains("sha256-"));
    server.stop().await;
}

/// A page of `--pages` may have its script in it, which is the operator's own.
#[tokio::test]
async fn scripts_in_the_operators_pages_may_run() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("my.html"),
        "<script>document.title = 1</script>",
    )
    .unwrap();
    let server = TestServer::with(|config| config.pages = Some(dir.path().to_owned()));
    let answer = get(server.addr, "/my.html").await;
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("script-src 'self' 'sha256-"), "{policy}");
    // Pages load their files by name then, which are read afresh.
    let page = get(server.addr, "/").await.text().await;
    assert!(page.contains("\"/style.css\""), "{page}");
    server.stop().await;
}
