//! What a socket is set to. What only some systems have stays behind `cfg`.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::limits;

/// Listens on an address.
pub(super) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // A server that was stopped can be started again at once. On Windows the option would let two
    // servers share an address.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(limits::BACKLOG)
}

/// Sets what every connection needs: lines leave at once, a client that does not read costs
/// little, and one that is gone without a word is noticed.
pub(super) fn tune(socket: &TcpStream, patience: Duration) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    socket.set_send_buffer_size(limits::SEND_BUFFER)?;
    let keepalive = TcpKeepalive::new().with_time(limits::KEEPALIVE_IDLE);
    #[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows"))]
    let keepalive = keepalive
        .with_interval(limits::KEEPALIVE_INTERVAL)
        .with_retries(limits::KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(patience))?;
    #[cfg(not(target_os = "linux"))]
    let _ = patience;
    Ok(())
}

/// Notices soon when the client is gone without a word.
pub(super) fn watch(socket: &TcpStream) {
    #[cfg(target_os = "linux")]
    if let Err(error) = SockRef::from(socket).set_tcp_user_timeout(Some(limits::PRESENCE_TIMEOUT)) {
        log::debug!("a client that is gone is noticed later: {error}");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Lets a connection go with all that is unsent, for a client that will not read it: closed in
/// the ordinary way, the kernel would keep that for minutes.
pub(super) fn abandon(socket: &TcpStream) {
    // If it fails the kernel keeps it a little longer.
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

/// Waits until a socket that both sides have closed is closed for the kernel, too: then the other
/// side has taken all that was sent to it. The kernel tells that only to those who ask.
#[cfg(unix)]
pub(super) async fn closed(socket: &TcpStream) -> io::Result<()> {
    let mut pause = Duration::from_millis(1);
    while socket.peer_addr().is_ok() {
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(limits::CLOSE_PAUSE);
    }
    socket.take_error()?.map_or(Ok(()), Err)
}

/// The kernel does not tell.
#[cfg(not(unix))]
#[expect(clippy::unused_async, reason = "elsewhere it waits")]
pub(super) async fn closed(_: &TcpStream) -> io::Result<()> {
    Ok(())
}
