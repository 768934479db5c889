//! The sockets that the server listens on: one for each address that `--listen` and `--listen-plain`
//! lead to.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::net::TcpListener;

use super::inherited::InheritedSockets;
use super::socket;
#[cfg(unix)]
use super::unix_socket::UnixSocket;
use crate::config::Listen;
use crate::limits;

/// What is spoken with those who connect to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// The scheme as it stands in a URL.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// A connection that has been accepted, and does not block.
pub(super) struct Incoming {
    pub(super) socket: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) scheme: Scheme,
}

/// A listening socket.
#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixSocket),
}

/// The listening sockets; there is at least one.
#[derive(Debug)]
pub(super) struct Listeners {
    sockets: Vec<(Listener, Scheme)>,
    /// The socket that is asked first, so that none of them waits for the others for ever.
    first: AtomicUsize,
}

impl Listeners {
    /// Listens on all addresses that `listen` leads to. Of a name's addresses, those that this machine
    /// does not have are left out, unless it has none of them.
    pub(super) fn bind(listen: &Listen, scheme: Scheme) -> io::Result<Listeners> {
        let sockets = match listen {
            Listen::Address(address) => vec![socket::listen(*address)?],
            Listen::All(port) => vec![bind_every_address(*port)?],
            Listen::Name(name, port) => bind_name(name, *port)?,
            Listen::Unix(path) => return bind_unix(path, scheme),
        };
        let sockets = sockets.into_iter().map(Listener::Tcp);
        Ok(Listeners::of(sockets, scheme))
    }

    fn of(sockets: impl IntoIterator<Item = Listener>, scheme: Scheme) -> Listeners {
        let sockets = sockets.into_iter().map(|socket| (socket, scheme));
        Listeners {
            sockets: sockets.collect(),
            first: AtomicUsize::new(0),
        }
    }

    /// Listens on the sockets of both.
    pub(super) fn and(mut self, others: Listeners) -> Listeners {
        self.sockets.extend(others.sockets);
        self
    }

    /// Listens on sockets that are open already, of which there is at least one.
    pub(super) fn inherit(sockets: InheritedSockets, scheme: Scheme) -> io::Result<Listeners> {
        let sockets = sockets.0.into_iter().map(TcpListener::from_std);
        let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
        Ok(Listeners::of(
            sockets.into_iter().map(Listener::Tcp),
            scheme,
        ))
    }

    /// The addresses of the sockets that have one: a Unix socket has none.
    pub(super) fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        let sockets = self.sockets.iter();
        let addrs = sockets.filter_map(|(socket, _)| socket.local_addr());
        addrs.collect()
    }

    /// The addresses of the sockets as URLs, without a path; a Unix socket as `unix:PATH`.
    pub(super) fn urls(&self) -> io::Result<Vec<String>> {
        let sockets = self.sockets.iter();
        sockets
            .map(|(socket, scheme)| match socket {
                Listener::Tcp(tcp) => Ok(format!("{}://{}", scheme.as_str(), tcp.local_addr()?)),
                #[cfg(unix)]
                Listener::Unix(unix) => Ok(format!("unix:{}", unix.path().display())),
            })
            .collect()
    }

    /// Waits for a connection on any of the sockets.
    pub(super) async fn accept(&self) -> io::Result<Incoming> {
        let first = self.first.fetch_add(1, Relaxed) % self.sockets.len();
        let (later, earlier) = self.sockets.split_at(first);
        poll_fn(|cx| {
            let mut sockets = earlier.iter().chain(later);
            let accepted = sockets.find_map(|(socket, scheme)| match socket.poll_accept(cx) {
                Poll::Ready(accepted) => Some(accepted.map(|(socket, peer)| Incoming {
                    socket,
                    peer,
                    scheme: *scheme,
                })),
                Poll::Pending => None,
            });
            accepted.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Gives each connection that waits to be accepted, and then listens no more.
    pub(super) fn accept_last(self, mut take: impl FnMut(Incoming)) {
        for (socket, scheme) in self.sockets {
            let take = |socket, peer| {
                take(Incoming {
                    socket,
                    peer,
                    scheme,
                });
            };
            match socket {
                Listener::Tcp(tcp) => accept_last_of_tcp(tcp, take),
                #[cfg(unix)]
                Listener::Unix(unix) => unix.accept_last(take),
            }
        }
    }
}

impl Listener {
    /// Its address, if it is one of TCP.
    fn local_addr(&self) -> Option<io::Result<SocketAddr>> {
        match self {
            Listener::Tcp(tcp) => Some(tcp.local_addr()),
            #[cfg(unix)]
            Listener::Unix(_) => None,
        }
    }

    /// Waits for a connection. It belongs to no runtime yet.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        match self {
            Listener::Tcp(tcp) => tcp
                .poll_accept(cx)
                .map(|accepted| accepted.and_then(|(socket, peer)| Ok((socket.into_std()?, peer)))),
            #[cfg(unix)]
            Listener::Unix(unix) => unix.poll_accept(cx),
        }
    }
}

