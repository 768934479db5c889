//! HTTP/1.1 on one side, HTTP/2 on the other: so tests that speak the one ask a server by the other.
//!
//! All requests go on one connection, as those of a browser's tabs do.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::{AbortHandle, JoinSet};

/// A way to a server by HTTP/2, for clients that speak HTTP/1.1.
pub(crate) struct Translator {
    pub(crate) addr: SocketAddr,
    task: AbortHandle,
}

/// The connection to the server, made when it is needed.
struct Shared {
    server: SocketAddr,
    sender: Mutex<Option<SendRequest<Incoming>>>,
}

impl Translator {
    pub(crate) fn to(server: SocketAddr) -> Translator {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            server,
            sender: Mutex::default(),
        });
        let task = tokio::spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                socket.set_nodelay(true).unwrap();
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| {
                    let shared = Arc::clone(&shared);
                    async move { shared.translate(request).await }
                });
                let serve = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
                connections.spawn(async move { drop(serve.await) });
                while connections.try_join_next().is_some() {}
            }
        });
        Translator {
            addr,
            task: task.abort_handle(),
        }
    }
}

impl Shared {
    async fn sender(&self) -> hyper::Result<SendRequest<Incoming>> {
        let mut sender = self.sender.lock().await;
        if let Some(sender) = sender.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(sender.clone());
        }
        let socket = TcpStream::connect(self.server).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let (new, connection) = http2::Builder::new(TokioExecutor::new())
            .handshake(TokioIo::new(socket))
            .await?;
        tokio::spawn(async move { drop(connection.await) });
        *sender = Some(new.clone());
        Ok(new)
    }

    /// Asks the server. Where it does not answer, the client's connection is closed.
    async fn translate(&self, request: Request<Incoming>) -> hyper::Result<Response<Incoming>> {
        let (mut head, body) = request.into_parts();
        let host = head.headers.remove(HOST);
        let host = host
            .as_ref()
            .map_or("localhost", |host| host.to_str().unwrap());
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = Uri::try_from(format!("http://{host}{path}")).unwrap();
        head.version = Version::HTTP_2;
        for name in [CONNECTION, TRANSFER_ENCODING] {
            head.headers.remove(name);
        }
        let mut response = self
            .sender()
            .await?
            .send_request(Request::from_parts(head, body))
            .await?;
        *response.version_mut() = Version::HTTP_11;
        Ok(response)
    }
}

impl Drop for Translator {
    fn drop(&mut self) {
        self.task.abort();
    }
}
