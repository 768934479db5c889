//! TLS: the certificate, and what comes before the first request.
//!
//! | file | what it is |
//! |---|---|
//! | `certificate.rs` | the certificate, and its files |
//! | `handshakes.rs` | how many handshakes go on |
//! | `tls_session.rs` | records and text. No IO |
//! | `tls_stream.rs` | TLS on a socket |
//!
//! A handshake is done by the task of its connection, never by the loop that accepts: a client that says
//! nothing costs a socket for [`limits::HANDSHAKE_TIMEOUT`], and keeps nobody out. TLS 1.2 and 1.3 are
//! spoken, with the suites that rustls has, all of which have forward secrecy. A client that comes back
//! shows a ticket, which this server keeps nothing for.

mod certificate;
mod handshakes;
mod tls_session;
mod tls_stream;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use certificate::CertificateError;
pub(super) use tls_stream::TlsStream;

use certificate::Certificate;
use handshakes::Handshakes;

use super::client_stream::{ClientStream, HandshakeFault};
use crate::config::CertificateFiles;
use crate::limits;

/// What the connections of a listener that speaks TLS share.
#[derive(Debug)]
pub(super) struct Tls {
    config: Arc<ServerConfig>,
    certificate: Arc<Certificate>,
    handshakes: Handshakes,
    timeout: Duration,
    /// Rung when the certificate is to be read again at once.
    reload: Notify,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There is no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// What rustls says.
    #[error("cannot speak TLS: {0}")]
    Rustls(#[from] rustls::Error),
}

impl Tls {
    /// Reads the certificate. A client that does not come to the end of the handshake in this time is
    /// given up.
    pub(super) fn open(files: CertificateFiles, timeout: Duration) -> Result<Tls, TlsError> {
        let certificate = Arc::new(Certificate::open(files)?);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Certificate>::clone(&certificate));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Tls {
            config: Arc::new(config),
            certificate,
            handshakes: Handshakes::new(limits::HANDSHAKES_MAX),
            timeout,
            reload: Notify::new(),
        })
    }

    /// Does the handshake on a socket.
    ///
    /// # Errors
    /// When the client speaks plain HTTP, or no TLS that is spoken here, or does not come to the end of
    /// the handshake in time, or has to make room for another.
    pub(super) async fn accept(&self, socket: TcpStream) -> Result<ClientStream, HandshakeFault> {
        let handshake = self.handshakes.begin();
        let accept = async {
            let mut first = [0];
            if socket.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
                return Err(HandshakeFault::PlainHttp(socket));
            }
            let stream = TlsStream::accept(socket, Arc::clone(&self.config)).await?;
            Ok(ClientStream::Tls(stream))
        };
        tokio::select! {
            accepted = timeout(self.timeout, accept) => accepted.map_err(io::Error::from)?,
            () = handshake.ended() => {
                Err(io::Error::other("the handshake has made room for others").into())
            }
        }
    }

    /// Has the certificate read again.
    pub(super) fn reload(&self) {
        self.reload.notify_one();
    }

    /// Reads the certificate again whenever that is asked for, or its files have changed.
    pub(super) async fn follow_files(&self) {
        loop {
            let asked = timeout(limits::CERTIFICATE_CHECK_INTERVAL, self.reload.notified());
            let is_asked = asked.await.is_ok();
            let certificate = Arc::clone(&self.certificate);
            let reloaded = tokio::task::spawn_blocking(move || certificate.reload()).await;
            match reloaded {
                Ok(Ok(true)) => log::info!("the certificate has been read again"),
                Ok(Ok(false)) if is_asked => log::info!("the certificate is the same as before"),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => log::error!("{error}; the certificate of before is shown still"),
                Err(error) => log::error!("the certificate was not read again: {error}"),
            }
        }
    }
}

/// The cryptography.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
