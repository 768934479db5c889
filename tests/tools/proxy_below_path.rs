//! A server below a path of a site, in Chromium through nginx.

use crate::helpers::browser::Browser;
use crate::helpers::proxy::{Kind, Proxy};
use crate::support::TestServer;
use crate::support::client::append;

/// Pages below the path follow and send, by scripts and without, whether nginx passes the path on or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_work_below_a_path() {
    let server = TestServer::with(|config| config.base_path = "/push".parse().unwrap());
    for target in ["127.0.0.1:8080", "127.0.0.1:8080/"] {
        let recipe = Kind::Nginx
            .recipe()
            .replace("location / {", "location /push/ {")
            .replace("127.0.0.1:8080", target);
        let nginx = Proxy::with(Kind::Nginx, &(recipe + ROOT), server.addr).await;
        let browser = Browser::start().await;
        let is_live = |text: &str| text.starts_with("live");
        browser.open(nginx.addr, "/push/events").await;
        browser.read("#state", "live", is_live).await;
        browser.open(nginx.addr, "/push/frame").await;
        browser.read("#state", "live", is_live).await;
        let text = browser.find("#text").await;
        text.send_keys(&format!("through {target}")).await.unwrap();
        let button = browser.find("#send button").await;
        button.click().await.unwrap();
        let sent = |text: &str| text.contains(target);
        browser.read("#messages", "the message", sent).await;
        browser.open(nginx.addr, "/push/c/main").await;
        browser.read("main", "the message", sent).await;
        append(server.addr, "main", "and one that is new").await;
        let new = |text: &str| text.contains("and one that is new");
        browser.read("main", "what is new", new).await;
        // The button's request is led to a page of its own.
        browser.open(nginx.addr, "/push/receiver").await;
        browser.press("form button").await;
        append(server.addr, "main", "for the receiver").await;
        let received = |text: &str| text.contains("for the receiver");
        browser.read("body", "the line", received).await;
        let path = browser.execute("return location.pathname").await;
        assert_eq!(path, "/push/receiver/live");
        browser.close().await;
    }
    server.stop().await;
}

/// The helper asks at the root whether nginx answers.
const ROOT: &str = "location = /healthz { return 200; }\n";
