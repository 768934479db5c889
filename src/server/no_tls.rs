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
pub(super) use self::NoTlsSession as TlsSession;

/// There is none, either.
#[derive(Debug)]
pub(super) enum NoTlsSession {}

impl NoTlsSession {
    pub(super) fn write(
        &mut self,
        _: &[u8],
        _: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        match *self {}
    }

    pub(super) fn ignore(
        &mut self,
        _: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        match *self {}
    }

    pub(super) fn has_unsent(&self) -> bool {
        match *self {}
    }
}

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
