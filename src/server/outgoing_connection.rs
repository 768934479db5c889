//! A connection to another server, which `forever-frame check` and `forever-frame probe` ask.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::tls;
use crate::authority::HostName;
use crate::config::HealthUrl;

/// A connection, whatever it goes over.
pub(super) trait OutgoingConnection: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> OutgoingConnection for T {}

/// Connects to the server of a URL: at its Unix socket, or over the network, by TLS if the scheme says so.
///
/// # Errors
/// When it cannot be reached, or there is no handshake with it.
pub(super) async fn connect(url: &HealthUrl) -> io::Result<Box<dyn OutgoingConnection>> {
    #[cfg(unix)]
    if let Some(path) = &url.socket {
        return Ok(Box::new(tokio::net::UnixStream::connect(path).await?));
    }
    let port = url.port();
    let socket = match &url.authority.host {
        HostName::Ip(ip) => TcpStream::connect((*ip, port)).await?,
        HostName::Name(name) => TcpStream::connect((&**name, port)).await?,
    };
    // A line of a probe leaves at once.
    socket.set_nodelay(true)?;
    if url.is_secure {
        Ok(Box::new(tls::connect(&url.authority.host, socket).await?))
    } else {
        Ok(Box::new(socket))
    }
}
