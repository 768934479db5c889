//! A chat in memory for unit tests, and the events that it has told.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::account_event::{AccountEvent, account_channel};
use super::{Account, Chat};
use crate::limits;
use crate::log::{Keep, Log, Memory, SideTables, Store, Stored};
use crate::message::Seq;

pub(super) fn chat() -> Chat {
    let keep = Keep {
        messages: usize::MAX,
        age: limits::KEEP_FOR_DEFAULT,
    };
    let memory = Memory::new(keep, limits::MEMORY_LOG_BYTES_DEFAULT);
    let log = Log::open(Store::Memory(memory), Arc::default()).unwrap();
    Chat::open(log, SideTables::in_memory().unwrap()).unwrap()
}

/// Begins a request and drops it at once, as a client does that has left.
pub(super) async fn abandon<T>(request: impl Future<Output = T>) {
    let mut request = pin!(request);
    let is_done = poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx).is_ready())).await;
    assert!(!is_done, "the request was done before it could be dropped");
}

/// Returns all events of an account.
pub(super) async fn events_of(chat: &Chat, account: &Account) -> Vec<AccountEvent> {
    let (channel, (_, last)) = (account_channel(account.id), chat.log.bounds());
    let mut events = Vec::new();
    let show = |item| match item {
        Stored::Message(message) => events.push(AccountEvent::from_message(&message).unwrap()),
        other => panic!("{other:?}"),
    };
    let all = chat.log.visit(&channel, Seq::START, last, 1000, show);
    all.await.unwrap();
    events
}
