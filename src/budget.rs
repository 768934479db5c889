//! A budget that many owners share: of memory, or of places in a table.
//!
//! # The rule
//!
//! An owner, which is most often a network ([`Network`]), may hold as much as is left for all others. A
//! single one gets half of the budget; of two each gets a third; of a hundred each gets a hundredth, and
//! a hundredth is free. So nobody can use the budget up: whoever comes finds something, as much as is
//! fair among those that are there, and no number has to be chosen for it.
//!
//! A reservation that does not fit is refused ([`Budget::try_reserve`]) or waits for its turn
//! ([`Budget::reserve`]). Those of one owner are granted in the order in which they were asked for,
//! and the owners take turns. What is asked for is the whole of what is needed: who held a part and
//! waited for the rest could wait for another who does the same.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::limits;
use crate::network::Network;

/// What tells the owners of a budget's parts apart.
pub trait Owner: Copy + Eq + Hash {}

impl<K: Copy + Eq + Hash> Owner for K {}

/// A budget. Clones are handles on the same budget.
#[derive(Clone, Debug)]
pub struct Budget<K: Owner = Network>(Arc<Mutex<Books<K>>>);

/// What is held, by whom, and who waits.
#[derive(Debug)]
struct Books<K> {
    total: usize,
    free: usize,
    /// The most that an owner may hold, however much is left.
    most: usize,
    /// The owners that hold something or wait.
    shares: HashMap<K, BudgetShare>,
    /// The owners that wait, each once; the first has its turn next.
    turns: VecDeque<K>,
    /// The number of reservations that have waited so far.
    tickets: u64,
}

/// What an owner holds, and what it waits for.
#[derive(Debug, Default)]
struct BudgetShare {
    held: usize,
    /// The reservations that wait, by their tickets.
    waiting: BTreeMap<u64, WaitingReservation>,
}

#[derive(Debug)]
struct WaitingReservation {
    amount: usize,
    granted: oneshot::Sender<()>,
}

/// A part of a budget, given back on drop.
#[derive(Debug)]
pub struct Reservation<K: Owner = Network> {
    budget: Budget<K>,
    owner: K,
    amount: usize,
}

/// A network's share of a budget of memory.
#[derive(Clone, Debug)]
pub struct MemoryShare {
    /// The budget.
    pub budget: Budget,
    /// The network.
    pub network: Network,
}

impl MemoryShare {
    /// A share of a budget that nobody else uses.
    #[cfg(test)]
    pub(crate) fn alone(total: usize) -> MemoryShare {
        MemoryShare {
            budget: Budget::new(total),
            network: Network::of(std::net::Ipv4Addr::LOCALHOST.into()),
        }
    }

    /// Reserves memory for this many bytes; `None` if the budget is short.
    #[must_use]
    pub fn try_reserve(&self, bytes: usize) -> Option<Reservation> {
        self.budget.try_reserve(self.network, bytes)
    }

    /// Reserves memory for this many bytes, and waits while the budget is short. The future may
    /// outlive this handle.
    pub fn reserve(&self, bytes: usize) -> impl Future<Output = Reservation> + Send + 'static {
        let MemoryShare { budget, network } = self.clone();
        async move { budget.reserve(network, bytes).await }
    }
}

impl<K: Owner> Budget<K> {
    /// A budget of this amount, nothing of it held.
    #[must_use]
    pub fn new(total: usize) -> Budget<K> {
        Budget::capped(total, None)
    }

    /// A budget of which no owner holds more than `most` in any case.
    #[must_use]
    pub fn capped(total: usize, most: Option<usize>) -> Budget<K> {
        Budget(Arc::new(Mutex::new(Books {
            total,
            free: total,
            most: most.unwrap_or(total),
            shares: HashMap::new(),
            turns: VecDeque::new(),
            tickets: 0,
        })))
    }

    /// Returns how much is held.
    #[must_use]
    pub fn held(&self) -> usize {
        let books = self.0.lock();
        books.total - books.free
    }

    /// Whether the owner could not reserve this amount now, or has reservations that wait.
    #[must_use]
    pub fn is_short(&self, owner: K, amount: usize) -> bool {
        !self.0.lock().admits(owner, amount)
    }

    /// Reserves an amount for an owner; `None` if the budget is short.
    #[must_use]
    pub fn try_reserve(&self, owner: K, amount: usize) -> Option<Reservation<K>> {
        let mut books = self.0.lock();
        if !books.admits(owner, amount) {
            return None;
        }
        books.take(owner, amount);
        Some(self.reservation(owner, amount))
    }

