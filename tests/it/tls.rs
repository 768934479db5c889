//! TLS: handshakes of all kinds, certificates that change, and what is answered on top.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tokio_rustls::rustls::HandshakeKind;
use tokio_rustls::rustls::version::TLS13;

use crate::support::binary::{self, Binary};
use crate::support::certificates::Certificates;
use crate::support::client::{append, get, send};
use crate::support::tls::{Tunnel, VERSIONS, connect, connector};
use crate::support::{TestServer, at_last, eventually, soon};

/// A server that speaks TLS.
fn start(certificates: &Certificates) -> TestServer {
    TestServer::with(|config| config.certificate = Some(certificates.files()))
}

/// A way to the server for clients without TLS.
fn tunnel(certificates: &Certificates, addr: SocketAddr) -> Tunnel {
    Tunnel::to(addr, connector(certificates, &TLS13, &["http/1.1"]))
}

/// Messages of all sizes arrive whole with both versions, and a stream ends in-band.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_carry_streams() {
    let certificates = Certificates::new();
    for version in VERSIONS {
        let server = start(&certificates);
        let tunnel = Tunnel::to(server.addr, connector(&certificates, version, &[]));
        let mut stream = get(tunnel.addr, "/c/main?as=ndjson").await;
        for size in [1, 1000, 16_384, 16_385, 48_000] {
            let text = "x".repeat(size);
            append(tunnel.addr, "main", &text).await;
            stream.until(&format!("{text}\"")).await;
        }
        server.stop().await;
        assert!(stream.text().await.contains(r#""reason":"stop""#));
    }
}

/// A client that comes back needs no certificate again.
#[tokio::test]
async fn returning_client_resumes() {
    let certificates = Certificates::new();
    let server = start(&certificates);
    for version in VERSIONS {
        let connector = connector(&certificates, version, &[]);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut stream = connect(&connector, server.addr).await.unwrap();
            let shown = stream.get_ref().1.handshake_kind().unwrap();
            let is_full = shown != HandshakeKind::Resumed;
            assert_eq!(
                is_full,
                kind == HandshakeKind::Full,
                "{version:?} {shown:?}"
            );
            let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut answer = String::new();
            // TLS ends in order, too.
            soon(stream.read_to_string(&mut answer)).await.unwrap();
            assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
        }
    }
    server.stop().await;
}

/// Plain HTTP where TLS is spoken is told so; garbage is closed.
#[tokio::test]
async fn what_is_no_tls_is_refused() {
    let certificates = Certificates::new();
    let server = start(&certificates);
    let mut answer = get(server.addr, "/healthz").await;
    assert_eq!(answer.status, 400);
    let error = answer.json().await["error"].to_string();
    assert!(error.contains("https://"), "{error}");
    for garbage in [
        &b"\x80\x2e\x01"[..],
        b"\x16\x03\x01\x00\x05hello",
        b"\0\0\0\0\0\0",
    ] {
        let mut socket = TcpStream::connect(server.addr).await.unwrap();
        socket.write_all(garbage).await.unwrap();
        socket.write_all(&[b'x'; 100]).await.unwrap();
        let mut answer = Vec::new();
        let _ = soon(socket.read_to_end(&mut answer)).await;
        // An alert or nothing.
        assert!(answer.len() <= 7, "{answer:?}");
    }
    server.stop().await;
}

/// A handshake that does not come to its end is given up after its time, also one that goes on slowly;
/// others are served meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_handshakes_are_given_up() {
    let certificates = Certificates::new();
    let server = TestServer::with(|config| {
        config.certificate = Some(certificates.files());
        config.timeouts.handshake = Duration::from_secs(2);
    });
    let began = Instant::now();
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    let (mut read, mut slow) = TcpStream::connect(server.addr).await.unwrap().into_split();
    let trickle = tokio::spawn(async move {
        for byte in b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".iter().cycle() {
            sleep(Duration::from_millis(100)).await;
            if slow.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    });
    let tunnel = tunnel(&certificates, server.addr);
    assert_eq!(get(tunnel.addr, "/healthz").await.status, 200);
    assert!(began.elapsed() < Duration::from_secs(2));
    let mut nothing = Vec::new();
    let _ = soon(silent.read_to_end(&mut nothing)).await;
    let _ = soon(read.read_to_end(&mut nothing)).await;
    assert!(nothing.is_empty());
    let took = began.elapsed();
    assert!((2..8).contains(&took.as_secs()), "{took:?}");
    soon(trickle).await.unwrap();
    server.stop().await;
}

