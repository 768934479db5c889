//! The queue of passwords that wait to be hashed, in which no client's address locks out the others.
//!
//! Addresses have their turns one after the other, however many passwords of each wait. When the queue
//! is full, a password of an address that has fewer waiting takes the place of the newest of the
//! address that has the most. So an address may have the whole queue while nobody else wants it, and
//! with N others it still has one turn in N + 1. Right passwords wait as wrong ones do.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::password::HasherBusy;
use crate::network::Network;

/// Whose password it is: a client's, by its network, or the server's own (`None`).
pub(super) type Hashed = Option<Network>;

/// A handle on the queue. Clones are the same queue.
#[derive(Clone, Debug)]
pub(super) struct HashQueue(Arc<Mutex<HashPlaces>>);

#[derive(Debug)]
struct HashPlaces {
    /// The number of passwords that may be hashed now, besides those that are being hashed.
    free: usize,
    /// The number of passwords that may wait.
    waiting_max: usize,
    /// The passwords that wait, by whose they are: in front are those whose turn is next. No list is
    /// empty.
    waiting: VecDeque<(Hashed, VecDeque<oneshot::Sender<HashTurn>>)>,
}

/// The permission to hash a password. When it is dropped, the next one has its turn.
#[derive(Debug)]
#[must_use]
pub(super) struct HashTurn(Option<HashQueue>);

impl HashQueue {
    /// A queue for passwords of which `at_once` are hashed at a time, and `waiting_max` wait.
    pub(super) fn new(at_once: usize, waiting_max: usize) -> HashQueue {
        HashQueue(Arc::new(Mutex::new(HashPlaces {
            free: at_once,
            waiting_max,
            waiting: VecDeque::new(),
        })))
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// When too many wait, and this one has no better claim to a place than they have; or when one with
    /// a better claim came while this one waited.
    pub(super) async fn turn(&self, whose: Hashed) -> Result<HashTurn, HasherBusy> {
        let turn = {
            let mut places = self.0.lock();
            if places.free > 0 {
                places.free -= 1;
                return Ok(HashTurn(Some(self.clone())));
            }
            places.enter(whose)?
        };
        turn.await.map_err(|_| HasherBusy)
    }

    /// Gives the turn that is over to the next that waits.
    fn pass_on(&self) {
        let mut places = self.0.lock();
        while let Some(next) = places.next() {
            match next.send(HashTurn(Some(self.clone()))) {
                Ok(()) => return,
                // That client has left.
                Err(mut turn) => drop(turn.0.take()),
            }
        }
        places.free += 1;
    }
}

impl Drop for HashTurn {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.pass_on();
        }
    }
}

impl HashPlaces {
    fn enter(&mut self, whose: Hashed) -> Result<oneshot::Receiver<HashTurn>, HasherBusy> {
        if self.len() >= self.waiting_max {
            self.forget_those_who_left();
        }
        if self.len() >= self.waiting_max {
            self.push_out_for(whose)?;
        }
        let (turn, receiver) = oneshot::channel();
        match self.waiting.iter_mut().find(|(other, _)| *other == whose) {
            Some((_, own)) => own.push_back(turn),
            None => self.waiting.push_back((whose, [turn].into())),
        }
        Ok(receiver)
    }

    fn len(&self) -> usize {
        self.waiting.iter().map(|(_, waiting)| waiting.len()).sum()
    }

    fn forget_those_who_left(&mut self) {
        for (_, waiting) in &mut self.waiting {
            waiting.retain(|turn| !turn.is_closed());
        }
        self.waiting.retain(|(_, waiting)| !waiting.is_empty());
    }

    /// Makes room for one more of `whose`, if another has at least two more than those.
    fn push_out_for(&mut self, whose: Hashed) -> Result<(), HasherBusy> {
        let own = self.waiting.iter().find(|(other, _)| *other == whose);
        let own = own.map_or(0, |(_, waiting)| waiting.len());
        let most = self
            .waiting
            .iter_mut()
            .max_by_key(|(_, waiting)| waiting.len());
        match most {
            Some((_, waiting)) if waiting.len() > own + 1 => {
                waiting.pop_back();
                Ok(())
            }
            _ => Err(HasherBusy),
        }
    }

    /// Takes out the one whose turn is next.
    fn next(&mut self) -> Option<oneshot::Sender<HashTurn>> {
        let (whose, mut waiting) = self.waiting.pop_front()?;
        let next = waiting.pop_front();
        if !waiting.is_empty() {
            self.waiting.push_back((whose, waiting));
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::sync::mpsc;

    use super::*;

    fn network(number: u8) -> Network {
        Network::of(Ipv4Addr::new(192, 0, 2, number).into())
    }

    /// Has a password of each of these addresses wait, and returns the addresses in the order of their
    /// turns. Those that are refused come as negative numbers.
    async fn turns(queue: &HashQueue, entering: &[u8]) -> Vec<i16> {
        let held = queue.turn(None).await.unwrap();
        let (tell, mut told) = mpsc::unbounded_channel();
        for &number in entering {
            let (queue, tell) = (queue.clone(), tell.clone());
            tokio::spawn(async move {
                let turn = queue.turn(Some(network(number))).await;
                let sign = if turn.is_ok() { 1 } else { -1 };
                tell.send(sign * i16::from(number)).unwrap();
            });
            tokio::task::yield_now().await;
        }
        drop((tell, held));
        let mut order = Vec::new();
        while let Some(number) = told.recv().await {
            order.push(number);
        }
        order
    }

    /// Addresses have their turns one after the other, however many of each wait.
    #[tokio::test]
    async fn hash_turns_go_round_the_addresses() {
        let queue = HashQueue::new(1, 10);
        assert_eq!(
            turns(&queue, &[1, 1, 1, 1, 2, 3, 3]).await,
            [1, 2, 3, 1, 3, 1, 1]
        );
        assert_eq!(queue.0.lock().free, 1);
    }

    /// A full queue takes one more of an address that has fewer: the newest of the one that has the
    /// most is refused. Those who have as many as the others are refused themselves.
    #[tokio::test]
    async fn hash_queue_pushes_out_who_has_the_most() {
        let queue = HashQueue::new(1, 4);
        let order = turns(&queue, &[1, 1, 1, 1, 1, 2, 3, 3, 4, 2]).await;
        assert_eq!(order, [-1, -1, -1, -3, -1, -2, 1, 2, 3, 4]);
        assert_eq!(queue.0.lock().free, 1);
    }

    /// A client that leaves takes no turn and no place, whenever it leaves.
    #[tokio::test]
    async fn hash_turn_of_who_left_is_passed_on() {
        let queue = HashQueue::new(1, 2);
        let held = queue.turn(None).await.unwrap();
        for number in 0..50 {
            let queue = queue.clone();
            let waiting =
                tokio::spawn(async move { queue.turn(Some(network(number))).await.is_ok() });
            tokio::task::yield_now().await;
            waiting.abort();
            assert!(waiting.await.unwrap_err().is_cancelled());
        }
        let last = queue.clone();
        let last = tokio::spawn(async move { last.turn(Some(network(99))).await.is_ok() });
        tokio::task::yield_now().await;
        drop(held);
        assert!(last.await.unwrap());
        assert_eq!(queue.0.lock().free, 1);
    }
}
