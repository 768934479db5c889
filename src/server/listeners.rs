//! The sockets that the server listens on: one for each address that `--listen` and `--listen-plain`
//! lead to.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Poll;

use tokio::net::{TcpListener, TcpStream};

use super::inherited::InheritedSockets;
use super::socket;
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

/// The listening sockets; there is at least one.
#[derive(Debug)]
pub(super) struct Listeners {
    sockets: Vec<(TcpListener, Scheme)>,
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
        };
        Ok(Listeners {
            sockets: sockets.into_iter().map(|socket| (socket, scheme)).collect(),
            first: AtomicUsize::new(0),
        })
    }

    /// Listens on the sockets of both.
    pub(super) fn and(mut self, others: Listeners) -> Listeners {
        self.sockets.extend(others.sockets);
        self
    }

    /// Listens on sockets that are open already, of which there is at least one.
    pub(super) fn inherit(sockets: InheritedSockets, scheme: Scheme) -> io::Result<Listeners> {
        let sockets = sockets.0.into_iter();
        let sockets = sockets.map(|socket| Ok((TcpListener::from_std(socket)?, scheme)));
        Ok(Listeners {
            sockets: sockets.collect::<io::Result<_>>()?,
            first: AtomicUsize::new(0),
        })
    }

    /// The addresses of the sockets.
    pub(super) fn local_addrs(&self) -> io::Result<Vec<(SocketAddr, Scheme)>> {
        let sockets = self.sockets.iter();
        sockets
            .map(|(socket, scheme)| Ok((socket.local_addr()?, *scheme)))
            .collect()
    }

    /// The addresses of the sockets as URLs, without a path.
    pub(super) fn urls(&self) -> io::Result<Vec<String>> {
        let addrs = self.local_addrs()?.into_iter();
        let urls = addrs.map(|(addr, scheme)| format!("{}://{addr}", scheme.as_str()));
        Ok(urls.collect())
    }

    /// Waits for a connection on any of the sockets.
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr, Scheme)> {
        let first = self.first.fetch_add(1, Relaxed) % self.sockets.len();
        let (later, earlier) = self.sockets.split_at(first);
        poll_fn(|cx| {
            let mut sockets = earlier.iter().chain(later);
            let accepted = sockets.find_map(|(socket, scheme)| match socket.poll_accept(cx) {
                Poll::Ready(accepted) => {
                    Some(accepted.map(|(socket, peer)| (socket, peer, *scheme)))
                }
                Poll::Pending => None,
            });
            accepted.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// The sockets without their runtime.
    pub(super) fn into_std(self) -> impl Iterator<Item = (std::net::TcpListener, Scheme)> {
        let sockets = self.sockets.into_iter();
        sockets.filter_map(|(socket, scheme)| Some((socket.into_std().ok()?, scheme)))
    }
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
