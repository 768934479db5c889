//! A Unix socket to listen on: a file, to which programs of this machine connect, such as a proxy.
//!
//! **Its connections are a [`TcpStream`] to the rest of the server.** The standard library makes one of any
//! descriptor, and reading, writing, peeking, shutting down and watching are the same for both kinds of
//! sockets. What TCP alone has is left out in `socket.rs`. So streams that a connection has for itself, and
//! the crowd with its thousands of sockets, have one kind, and nothing is larger for the sake of the other.
//!
//! Who connects is this machine itself, as over the loopback: its address is 127.0.0.1.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

use crate::limits;

/// The address that stands for whoever connects.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Who may connect: the socket's owner, and its group, which a proxy can be a member of.
const MODE: u32 = 0o660;

/// A Unix socket that is listened on. Its file is removed when this is dropped.
#[derive(Debug)]
pub(super) struct UnixSocket {
    listener: UnixListener,
    file: SocketFile,
}

impl UnixSocket {
    /// Listens at this path, where nothing is yet, or a socket on which nobody listens any more.
    pub(super) fn bind(path: &Path) -> io::Result<UnixSocket> {
        let address = SockAddr::unix(path)?;
        remove_stale(path, &address)?;
        let socket = new_socket()?;
        socket.bind(&address)?;
        let file = SocketFile::at(path)?;
        // Nobody can connect before the socket listens, whatever the umask was.
        fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
        // It fits.
        socket.listen(i32::try_from(limits::ACCEPT_BACKLOG).unwrap_or(i32::MAX))?;
        let listener = UnixListener::from_std(net::UnixListener::from(socket))?;
        Ok(UnixSocket { listener, file })
    }

    /// The path of the socket.
    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }

    /// Waits for a connection.
    pub(super) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let accepted = self.listener.poll_accept(cx);
        accepted.map(|accepted| Ok((as_tcp(accepted?.0.into_std()?), PEER)))
    }

    /// Gives each connection that waits to be accepted, and then listens no more.
    pub(super) fn accept_last(self, mut take: impl FnMut(TcpStream, SocketAddr)) {
        if let Ok(listener) = self.listener.into_std() {
            while let Ok((socket, _)) = listener.accept() {
                take(as_tcp(socket), PEER);
            }
        }
    }
}

/// A connection as the rest of the server has it.
fn as_tcp(socket: net::UnixStream) -> TcpStream {
    TcpStream::from(OwnedFd::from(socket))
}

/// The file of a socket that is listened on.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// The device and the number, by which it is told from another of the same name.
    id: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<SocketFile> {
        let id = id(path)?;
        let path = path.to_owned();
        Ok(SocketFile { path, id })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another server may have put its own there.
        if id(&self.path).is_ok_and(|id| id == self.id)
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

fn id(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

/// Removes a socket on which nobody listens, such as that of a server that was killed.
fn remove_stale(path: &Path, address: &SockAddr) -> io::Result<()> {
    let file = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    if !file.file_type().is_socket() {
        let what = "something is there that is no socket, and is not removed";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    match new_socket()?.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // A server whose connections wait to be accepted is one, too.
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => {
            let what = "another server listens there";
            Err(io::Error::new(io::ErrorKind::AddrInUse, what))
        }
    }
}

/// A socket that does not block.
fn new_socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
