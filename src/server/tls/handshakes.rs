//! How many handshakes go on at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The handshakes that go on. When there are too many, the one that began first ends.
#[derive(Debug)]
pub(super) struct Handshakes {
    most: usize,
    going_on: Mutex<GoingOn>,
}

#[derive(Debug, Default)]
struct GoingOn {
    /// The number of the next handshake.
    next: u64,
    ends: BTreeMap<u64, Arc<Notify>>,
}

/// A guard of one handshake that goes on.
#[derive(Debug)]
pub(super) struct Handshake<'h> {
    handshakes: &'h Handshakes,
    number: u64,
    end: Arc<Notify>,
}

impl Handshakes {
    /// At most so many go on.
    pub(super) fn new(most: usize) -> Handshakes {
        Handshakes {
            most,
            going_on: Mutex::default(),
        }
    }

    /// A handshake begins.
    pub(super) fn begin(&self) -> Handshake<'_> {
        let mut going_on = self.going_on.lock();
        let (number, end) = (going_on.next, Arc::new(Notify::new()));
        going_on.next += 1;
        going_on.ends.insert(number, Arc::clone(&end));
        if going_on.ends.len() > self.most
            && let Some((_, first)) = going_on.ends.pop_first()
        {
            first.notify_one();
        }
        drop(going_on);
        Handshake {
            handshakes: self,
            number,
            end,
        }
    }
}

impl Handshake<'_> {
    /// Waits until the handshake has to make room for another.
    pub(super) async fn ended(&self) {
        self.end.notified().await;
    }
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        self.handshakes.going_on.lock().ends.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The handshake that began first makes room, and no other.
    #[tokio::test(start_paused = true)]
    async fn oldest_handshake_makes_room() {
        let handshakes = Handshakes::new(2);
        let over = handshakes.begin();
        drop(over);
        let (first, second) = (handshakes.begin(), handshakes.begin());
        let moment = Duration::from_millis(1);
        for handshake in [&first, &second] {
            let ended = tokio::time::timeout(moment, handshake.ended()).await;
            ended.unwrap_err();
        }
        let third = handshakes.begin();
        first.ended().await;
        for handshake in [&second, &third] {
            let ended = tokio::time::timeout(moment, handshake.ended()).await;
            ended.unwrap_err();
        }
    }
}
