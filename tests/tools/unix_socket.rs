//! A Unix socket, as curl asks it, and through nginx.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use forever_frame::authority::HostName;
use forever_frame::config::Listen;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use crate::helpers::programs::{MISSING, command, output};
use crate::helpers::proxy::{Kind, Proxy};
use crate::support::client::{get, post, send_raw};
use crate::support::{TestServer, soon};

/// A server with a Unix socket, in a directory that other accounts may enter.
fn with_socket() -> (TestServer, PathBuf, TempDir) {
    let dir = TempDir::new().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let path = dir.path().join("push.sock");
    let listen = Listen::Unix(path.clone());
    let server = TestServer::with(|config| {
        config.listen_plain = Some(listen);
        config.hosts = vec![HostName::Name("push.example".into())];
    });
    (server, path, dir)
}

/// The account of nginx's workers is of the socket's group. They are nobody's if nginx is root's.
fn let_nginx_in(path: &Path) {
    let nobody = fs::metadata("/proc/self").unwrap().uid() == 0;
    if nobody {
        let groups = fs::read_to_string("/etc/group").unwrap();
        let group = groups
            .lines()
            .find_map(|line| line.strip_prefix("nogroup:x:"));
        let id = group.unwrap().split(':').next().unwrap().parse().unwrap();
        chown(path, None, Some(id)).unwrap();
    }
}

fn curl(path: &Path, args: &[&str]) -> tokio::process::Command {
    let socket = ["-sSN", "--unix-socket", path.to_str().unwrap()];
    command("curl", &[&socket[..], args].concat())
}

/// curl appends, uploads and follows to the end of a closed channel.
#[tokio::test]
async fn unix_socket_by_curl() {
    let (server, path, _dir) = with_socket();
    let url = "http://localhost/c/build";
    let appended = output(curl(&path, &["-d", "hello", url])).await;
    assert!(appended.contains("\"seq\":1"), "{appended}");
    let mut follow = curl(&path, &[url]);
    follow.stdout(Stdio::piped()).kill_on_drop(true);
    let follow = follow.spawn().expect(MISSING);
    server.open_streams(1).await;
    let mut upload = curl(&path, &["-T", "-", "http://localhost/c/build?close=1"]);
    upload.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut upload = upload.spawn().expect(MISSING);
    let mut input = upload.stdin.take().unwrap();
    input.write_all(b"one\ntwo\n").await.unwrap();
    drop(input);
    let uploaded = soon(upload.wait_with_output()).await.unwrap();
    let uploaded = String::from_utf8(uploaded.stdout).unwrap();
    assert!(uploaded.contains("\"count\":2"), "{uploaded}");
    let followed = soon(follow.wait_with_output()).await.unwrap();
    assert!(followed.status.success());
    let text = String::from_utf8(followed.stdout).unwrap();
    let messages: Vec<&str> = text.lines().filter(|line| !line.starts_with('.')).collect();
    assert_eq!(messages[..3], ["hello", "one", "two"]);
    assert!(messages[3].ends_with("reason=closed"), "{text}");
    server.stop().await;
}

/// nginx as the docs set it up, with the socket in the place of the address: lines pass at once, the name that
/// it tells is believed, and the client's leaving is noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unix_socket_through_nginx() {
    let (server, path, _dir) = with_socket();
    let_nginx_in(&path);
    let recipe = Kind::Nginx.recipe();
    let here = recipe.replace("127.0.0.1:8080", &format!("unix:{}", path.display()));
    assert_ne!(here, recipe);
    let nginx = Proxy::by(Kind::Nginx, &here).await;
    let mut stream = get(nginx.addr, "/c/a?heartbeat=60s").await;
    for n in 0..20 {
        let line = format!("line {n}.");
        assert_eq!(post(nginx.addr, "/c/a", &line).await.status, 201);
        stream.until(&line).await;
    }
    let name = format!("push.example:{}", nginx.addr.port());
    let named = format!(
        "POST /c/named HTTP/1.1\r\nHost: {name}\r\nOrigin: http://{name}\r\n\
         Sec-Fetch-Site: same-origin\r\nContent-Length: 5\r\n\r\nhello"
    );
    let answer = soon(send_raw(nginx.addr, named.as_bytes())).await.unwrap();
    assert_eq!(answer.status, 201);
    drop(stream);
    server.open_streams(0).await;
    server.stop().await;
}
