//! A chat in memory, and what is told in it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::account_event::{self, AccountEvent};
use super::database::testing::database;
use super::{Account, Chat};
use crate::limits;
use crate::log::{Keep, Log, Memory, Store, Stored};
use crate::message::Seq;

pub(super) fn chat() -> Chat {
    let keep = Keep {
        messages: usize::MAX,
        age: limits::KEEP_FOR,
    };
    let memory = Memory::new(keep, limits::MEMORY_LOG_BYTES);
    let log = Log::open(Store::Memory(memory), Arc::default()).unwrap();
    Chat::new(log, database()).unwrap()
}

/// Asks for something, and leaves at once.
pub(super) async fn leave<T>(what: impl Future<Output = T>) {
    let mut what = pin!(what);
    let is_done = poll_fn(|cx| Poll::Ready(what.as_mut().poll(cx).is_ready())).await;
    assert!(!is_done, "it was done before anybody could leave");
}

/// All news of somebody.
pub(super) async fn news_of(chat: &Chat, account: &Account) -> Vec<AccountEvent> {
    let (channel, (_, last)) = (account_event::channel(account.id), chat.log.bounds());
    let mut news = Vec::new();
    let told = |item| match item {
        Stored::Message(message) => news.push(AccountEvent::read(&message).unwrap()),
        Stored::Gap(gap) => panic!("{gap:?}"),
    };
    let all = chat.log.visit(&channel, Seq::START, last, 1000, told);
    all.await.unwrap();
    news
}
