//! A channel in a page of another site: the page of the docs, the element that follows, and what is said to a
//! page that is not let in.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::helpers::browser::Browser;
use crate::support::client::post;
use crate::support::{TestServer, eventually};

/// Another site, which has this page and nothing else.
async fn site(page: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    serve(listener, page);
    addr
}

/// Answers each request with this page. A browser may open a connection without a request first, so none
/// waits for another.
fn serve(listener: TcpListener, page: String) {
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let page = page.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = client.read(&mut request).await;
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                    page.len()
                );
                let _ = client.write_all((head + &page).as_bytes()).await;
                let _ = client.shutdown().await;
            });
        }
    });
}

fn with_origin(addr: SocketAddr) -> TestServer {
    let origin = format!("http://{addr}");
    TestServer::with(|config| config.cors_origins = vec![origin])
}

/// The pages that the docs have for a page of one's own.
fn pages_of_docs() -> [&'static str; 2] {
    const DOC: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/pages/docs/page.md"));
    let (_, part) = DOC.split_once("## In a page\n").unwrap();
    let (part, _) = part.split_once("\n## ").unwrap();
    let mut pages = part
        .split("```html\n")
        .skip(1)
        .map(|page| page.split("```").next().unwrap());
    [pages.next().unwrap(), pages.next().unwrap()]
}

/// Both work as they are printed, but for the address of the server.
#[tokio::test]
async fn pages_of_the_docs_work_as_printed() {
    for page in pages_of_docs() {
        // The port of the site is known before the server's, which has to let it in.
        let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = reserved.local_addr().unwrap();
        drop(reserved);
        let server = with_origin(addr);
        let page = page.replace("http://localhost:8080", &format!("http://{}", server.addr));
        serve(TcpListener::bind(addr).await.unwrap(), page);
        post(server.addr, "/c/build", "<b>before</b>").await;
        let browser = Browser::start().await;
        browser.open(addr, "/").await;
        browser
            .read("[role=status]", "live", |text| {
                text.starts_with("live by NDJSON")
            })
            .await;
        post(server.addr, "/c/build", "after").await;
        eventually("the list has both", async || {
            let rows = browser
                .execute(
                    "return [...document.querySelectorAll('ol li')].map(row => row.textContent)",
                )
                .await;
            (rows == serde_json::json!(["<b>before</b>", "after"]))
                .then_some(())
                .ok_or(rows.to_string())
        })
        .await;
        browser.close().await;
        server.stop().await;
    }
}

/// The page at `/example` works on the server itself.
#[tokio::test]
async fn example_works() {
    let server = TestServer::start();
    post(server.addr, "/c/build", "one").await;
    let browser = Browser::start().await;
    browser.open(server.addr, "/example").await;
    browser.read("#list li", "it", |text| text == "one").await;
    browser
        .read("#state", "live", |text| text.starts_with("live by"))
        .await;
    browser.close().await;
    server.stop().await;
}

/// A page that is not let in is told so, and what would let it in.
#[tokio::test]
async fn refused_page_is_told_why() {
    let server = TestServer::start();
    let origin = format!("http://{}", server.addr);
    let page = format!("<!doctype html><p id=state></p><script src=\"{origin}/forever-frame.js\"></script>
        <script>const stream = new ForeverFrame('{origin}/c/build'); stream.show(null); stream.show(document.querySelector('#none')); stream.show(state)</script>");
    let addr = site(page).await;
    let browser = Browser::start().await;
    browser.open(addr, "/").await;
    let allow = format!("--cors-origin http://{addr}");
    browser
        .read("#state", "why, and what to do", |text| {
            text.starts_with("refused: ") && text.contains(&allow)
        })
        .await;
    browser.close().await;
    server.stop().await;
}
