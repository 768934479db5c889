//! The names under which the server may be asked: a page on the web can let its own name lead here.

use forever_frame::config::AccessOption;

use crate::support::TestServer;
use crate::support::binary::{self, Binary};
use crate::support::client::{get, send, send_raw};

/// The status of a request that names the server so.
async fn status(addr: std::net::SocketAddr, path: &str, host: &str) -> u16 {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    send_raw(addr, request.as_bytes()).await.unwrap().status
}

/// On a loopback address a name that is not known is refused on every path but those of health, and
/// the answer says how to make it known.
#[tokio::test]
async fn unknown_names_are_refused_on_loopback() {
    let args = ["--host", "push.example", "--host=Other.Example.:443"];
    let server = Binary::start(&args).await;
    for own in [
        "localhost",
        "LOCALHOST:1",
        "localhost.",
        "app.localhost",
        "127.0.0.1",
        "192.0.2.1:80",
        "[::1]:8080",
        "push.example",
        "PUSH.example.:8443",
        "other.example",
    ] {
        for path in ["/healthz", "/style.css", "/c/a?timeout=1ms"] {
            assert_eq!(status(server.addr, path, own).await, 200, "{path} {own}");
        }
    }
    for other in [
        "rebound.example:8080",
        "xlocalhost",
        "push.example.evil.example",
    ] {
        for path in [
            "/",
            "/style.css",
            "/c/a?timeout=1ms",
            "/metrics",
            "/nothing",
            "/chat",
        ] {
            assert_eq!(
                status(server.addr, path, other).await,
                421,
                "{path} {other}"
            );
        }
        assert_eq!(status(server.addr, "/healthz", other).await, 200, "{other}");
        let target = format!("http://{other}/style.css");
        assert_eq!(
            status(server.addr, &target, "localhost").await,
            421,
            "{target}"
        );
    }
    let append = b"POST /c/a HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1\r\n\r\nx";
    let mut refused = send_raw(server.addr, append).await.unwrap();
    let text = refused.text().await;
    assert_eq!(refused.status, 421);
    assert!(text.contains("--host evil.example"), "{text}");
    let preflight = b"OPTIONS /c/a HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    assert_eq!(send_raw(server.addr, preflight).await.unwrap().status, 421);
    let metrics = get(server.addr, "/metrics").await.text().await;
    assert!(
        metrics.contains("forever_frame_log_last_seq 0\n"),
        "{metrics}"
    );
}

/// The names can stand in the environment, and a server that other machines reach answers to any.
#[tokio::test]
async fn names_from_the_environment() {
    let mut command = binary::command(&["--listen", "127.0.0.1:0"]);
    command.env("FOREVER_FRAME_HOST", "a.example, b.example");
    let server = Binary::spawn(command).await;
    for (host, expected) in [("a.example", 200), ("b.example", 200), ("c.example", 421)] {
        assert_eq!(
            status(server.addr, "/style.css", host).await,
            expected,
            "{host}"
        );
    }
    let public = TestServer::with(|config| {
        config.listen = ([0, 0, 0, 0], 0).into();
        config.access = Some(AccessOption::Open);
    });
    assert_eq!(status(public.addr, "/style.css", "c.example").await, 200);
    public.stop().await;
}

/// A request of HTTP/1.1 names its host once, and in a form that can be one (RFC 9112, section 3.2).
#[tokio::test]
async fn malformed_hosts_are_refused() {
    let server = TestServer::start();
    for hosts in [
        "",
        "Host:\r\n",
        "Host: \r\n",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: user@localhost\r\n",
        "Host: localhost:port\r\n",
        "Host: localhost:99999\r\n",
        "Host: [::1\r\n",
        "Host: h\u{e4}\r\n",
        "Host: localhost, localhost\r\n",
    ] {
        for line in ["GET /healthz", "GET http://localhost/healthz"] {
            let request = format!("{line} HTTP/1.1\r\n{hosts}\r\n");
            let answer = send_raw(server.addr, request.as_bytes()).await.unwrap();
            assert_eq!(answer.status, 400, "{request:?}");
            assert_eq!(answer.header("connection"), "close", "{request:?}");
        }
    }
    for request in [
        "GET /healthz HTTP/1.0\r\n\r\n",
        "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n",
        "GET http://localhost:1/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let answer = send_raw(server.addr, request.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200, "{request:?}");
    }
    let twice = b"GET /healthz HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n";
    assert_eq!(send_raw(server.addr, twice).await.unwrap().status, 400);
    server.stop().await;
}

/// A page of this server is known by the host that it was asked for, whoever forwards its requests.
#[tokio::test]
async fn own_pages_are_known_through_proxies() {
    let server = TestServer::with(|config| {
        config.hosts = vec![
            "push.example"
                .parse::<forever_frame::authority::Authority>()
                .unwrap()
                .host,
        ];
    });
    let post = async |headers: &str| {
        let request = format!("POST /c/a HTTP/1.1\r\n{headers}\r\nContent-Length: 1\r\n\r\nx");
        send_raw(server.addr, request.as_bytes())
            .await
            .unwrap()
            .status
    };
    let page = "Origin: https://push.example";
    for (headers, expected) in [
        // The proxy passes on the host that the browser asked for.
        (format!("Host: push.example\r\n{page}"), 201),
        (format!("Host: push.example:443\r\n{page}"), 201),
        (format!("Host: push.example\r\n{page}:444"), 403),
        // The proxy asks by an address, and says which host it was asked for.
        (
            format!("Host: 127.0.0.1:8080\r\nX-Forwarded-Host: push.example\r\n{page}"),
            201,
        ),
        // The proxy says nothing, but the browser does.
        (
            format!("Host: 127.0.0.1:8080\r\nSec-Fetch-Site: same-origin\r\n{page}"),
            201,
        ),
        (format!("Host: 127.0.0.1:8080\r\n{page}"), 403),
        // A page that came without TLS may have been changed on its way.
        (
            "Host: push.example\r\nX-Forwarded-Proto: https\r\nOrigin: http://push.example"
                .to_owned(),
            403,
        ),
    ] {
        assert_eq!(post(&headers).await, expected, "{headers}");
    }
    server.stop().await;
    let server =
        TestServer::with(|config| config.trusted_proxies = vec!["192.0.2.1/32".parse().unwrap()]);
    let headers = format!("POST /c/a\r\nX-Forwarded-Host: push.example\r\n{page}");
    assert_eq!(
        send(server.addr, &headers, b"x").await.status,
        403,
        "whoever it is"
    );
    server.stop().await;
}
