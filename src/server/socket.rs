//! What a socket is set to, and what its kernel tells. What only some systems have stays behind
//! `cfg`.

use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv6Addr, SocketAddr};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::limits;

/// Listens on an address.
pub(super) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    listen_with(socket, addr)
}

/// Listens on all addresses of the machine, of IPv6 and of IPv4.
pub(super) fn listen_on_both_families(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v6()?;
    SockRef::from(&socket).set_only_v6(false)?;
    listen_with(socket, (Ipv6Addr::UNSPECIFIED, port).into())
}

fn listen_with(socket: TcpSocket, addr: SocketAddr) -> io::Result<TcpListener> {
    // A server that was stopped can be started again at once. On Windows the option would let two
    // servers share an address.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(limits::ACCEPT_BACKLOG)
}

/// Sets what every connection needs: lines leave at once, a client that does not read costs
/// little, and a client that vanishes without closing is noticed.
pub(super) fn tune(socket: &TcpStream) -> io::Result<()> {
    SockRef::from(socket).set_send_buffer_size(limits::SEND_BUFFER_BYTES)?;
    if !is_tcp(socket) {
        return Ok(());
    }
    socket.set_nodelay(true)?;
    set_keepalive(socket, limits::KEEPALIVE_IDLE, limits::KEEPALIVE_INTERVAL)?;
    set_user_timeout(socket, Some(limits::ACK_TIMEOUT))
}

/// Whether a socket is one of TCP, and no Unix socket (`unix_socket.rs`), whose address is none of the
/// Internet: the standard library says so, and not the system.
fn is_tcp(socket: &TcpStream) -> bool {
    is_of_the_internet(&socket.local_addr())
}

fn is_of_the_internet(address: &io::Result<SocketAddr>) -> bool {
    !matches!(address, Err(error) if error.raw_os_error().is_none())
}

fn set_keepalive(socket: &TcpStream, idle: Duration, interval: Duration) -> io::Result<()> {
    let keepalive = TcpKeepalive::new().with_time(idle);
    #[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows"))]
    let keepalive = keepalive
        .with_interval(interval)
        .with_retries(limits::KEEPALIVE_PROBES);
    #[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "windows")))]
    let _ = interval;
    SockRef::from(socket).set_tcp_keepalive(&keepalive)
}

/// Sets how long the kernel waits for acknowledgements; `None` for as long as it does by itself.
#[cfg(target_os = "linux")]
fn set_user_timeout(socket: &TcpStream, timeout: Option<Duration>) -> io::Result<()> {
    SockRef::from(socket).set_tcp_user_timeout(Some(timeout.unwrap_or(Duration::ZERO)))
}

/// This system has no such setting.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
fn set_user_timeout(_: &TcpStream, _: Option<Duration>) -> io::Result<()> {
    Ok(())
}

/// What the server asks of a client's socket besides reading and writing.
pub(super) trait ClientSocket {
    /// Writes what fits at this moment, whatever the socket's readiness says: this server's kernel
    /// reports a socket ready only when a third of its send buffer is free. Returns how many of these
    /// bytes it took; 0 if it took others, which had been written before and were waiting.
    fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Whether the socket has taken anything since this was asked last although a write was not done: a
    /// part of what had been written before.
    fn take_progress(&mut self) -> bool {
        false
    }

    /// Sets how long the kernel waits for acknowledgements; `None` for as long as it does by itself.
    fn set_ack_timeout(&self, timeout: Option<Duration>);

    /// Lets the kernel notice soon that the client has vanished without closing.
    fn expect_liveness(&self);

    /// Ready when the client has closed its sending side, and all that it sent before has been read.
    fn poll_eof(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether the kernel still has a peer for the socket.
    fn is_connected(&self) -> bool;
}

impl ClientSocket for TcpStream {
    /// Nothing is read here.
    fn poll_eof(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut byte = [MaybeUninit::uninit()];
        loop {
            ready!(self.poll_read_ready(cx))?;
            match self.try_io(Interest::READABLE, || SockRef::from(&*self).peek(&mut byte)) {
                Ok(0) => return Poll::Ready(Ok(())),
                // Something is there that will be read later; what comes after it cannot be seen.
                Ok(_) => return Poll::Pending,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn is_connected(&self) -> bool {
        let peer = self.peer_addr();
        if is_of_the_internet(&peer) {
            return peer.is_ok();
        }
        // A Unix socket takes nothing more, and not even this, once its peer is gone.
        SockRef::from(self).send(&[]).is_ok()
    }

    fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SockRef::from(&*self).send(bytes)
    }

    fn set_ack_timeout(&self, timeout: Option<Duration>) {
        if is_tcp(self)
            && let Err(error) = set_user_timeout(self, timeout)
        {
            log::debug!("cannot set how long to wait for acknowledgements: {error}");
        }
    }

    fn expect_liveness(&self) {
        if !is_tcp(self) {
            return;
        }
        self.set_ack_timeout(Some(limits::PRESENCE_TIMEOUT));
        let (idle, interval) = (
            limits::PRESENCE_KEEPALIVE_IDLE,
            limits::PRESENCE_KEEPALIVE_INTERVAL,
        );
        if let Err(error) = set_keepalive(self, idle, interval) {
            log::debug!("a client that vanishes will be noticed later: {error}");
        }
    }
}

/// Makes the close of a socket discard what is unsent, for a client that will not read it: closed
/// in the ordinary way, the kernel would keep that for minutes.
pub(super) fn abandon<'s, S>(socket: &'s S)
where
    SockRef<'s>: From<&'s S>,
{
    // If it fails the kernel keeps it a little longer.
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

/// Waits until a socket that both sides have closed is closed for the kernel, too: then the other
/// side has taken all that was sent to it. The kernel reports that only when asked.
#[cfg(unix)]
pub(super) async fn closed(socket: &TcpStream) -> io::Result<()> {
    let mut pause = Duration::from_millis(1);
    while socket.is_connected() {
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(limits::CLOSE_POLL_INTERVAL_MAX);
    }
    socket.take_error()?.map_or(Ok(()), Err)
}

/// Returns at once: this system does not report whether the kernel has closed the socket.
#[cfg(not(unix))]
#[expect(clippy::unused_async, reason = "elsewhere it waits")]
pub(super) async fn closed(_: &TcpStream) -> io::Result<()> {
    Ok(())
}
