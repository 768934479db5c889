//! The sockets that a service manager has opened for this process (socket activation,
//! `sd_listen_fds(3)`): they are listened on in the place of `--listen`.

use std::io;
use std::net::TcpListener;

#[cfg(target_os = "linux")]
use socket2::{Domain, SockRef, Type};

use crate::limits;

/// Sockets that were open before this process began.
#[derive(Debug, Default)]
pub struct InheritedSockets(pub(super) Vec<TcpListener>);

/// Why an inherited socket cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum InheritError {
    /// The environment cannot be read.
    #[error("cannot take over the sockets of LISTEN_FDS: {0}")]
    Environment(#[from] sd_listen_fds::Error),
    /// There are too many.
    #[error(
        "LISTEN_FDS has {0} sockets; the limit is {max}",
        max = limits::LISTENERS_MAX
    )]
    TooMany(usize),
    /// One is of another kind.
    #[error(
        "the socket {0} of LISTEN_FDS is not one of TCP that listens; give the service a \
         ListenStream= with a port, and Accept=no"
    )]
    OtherKind(String),
    /// One cannot be used.
    #[error("cannot take over the socket {0} of LISTEN_FDS: {1}")]
    Unusable(String, io::Error),
}

impl InheritedSockets {
    /// Takes the sockets over. To be called once, before this process opens anything: sockets are handed
    /// over by their number alone.
    ///
    /// # Errors
    /// When there are sockets that cannot be served.
    pub fn take() -> Result<InheritedSockets, InheritError> {
        let sockets = sd_listen_fds::get()?;
        if sockets.len() > limits::LISTENERS_MAX {
            return Err(InheritError::TooMany(sockets.len()));
        }
        let sockets = sockets.into_iter().zip(1..).map(|((name, socket), nth)| {
            let name = name.map_or_else(|| nth.to_string(), |name| format!("{nth} ({name})"));
            let socket = TcpListener::from(socket);
            match listens(&socket) {
                Ok(true) => Ok(socket),
                Ok(false) => Err(InheritError::OtherKind(name)),
                Err(error) => Err(InheritError::Unusable(name, error)),
            }
        });
        sockets.collect::<Result<_, _>>().map(InheritedSockets)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether this is a socket of TCP that listens. From then on it does not block.
#[cfg(target_os = "linux")]
fn listens(socket: &TcpListener) -> io::Result<bool> {
    let options = SockRef::from(socket);
    let is_tcp = [Domain::IPV4, Domain::IPV6].contains(&options.domain()?)
        && options.r#type()? == Type::STREAM
        && options.is_listener()?;
    options.set_nonblocking(true)?;
    Ok(is_tcp)
}

/// No sockets are handed over on other systems.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
fn listens(_: &TcpListener) -> io::Result<bool> {
    Ok(false)
}
