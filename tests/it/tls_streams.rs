//! Endless streams over TLS: they are served as those without it, whatever their clients do below HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::SupportedProtocolVersion;
use tokio_rustls::rustls::version::TLS13;

use crate::support::certificates::Certificates;
use crate::support::client::{append, get};
use crate::support::raw_stream::SMALL_BUFFER;
use crate::support::sender::{Answer, Sender};
use crate::support::tls::{Tunnel, VERSIONS, connect, connect_with_buffer, connector};
use crate::support::upload::Upload;
use crate::support::{TestServer, at_last, soon};

/// A server with one listener that speaks TLS, and one that does not.
fn start(certificates: &Certificates) -> TestServer {
    start_with_stall(certificates, None)
}

fn start_with_stall(certificates: &Certificates, stall: Option<Duration>) -> TestServer {
    TestServer::with(|config| {
        config.certificate = Some(certificates.files());
        config.listen_plain = Some("127.0.0.1:0".parse().unwrap());
        config.timeouts.stall = stall.unwrap_or(config.timeouts.stall);
    })
}

/// An endless stream on a connection of its own.
struct SecureStream {
    tls: TlsStream<TcpStream>,
    /// What has come and is not looked at.
    came: String,
}

impl SecureStream {
    /// A stream of `/c/a` that is silent until a message comes.
    async fn open(
        certificates: &Certificates,
        addr: SocketAddr,
        version: &'static SupportedProtocolVersion,
    ) -> SecureStream {
        let connector = connector(certificates, version, &[]);
        SecureStream::on(connect(&connector, addr).await.unwrap()).await
    }

    async fn on(mut tls: TlsStream<TcpStream>) -> SecureStream {
        let request =
            b"GET /c/a?as=ndjson&since=now&heartbeat=60s HTTP/1.1\r\nHost: localhost\r\n\r\n";
        tls.write_all(request).await.unwrap();
        let mut stream = SecureStream {
            tls,
            came: String::new(),
        };
        // A silent stream is one of a crowd.
        stream.until(r#""type":"live""#).await;
        stream
    }

    /// Reads until this text has come, and forgets what came before its end.
    async fn until(&mut self, end: &str) {
        let mut piece = [0; 4096];
        loop {
            if let Some(at) = self.came.find(end) {
                self.came.drain(..at + end.len());
                return;
            }
            let read = soon(self.tls.read(&mut piece)).await.unwrap();
            assert!(read > 0, "it ended: {}", self.came);
            self.came += std::str::from_utf8(&piece[..read]).unwrap();
        }
    }

    /// Has the stream say a message.
    async fn says(&mut self, server: &TestServer, text: &str) {
        append(server.plain.unwrap(), "a", text).await;
        self.until(&format!("\"data\":\"{text}\"")).await;
    }
}

/// Lines of all lengths come whole, the same over TLS as without it, on every transport.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_bytes_with_and_without_tls() {
    const LINES: usize = 3000;
    let certificates = Certificates::new();
    for version in VERSIONS {
        let server = start(&certificates);
        let plain = server.plain.unwrap();
        let tunnel = Tunnel::to(server.addr, connector(&certificates, version, &[]));
        let mut readers = JoinSet::new();
        for wire in ["text", "html", "sse", "ndjson"] {
            for since in ["all", "now"] {
                let path = format!("/c/a?as={wire}&since={since}&heartbeat=60s&limit={LINES}");
                let (secure, plain) = (get(tunnel.addr, &path).await, get(plain, &path).await);
                readers.spawn(async move {
                    let (mut secure, mut plain) = (secure, plain);
                    let (secure, plain) = tokio::join!(secure.text(), plain.text());
                    assert!(secure == plain, "{path}");
                    assert!(secure.contains(&format!("{} xx", LINES - 1)), "{path}");
                });
            }
        }
        server.open_streams(16).await;
        let mut upload = Upload::start(plain, "/c/a").await;
        for n in 0..LINES {
            let length = if n % 500 == 499 { 40_000 } else { n % 300 };
            upload
                .send(format!("{n} xx{}\n", "x".repeat(length)).as_bytes())
                .await;
        }
        assert_eq!(upload.end().await.status, 201);
        at_last(readers.join_all()).await;
        server.stop().await;
    }
}

