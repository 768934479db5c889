//! Clients that speak TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::certificates::Certificates;

/// A client that trusts the authority, and speaks one version of TLS.
pub(crate) fn connector(
    certificates: &Certificates,
    version: &'static SupportedProtocolVersion,
    alpn: &[&str],
) -> TlsConnector {
    connector_of(&certificates.root, version, alpn)
}

/// A client that trusts what a certificate, in PEM, has signed, and speaks one version of TLS.
pub(crate) fn connector_of(
    root: &str,
    version: &'static SupportedProtocolVersion,
    alpn: &[&str],
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(root.as_bytes()).unwrap();
    roots.add(root).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

/// The versions that the server speaks.
pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// Connects to a server.
pub(crate) async fn connect(
    connector: &TlsConnector,
    addr: SocketAddr,
) -> io::Result<TlsStream<TcpStream>> {
    connect_to(connector, addr, "localhost").await
}

/// Connects to a server, which is asked for by this name.
pub(crate) async fn connect_to(
    connector: &TlsConnector,
    addr: SocketAddr,
    name: &'static str,
) -> io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(addr).await?;
    socket.set_nodelay(true)?;
    let name = ServerName::try_from(name).unwrap();
    connector.connect(name, socket).await
}

/// A way to a server that speaks TLS, for clients that do not.
pub(crate) struct Tunnel {
    pub(crate) addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Tunnel {
    pub(crate) async fn to(addr: SocketAddr, connector: TlsConnector) -> Tunnel {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            loop {
                let (mut plain, _) = listener.accept().await.unwrap();
                let connector = connector.clone();
                tokio::spawn(async move {
                    plain.set_nodelay(true)?;
                    let mut tls = connect(&connector, addr).await?;
                    tokio::io::copy_bidirectional(&mut plain, &mut tls).await
                });
            }
        });
        Tunnel { addr: own, task }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.task.abort();
    }
}
