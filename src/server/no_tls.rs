//! In the place of `tls`, in a program that is built without it.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

use super::client_stream::{ClientStream, HandshakeFault};
use crate::authority::HostName;
use crate::config::CertificateSource;

/// There is none.
#[derive(Debug)]
pub(super) enum NoTls {}

pub(super) use self::NoTls as Tls;
pub use self::NoTlsError as TlsError;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[error("this program was built without TLS; build it with the feature `secure`")]
pub struct NoTlsError;

/// Fails: no TLS is spoken with other servers, either.
#[expect(clippy::unused_async, reason = "with TLS it waits")]
pub(super) async fn connect(_: &HostName, _: TcpStream) -> io::Result<TcpStream> {
    Err(io::Error::other(NoTlsError))
}

impl NoTls {
    pub(super) fn open(_: &CertificateSource, _: Duration) -> Result<NoTls, NoTlsError> {
        Err(NoTlsError)
    }

    #[expect(clippy::unused_async, reason = "with TLS it waits")]
    pub(super) async fn accept(&self, _: TcpStream) -> Result<ClientStream, HandshakeFault> {
        match *self {}
    }

    pub(super) fn reload(&self) -> bool {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "with TLS it waits")]
    pub(super) async fn renew(&self) {
        match *self {}
    }
}
