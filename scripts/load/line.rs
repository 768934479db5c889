//! A connection to a server: plain, or by TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use mio::Poll;
use mio::net::TcpStream;
use rcgen::CertifiedKey;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::scratch::Scratch;
use crate::{Result, http};

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1 in clear text.
    Plain,
    /// HTTP/1.1 over TLS.
    Tls,
    /// HTTP/2 over TLS.
    H2,
}

/// Where a server is asked, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint {
    pub(crate) addr: SocketAddr,
    pub(crate) protocol: Protocol,
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Endpoint {
        let protocol = Protocol::Plain;
        Endpoint { addr, protocol }
    }
}

/// A connection that does not block.
#[derive(Debug)]
pub(crate) enum Line {
    Plain(TcpStream),
    Tls(Box<(ClientConnection, TcpStream)>),
}

/// The certificate of the servers that are measured, and its key.
static CERTIFICATE: LazyLock<std::result::Result<CertifiedKey, rcgen::Error>> =
    LazyLock::new(|| rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]));

/// Writes the certificate and its key as files, in PEM, and returns their paths.
pub(crate) fn certificate(scratch: &Scratch) -> Result<[String; 2]> {
    let CertifiedKey { cert, key_pair } = CERTIFICATE.as_ref()?;
    let files = [("cert", cert.pem()), ("key", key_pair.serialize_pem())];
    let dir = scratch.dir("certificate")?;
    let write = |(name, pem)| -> Result<String> {
        let path = dir.join(name);
        std::fs::write(&path, pem)?;
        Ok(path.display().to_string())
    };
    let [cert, key] = files.map(write);
    Ok([cert?, key?])
}

/// The client of a protocol. Each of its handshakes is a whole one.
fn client(protocol: Protocol) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CERTIFICATE.as_ref()?.cert.der().clone())?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    if protocol == Protocol::H2 {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    Ok(Arc::new(config))
}

impl Line {
    /// Connects, and has the poll report under this number what comes. A handshake goes on while the line
    /// is read.
    pub(crate) fn connect(poll: &Poll, to: Endpoint, number: usize) -> Result<Line> {
        static TLS: LazyLock<Result<Arc<ClientConfig>>> = LazyLock::new(|| client(Protocol::Tls));
        static H2: LazyLock<Result<Arc<ClientConfig>>> = LazyLock::new(|| client(Protocol::H2));
        let config = match to.protocol {
            Protocol::Plain => None,
            Protocol::Tls => Some(&TLS),
            Protocol::H2 => Some(&H2),
        };
        let socket = http::connect_for(poll, to.addr, number)?;
        let Some(config) = config else {
            return Ok(Line::Plain(socket));
        };
        let config = config.as_ref().map_err(ToString::to_string)?;
        let name = ServerName::try_from("localhost")?;
        let session = ClientConnection::new(Arc::clone(config), name)?;
        let mut line = Box::new((session, socket));
        send(&mut line)?;
        Ok(Line::Tls(line))
    }

    /// Whether a read that leaves room has read all that has come.
    pub(crate) fn reads_all_at_once(&self) -> bool {
        matches!(self, Line::Plain(_))
    }
}

/// Sends what the session has to say. It always fits the socket, since clients say little.
fn send((session, socket): &mut (ClientConnection, TcpStream)) -> io::Result<()> {
    while session.wants_write() {
        session.write_tls(socket)?;
    }
    Ok(())
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line = match self {
            Line::Plain(socket) => return socket.read(buffer),
            Line::Tls(line) => line,
        };
        loop {
            match line.0.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if line.0.read_tls(&mut line.1)? == 0 {
                return Ok(0);
            }
            let processed = line.0.process_new_packets();
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            send(line)?;
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Line::Plain(socket) => socket.write(bytes),
            Line::Tls(line) => {
                // Held until the handshake is done.
                let written = line.0.writer().write(bytes)?;
                send(line)?;
                Ok(written)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
