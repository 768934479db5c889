//! A log, and followers that are cursors over it, in sixty lines of hyper. `curl -N ADDR` follows from the
//! beginning, an `EventSource` goes on where it was, and `curl -d hello ADDR` appends.

use std::{convert::Infallible, pin::Pin, sync::Arc, task::Context, task::Poll, time::Duration};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::{Method, Request, Response, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::mpsc, sync::watch, time::timeout};

/// The log. Whoever waits for its next message is woken when it changes.
type Log = watch::Sender<Vec<String>>;

/// After so much silence a follower is sent a comment.
const QUIET: Duration = Duration::from_secs(15);

/// Serves on a listener for ever.
pub async fn serve(listener: TcpListener) -> std::io::Result<Infallible> {
    let log = Arc::new(Log::default());
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            let answer = service_fn(|request| answer(Arc::clone(&log), request));
            let http = http1::Builder::new().serve_connection(TokioIo::new(socket), answer);
            http.await.ok();
        });
    }
}

async fn answer(log: Arc<Log>, request: Request<Incoming>) -> hyper::Result<Response<Stream>> {
    let (send, stream) = mpsc::channel(1);
    if request.method() == Method::POST {
        let text = request.into_body().collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&text).replace(['\r', '\n'], " ");
        log.send_modify(|log| log.push(text));
        return Ok(Response::new(Stream(stream)));
    }
    let last = request.headers().get("last-event-id");
    let last = last.and_then(|id| id.to_str().ok()?.parse().ok());
    tokio::spawn(follow(log.subscribe(), last.unwrap_or(0), send));
    let response = Response::builder().header("content-type", "text/event-stream");
    Ok(response.body(Stream(stream)).unwrap())
}

/// Sends all messages after a cursor, then each that comes; a comment when it is quiet. A client that reads
/// slowly costs its cursor and one frame. The follower ends when its client has left.
async fn follow(mut log: watch::Receiver<Vec<String>>, mut cursor: usize, to: mpsc::Sender<Bytes>) {
    loop {
        let next = log.borrow_and_update().get(cursor).cloned();
        let frame = match next {
            Some(text) => {
                cursor += 1;
                format!("id: {cursor}\ndata: {text}\n\n")
            }
            None => match timeout(QUIET, log.changed()).await {
                Ok(_) => continue,
                Err(_) => ":\n".to_owned(),
            },
        };
        if to.send(frame.into()).await.is_err() {
            return;
        }
    }
}

/// A body that goes on for as long as frames come.
pub struct Stream(mpsc::Receiver<Bytes>);

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.0.poll_recv(cx);
        next.map(|frame| frame.map(|bytes| Ok(Frame::data(bytes))))
    }
}
