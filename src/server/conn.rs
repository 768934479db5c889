//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::answer_body::AnswerBody;
use super::client_stream::{ClientStream, HandshakeFault};
use super::closing::close;
use super::crowd::CrowdHandle;
use super::h2;
use super::head_wait::HeadWait;
use super::lanes::LaneLoad;
use super::monitored_io::MonitoredIo;
use super::socket;
use super::stall::Stall;
use super::stream_conn::StreamConn;
use super::tls::Tls;
use crate::client_shares::ConnectionPlace;
use crate::config::Timeouts;
use crate::connection::{Connection, HeadFault};
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
    /// What is shared by connections with TLS; `None` where there is none.
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) timeouts: Timeouts,
    /// Permits for requests that share a connection, each of which takes a place.
    pub(super) served: Arc<Semaphore>,
    /// Its place; without one the one request is answered with that.
    pub(super) place: Result<ServedPlace, NoPlace>,
    pub(super) load: LaneLoad,
}

/// The place of a connection that is served: one of the server's, and one of its client's.
pub(super) type ServedPlace = (ServerPlace, ConnectionPlace);

/// A permit of a semaphore, given back on drop. tokio's own guard could have several, and is twice as
/// large; each idle stream has one of these.
#[derive(Debug)]
pub(super) struct ServerPlace(Arc<Semaphore>);

impl Drop for ServerPlace {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

/// A place for a connection, or for a request that shares one.
pub(super) fn place(
    served: &Arc<Semaphore>,
    app: &App,
    peer: IpAddr,
) -> Result<ServedPlace, NoPlace> {
    let permit = served.try_acquire().map_err(|_| NoPlace::ForAnybody)?;
    permit.forget();
    let place = ServerPlace(Arc::clone(served));
    let client = app.connection_of(peer);
    client.map_or(Err(NoPlace::ForClient), |client| Ok((place, client)))
}

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
        tls,
        timeouts,
        served,
        place,
        load,
    } = *accepted;
    let (place, refused) = match place {
        Ok(place) => (Some(place), None),
        Err(why) => (None, Some(why)),
    };
    let open = OpenConnection::new(Arc::clone(&app.metrics));
    let socket = begin(socket, tls).await;
    let socket = socket.inspect_err(|error| log::debug!("{peer}: {error}"));
    let socket = socket.ok()?;
    let is_h2 = h2::is_spoken(&socket, timeouts.head).await.ok()?;
    let connection = Connection::new(peer.ip()).with_tls(socket.is_tls());
    let connection = Arc::new(connection);
    let drain = app.drain.clone();
    let stall = Stall::new(timeouts.stall);
    let head = HeadWait::new(timeouts.keep_alive, timeouts.head);
    let mut io = MonitoredIo::new(socket, Arc::clone(&connection), stall, head);
    let ended = if is_h2 {
        let shared = h2::Shared {
            app,
            connection: Arc::clone(&connection),
            timeouts,
            served,
            refused,
        };
        Served::Ended(Box::pin(h2::serve(&mut io, shared)).await)
    } else {
        http1(&mut io, app, Arc::clone(&connection), refused).await
    };
    // A stream is busy before the request that it answers is no longer.
    let busy = drain.busy();
    let (mut socket, stall, fault) = io.into_inner();
    match ended {
        // What was delivered before on this connection is returned when the connection's state is
        // dropped.
        Served::HandedOver(stream) => {
            let permit = ConnPermit {
                place,
                load,
                open,
                busy,
            };
            let stream = StreamConn::new(socket, stall, *stream);
            Some((stream.with_tap(connection.take_tapped()), permit))
        }
        Served::Ended(result) => {
            connection.on_answer_end();
            // Unless a delivery is unconfirmed, what follows is only polite to the client.
            let busy = connection.has_unconfirmed().then_some(busy);
            if let Some(answer) = fault.and_then(http::answer_to_fault) {
                // It fits the send buffer, unless the client has not read for long.
                let _ = socket.write_soon(answer.as_bytes());
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
                    socket::abandon(socket.socket());
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

/// Answers requests of HTTP/1.1 and HTTP/1.0, one after the other.
async fn http1(
    io: &mut MonitoredIo<ClientStream, ChunkStream>,
    app: Arc<App>,
    connection: Arc<Connection<ChunkStream>>,
    refused: Option<NoPlace>,
) -> Served {
    let drain = app.drain.clone();
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
        .serve_connection(TokioIo::new(io), service);
    let (mut begun, mut has_begun) = (pin!(drain.begun()), false);
    let (mut closed, mut is_closed) = (pin!(drain.closed()), false);
    poll_fn(|cx| {
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
    .await
}

/// Does what comes before the first request.
async fn begin(socket: std::net::TcpStream, tls: Option<Arc<Tls>>) -> io::Result<ClientStream> {
    let socket = TcpStream::from_std(socket)?;
    socket::tune(&socket)?;
    let Some(tls) = tls else {
        return Ok(ClientStream::Plain(socket));
    };
    match tls.accept(socket).await {
        Ok(stream) => Ok(stream),
        Err(HandshakeFault::Io(error)) => Err(error),
        Err(HandshakeFault::PlainHttp(socket)) => {
            refuse_plain_http(socket).await;
            Err(io::Error::other("the client speaks plain HTTP"))
        }
    }
}

/// Tells a client that speaks plain HTTP where TLS is spoken what to do, and closes its connection.
async fn refuse_plain_http(mut socket: TcpStream) {
    let answer = http::answer_to_plain_http();
    let refuse = async {
        socket.write_all(answer.as_bytes()).await?;
        socket.shutdown().await?;
        // To close before its request has been read would reset the connection, and lose the answer.
        let mut sink = [0; 1024];
        while socket.read(&mut sink).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    let _ = tokio::time::timeout(limits::LINGER_TIMEOUT, refuse).await;
}

/// What has become of the requests on a connection.
enum Served {
    /// No request follows; the connection is closed.
    Ended(hyper::Result<()>),
    /// A stream has the connection for itself.
    HandedOver(Box<ChunkStream>),
}
