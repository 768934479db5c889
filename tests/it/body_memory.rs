//! The memory for request bodies: what it is used up by, and who gets some of it then.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, sleep};

use crate::support::client::{append, finish, get, post, send};
use crate::support::upload::Upload;
use crate::support::{TestServer, eventually, soon};

const KIB: usize = 1024;

/// A line that is not small, and not finished.
static UNFINISHED: [u8; 20 * KIB] = [b'x'; 20 * KIB];

/// A server with memory for a dozen long lines in all, and six of one address.
fn scarce(line_timeout: Duration) -> TestServer {
    TestServer::with(|config| {
        config.memory.bodies = KIB * KIB;
        config.timeouts.line = line_timeout;
    })
}

async fn body_bytes(addr: SocketAddr) -> usize {
    let metrics = get(addr, "/metrics").await.text().await;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("forever_frame_body_bytes "));
    line.unwrap().parse().unwrap()
}

/// Uploads of this client that have finished a line, and keep on to the memory of the next.
async fn hold(addr: SocketAddr, client: &str, count: usize) -> Vec<Upload> {
    let before = body_bytes(addr).await;
    let mut uploads = Vec::new();
    for _ in 0..count {
        let mut upload = Upload::start_from(addr, client, "/c/held").await;
        upload.send(b"one\n").await;
        upload.send(&UNFINISHED).await;
        uploads.push(upload);
    }
    let held = async || body_bytes(addr).await > before;
    eventually("the budget is used", held).await;
    uploads
}

/// Sends a message of 10 KiB from a client, and gives the status.
async fn large(addr: SocketAddr, client: &str) -> u16 {
    let request = format!("POST /c/large\r\nX-Forwarded-For: {client}");
    send(addr, &request, &[b'y'; 10 * KIB]).await.status
}

/// While the address of large bodies has used up its share, small ones pass, those of other addresses
/// pass, and others of the same address are told to come back; uploads wait. Then the bodies that do
/// not go on are ended, with what had been appended of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_lock_out_nobody() {
    let server = scarce(Duration::from_secs(8));
    let addr = server.addr;
    let began = Instant::now();
    let held = hold(addr, "192.0.2.1", 20).await;
    let refused = send(
        addr,
        "POST /c/large\r\nX-Forwarded-For: 192.0.2.1",
        &[b'y'; 10 * KIB],
    );
    let waiting = tokio::spawn(async move {
        let mut upload = Upload::start_from(addr, "192.0.2.1", "/c/waited").await;
        upload.send(&UNFINISHED).await;
        upload.send(b"\n").await;
        upload.end().await.status
    });
    let others = async {
        append(addr, "small", "hello").await;
        for (path, form, status) in [
            ("/mailbox", "action=send&me=a&toUserName=b&msg=x", 200),
            ("/chat/login", "name=a&password=bbbbbbbb", 401),
            ("/sender", "msg=x", 303),
        ] {
            let request = format!("POST {path}\r\nX-Forwarded-For: 192.0.2.1");
            let answer = send(addr, &request, form.as_bytes()).await;
            assert_eq!(answer.status, status, "{path}");
        }
        assert_eq!(large(addr, "192.0.2.2").await, 201);
        assert_eq!(large(addr, "2001:db8::1").await, 201);
        let mut upload = Upload::start_from(addr, "192.0.2.2", "/c/large").await;
        upload.send(&UNFINISHED).await;
        upload.send(b"\n").await;
        assert_eq!(upload.end().await.status, 201);
    };
    let (mut refused, ()) = soon(async { tokio::join!(refused, others) }).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), "1");
    let text = refused.text().await;
    assert!(text.contains("your address's share"), "{text}");
    println!("refused and served after {:?}", began.elapsed());
    let mut held = held.into_iter();
    for upload in held.by_ref().take(6) {
        let mut answer = upload.answer().await;
        assert_eq!(answer.status, 408);
        let json = answer.json().await;
        let error = json["error"].as_str().unwrap();
        assert!(error.contains("no 4096 bytes came within 8 s"), "{error}");
        assert_eq!(json["count"], 1, "{json}");
    }
    // Of those that waited for them each has its time.
    drop(held);
    assert_eq!(soon(waiting).await.unwrap(), 201);
    server.stop().await;
}

/// However many addresses hold what they get, the next one gets something.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_addresses_lock_out_nobody() {
    let server = scarce(Duration::from_mins(1));
    let mut held = Vec::new();
    for n in 0..4 {
        held.extend(hold(server.addr, &format!("192.0.2.{n}"), 8).await);
    }
    assert_eq!(large(server.addr, "192.0.2.99").await, 201);
    drop(held);
    let given_back = async || body_bytes(server.addr).await == 0;
    eventually("all is given back", given_back).await;
    server.stop().await;
}

/// A byte now and then does not hold the memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dripping_line_is_ended() {
    let server = scarce(Duration::from_secs(2));
    let mut held = hold(server.addr, "127.0.0.1", 12).await;
    let mut first = held.remove(0);
    let dripping = async {
        let mut drip = interval(Duration::from_millis(200));
        while first.try_send(b"x").await.is_ok() {
            drip.tick().await;
        }
    };
    soon(dripping).await;
    drop(held);
    server.stop().await;
}

/// A line that is left unfinished for long is waited for while nobody needs its memory, and one that
/// grows all the time also while somebody does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_that_harms_nobody_is_waited_for() {
    let server = scarce(Duration::from_secs(1));
    let addr = server.addr;
    let mut quiet = hold(addr, "127.0.0.1", 1).await.remove(0);
    let mut growing = Upload::start_from(addr, "192.0.2.1", "/c/growing").await;
    growing.send(&[b'x'; 5 * KIB]).await;
    let _rivals = hold(addr, "192.0.2.1", 8).await;
    for _ in 0..8 {
        sleep(Duration::from_millis(500)).await;
        growing.send(&[b'x'; 4 * KIB]).await;
    }
    growing.send(b"\n").await;
    assert_eq!(growing.end().await.status, 201);
    quiet.send(b"\n").await;
    let mut answer = quiet.end().await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json().await["count"], 2);
    server.stop().await;
}

/// A body that is only announced holds nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announced_body_holds_nothing() {
    let server = scarce(Duration::from_mins(1));
    let mut announced = Vec::new();
    for _ in 0..20 {
        let mut socket = TcpStream::connect(server.addr).await.unwrap();
        let head =
            "POST /c/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 49000\r\n\r\nbeginning";
        socket.write_all(head.as_bytes()).await.unwrap();
        announced.push(socket);
    }
    assert_eq!(large(server.addr, "127.0.0.1").await, 201);
    assert_eq!(body_bytes(server.addr).await, 0);
    let mut one = announced.pop().unwrap();
    one.write_all(&vec![b'x'; 49000 - 9]).await.unwrap();
    assert_eq!(soon(finish(one)).await.unwrap().status, 201);
    drop(announced);
    server.stop().await;
}

/// A form is small in bytes and large in memory if it has very many fields.
#[tokio::test]
async fn form_of_many_fields_refused() {
    let server = TestServer::start();
    let mut answer = post(server.addr, "/sender", "a&".repeat(1000) + "msg=x").await;
    assert_eq!(answer.status, 400);
    let text = answer.text().await;
    assert!(text.contains("more than 64 fields"), "{text}");
    server.stop().await;
}
