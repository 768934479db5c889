//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use super::monitored_io::MonitoredIo;
use super::socket;
use super::stream_conn::StreamConn;
use crate::config::Timeouts;
use crate::follow::{Follower, Link};
use crate::http::{self, App};
use crate::limits;
use crate::metrics::OpenConnection;

/// How a connection is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Serve,
    /// There is no room: its one request is answered so.
    Refuse,
}

/// Somebody at the door.
pub(super) struct Accepted {
    pub(super) socket: std::net::TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) app: Arc<App>,
    pub(super) timeouts: Timeouts,
    pub(super) welcome: Admission,
    pub(super) place: OwnedSemaphorePermit,
}

/// Serves a connection until it is over. What lives here lives as long as each stream does, so it
/// is little.
pub(super) async fn serve(visitor: Box<Accepted>) {
    let Some((mut stream, _stay)) = Box::pin(requests(visitor)).await else {
        return;
    };
    if let Err(error) = stream.run().await {
        log::debug!("a stream's connection is over: {error}");
    }
}

/// What is given back when a connection is over.
type ConnPermit = (OwnedSemaphorePermit, OpenConnection);

/// Answers requests until the connection is over, or is a stream's.
async fn requests(visitor: Box<Accepted>) -> Option<(StreamConn, ConnPermit)> {
    let Accepted {
        socket,
        peer,
        app,
        timeouts,
        welcome,
        place,
    } = *visitor;
    let stay = (place, OpenConnection::new(Arc::clone(&app.metrics)));
    let socket = TcpStream::from_std(socket)
        .and_then(|socket| socket::tune(&socket, timeouts.stall).map(|()| socket));
    let socket = socket
        .inspect_err(|error| log::debug!("{peer}: {error}"))
        .ok()?;
    let link = Arc::new(Link::new(peer.ip()));
    let drain = app.drain.clone();
    let io = TokioIo::new(MonitoredIo::new(
        socket,
        Arc::clone(&link),
        timeouts.stall,
        socket::watch,
    ));
    let service = service_fn({
        let link = Arc::clone(&link);
        move |request| {
            let (app, link) = (Arc::clone(&app), Arc::clone(&link));
            link.go_on();
            // Boxed, so that the connection can be moved, and taken apart in the end.
            Box::pin(async move {
                Ok::<_, Infallible>(match welcome {
                    Admission::Serve => http::respond(app, link, request).await,
                    Admission::Refuse => http::refuse(app, link, request).await,
                })
            })
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.head)
        .max_buf_size(limits::HTTP_BUFFER)
        .serve_connection(io, service);
    let mut draining = pin!(drain.begun());
    let mut drains = false;
    let served = poll_fn(|cx| {
        if !drains && draining.as_mut().poll(cx).is_ready() {
            // Its stream ends by itself; after that there is nothing more on this connection.
            Pin::new(&mut connection).graceful_shutdown();
            drains = true;
        }
        let served = connection.poll_without_shutdown(cx);
        match link.handover.take() {
            Some(follow) => Poll::Ready(Served::StreamConn(follow)),
            None => served.map(Served::Over),
        }
    })
    .await;
    let socket = connection.into_parts().io.into_inner().into_inner();
    let stream = match served {
        Served::StreamConn(follow) => Some(StreamConn::new(socket, follow, timeouts.stall)),
        Served::Over(Ok(())) => {
            close(socket, &link, timeouts.stall).await;
            None
        }
        // A client that is only silent may have got what it was sent.
        Served::Over(Err(error)) if error.is_timeout() && link.awaits() => {
            close(socket, &link, timeouts.stall).await;
            None
        }
        // That clients leave and lines break is the ordinary end of a stream.
        Served::Over(Err(error)) => {
            log::debug!("{peer}: {error}");
            socket::abandon(&socket);
            None
        }
    };
    link.forget();
    stream.map(|stream| (stream, stay))
}

/// What has become of the requests on a connection.
enum Served {
    Over(hyper::Result<()>),
    /// A stream has the connection for itself.
    StreamConn(Box<Follower>),
}

/// Closes a socket so that its client gets all that was written, and waits until that has come, if
/// anybody wants to know. What the client still sends is read and thrown away for a while: to close
/// before would reset the connection, and take the answer with it.
async fn close(mut socket: TcpStream, link: &Link, stall: Duration) {
    if link.is_broken() || socket.shutdown().await.is_err() {
        return;
    }
    let patience = match (link.awaits(), link.has_unread()) {
        (true, _) => stall + limits::LINGER,
        (false, true) => limits::LINGER,
        (false, false) => return,
    };
    let came = match tokio::time::timeout(patience, over(&mut socket, link)).await {
        Ok(ended) => ended.is_ok(),
        // Otherwise the kernel would have given up by now (`TCP_USER_TIMEOUT`).
        Err(_) => cfg!(target_os = "linux"),
    };
    if came {
        link.settle();
    }
}

/// Waits for the client's end of the connection, or the news that it is broken.
async fn over(socket: &mut TcpStream, link: &Link) -> io::Result<()> {
    let mut sink = [0; 4096];
    let had_ended = link.has_ended();
    while !had_ended && socket.read(&mut sink).await? > 0 {
        // It was a request, sent before the client knew: it had the answer to the one before.
        link.settle();
    }
    if had_ended && link.awaits() {
        // The client closed first: before the answer was there, or because it had it.
        socket::closed(socket).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};
    use tokio::net::TcpListener;
    use tokio::sync::oneshot;

    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const STALL: Duration = Duration::from_secs(30);

    /// The server's and the client's end of a connection.
    async fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await;
        (listener.accept().await.unwrap().0, client.unwrap())
    }

    /// Writes an answer whose client is to have it; it is told what becomes of that.
    async fn answer(server: &mut TcpStream, link: &Link) -> oneshot::Receiver<()> {
        let (came, comes) = oneshot::channel();
        link.hand_out(Box::new(move || came.send(()).unwrap()));
        server.write_all(b"answer").await.unwrap();
        comes
    }

    /// Closes as the end of [`serve`] does; true if the answer has come.
    async fn closed(server: TcpStream, link: Link, comes: oneshot::Receiver<()>) -> bool {
        close(server, &link, STALL).await;
        drop(link);
        comes.await.is_ok()
    }

    #[tokio::test]
    async fn a_client_that_closes_behind_the_answer_has_it() {
        let ((mut server, mut client), link) = (connection().await, Link::new(LOCALHOST));
        let comes = answer(&mut server, &link).await;
        client.read_exact(&mut [0; 6]).await.unwrap();
        drop(client);
        assert_eq!(server.read(&mut [0; 1]).await.unwrap(), 0);
        link.end();
        assert!(closed(server, link, comes).await);
    }

    #[tokio::test]
    async fn a_client_that_closed_before_the_answer_does_not_have_it() {
        let ((mut server, client), link) = (connection().await, Link::new(LOCALHOST));
        drop(client);
        // The answer is on its way when the server sees the end.
        server.readable().await.unwrap();
        let comes = answer(&mut server, &link).await;
        link.end();
        assert!(!closed(server, link, comes).await);
    }

    #[tokio::test]
    async fn a_client_that_is_closed_has_it_unless_it_dies_with_it_unread() {
        for (reads, has_it) in [(6, true), (3, false)] {
            let ((mut server, mut client), link) = (connection().await, Link::new(LOCALHOST));
            let comes = answer(&mut server, &link).await;
            let closing = tokio::spawn(closed(server, link, comes));
            client.read_exact(&mut vec![0; reads]).await.unwrap();
            // The rest, or that the server has closed.
            client.readable().await.unwrap();
            drop(client);
            assert_eq!(closing.await.unwrap(), has_it, "{reads} bytes");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_closes_is_waited_for_as_long_as_the_kernel_waits() {
        let ((mut server, _client), link) = (connection().await, Link::new(LOCALHOST));
        let comes = answer(&mut server, &link).await;
        let began = tokio::time::Instant::now();
        assert_eq!(closed(server, link, comes).await, cfg!(target_os = "linux"));
        assert!(began.elapsed() >= STALL);
    }
}
