//! TLS with another server, which `forever-frame check` asks.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::authority::HostName;

/// Does the handshake with a server, whose certificate has to be one for `host` that this machine trusts.
///
/// # Errors
/// When it is none, or there is no handshake.
pub(in crate::server) async fn connect(
    host: &HostName,
    socket: TcpStream,
) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + 'static> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let mut config = ClientConfig::builder_with_provider(super::provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = match host {
        HostName::Ip(ip) => ServerName::from(*ip),
        HostName::Name(name) => ServerName::try_from(name.to_string()).map_err(io::Error::other)?,
    };
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, socket).await
}