    /// Reserves an amount for an owner, and waits while the budget is short. To drop the future is to
    /// wait no longer.
    pub async fn reserve(&self, owner: K, amount: usize) -> Reservation<K> {
        let (ticket, answered) = {
            let mut books = self.0.lock();
            if books.admits(owner, amount) {
                books.take(owner, amount);
                return self.reservation(owner, amount);
            }
            let (granted, answered) = oneshot::channel();
            let ticket = books.wait(owner, WaitingReservation { amount, granted });
            (ticket, answered)
        };
        let mut turn = Turn {
            budget: self,
            owner,
            amount,
            ticket: Some(ticket),
        };
        // The sender stands in the books until it is used.
        let _ = answered.await;
        turn.ticket = None;
        self.reservation(owner, amount)
    }

    fn reservation(&self, owner: K, amount: usize) -> Reservation<K> {
        Reservation {
            budget: self.clone(),
            owner,
            amount,
        }
    }
}

impl<K: Owner> Reservation<K> {
    /// How much is reserved.
    #[must_use]
    pub fn amount(&self) -> usize {
        self.amount
    }
}

impl Reservation {
    /// Returns the bytes for which the memory was reserved: it is given back when the last handle on
    /// them is dropped.
    #[must_use]
    pub fn cover(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(CoveredBytes {
            bytes,
            _reservation: self,
        })
    }
}

/// Bytes with the reservation of their memory.
#[derive(Debug)]
struct CoveredBytes {
    bytes: Bytes,
    _reservation: Reservation,
}

impl AsRef<[u8]> for CoveredBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<K: Owner> Drop for Reservation<K> {
    fn drop(&mut self) {
        self.budget.0.lock().give_back(self.owner, self.amount);
    }
}

/// The place of a reservation that waits, which is left on drop.
#[derive(Debug)]
struct Turn<'a, K: Owner> {
    budget: &'a Budget<K>,
    owner: K,
    amount: usize,
    /// `None` when the reservation has been made.
    ticket: Option<u64>,
}

impl<K: Owner> Drop for Turn<'_, K> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mut books = self.budget.0.lock();
            if !books.wait_no_longer(self.owner, ticket) {
                // It had been granted, and nobody has looked.
                books.give_back(self.owner, self.amount);
            }
        }
    }
}

impl<K: Owner> Books<K> {
    /// Whether an owner may take this amount at once.
    fn admits(&self, owner: K, amount: usize) -> bool {
        let share = self.shares.get(&owner);
        share.is_none_or(|share| share.waiting.is_empty())
            && self.fits(share.map_or(0, |share| share.held), amount)
    }

    /// Whether there is room for an owner that holds so much to take this amount: no more than is
    /// left then.
    fn fits(&self, held: usize, amount: usize) -> bool {
        self.free
            .checked_sub(amount)
            .is_some_and(|left| held + amount <= left.min(self.most))
    }

    fn take(&mut self, owner: K, amount: usize) {
        self.free -= amount;
        self.shares.entry(owner).or_default().held += amount;
    }

    /// Takes an amount back, and grants what fits now.
    fn give_back(&mut self, owner: K, amount: usize) {
        self.free += amount;
        if let Some(share) = self.shares.get_mut(&owner) {
            share.held -= amount;
        }
        self.forget_if_unused(owner);
        self.grant();
    }

    /// Queues a reservation, and returns its ticket.
    fn wait(&mut self, owner: K, waiting: WaitingReservation) -> u64 {
        let ticket = self.tickets;
        self.tickets += 1;
        let share = self.shares.entry(owner).or_default();
        if share.waiting.is_empty() {
            self.turns.push_back(owner);
        }
        share.waiting.insert(ticket, waiting);
        ticket
    }

    /// Takes a reservation out of its queue; false if it is not there any more.
    fn wait_no_longer(&mut self, owner: K, ticket: u64) -> bool {
        let Some(share) = self.shares.get_mut(&owner) else {
            return false;
        };
        let was_waiting = share.waiting.remove(&ticket).is_some();
        if was_waiting && share.waiting.is_empty() {
            self.turns.retain(|turn| *turn != owner);
        }
        self.forget_if_unused(owner);
        // Another of its reservations may be first now, and fit.
        self.grant();
        was_waiting
    }

    /// Lets some owners have their turn: each gets what it waits for, as far as that fits.
    fn grant(&mut self) {
        for _ in 0..self.turns.len().min(limits::BUDGET_TURNS_AT_ONCE) {
            let Some(owner) = self.turns.pop_front() else {
                return;
            };
            while let Some((amount, granted)) = self.next_of(owner) {
                self.take(owner, amount);
                // A reservation whose task has ended meanwhile is given back by its `Turn`.
                let _ = granted.send(());
            }
            if self
                .shares
                .get(&owner)
                .is_some_and(|share| !share.waiting.is_empty())
            {
                self.turns.push_back(owner);
            }
        }
    }

