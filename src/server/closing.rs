//! Closing a connection so that its client gets all that was written to it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::client_stream::ClientStream;
use super::socket::{self, ClientSocket};
use crate::connection::{Connection, Phase};
use crate::limits;

/// Closes a socket so that its client gets all that was written, and waits until that has arrived if
/// something was delivered that is not confirmed. Returns whether all is known to have arrived.
///
/// What the client still sends is read and thrown away for a while: to close before that would reset
/// the connection, and the answer, or the word that there is none, would be lost with it.
pub(super) async fn close<S>(
    mut socket: ClientStream,
    connection: &Connection<S>,
    stall: Duration,
) -> bool {
    if !connection.phase().get().can_deliver() || socket.shutdown().await.is_err() {
        return false;
    }
    if connection.has_unconfirmed() {
        socket.set_ack_timeout(Some(stall));
        let all = all_arrived(&mut socket, connection);
        return match tokio::time::timeout(stall + limits::LINGER_TIMEOUT, all).await {
            Ok(ended) => ended.is_ok(),
            // Linux would have given up by now if anything were unacknowledged (`TCP_USER_TIMEOUT`).
            Err(_) => cfg!(target_os = "linux"),
        };
    }
    if connection.phase().get() == Phase::Open {
        // The client may be sending, a request or the rest of a body, and is told that nobody reads it
        // by an orderly end.
        let read = all_arrived(&mut socket, connection);
        let _ = tokio::time::timeout(limits::LINGER_TIMEOUT, read).await;
    }
    false
}

/// Waits until the client has closed the connection, too, or until it is known to be broken.
async fn all_arrived<S>(socket: &mut ClientStream, connection: &Connection<S>) -> io::Result<()> {
    let mut sink = [0; 4096];
    let closed_first = connection.phase().get() == Phase::HalfClosed;
    while !closed_first && socket.read(&mut sink).await? > 0 {
        connection.on_late_read();
    }
    if (closed_first || socket.is_tls()) && connection.has_unconfirmed() {
        // The client closed before the answer was there, or because it had the answer. (What ends TLS
        // may have been sent long before the answer came.)
        socket::closed(socket.socket()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Client;
    use std::net::{IpAddr, Ipv4Addr};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::oneshot;

    type Requests = Connection<()>;

    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const STALL: Duration = Duration::from_secs(30);

    /// The server's and the client's end of a connection.
    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await;
        (listener.accept().await.unwrap().0, client.unwrap())
    }

    /// The two ends of a Unix socket.
    #[cfg(unix)]
    fn connected_here() -> (TcpStream, TcpStream) {
        let (server, client) = std::os::unix::net::UnixStream::pair().unwrap();
        let as_tcp = |socket: std::os::unix::net::UnixStream| {
            socket.set_nonblocking(true).unwrap();
            let socket = std::os::fd::OwnedFd::from(socket);
            TcpStream::from_std(std::net::TcpStream::from(socket)).unwrap()
        };
        (as_tcp(server), as_tcp(client))
    }

    /// Writes an answer that delivers something. The receiver hears of the confirmation.
    async fn answer(server: &mut TcpStream, connection: &Requests) -> oneshot::Receiver<()> {
        let (confirm, confirmed) = oneshot::channel();
        let on_delivered = Box::new(move || confirm.send(()).unwrap());
        connection.add_delivery(Client::Direct, on_delivered);
        server.write_all(b"answer").await.unwrap();
        confirmed
    }

    /// Closes as a connection does in the end; true if the delivery is confirmed.
    async fn closed(
        server: TcpStream,
        connection: Requests,
        confirmed: oneshot::Receiver<()>,
    ) -> bool {
        let all_arrived = close(ClientStream::Plain(server), &connection, STALL).await;
        connection.on_end(all_arrived);
        confirmed.await.is_ok()
    }

    /// A client that reads the answer and then closes has it.
    #[tokio::test]
    async fn close_after_answer_confirms() {
        let ((mut server, mut client), connection) = (connected().await, Requests::new(LOCALHOST));
        let confirmed = answer(&mut server, &connection).await;
        client.read_exact(&mut [0; 6]).await.unwrap();
        drop(client);
        assert_eq!(server.read(&mut [0; 1]).await.unwrap(), 0);
        connection.on_eof();
        assert!(closed(server, connection, confirmed).await);
    }

    /// A client that closed before the answer was written does not have it.
    #[tokio::test]
    async fn close_before_answer_returns() {
        let ((mut server, client), connection) = (connected().await, Requests::new(LOCALHOST));
        drop(client);
        // The answer is on its way when the server sees the end.
        server.readable().await.unwrap();
        let confirmed = answer(&mut server, &connection).await;
        connection.on_eof();
        assert!(!closed(server, connection, confirmed).await);
    }

    /// Whether a client has the answer that is closed by the server and reads this much of it.
    async fn has_answer((mut server, mut client): (TcpStream, TcpStream), reads: usize) -> bool {
        let connection = Requests::new(LOCALHOST);
        let confirmed = answer(&mut server, &connection).await;
        let closing = tokio::spawn(closed(server, connection, confirmed));
        client.read_exact(&mut vec![0; reads]).await.unwrap();
        // The rest, or that the server has closed.
        client.readable().await.unwrap();
        drop(client);
        closing.await.unwrap()
    }

    /// A client that is closed by the server has the answer, unless it closes with it unread.
    #[tokio::test]
    async fn server_close_confirms_what_is_read() {
        for (reads, has_it) in [(6, true), (3, false)] {
            assert_eq!(
                has_answer(connected().await, reads).await,
                has_it,
                "{reads}"
            );
            #[cfg(unix)]
            assert_eq!(has_answer(connected_here(), reads).await, has_it, "{reads}");
        }
    }

    /// A client that never closes is waited for as long as the kernel waits for acknowledgements.
    #[tokio::test(start_paused = true)]
    async fn client_that_never_closes_is_waited_for() {
        let ((mut server, _client), connection) = (connected().await, Requests::new(LOCALHOST));
        let confirmed = answer(&mut server, &connection).await;
        let began = tokio::time::Instant::now();
        let is_confirmed = closed(server, connection, confirmed).await;
        assert_eq!(is_confirmed, cfg!(target_os = "linux"));
        assert!(began.elapsed() >= STALL);
    }

    /// A client whose body is left unread is read from for a while.
    #[tokio::test(start_paused = true)]
    async fn unread_body_is_read_for_a_while() {
        let ((server, _client), connection) = (connected().await, Requests::new(LOCALHOST));
        let began = tokio::time::Instant::now();
        assert!(!close(ClientStream::Plain(server), &connection, STALL).await);
        let took = began.elapsed();
        let expected = limits::LINGER_TIMEOUT..limits::LINGER_TIMEOUT * 2;
        assert!(expected.contains(&took), "{took:?}");
    }
}
