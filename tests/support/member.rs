//! An account of the chat whose requests must all succeed.

use std::net::SocketAddr;

use serde_json::Value;

use super::client::Response;
use super::person::{Person, encoded};

/// The path of a conversation with this friend.
pub(crate) fn with(name: &str) -> String {
    format!("/chat/with/{}", encoded(name))
}

/// A registered person without a browser. Each of the methods fails the test when its request is
/// refused.
pub(crate) struct Member {
    /// The client that asks.
    pub(crate) person: Person,
    pub(crate) name: String,
}

impl Member {
    pub(crate) async fn register(addr: SocketAddr, name: &str) -> Member {
        Member {
            person: Person::new(addr, name).await,
            name: name.to_owned(),
        }
    }

    /// Asks the other member to be a friend, and lets that one accept.
    pub(crate) async fn befriend(&self, other: &Member) {
        self.friends("ask", &other.name).await;
        other.friends("accept", &self.name).await;
    }

    /// One step of a friendship: `ask`, `accept`, `decline` or `remove`.
    pub(crate) async fn friends(&self, action: &str, name: &str) {
        let answer = self.person.clone().befriend(action, name).await;
        assert_eq!(answer.status, 200, "{action} {name:?}");
    }

    pub(crate) async fn say(&self, to: &str, text: &str) {
        let said = [("msg", text)];
        let answer = self.person.clone().post(&with(to), &said).await;
        assert_eq!(answer.status, 201, "{text:?}");
    }

    /// The JSON at a path of the chat.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.follow(path).await.json().await
    }

    /// Opens a stream of the chat as this member.
    pub(crate) async fn follow(&self, path: &str) -> Response {
        let stream = self.person.get(path).await;
        assert_eq!(stream.status, 200, "{path}");
        stream
    }
}
