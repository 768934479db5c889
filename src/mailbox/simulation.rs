//! Many who ask, most of whom come to nothing: none of the letters is lost, and none is received
//! twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{MailboxName, Mailboxes};
use crate::limits;
use crate::log::{Keep, Log, Memory, Store};

const LETTERS: usize = 2000;
const ASKING: u64 = 20;

fn mailboxes() -> Mailboxes {
    let keep = Keep {
        messages: usize::MAX,
        age: limits::KEEP_FOR,
    };
    let store = Store::Memory(Memory::new(keep, limits::MEMORY_LOG_BYTES));
    Mailboxes::new(Log::open(store, Arc::default()).unwrap(), Arc::default())
}

/// How often each letter was received.
type Received = Mutex<BTreeMap<Box<str>, u32>>;

/// Asks until all letters have been received. An answer may be received, or acknowledged, or lost;
/// who waits may lose patience.
async fn ask(mailboxes: Mailboxes, me: MailboxName, mut random: StdRng, received: Arc<Received>) {
    while received.lock().len() < LETTERS {
        let mailbox = mailboxes.open(&me);
        let patience = Duration::from_micros(random.random_range(0..3000));
        let wait = random.random_bool(0.3).then_some(patience);
        let answer = tokio::select! {
            answer = mailbox.receive(wait) => answer.unwrap(),
            () = tokio::time::sleep(patience) => continue,
        };
        let (Some(letter), Some(handed)) = (answer.letter, answer.handed) else {
            continue;
        };
        if random.random_bool(0.5) {
            tokio::time::sleep(patience / 10).await;
        }
        match random.random_range(0..3) {
            0 => continue,
            1 => handed.received(),
            _ => mailbox.acknowledge(&letter.id).await.unwrap(),
        }
        *received.lock().entry(letter.text).or_default() += 1;
    }
}

#[tokio::test]
async fn of_many_letters_each_is_received_once_whatever_becomes_of_those_who_ask() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let (mailboxes, me) = (mailboxes(), MailboxName::new("bob").unwrap());
    let received = Arc::new(Received::default());
    let asking = (0..ASKING).map(|n| {
        let random = StdRng::seed_from_u64(seed.wrapping_add(n));
        let (mailboxes, received) = (mailboxes.clone(), Arc::clone(&received));
        tokio::spawn(ask(mailboxes, me.clone(), random, received))
    });
    let asking: Vec<_> = asking.collect();
    for n in 0..LETTERS {
        mailboxes.send(&me, &me, &n.to_string()).await.unwrap();
    }
    for asking in asking {
        asking.await.unwrap();
    }
    assert!(received.lock().values().all(|count| *count == 1));
    mailboxes.unused().await;
    let left = mailboxes.open(&me).receive(Some(Duration::ZERO)).await;
    assert!(left.unwrap().letter.is_none());
}
