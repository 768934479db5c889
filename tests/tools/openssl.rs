//! TLS as openssl and curl see it.

use std::process::Stdio;

use tokio::process::Command;

use crate::helpers::programs::{LONG, MISSING, command, curl, output};
use crate::support::certificates::Certificates;
use crate::support::{TestServer, soon};

/// A server that speaks TLS.
fn start(certificates: &Certificates) -> TestServer {
    TestServer::with(|config| config.certificate = Some(certificates.files()))
}

/// What `openssl s_client` says of a server with these options.
async fn handshake(server: &TestServer, options: &[&str]) -> (bool, String) {
    let connect = format!("{}", server.addr);
    let base = ["s_client", "-brief", "-connect", &connect];
    let mut client: Command = command("openssl", &[&base, options].concat());
    client.stdin(Stdio::null()).kill_on_drop(true);
    let ran = tokio::time::timeout(LONG, client.output()).await;
    let output = ran.unwrap().expect(MISSING);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

/// The versions and suites of today are spoken, and no older or weaker ones, though the client would
/// (`@SECLEVEL=0`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_finds_nothing_weak() {
    let certificates = Certificates::new();
    let server = start(&certificates);
    for strong in [
        &["-tls1_3"][..],
        &["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
        &["-tls1_2"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
    ] {
        let (succeeds, said) = handshake(&server, strong).await;
        assert!(
            succeeds && said.contains("CONNECTION ESTABLISHED"),
            "{strong:?}: {said}"
        );
    }
    let all = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";
    for weak in [
        &["-tls1", "-cipher", all][..],
        &["-tls1_1", "-cipher", all],
        &[
            "-tls1_2",
            "-cipher",
            "AES128-SHA:AES256-GCM-SHA384:@SECLEVEL=0",
        ],
        &[
            "-tls1_2",
            "-cipher",
            "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0",
        ],
        &[
            "-tls1_2",
            "-cipher",
            "DHE:aNULL:eNULL:EXPORT:LOW:RC4:3DES:@SECLEVEL=0",
        ],
    ] {
        let (succeeds, said) = handshake(&server, weak).await;
        assert!(
            !succeeds && !said.contains("CONNECTION ESTABLISHED"),
            "{weak:?}: {said}"
        );
    }
    // Neither is compression, nor renegotiation that the client asks for.
    let (_, said) = handshake(&server, &["-tls1_2", "-comp"]).await;
    assert!(!said.contains("Compression: zlib"), "{said}");
    soon(server.stop()).await;
}

/// curl trusts the certificate by its authority, and follows a stream, by HTTP/1.1 and by HTTP/2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_speaks_tls() {
    let certificates = Certificates::new();
    let server = start(&certificates);
    let root = certificates.name("root.pem");
    for (version, http) in [
        ("--tlsv1.2", "--http1.1"),
        ("--tlsv1.3", "--http1.1"),
        ("--tlsv1.3", "--http2"),
    ] {
        let url = format!(
            "https://localhost:{}/c/x{version}{http}",
            server.addr.port()
        );
        let options = ["--cacert", &root, version, http];
        let mut send = curl(&url);
        send.args(options).args(["-d", "hello"]);
        assert!(output(send).await.contains("cursor"));
        let mut follow = curl(&format!("{url}?limit=1"));
        follow.args(options);
        assert!(output(follow).await.starts_with("hello\n"));
    }
    soon(server.stop()).await;
}