/// A client that reads a little at a time, of a small buffer, has every line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_reader_has_every_line() {
    const LINES: usize = 4000;
    let certificates = Certificates::new();
    for version in VERSIONS {
        let server = start(&certificates);
        let mut readers = JoinSet::new();
        for n in 0..6 {
            let connector = connector(&certificates, version, &[]);
            let socket = connect_with_buffer(&connector, server.addr, SMALL_BUFFER).await;
            let mut slow = SecureStream::on(socket.unwrap()).await;
            readers.spawn(async move {
                for line in 0..LINES {
                    slow.until(&format!("\"data\":\"{line} ")).await;
                    if line % (100 + n) == 0 {
                        sleep(Duration::from_millis(5)).await;
                    }
                }
            });
        }
        let mut upload = Upload::start(server.plain.unwrap(), "/c/a").await;
        for line in 0..LINES {
            let length = if line % 400 == 0 { 20_000 } else { line % 200 };
            upload
                .send(format!("{line} {}\n", "x".repeat(length)).as_bytes())
                .await;
        }
        assert_eq!(upload.end().await.status, 201);
        at_last(readers.join_all()).await;
        server.open_streams(0).await;
        server.stop().await;
    }
}

/// A client that leaves is noticed long before the next heartbeat, whether it says so or not.
#[tokio::test]
async fn leaving_client_is_noticed() {
    let certificates = Certificates::new();
    let server = start(&certificates);
    for version in VERSIONS {
        for manner in ["in order", "without a word", "by a reset"] {
            let mut stream = SecureStream::open(&certificates, server.addr, version).await;
            stream.says(&server, manner).await;
            server.open_streams(1).await;
            match manner {
                "in order" => stream.tls.shutdown().await.unwrap(),
                "by a reset" => SockRef::from(stream.tls.get_ref().0)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap(),
                _ => {}
            }
            drop(stream);
            server.open_streams(0).await;
        }
    }
    server.stop().await;
}

/// A client that says that it sends nothing more, and stays, is written to as before: with the end of its
/// socket's sending side, or without.
#[tokio::test]
async fn half_closed_client_is_served() {
    let certificates = Certificates::new();
    let server = start(&certificates);
    for version in VERSIONS {
        for closes_socket in [true, false] {
            let mut stream = SecureStream::open(&certificates, server.addr, version).await;
            stream.says(&server, "before").await;
            if closes_socket {
                stream.tls.shutdown().await.unwrap();
            } else {
                stream.tls.get_mut().1.send_close_notify();
                stream.tls.flush().await.unwrap();
            }
            for n in 0..3 {
                stream.says(&server, &format!("after {n}")).await;
            }
            server.open_streams(1).await;
            drop(stream);
            // The next bytes tell.
            append(server.plain.unwrap(), "a", "to nobody").await;
            server.open_streams(0).await;
        }
    }
    // It may say so together with its request.
    for version in VERSIONS {
        let connector = connector(&certificates, version, &[]);
        let mut tls = connect(&connector, server.addr).await.unwrap();
        let request =
            b"GET /c/a?as=ndjson&since=now&heartbeat=60s HTTP/1.1\r\nHost: localhost\r\n\r\n";
        std::io::Write::write_all(&mut tls.get_mut().1.writer(), request).unwrap();
        tls.get_mut().1.send_close_notify();
        tls.flush().await.unwrap();
        let mut stream = SecureStream {
            tls,
            came: String::new(),
        };
        server.open_streams(1).await;
        stream.says(&server, "together").await;
        drop(stream);
        append(server.plain.unwrap(), "a", "to nobody").await;
        server.open_streams(0).await;
    }
    server.stop().await;
}

