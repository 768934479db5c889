//! Certificates by ACME, from Debian's pebble.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Child;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::version::TLS13;

use crate::helpers::programs::{MISSING, command};
use crate::support::binary::Binary;
use crate::support::certificates::Certificates;
use crate::support::client::try_send;
use crate::support::port::Port;
use crate::support::tls::{Tunnel, connect_to, connector_of};
use crate::support::{directory, eventually, soon};

const NAME: &str = "push.example.org";

/// An authority that looks for the servers of all names on this machine.
struct Authority {
    directory: String,
    /// Where it gives the certificate that its own lead to.
    management: SocketAddr,
    _programs: [Child; 2],
}

impl Authority {
    /// Starts one whose certificates are valid for some seconds, and which looks for servers at this port.
    fn start(certificates: &Certificates, validity: u32, port: &Port) -> Authority {
        let [api, management, names] = [(); 3].map(|()| Port::reserve().addr);
        let config = serde_json::json!({ "pebble": {
            "listenAddress": api.to_string(),
            "managementListenAddress": management.to_string(),
            "certificate": certificates.name("cert.pem"),
            "privateKey": certificates.name("key.pem"),
            "httpPort": 1,
            "tlsPort": port.addr.port(),
            "certificateValidityPeriod": validity,
        }});
        std::fs::write(certificates.path("pebble.json"), config.to_string()).unwrap();
        let dns01 = names.to_string();
        let mut dns = command(
            "pebble-challtestsrv",
            &[
                "-defaultIPv4",
                "127.0.0.1",
                "-defaultIPv6",
                "",
                "-dns01",
                &dns01,
                "-http01",
                "",
                "-https01",
                "",
                "-tlsalpn01",
                "",
                "-management",
                "",
            ],
        );
        let config = certificates.name("pebble.json");
        let mut pebble = command("pebble", &["-config", &config, "-dnsserver", &dns01]);
        pebble
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "0");
        let start = |program: &mut tokio::process::Command| {
            let quiet = program.stdout(Stdio::null()).stderr(Stdio::null());
            quiet.kill_on_drop(true).spawn().expect(MISSING)
        };
        Authority {
            directory: format!("https://localhost:{}/dir", api.port()),
            management,
            _programs: [start(&mut dns), start(&mut pebble)],
        }
    }

    /// The certificate that those of the authority lead to.
    async fn root(&self, certificates: &Certificates) -> String {
        let connector = connector_of(&certificates.root, &TLS13, &[]);
        eventually("the authority's root", async || {
            let tunnel = Tunnel::to(self.management, connector.clone());
            match try_send(tunnel.addr, "GET /roots/0", b"").await {
                Ok(mut answer) => Ok(answer.text().await),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }
}

async fn start(
    port: &Port,
    authority: &Authority,
    certificates: &Certificates,
    cache: &Path,
) -> Binary {
    let root = certificates.name("root.pem");
    let cache = cache.to_str().unwrap();
    let args = [
        "--acme",
        NAME,
        "--acme-contact",
        "admin@example.org",
        "--acme-directory",
        &authority.directory,
        "--acme-cache",
        cache,
        "--acme-root",
        &root,
    ];
    Binary::start_at(&port.listen(), &args).await
}

/// The certificate that the server shows, as soon as it has one that leads to the root.
async fn shown(server: &Binary, root: &str) -> Vec<u8> {
    let connector = connector_of(root, &TLS13, &[]);
    eventually("a certificate", async || {
        match connect_to(&connector, server.addr, NAME).await {
            Ok(stream) => Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
}

/// A server gets a certificate for its name, shows the same one after a restart, and another before the
/// first has expired.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acme_gives_and_renews_certificates() {
    let (certificates, home, port) = (Certificates::new(), directory(), Port::reserve());
    let cache = home.path().join("acme");
    let authority = Authority::start(&certificates, 3600, &port);
    let root = authority.root(&certificates).await;
    CertificateDer::from_pem_slice(root.as_bytes()).unwrap();
    let server = start(&port, &authority, &certificates, &cache).await;
    let first = shown(&server, &root).await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&cache).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
    server.end("-TERM").await;
    let server = start(&port, &authority, &certificates, &cache).await;
    assert_eq!(shown(&server, &root).await, first);
    let log = server.end("-TERM").await;
    assert!(log.contains("--acme-cache"), "{log}");

    // An authority whose certificates are valid for a few seconds only.
    let (port, cache) = (Port::reserve(), home.path().join("short"));
    drop(authority);
    let authority = Authority::start(&certificates, 15, &port);
    let root = authority.root(&certificates).await;
    let server = start(&port, &authority, &certificates, &cache).await;
    let first = shown(&server, &root).await;
    eventually("another certificate", async || {
        let now = shown(&server, &root).await;
        (now != first).then_some(()).ok_or("the same".to_owned())
    })
    .await;
    soon(server.end("-TERM")).await;
}
