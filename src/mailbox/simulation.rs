//! A randomized test of many receivers of one mailbox, most of whose requests come to nothing: no
//! letter is lost, and none is received twice.

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
const RECEIVERS: u64 = 20;

fn mailboxes() -> Mailboxes {
    let keep = Keep {
        messages: usize::MAX,
        age: limits::KEEP_FOR_DEFAULT,
    };
    let store = Store::Memory(Memory::new(keep, limits::MEMORY_LOG_BYTES_DEFAULT));
    Mailboxes::new(Log::open(store, Arc::default()).unwrap(), Arc::default())
}

/// How often each letter was received, by its text.
type Received = Mutex<BTreeMap<Box<str>, u32>>;

/// Asks until all letters have been received. A delivery is acknowledged by the connection or by
/// id, or is dropped; a waiting request may be given up.
async fn receive(
    mailboxes: Mailboxes,
    name: MailboxName,
    mut random: StdRng,
    received: Arc<Received>,
) {
    while received.lock().len() < LETTERS {
        let mailbox = mailboxes.open(&name);
        let time = Duration::from_micros(random.random_range(0..3000));
        let wait = random.random_bool(0.3).then_some(time);
        let answer = tokio::select! {
            answer = mailbox.receive(wait) => answer.unwrap(),
            () = tokio::time::sleep(time) => continue,
        };
        let (Some(letter), Some(delivery)) = (answer.letter, answer.delivery) else {
            continue;
        };
        if random.random_bool(0.5) {
            tokio::time::sleep(time / 10).await;
        }
        match random.random_range(0..3) {
            0 => continue,
            1 => delivery.acknowledge(),
            _ => mailbox.acknowledge(&letter.id).await.unwrap(),
        }
        *received.lock().entry(letter.text).or_default() += 1;
    }
}

/// Of many letters each is received exactly once, whatever becomes of the requests for them.
#[tokio::test]
async fn each_letter_received_once() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let (mailboxes, name) = (mailboxes(), MailboxName::new("bob").unwrap());
    let received = Arc::new(Received::default());
    let receivers = (0..RECEIVERS).map(|n| {
        let random = StdRng::seed_from_u64(seed.wrapping_add(n));
        let (mailboxes, received) = (mailboxes.clone(), Arc::clone(&received));
        tokio::spawn(receive(mailboxes, name.clone(), random, received))
    });
    let receivers: Vec<_> = receivers.collect();
    for n in 0..LETTERS {
        mailboxes.send(&name, &name, &n.to_string()).await.unwrap();
    }
    for receiver in receivers {
        receiver.await.unwrap();
    }
    assert!(received.lock().values().all(|count| *count == 1));
    mailboxes.wait_idle().await;
    let left = mailboxes.open(&name).receive(Some(Duration::ZERO)).await;
    assert!(left.unwrap().letter.is_none());
}