/// What a client sends after its request is ignored, and that it leaves then is noticed; what is no TLS ends
/// the connection.
#[tokio::test]
async fn what_is_sent_after_the_request() {
    let certificates = Certificates::new();
    let server = start(&certificates);
    for version in VERSIONS {
        let mut stream = SecureStream::open(&certificates, server.addr, version).await;
        for n in 0..5 {
            stream.tls.write_all(&[b'x'; 700]).await.unwrap();
            stream.says(&server, &format!("ignored {n}")).await;
        }
        drop(stream);
        server.open_streams(0).await;
        // Far more than is read.
        let mut stream = SecureStream::open(&certificates, server.addr, version).await;
        stream.tls.write_all(&vec![b'x'; 100_000]).await.unwrap();
        for n in 0..3 {
            stream.says(&server, &format!("not read {n}")).await;
        }
        drop(stream);
        append(server.plain.unwrap(), "a", "to nobody").await;
        append(server.plain.unwrap(), "a", "to nobody").await;
        server.open_streams(0).await;
        let mut stream = SecureStream::open(&certificates, server.addr, version).await;
        let socket = stream.tls.get_mut().0;
        socket.write_all(b"this is no record").await.unwrap();
        server.open_streams(0).await;
        let read = soon(socket.read(&mut [0; 64])).await;
        assert!(!matches!(read, Ok(64)), "{read:?}");
    }
    server.stop().await;
}

