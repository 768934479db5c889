//! A person who chats: a client that keeps a cookie as a browser does, and asks for JSON.

use std::net::SocketAddr;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use super::client::{Response, send};
use super::soon;
use super::wires::{Stream, StreamReader};

/// The password of all persons here.
pub(crate) const PASSWORD: &str = "correct hörse";

#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) addr: SocketAddr,
    /// The address that a proxy tells in `X-Forwarded-For`, or nothing.
    from: String,
    pub(crate) name: String,
    /// The cookie as it stands in the header: `name=value`, or nothing.
    pub(crate) cookie: String,
}

impl Person {
    /// A client in which nobody is logged in.
    pub(crate) fn nobody(addr: SocketAddr) -> Person {
        Person {
            addr,
            from: String::new(),
            name: String::new(),
            cookie: String::new(),
        }
    }

    /// This person at another address, by way of a proxy on this machine.
    pub(crate) fn at(mut self, address: &str) -> Person {
        address.clone_into(&mut self.from);
        self
    }

    /// This person with a server that has moved.
    pub(crate) fn moved(mut self, addr: SocketAddr) -> Person {
        self.addr = addr;
        self
    }

    /// A person who has registered.
    pub(crate) async fn new(addr: SocketAddr, name: &str) -> Person {
        let mut person = Person::nobody(addr);
        let mut answer = person.enter("register", name, PASSWORD).await;
        assert!(answer.status < 300, "{name}: {}", answer.text().await);
        person
    }

    /// Two persons who have registered and are friends.
    pub(crate) async fn friends(addr: SocketAddr, a: &str, b: &str) -> [Person; 2] {
        let (mut a, mut b) = (Person::new(addr, a).await, Person::new(addr, b).await);
        assert_eq!(a.befriend("ask", &b.name).await.status, 200);
        assert_eq!(b.befriend("accept", &a.name).await.status, 200);
        [a, b]
    }

    /// Logs in or registers: `how` is `login` or `register`.
    pub(crate) async fn enter(&mut self, how: &str, name: &str, password: &str) -> Response {
        name.clone_into(&mut self.name);
        let fields = [("name", name), ("password", password)];
        self.post(&format!("/chat/{how}"), &fields).await
    }

    pub(crate) async fn befriend(&mut self, action: &str, name: &str) -> Response {
        self.post("/chat/friends", &[("action", action), ("name", name)])
            .await
    }

    pub(crate) async fn say(&mut self, to: &Person, text: &str) -> Response {
        self.post(&to.path("with"), &[("msg", text)]).await
    }

    /// The path at which others reach this person: `/chat/with/NAME` for `with`.
    pub(crate) fn path(&self, what: &str) -> String {
        format!("/chat/{what}/{}", encoded(&self.name))
    }

    /// Sends a form, and keeps the cookie of the answer.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let pair = |(name, value): &(&str, &str)| format!("{}={}", encoded(name), encoded(value));
        let form: Vec<String> = fields.iter().map(pair).collect();
        let response = self
            .send(&format!("POST {path}"), form.join("&").as_bytes())
            .await;
        if let Some(set) = response.headers.get("set-cookie") {
            let cookie = set.split(';').next().unwrap();
            let kept = if cookie.ends_with('=') { "" } else { cookie };
            kept.clone_into(&mut self.cookie);
        }
        response
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(&format!("GET {path}"), b"").await
    }

    /// Sends a request as `client::send` does, with the cookie.
    pub(crate) async fn send(&self, request: &str, body: &[u8]) -> Response {
        let mut request = request.to_owned();
        if !request.contains("\r\nAccept: ") {
            request += "\r\nAccept: application/json";
        }
        for (name, value) in [("Cookie", &self.cookie), ("X-Forwarded-For", &self.from)] {
            if !value.is_empty() {
                request.extend(["\r\n", name, ": ", value]);
            }
        }
        soon(send(self.addr, &request, body)).await
    }

    /// Follows a stream of the chat as NDJSON.
    pub(crate) async fn follow(&self, path: &str) -> Stream {
        self.follow_as("ndjson", path, "").await
    }

    /// Follows a stream of the chat on a transport, with `?as=WIRE&` and a query.
    pub(crate) async fn follow_as(&self, wire: &'static str, path: &str, query: &str) -> Stream {
        let response = self.get(&format!("{path}?as={wire}&{query}")).await;
        assert_eq!(response.status, 200, "{path} of {}", self.name);
        Stream {
            response,
            reader: StreamReader::new(wire),
            said: Vec::new(),
        }
    }
}

/// The text as it stands in a path or a form.
pub(crate) fn encoded(text: &str) -> String {
    percent_encode(text.as_bytes(), NON_ALPHANUMERIC).to_string()
}
