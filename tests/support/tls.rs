//! Clients that speak TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use forever_frame::limits;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;
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
    handshake(connector, TcpStream::connect(addr).await?, name).await
}

/// Connects to a server with a receive buffer of this size.
pub(crate) async fn connect_with_buffer(
    connector: &TlsConnector,
    addr: SocketAddr,
    buffer: u32,
) -> io::Result<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(buffer)?;
    handshake(connector, socket.connect(addr).await?, "localhost").await
}

async fn handshake(
    connector: &TlsConnector,
    socket: TcpStream,
    name: &'static str,
) -> io::Result<TlsStream<TcpStream>> {
    socket.set_nodelay(true)?;
    let name = ServerName::try_from(name).unwrap();
    connector.connect(name, socket).await
}

/// A way to a server that speaks TLS, for clients that do not.
pub(crate) struct Tunnel {
    pub(crate) addr: SocketAddr,
    task: JoinHandle<()>,
}

/// What the kernel keeps for the client of a tunnel: as much as it does for one of the server, so that a
/// client that does not read is soon one that does not read for the server, too.
const TUNNEL_BUFFER: usize = limits::SEND_BUFFER_BYTES;

/// The pause between two looks whether a client that has closed its sending side is still there.
const TUNNEL_LOOK: Duration = Duration::from_millis(5);

impl Tunnel {
    pub(crate) fn to(addr: SocketAddr, connector: TlsConnector) -> Tunnel {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let own = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (plain, _) = listener.accept().await.unwrap();
                tokio::spawn(forward(plain, connector.clone(), addr));
            }
        });
        Tunnel { addr: own, task }
    }
}

/// Forwards all that is sent in both directions, and the ends of both. When the client is known to have
/// left, so does this, in the same way.
async fn forward(
    mut plain: TcpStream,
    connector: TlsConnector,
    addr: SocketAddr,
) -> io::Result<()> {
    plain.set_nodelay(true)?;
    SockRef::from(&plain).set_send_buffer_size(TUNNEL_BUFFER)?;
    let mut tls = connect(&connector, addr).await?;
    let [client, server] =
        [&plain, tls.get_ref().0].map(|socket| SockRef::from(socket).try_clone());
    let (client, server) = (client?, server?);
    server.set_recv_buffer_size(TUNNEL_BUFFER)?;
    let left = async {
        while client.peer_addr().is_ok() {
            sleep(TUNNEL_LOOK).await;
        }
    };
    tokio::select! {
        copied = tokio::io::copy_bidirectional(&mut plain, &mut tls) => {
            if copied.is_ok() {
                return Ok(());
            }
        }
        () = left => {}
    }
    server.set_linger(Some(Duration::ZERO))
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.task.abort();
    }
}