/// Keys that the client has changed are used from then on, in both directions, also while it does not read.
#[tokio::test]
async fn keys_are_updated() {
    let certificates = Certificates::new();
    let server = start(&certificates);
    let mut stream = SecureStream::open(&certificates, server.addr, &TLS13).await;
    for n in 0..40 {
        for _ in 0..n % 3 {
            stream.tls.get_mut().1.refresh_traffic_keys().unwrap();
        }
        if n % 2 == 0 {
            // Otherwise together with what is sent next.
            stream.tls.flush().await.unwrap();
        }
        stream.tls.write_all(b"x").await.unwrap();
        stream.says(&server, &format!("by key {n}")).await;
    }
    server.open_streams(1).await;
    server.stop().await;
    stream.until(r#""reason":"stop""#).await;
}

/// The end of a stream is said in-band, with the last chunk and the end of TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_in_order() {
    let certificates = Certificates::new();
    for version in VERSIONS {
        let server = start(&certificates);
        let mut streams = Vec::new();
        for _ in 0..50 {
            streams.push(SecureStream::open(&certificates, server.addr, version).await);
        }
        streams[0].says(&server, "the last").await;
        server.stop().await;
        for mut stream in streams {
            // The error would be an end without a word.
            let mut end = String::new();
            soon(stream.tls.read_to_string(&mut end)).await.unwrap();
            let end = stream.came + &end;
            assert!(end.contains(r#""reason":"stop""#), "{end}");
            assert!(end.ends_with("\r\n0\r\n\r\n"), "{end:?}");
        }
    }
}

/// A client that stops reading is given up when its deadline has come, and the kernel keeps nothing for it;
/// others of the channel are served meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_follower_is_cut() {
    const STALL: Duration = Duration::from_secs(3);
    let certificates = Certificates::new();
    let server = start_with_stall(&certificates, Some(STALL));
    let mut stalled = Vec::new();
    for version in VERSIONS {
        let connector = connector(&certificates, version, &[]);
        let socket = connect_with_buffer(&connector, server.addr, SMALL_BUFFER).await;
        stalled.push(SecureStream::on(socket.unwrap()).await);
    }
    let mut reads = SecureStream::open(&certificates, server.addr, &TLS13).await;
    server.open_streams(3).await;
    let text = "x".repeat(40_000);
    let began = Instant::now();
    for _ in 0..20 {
        reads.says(&server, &text).await;
    }
    server.open_streams(1).await;
    let took = began.elapsed();
    assert!((STALL..STALL * 4).contains(&took), "{took:?}");
    let metrics = get(server.plain.unwrap(), "/metrics").await.text().await;
    let closed = r#"closed_streams_total{reason="stalled"} 2"#;
    assert!(metrics.contains(closed), "{metrics}");
    for stream in stalled {
        let mut rest = Vec::new();
        let mut tls = stream.tls;
        soon(tls.read_to_end(&mut rest)).await.unwrap_err();
    }
    reads.says(&server, "still").await;
    drop(reads);
    server.open_streams(0).await;
    server.stop().await;
}

/// A client that reads slowly for longer than the deadline is a client that reads.
#[tokio::test]
async fn slow_reader_is_not_cut() {
    let certificates = Certificates::new();
    let server = start_with_stall(&certificates, Some(Duration::from_secs(1)));
    for version in VERSIONS {
        let connector = connector(&certificates, version, &[]);
        let socket = connect_with_buffer(&connector, server.addr, 4096).await;
        let mut slow = SecureStream::on(socket.unwrap()).await;
        for _ in 0..20 {
            append(server.plain.unwrap(), "a", &"x".repeat(40_000)).await;
        }
        // 20 KB a second: a third of the server's send buffer takes more than two deadlines.
        let (mut piece, mut read) = ([0; 1000], 0);
        for _ in 0..120 {
            read += soon(slow.tls.read(&mut piece)).await.unwrap();
            sleep(Duration::from_millis(50)).await;
        }
        assert!(read >= 80_000, "{read}");
        server.open_streams(1).await;
        drop(slow);
        server.open_streams(0).await;
    }
    server.stop().await;
}

/// Clients that leave while they are written to disturb no other, with and without TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_leave_while_written_to_disturb_nobody() {
    const LEAVE: usize = 120;
    const MESSAGES: usize = 300;
    let certificates = Certificates::new();
    let server = start(&certificates);
    let plain = server.plain.unwrap();
    let (tls12, tls13) = (
        connector(&certificates, VERSIONS[0], &[]),
        connector(&certificates, VERSIONS[1], &[]),
    );
    let mut stay = JoinSet::new();
    for n in 0..20 {
        let connector = if n % 2 == 0 { &tls12 } else { &tls13 };
        let mut secure = SecureStream::on(connect(connector, server.addr).await.unwrap()).await;
        let mut stays = get(plain, "/c/a?as=ndjson&since=now&heartbeat=60s").await;
        stay.spawn(async move {
            for n in 0..MESSAGES {
                secure.until(&format!("\"data\":\"{n} ")).await;
            }
            let last = format!("\"data\":\"{} ", MESSAGES - 1);
            stays.until(&last).await;
            (secure, stays)
        });
    }
    let mut leave = JoinSet::new();
    for n in 0..LEAVE {
        let connector = if n % 2 == 0 { &tls12 } else { &tls13 };
        let buffer = if n % 5 == 0 { SMALL_BUFFER } else { 64 * 1024 };
        let tls = connect_with_buffer(connector, server.addr, buffer).await;
        let mut stream = SecureStream::on(tls.unwrap()).await;
        leave.spawn(async move {
            // The first leave at once, the others while messages come.
            for n in 0..n * 2 {
                stream.until(&format!("\"data\":\"{n} ")).await;
            }
            match n % 4 {
                0 | 1 => SockRef::from(stream.tls.get_ref().0)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap(),
                2 => stream.tls.shutdown().await.unwrap(),
                _ => {}
            }
        });
    }
    let mut sender = Sender::new(plain);
    for n in 0..MESSAGES {
        let noise = "x".repeat(if n % 20 == 0 { 20_000 } else { 10 });
        let answer = sender.post("/c/a", &format!("{n} {noise}")).await;
        assert!(matches!(answer, Answer::Reply(201, _)), "{answer:?}");
    }
    at_last(leave.join_all()).await;
    let stay = at_last(stay.join_all()).await;
    server.open_streams(40).await;
    drop(stay);
    server.open_streams(0).await;
    server.stop().await;
}
