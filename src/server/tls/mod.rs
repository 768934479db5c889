//! TLS: the certificate, and what comes before the first request.
//!
//! | file | what it is |
//! |---|---|
//! | `acme.rs` | certificates by ACME |
//! | `certificate.rs` | the certificate of files |
//! | `handshakes.rs` | how many handshakes go on |
//! | `outgoing.rs` | TLS with another server, for `check` |
//! | `tls_session.rs` | records and text. No IO |
//! | `tls_stream.rs` | TLS on a socket |
//!
//! A handshake is done by the task of its connection, never by the loop that accepts: a client that says
//! nothing costs a socket for [`limits::HANDSHAKE_TIMEOUT`], and keeps nobody out. TLS 1.2 and 1.3 are
//! spoken, with the suites that rustls has, all of which have forward secrecy. A client that comes back
//! shows a ticket, which this server keeps nothing for.

mod acme;
mod certificate;
mod handshakes;
mod outgoing;
mod tls_session;
#[cfg(test)]
mod tls_session_tests;
mod tls_stream;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

pub(super) use outgoing::connect;
pub(super) use tls_session::TlsSession;
pub(super) use tls_stream::TlsStream;

use acme::{Acme, AcmeError, CHALLENGE_PROTOCOL};
use certificate::{Certificate, CertificateError};
use handshakes::Handshakes;

use super::client_stream::{ClientStream, HandshakeFault};
use crate::config::CertificateSource;
use crate::limits;

/// What the connections of a listener that speaks TLS share.
#[derive(Debug)]
pub(super) struct Tls {
    config: Arc<ServerConfig>,
    /// The certificate of files.
    certificate: Option<Arc<Certificate>>,
    /// What asks for certificates, until it runs.
    acme: Mutex<Option<Acme>>,
    handshakes: Handshakes,
    timeout: Duration,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There is no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// None can be asked for.
    #[error(transparent)]
    Acme(#[from] AcmeError),
    /// What rustls says.
    #[error("cannot speak TLS: {0}")]
    Rustls(#[from] rustls::Error),
}

impl Tls {
    /// Reads the certificate, or prepares to ask for one. A client that does not come to the end of the handshake in this time is
    /// given up.
    pub(super) fn open(source: &CertificateSource, timeout: Duration) -> Result<Tls, TlsError> {
        let (mut certificate, mut acme) = (None, None);
        let shown: Arc<dyn ResolvesServerCert> = match source {
            CertificateSource::Files(files) => {
                let files = Arc::new(Certificate::open(files.clone())?);
                certificate = Some(Arc::clone(&files));
                files
            }
            CertificateSource::Acme(options) => {
                let asking = Acme::new(options)?;
                let shown = asking.certificate();
                acme = Some(asking);
                shown
            }
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(shown);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if acme.is_some() {
            config.alpn_protocols.push(CHALLENGE_PROTOCOL.to_vec());
        }
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Tls {
            config: Arc::new(config),
            certificate,
            acme: Mutex::new(acme),
            handshakes: Handshakes::new(limits::HANDSHAKES_MAX),
            timeout,
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
            if stream.protocol() == Some(CHALLENGE_PROTOCOL) {
                let seen = "the authority of ACME has seen that this is the server";
                return Err(io::Error::other(seen).into());
            }
            Ok(ClientStream::Tls(stream))
        };
        tokio::select! {
            accepted = timeout(self.timeout, accept) => accepted.map_err(io::Error::from)?,
            () = handshake.ended() => {
                Err(io::Error::other("the handshake has made room for others").into())
            }
        }
    }

    /// Reads the certificate again: it is shown when this returns. Returns whether it is one of files.
    pub(super) fn reload(&self) -> bool {
        if let Some(certificate) = &self.certificate {
            reload(certificate, true);
        }
        self.certificate.is_some()
    }

    /// Has a certificate of today: asks for one, or reads its files again when they have changed.
    pub(super) async fn renew(&self) {
        let acme = self.acme.lock().take();
        if let Some(acme) = acme {
            acme.run().await;
        }
        let Some(certificate) = &self.certificate else {
            return std::future::pending().await;
        };
        loop {
            sleep(limits::CERTIFICATE_CHECK_INTERVAL).await;
            let certificate = Arc::clone(certificate);
            let reloaded = tokio::task::spawn_blocking(move || reload(&certificate, false)).await;
            if let Err(error) = reloaded {
                log::error!("the certificate was not read again: {error}");
            }
        }
    }
}

/// Reads a certificate again, and says what has come of it; where nobody has asked, only what is news.
fn reload(certificate: &Certificate, is_asked: bool) {
    match certificate.reload() {
        Ok(true) => log::info!("the certificate has been read again"),
        Ok(false) if is_asked => log::info!("the certificate is the same as before"),
        Ok(false) => {}
        Err(error) => log::error!("{error}; the certificate of before is shown still"),
    }
}

/// The cryptography.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