/// However many begin a handshake and say no more, others are served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_handshakes_keep_nobody_out() {
    let certificates = Certificates::new();
    let server = start(&certificates);
    let mut half_open = Vec::new();
    for _ in 0..2000 {
        let mut socket = TcpStream::connect(server.addr).await.unwrap();
        socket.write_all(b"\x16\x03\x01").await.unwrap();
        half_open.push(socket);
    }
    let tunnel = tunnel(&certificates, server.addr);
    assert_eq!(at_last(get(tunnel.addr, "/healthz")).await.status, 200);
    // The first have made room for the last.
    let first = &mut half_open[0];
    let read = soon(first.read(&mut [0; 8])).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    drop(half_open);
    server.stop().await;
}

/// A client that does not read is given up; one that reads slowly gets all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_client_is_given_up() {
    let certificates = Certificates::new();
    let server = TestServer::with(|config| {
        config.certificate = Some(certificates.files());
        config.timeouts.stall = Duration::from_secs(3);
    });
    let connector = connector(&certificates, &TLS13, &[]);
    let request = b"GET /c/main?as=ndjson HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut stalled = connect(&connector, server.addr).await.unwrap();
    stalled.write_all(request).await.unwrap();
    let mut slow = connect(&connector, server.addr).await.unwrap();
    slow.write_all(request).await.unwrap();
    server.open_streams(2).await;
    let tunnel = tunnel(&certificates, server.addr);
    let mut all = Vec::new();
    let read = async {
        while !all.ends_with(b"\r\n") || !all.windows(8).any(|part| part == b"the last") {
            let mut part = vec![0; 100_000];
            let read = slow.read(&mut part).await.unwrap();
            assert!(read > 0, "it ended");
            all.extend_from_slice(&part[..read]);
            all.drain(..all.len().saturating_sub(1000));
            sleep(Duration::from_millis(2)).await;
        }
    };
    let text = "x".repeat(48_000);
    let write = async {
        for _ in 0..300 {
            append(tunnel.addr, "main", &text).await;
        }
        append(tunnel.addr, "main", "the last").await;
    };
    at_last(async { tokio::join!(read, write) }).await;
    server.open_streams(1).await;
    drop(slow);
    server.stop().await;
}

