//! Senders of letters, and receivers that wait for them.

use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::client::{Response, finish, post};
use super::{TestServer, soon, until};

/// Sends `POST /mailbox` on a connection of its own, and gives the answer, whose status must be 200.
pub(crate) async fn ask(addr: SocketAddr, form: &str) -> Value {
    let mut response = soon(post(addr, "/mailbox", form)).await;
    let answer = response.json().await;
    assert_eq!(response.status, 200, "{form}: {answer}");
    answer
}

/// Sends a letter from Ada.
pub(crate) async fn letter(addr: SocketAddr, to: &str, text: &str) {
    let form = format!("action=send&me=ada&toUserName={to}&msg={text}");
    assert_eq!(
        ask(addr, &form).await,
        serde_json::json!({ "Status": "ok" })
    );
}

/// Receives from a mailbox without waiting: one letter, if there is any.
pub(crate) async fn look(addr: SocketAddr, me: &str) -> Value {
    ask(addr, &format!("action=receive&me={me}&wait=0s")).await
}

/// The text of an answer with a letter.
pub(crate) fn text(answer: &Value) -> &str {
    answer["Msg"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

/// The name of the letter in an answer.
pub(crate) fn id(answer: &Value) -> &str {
    answer["Id"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

/// One connection, which carries one request after the other.
pub(crate) struct Line(pub(crate) TcpStream);

impl Line {
    pub(crate) async fn open(addr: SocketAddr) -> Line {
        let socket = TcpStream::connect(addr).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Line(socket)
    }

    /// Sends a request and does not wait for its answer.
    pub(crate) async fn say(&mut self, form: &str) {
        let head = "POST /mailbox HTTP/1.1\r\nHost: localhost\r\nContent-Length: ";
        let request = format!("{head}{}\r\n\r\n{form}", form.len());
        self.0.write_all(request.as_bytes()).await.unwrap();
    }

    /// Waits for the answer, and keeps the connection for another request.
    pub(crate) async fn hear(self) -> (Value, Line) {
        let mut response = self.answer().await.unwrap();
        let answer = response.json().await;
        (answer, Line(response.into_socket()))
    }

    pub(crate) async fn answer(self) -> io::Result<Response> {
        soon(finish(self.0)).await
    }

    pub(crate) async fn ask(mut self, form: &str) -> (Value, Line) {
        self.say(form).await;
        self.hear().await
    }
}

/// Sends a request, and waits until the server counts it as waiting for a letter.
pub(crate) async fn waiting(server: &TestServer, form: &str) -> Line {
    let before = server.metrics.letters.waiting();
    let mut line = Line::open(server.addr).await;
    line.say(form).await;
    wait_for(server, before + 1).await;
    line
}

/// Waits until this many requests wait for a letter.
pub(crate) async fn wait_for(server: &TestServer, count: i64) {
    until(&format!("{count} waiting"), || {
        server.metrics.letters.waiting() == count
    })
    .await;
}

/// A connection whose answer has arrived, but has not been read.
pub(crate) async fn unread(server: &TestServer, form: &str) -> Line {
    let line = waiting(server, form).await;
    letter(server.addr, "bob", "unread").await;
    soon(line.0.readable()).await.unwrap();
    line
}
