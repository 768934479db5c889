//! One connection, from its first byte to its last.
//!
//! TLS would begin here, where an accepted socket becomes a connection. Two more places are tied to
//! `TcpStream`: `StreamConn` (`try_write`, `poll_write_ready`) and [`ClientSocket::write_now`].

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use super::answer_body::AnswerBody;
use super::crowd::CrowdHandle;
use super::head_wait::HeadWait;
use super::lanes::LaneLoad;
use super::monitored_io::MonitoredIo;
use super::socket::{self, ClientSocket};
use super::stall::Stall;
use super::stream_conn::StreamConn;
use crate::client_shares::ClientPlace;
use crate::config::Timeouts;
use crate::connection::{Connection, HeadFault, Phase};
use crate::drain::Busy;
use crate::follow::ChunkStream;
use crate::http::{self, App, NoPlace};
use crate::limits;
use crate::metrics::{OpenConnection, RefusalReason};

/// An accepted connection that is not served yet.
pub(super) struct Accepted {
    pub(super) socket: std::net::TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) app: Arc<App>,
    pub(super) timeouts: Timeouts,
    /// Its place; without one the one request is answered with that.
    pub(super) place: Result<ServedPlace, NoPlace>,
    pub(super) load: LaneLoad,
}

/// The place of a connection that is served: one of the server's, and one of its client's.
pub(super) type ServedPlace = (OwnedSemaphorePermit, ClientPlace);

/// Serves a connection until it is over, or is one of its lane's crowd, if there is one.
pub(super) async fn serve(accepted: Box<Accepted>, crowd: Option<CrowdHandle>) {
    if let Some((stream, permit)) = Box::pin(requests(accepted)).await {
        let crowd = crowd.filter(CrowdHandle::is_served);
        serve_stream(stream, permit, crowd).await;
    }
}

/// Serves a connection that a stream has for itself until it is over, or idle.
pub(super) async fn serve_stream(
    stream: StreamConn,
    permit: ConnPermit,
    crowd: Option<CrowdHandle>,
) {
    match (stream.run(crowd.as_ref()).await, crowd) {
        (Ok(Some(idle)), Some(crowd)) => crowd.enter(idle, permit),
        (Ok(_), _) => {}
        (Err(error), _) => log::debug!("a stream's connection is over: {error}"),
    }
}

/// What is given back when a stream's connection is over.
#[derive(Debug)]
#[expect(dead_code, reason = "held until it is dropped")]
pub(super) struct ConnPermit {
    place: Option<ServedPlace>,
    load: LaneLoad,
    open: OpenConnection,
    busy: Busy,
}

/// Answers requests until the connection is over, or is handed over to a stream.
async fn requests(accepted: Box<Accepted>) -> Option<(StreamConn, ConnPermit)> {
    let Accepted {
        socket,
        peer,
        app,
        timeouts,
        place,
        load,
    } = *accepted;
    let (place, refused) = match place {
        Ok(place) => (Some(place), None),
        Err(why) => (None, Some(why)),
    };
    let open = OpenConnection::new(Arc::clone(&app.metrics));
    let socket = TcpStream::from_std(socket)
        .and_then(|socket| socket::tune(&socket).map(|()| socket))
        .inspect_err(|error| log::debug!("{peer}: {error}"))
        .ok()?;
    let connection = Arc::new(Connection::new(peer.ip()));
    let drain = app.drain.clone();
    let stall = Stall::new(timeouts.stall);
    let head = HeadWait::new(timeouts.keep_alive, timeouts.head);
    let io = MonitoredIo::new(socket, Arc::clone(&connection), stall, head);
    let io = TokioIo::new(io);
    let service = service_fn({
        let connection = Arc::clone(&connection);
        move |request: Request<Incoming>| {
            connection.on_head(!request.body().is_end_stream());
            connection.on_answer_begin(app.drain.busy());
            let (app, connection) = (Arc::clone(&app), Arc::clone(&connection));
            // Boxed, so that the connection can be moved, and taken apart in the end.
            Box::pin(async move {
                let answering = Arc::clone(&connection);
                let response = match refused {
                    None => http::respond(app, connection, request).await,
                    Some(why) => http::refuse(app, connection, request, why).await,
                };
                Ok::<_, Infallible>(response.map(|body| AnswerBody::new(body, answering)))
            })
        }
    });
    let mut http = http1::Builder::new()
        .half_close(true)
        .max_buf_size(limits::HTTP_BUFFER_BYTES)
        .serve_connection(io, service);
    let (mut begun, mut has_begun) = (pin!(drain.begun()), false);
    let (mut closed, mut is_closed) = (pin!(drain.closed()), false);
    let served = poll_fn(|cx| {
        // A stream that hyper polls looks by itself at when it has to end; it only has to be polled.
        has_begun = has_begun || begun.as_mut().poll(cx).is_ready();
        if !is_closed && closed.as_mut().poll(cx).is_ready() {
            is_closed = true;
            // What was delivered last is confirmed by how its client closes the connection. Any other
            // connection goes with the process.
            if connection.has_unconfirmed() {
                Pin::new(&mut http).graceful_shutdown();
            }
        }
        let served = http.poll_without_shutdown(cx);
        match connection.handover().take() {
            Some(stream) => Poll::Ready(Served::HandedOver(stream)),
            None => served.map(Served::Ended),
        }
    })
    .await;
    // A stream is busy before the request that it answers is no longer.
    let busy = drain.busy();
    let (socket, stall, fault) = http.into_parts().io.into_inner().into_inner();
    match served {
        // What was delivered before on this connection is returned when the connection's state is
        // dropped.
        Served::HandedOver(stream) => {
            let permit = ConnPermit {
                place,
                load,
                open,
                busy,
            };
            Some((StreamConn::new(socket, stall, *stream), permit))
        }
        Served::Ended(result) => {
            connection.on_answer_end();
            // Unless a delivery is unconfirmed, what follows is only polite to the client.
            let busy = connection.has_unconfirmed().then_some(busy);
            if let Some(answer) = fault.and_then(http::answer_to_fault) {
                // It fits the send buffer, unless the client has not read for long.
                let _ = socket.try_write(answer.as_bytes());
            }
            if fault.is_some_and(|fault| fault != HeadFault::Idle)
                || result.as_ref().is_err_and(hyper::Error::is_parse)
            {
                open.metrics().refusals.count(RefusalReason::Request);
            }
            let all_arrived = match result {
                // What is no request has had its answer.
                Err(error) if fault.is_none() && !error.is_parse() => {
                    // That clients leave and connections break is the ordinary end of a stream.
                    log::debug!("{peer}: {error}");
                    socket::abandon(&socket);
                    false
                }
                // A client that is only silent may have got what it was sent.
                _ => close(socket, &connection, timeouts.stall).await,
            };
            connection.on_end(all_arrived);
            drop((place, load, open, busy));
            None
        }
    }
}