    /// Takes the first reservation of an owner out of its queue if it fits.
    fn next_of(&mut self, owner: K) -> Option<(usize, oneshot::Sender<()>)> {
        let share = self.shares.get(&owner)?;
        let (ticket, first) = share.waiting.first_key_value()?;
        if !self.fits(share.held, first.amount) {
            return None;
        }
        let ticket = *ticket;
        let first = self.shares.get_mut(&owner)?.waiting.remove(&ticket)?;
        Some((first.amount, first.granted))
    }

    fn forget_if_unused(&mut self, owner: K) {
        let share = self.shares.get(&owner);
        if share.is_some_and(|share| share.held == 0 && share.waiting.is_empty()) {
            self.shares.remove(&owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn network(n: u32) -> Network {
        Network::of(Ipv4Addr::from_bits(n).into())
    }

    /// Reserves as much as a network gets, in steps of 1, and returns how much.
    fn fill(budget: &Budget, n: u32) -> Vec<Reservation> {
        std::iter::from_fn(|| budget.try_reserve(network(n), 1)).collect()
    }

    fn is_forgotten(budget: &Budget) -> bool {
        let books = budget.0.lock();
        books.free == books.total && books.shares.is_empty() && books.turns.is_empty()
    }

    /// Whoever comes later gets a share, too, however greedy the others are.
    #[test]
    fn budget_is_shared_by_networks() {
        let budget = Budget::new(120);
        let first = fill(&budget, 1);
        assert_eq!(first.len(), 60);
        assert!(budget.is_short(network(1), 1));
        assert!(!budget.is_short(network(2), 30));
        assert!(budget.is_short(network(2), 31));
        let others: Vec<_> = (2..5).map(|n| fill(&budget, n).len()).collect();
        assert_eq!(others, [30, 30, 30], "each was given back");
        let second = fill(&budget, 2);
        assert_eq!((second.len(), budget.held()), (30, 90));
        assert_eq!(fill(&budget, 3).len(), 15);
        drop((first, second));
        assert!(is_forgotten(&budget));
    }

    /// More than half of a budget is never granted, and none of it is held by an attempt.
    #[test]
    fn budget_refuses_too_much() {
        let budget = Budget::new(10);
        assert!(budget.try_reserve(network(1), 6).is_none());
        assert!(budget.try_reserve(network(1), usize::MAX).is_none());
        assert!(budget.try_reserve(network(1), 5).is_some());
        assert!(is_forgotten(&budget));
    }

    /// Reservations that wait are granted in their order, and nobody overtakes them.
    #[tokio::test]
    async fn budget_waits_in_order() {
        let budget = Budget::new(10);
        let all = budget.reserve(network(1), 5).await;
        let wait = |amount| {
            let budget = budget.clone();
            tokio::spawn(async move { budget.reserve(network(1), amount).await })
        };
        let (large, small) = (wait(4), wait(1));
        tokio::task::yield_now().await;
        assert!(budget.is_short(network(1), 0), "somebody waits");
        drop(all);
        let large = large.await.unwrap();
        let small = small.await.unwrap();
        assert_eq!(budget.held(), 5);
        drop((large, small));
        assert!(is_forgotten(&budget));
    }

    /// A network that has been waiting gets its turn when another one gives back.
    #[tokio::test]
    async fn budget_networks_take_turns() {
        let budget = Budget::new(12);
        let first = fill(&budget, 1);
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.reserve(network(2), 5).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert_eq!(waiting.await.unwrap().amount, 5);
        assert!(is_forgotten(&budget));
    }

    /// Who does not wait any longer leaves nothing, whether it was granted meanwhile or not.
    #[tokio::test]
    async fn budget_forgets_who_left() {
        let budget = Budget::new(10);
        for granted in [false, true] {
            let held = budget.reserve(network(1), 5).await;
            let mut waiting = Box::pin(budget.reserve(network(1), 5));
            let pending = std::future::poll_fn(|cx| {
                std::task::Poll::Ready(waiting.as_mut().poll(cx).is_pending())
            });
            assert!(pending.await);
            if granted {
                drop(held);
                drop(waiting);
            } else {
                drop(waiting);
                drop(held);
            }
            assert!(is_forgotten(&budget), "{granted}");
        }
    }
}