/// Gives each connection that waits to be accepted: not by the runtime, which may not have heard yet of
/// those that came last.
fn accept_last_of_tcp(listener: TcpListener, mut take: impl FnMut(TcpStream, SocketAddr)) {
    if let Ok(listener) = listener.into_std() {
        while let Ok((socket, peer)) = listener.accept() {
            if socket.set_nonblocking(true).is_ok() {
                take(socket, peer);
            }
        }
    }
}

#[cfg(unix)]
fn bind_unix(path: &Path, scheme: Scheme) -> io::Result<Listeners> {
    Ok(Listeners::of(
        [Listener::Unix(UnixSocket::bind(path)?)],
        scheme,
    ))
}

#[cfg(not(unix))]
fn bind_unix(_: &Path, _: Scheme) -> io::Result<Listeners> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Listens on all addresses of a name, with the same port.
fn bind_name(name: &str, port: u16) -> io::Result<Vec<TcpListener>> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in (name, port).to_socket_addrs()? {
        if !addresses.contains(&address) && addresses.len() < limits::LISTENERS_MAX {
            addresses.push(address);
        }
    }
    let mut tries = 0;
    loop {
        tries += 1;
        match bind_all(&addresses) {
            // The free port that the first socket got was not free at another address.
            Err(error)
                if port == 0
                    && error.kind() == io::ErrorKind::AddrInUse
                    && tries < limits::FREE_PORT_TRIES => {}
            bound => return bound,
        }
    }
}

fn bind_all(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let mut sockets: Vec<TcpListener> = Vec::new();
    let mut missing = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        let mut address = *address;
        if let Some(first) = sockets.first() {
            address.set_port(first.local_addr()?.port());
        }
        match socket::listen(address) {
            Ok(socket) => sockets.push(socket),
            Err(error) if is_missing(&error) => missing = error,
            Err(error) => return Err(error),
        }
    }
    if sockets.is_empty() {
        return Err(missing);
    }
    Ok(sockets)
}

/// Whether this machine does not have the address, or none of its kind.
fn is_missing(error: &io::Error) -> bool {
    // Linux names a family that it does not have with a number that Rust has no name for.
    matches!(
        error.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported
    ) || error.raw_os_error() == Some(EAFNOSUPPORT)
}

/// "Address family not supported by protocol" on Linux.
const EAFNOSUPPORT: i32 = 97;

/// Listens on all addresses of the machine, of both families; of IPv4 alone if there is no other.
fn bind_every_address(port: u16) -> io::Result<TcpListener> {
    match socket::listen_on_both_families(port) {
        Err(error) if is_missing(&error) => socket::listen((Ipv4Addr::UNSPECIFIED, port).into()),
        bound => bound,
    }
}