/// What has become of the requests on a connection.
enum Served {
    /// No request follows; the connection is closed.
    Ended(hyper::Result<()>),
    /// A stream has the connection for itself.
    HandedOver(Box<ChunkStream>),
}

/// Closes a socket so that its client gets all that was written, and waits until that has arrived if
/// something was delivered that is not confirmed. Returns whether all is known to have arrived.
///
/// What the client still sends is read and thrown away for a while: to close before that would reset
/// the connection, and the answer, or the word that there is none, would be lost with it.
async fn close<S>(mut socket: TcpStream, connection: &Connection<S>, stall: Duration) -> bool {
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
async fn all_arrived<S>(socket: &mut TcpStream, connection: &Connection<S>) -> io::Result<()> {
    let mut sink = [0; 4096];
    let closed_first = connection.phase().get() == Phase::HalfClosed;
    while !closed_first && socket.read(&mut sink).await? > 0 {
        connection.on_late_read();
    }
    if closed_first && connection.has_unconfirmed() {
        // The client closed before the answer was there, or because it had the answer.
        socket::closed(socket).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Client;
    use std::net::{IpAddr, Ipv4Addr};
    use tokio::net::TcpListener;
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

    /// Writes an answer that delivers something. The receiver hears of the confirmation.
    async fn answer(server: &mut TcpStream, connection: &Requests) -> oneshot::Receiver<()> {
        let (confirm, confirmed) = oneshot::channel();
        let on_delivered = Box::new(move || confirm.send(()).unwrap());
        connection.add_delivery(Client::Direct, on_delivered);
        server.write_all(b"answer").await.unwrap();
        confirmed
    }

    /// Closes as [`requests`] does in the end; true if the delivery is confirmed.
    async fn closed(
        server: TcpStream,
        connection: Requests,
        confirmed: oneshot::Receiver<()>,
    ) -> bool {
        let all_arrived = close(server, &connection, STALL).await;
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

    /// A client that is closed by the server has the answer, unless it closes with it unread.
    #[tokio::test]
    async fn server_close_confirms_what_is_read() {
        for (reads, has_it) in [(6, true), (3, false)] {
            let ((mut server, mut client), connection) =
                (connected().await, Requests::new(LOCALHOST));
            let confirmed = answer(&mut server, &connection).await;
            let closing = tokio::spawn(closed(server, connection, confirmed));
            client.read_exact(&mut vec![0; reads]).await.unwrap();
            // The rest, or that the server has closed.
            client.readable().await.unwrap();
            drop(client);
            assert_eq!(closing.await.unwrap(), has_it, "{reads} bytes");
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
        assert!(!close(server, &connection, STALL).await);
        let took = began.elapsed();
        let expected = limits::LINGER_TIMEOUT..limits::LINGER_TIMEOUT * 2;
        assert!(expected.contains(&took), "{took:?}");
    }
}