/// The cookies of a browser that speaks TLS are the host's own, and are found again.
#[tokio::test]
async fn cookies_are_the_hosts_own() {
    let certificates = Certificates::new();
    let server = start(&certificates);
    let tunnel = tunnel(&certificates, server.addr);
    let form = b"name=zoe&password=correct+horse";
    let answer = send(tunnel.addr, "POST /chat/register", form).await;
    assert_eq!(answer.status, 201);
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    assert!(
        cookie.contains("; Path=/;") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    let (pair, _) = cookie.split_once(';').unwrap();
    let plain = pair.strip_prefix("__Host-").unwrap();
    for (pair, status) in [(pair, 200), (plain, 401)] {
        let request = format!("GET /chat/friends\r\nCookie: {pair}");
        assert_eq!(
            send(tunnel.addr, &request, b"").await.status,
            status,
            "{pair}"
        );
    }
    let receiver = get(tunnel.addr, "/receiver").await;
    assert!(receiver.header("set-cookie").starts_with("__Host-"));
    server.stop().await;
}

/// The first lines name the listeners; a second listener speaks no TLS; the certificate is read again on
/// SIGHUP and when its files have changed, and one that cannot be used changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_is_read_again() {
    let certificates = Certificates::new();
    let (cert, key) = (certificates.name("cert.pem"), certificates.name("key.pem"));
    let args = [
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
        "--listen-plain",
        "127.0.0.1:0",
    ];
    let server = Binary::start(&args).await;
    let [tls, plain] = server.urls.as_slice() else {
        panic!("{:?}", server.urls)
    };
    assert!(tls.starts_with("https://127.0.0.1:"), "{tls}");
    let plain = plain.strip_prefix("http://").unwrap().parse().unwrap();
    assert_eq!(get(plain, "/healthz").await.status, 200);
    // A new client each time, since one that comes back is shown no certificate.
    let shown = async || {
        let connector = connector(&certificates, &TLS13, &[]);
        let stream = connect(&connector, server.addr).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let first = shown().await;
    std::fs::write(certificates.path("cert.pem"), "nothing").unwrap();
    server.signal("-HUP").await;
    assert_eq!(shown().await, first);
    certificates.issue();
    server.signal("-HUP").await;
    let changed = async |before: &Vec<u8>| {
        eventually("another certificate", async || {
            let now = shown().await;
            (now != *before)
                .then_some(now)
                .ok_or_else(|| "the same".to_owned())
        })
        .await
    };
    let second = changed(&first).await;
    certificates.issue();
    changed(&second).await;
    let log = server.end("-TERM").await;
    assert!(
        log.contains("CERTIFICATE") && log.contains("cert.pem"),
        "{log}"
    );
}

/// A reload is over when the new certificate is shown: a service manager that has asked for it is told so
/// only then.
#[tokio::test]
async fn reload_ends_with_the_new_certificate() {
    let certificates = Certificates::new();
    let server = start(&certificates);
    let shown = async || {
        let connector = connector(&certificates, &TLS13, &[]);
        let stream = connect(&connector, server.addr).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let mut before = shown().await;
    for _ in 0..5 {
        certificates.issue();
        server.reload();
        let now = shown().await;
        assert_ne!(now, before);
        before = now;
    }
    server.stop().await;
}

/// What is wrong with the files is said in one line.
#[tokio::test]
async fn bad_certificates_are_named() {
    let certificates = Certificates::new();
    let others = Certificates::new();
    let (cert, key) = (certificates.name("cert.pem"), certificates.name("key.pem"));
    let missing = certificates.name("missing.pem");
    for (cert, key, said) in [
        (&missing, &key, "missing.pem"),
        (&cert, &cert, "PRIVATE KEY"),
        (&key, &key, "BEGIN CERTIFICATE"),
        (
            &cert,
            &others.name("key.pem"),
            "cannot be used with --tls-key",
        ),
    ] {
        let args = [
            "--listen",
            "127.0.0.1:0",
            "--tls-cert",
            cert,
            "--tls-key",
            key,
        ];
        let output = soon(binary::command(&args).output()).await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(said), "{said}: {error}");
        assert_eq!(
            error.lines().filter(|line| line.contains("ERROR")).count(),
            1,
            "{error}"
        );
    }
    let args = ["--tls-cert", &*cert];
    let output = soon(binary::command(&args).output()).await.unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// `forever-frame check` speaks TLS, and a certificate that this machine does not trust is not ready.
#[tokio::test]
async fn check_asks_by_tls() {
    let certificates = Certificates::new();
    let server = start(&certificates);
    let check = async |host: &str, roots: &str| {
        let url = format!("https://{host}:{}", server.addr.port());
        let mut command = binary::command(&["check", &url]);
        command
            .env("SSL_CERT_FILE", roots)
            .env_remove("SSL_CERT_DIR");
        let output = soon(command.output()).await.unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), err)
    };
    let root = certificates.name("root.pem");
    for host in ["localhost", "127.0.0.1"] {
        assert_eq!(check(host, &root).await, (Some(0), String::new()), "{host}");
    }
    let other = Certificates::new();
    for roots in [other.name("root.pem"), "/nowhere".to_owned()] {
        let (code, err) = check("localhost", &roots).await;
        assert_eq!((code, err.lines().count()), (Some(1), 1), "{err}");
        assert!(err.contains("certificate"), "{err}");
    }
    server.stop().await;
}
