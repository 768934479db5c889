//! A server that a proxy has below a path: what it answers there, and what its pages and headers link.

use crate::support::TestServer;
use crate::support::client::{append, get, post, send};

const BASE: &str = "/push";

fn below() -> TestServer {
    TestServer::with(|config| config.base_path = BASE.parse().unwrap())
}

/// Requests are answered with the path and without it, whichever way the proxy passes them on.
#[tokio::test]
async fn base_path_may_be_passed_on() {
    let server = below();
    let addr = server.addr;
    assert_eq!(post(addr, "/push/c/a", "one").await.status, 201);
    assert_eq!(post(addr, "/c/a", "two").await.status, 201);
    for path in ["/push/c/a?until=now", "/c/a?until=now"] {
        let text = get(addr, path).await.text().await;
        assert!(text.starts_with("one\ntwo\n# end "), "{text}");
    }
    for path in ["/push/", "/push/healthz", "/healthz", "/push/style.css"] {
        assert_eq!(get(addr, path).await.status, 200, "{path}");
    }
    for path in ["/push", "/pushed/c/a", "/push/push/c/a"] {
        assert_eq!(get(addr, path).await.status, 404, "{path}");
    }
    server.stop().await;
}

/// What leads a browser elsewhere leads it below the path.
#[tokio::test]
async fn base_path_stands_in_headers() {
    let server = below();
    let addr = server.addr;
    append(addr, "a", "x").await;
    append(addr, "b", "x").await;
    for (request, header, expected) in [
        ("GET /push/c", "location", "/push/c/"),
        ("GET /c", "location", "/push/c/"),
        ("GET /push/docs", "location", "/push/docs/"),
        (
            "GET /push/chat\r\nAccept: text/html",
            "location",
            "/push/chat/login",
        ),
        (
            "GET /push/c/?limit=1",
            "link",
            "</push/c/?after=a&limit=1>; rel=\"next\"",
        ),
    ] {
        let answer = send(addr, request, b"").await;
        assert_eq!(answer.header(header), expected, "{request}");
    }
    let list = get(addr, "/push/c/?as=json&limit=1").await.text().await;
    assert!(
        list.contains("\"next\":\"/push/c/?as=json&after=a&limit=1\""),
        "{list}"
    );
    let form = "POST /push/c/a?form=1\r\nAccept: text/html\r\n\
                Content-Type: application/x-www-form-urlencoded";
    for next in ["/events", "/push/events"] {
        let answer = send(addr, form, format!("msg=x&next={next}").as_bytes()).await;
        assert_eq!(answer.header("location"), "/push/events", "{next}");
    }
    server.stop().await;
}

/// Each link, file and form of each page is below the path, and there.
#[tokio::test]
async fn base_path_stands_in_pages() {
    let server = below();
    let addr = server.addr;
    append(addr, "a", "<a href=\"/evil\">").await;
    let mut links = 0;
    for path in [
        "/",
        "/receiver",
        "/sender",
        "/events",
        "/clock",
        "/mailbox",
        "/frame",
        "/wire",
        "/probe",
        "/c/",
        "/c/a?until=now",
        "/c/a?as=html&until=now",
        "/login",
        "/chat/login",
        "/chat/register",
        "/docs/",
        "/docs/run",
        "/nothing",
    ] {
        let request = format!("GET {BASE}{path}\r\nAccept: text/html");
        let page = send(addr, &request, b"").await.text().await;
        assert!(page.contains("<html data-base=\"/push\""), "{path}: {page}");
        for mark in ["href=\"", "src=\"", "action=\""] {
            for link in page.split(mark).skip(1) {
                let link = link.split('"').next().unwrap().replace("&amp;", "&");
                let Some(rest) = link.strip_prefix('/') else {
                    continue;
                };
                assert!(rest.starts_with("push/"), "{link} of {path}");
                let link = link.split('#').next().unwrap();
                let head = send(addr, &format!("HEAD {link}"), b"").await;
                assert_ne!(head.status, 404, "{link} of {path}");
                links += 1;
            }
        }
    }
    assert!(links > 100, "{links}");
    server.stop().await;
}
