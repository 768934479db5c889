//! Which letters of a mailbox have been received, which are out, and which came back. No IO.

use std::collections::{BTreeMap, BTreeSet};

use super::ack_state::AckState;
use super::missed::Missed;
use crate::limits;
use crate::message::Seq;

/// The letters of a mailbox that is in use.
///
/// Up to `through` all is done. From there to `seen` the letters are known one by one: those in
/// `pending` have been handed to somebody, or came back; the others are in `done`. What lies
/// behind `seen` has not been looked at, but some of it may be `done` all the same: a client says
/// what it got before the server was killed.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    through: Seq,
    seen: Seq,
    /// How many letters stand up to `seen`, counted from the mailbox's first.
    counted: u64,
    pending: BTreeMap<Seq, Pending>,
    done: BTreeSet<Seq>,
    /// What the next answer has to say.
    missed: Option<Missed>,
    tickets: u64,
}

/// Says which hand-out of a letter is meant: it may be handed out again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeliveryTag(u64);

/// A letter that is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    /// Somebody has it, and was told so much beside it.
    InFlight(DeliveryTag, Option<Missed>),
    /// It is to go to the next who asks.
    Back,
}

/// A letter that is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InFlight {
    pub(super) seq: Seq,
    pub(super) ticket: DeliveryTag,
    /// What its receiver is to be told with it.
    pub(super) missed: Option<Missed>,
}

/// The oldest letters of a mailbox, which the log has let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expired {
    /// The last of them.
    pub(super) through: Seq,
    /// How many they are, where that is known.
    pub(super) count: Option<u64>,
}

impl Deliveries {
    /// A mailbox of which so much has been noted.
    pub(super) fn new(note: AckState) -> Deliveries {
        Deliveries {
            through: note.through,
            seen: note.through,
            counted: note.count,
            done: note.done.into_iter().collect(),
            ..Deliveries::default()
        }
    }

    /// What is to be noted.
    pub(super) fn note(&self) -> AckState {
        let open = self.pending.len() + self.done.range(..=self.seen).count();
        AckState {
            through: self.through,
            count: self.counted.saturating_sub(open as u64),
            done: self.done.iter().copied().collect(),
        }
    }

    /// The letters up to here have been looked at.
    pub(super) fn seen(&self) -> Seq {
        self.seen
    }

    /// Are as many letters between the first that is not done and the last that was handed out as
    /// there may be? Then one of them is pending.
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() + self.done.range(..=self.seen).count() >= limits::MAILBOX_IN_FLIGHT_MAX
    }

    /// The log has let go of letters. Those that nobody has looked at are missed, but for those
    /// that were done.
    pub(super) fn lose(&mut self, lost: Expired) {
        if lost.through <= self.seen {
            return;
        }
        let done = self.done.range(self.seen.next()..=lost.through).count() as u64;
        let missed = lost
            .count
            .map(|count| count.saturating_sub(self.counted + done));
        if missed != Some(0) {
            self.miss(Missed(missed));
        }
        self.seen = lost.through;
        self.counted = lost.count.unwrap_or(self.counted + done);
        self.settle();
    }

    /// The next letter in order is here; hands it out, unless it is done.
    pub(super) fn walk(&mut self, seq: Seq) -> Option<InFlight> {
        self.seen = seq;
        self.counted += 1;
        if self.done.contains(&seq) {
            self.settle();
            return None;
        }
        Some(self.hand_out(seq))
    }

    /// Hands out the first of those that came back.
    pub(super) fn take_back(&mut self) -> Option<InFlight> {
        let back = |(seq, pending): (&Seq, &Pending)| (*pending == Pending::Back).then_some(*seq);
        let seq = self.pending.iter().find_map(back)?;
        Some(self.hand_out(seq))
    }

    fn hand_out(&mut self, seq: Seq) -> InFlight {
        self.tickets += 1;
        let (ticket, missed) = (DeliveryTag(self.tickets), self.missed.take());
        self.pending.insert(seq, Pending::InFlight(ticket, missed));
        InFlight {
            seq,
            ticket,
            missed,
        }
    }

    /// What is to be said by an answer without a letter.
    pub(super) fn take_missed(&mut self) -> Option<Missed> {
        self.missed.take()
    }

    /// So many letters are missed, and nobody has been told.
    pub(super) fn miss(&mut self, missed: Missed) {
        self.missed = Some(self.missed.map_or(missed, |others| others.and(missed)));
    }

    /// The letter of this ticket has not come; true if it is still out on it.
    pub(super) fn give_back(&mut self, out: InFlight) -> bool {
        if !self.is_out(out) {
            return false;
        }
        self.pending.insert(out.seq, Pending::Back);
        if let Some(missed) = out.missed {
            self.miss(missed);
        }
        true
    }

    /// The letter of this ticket has been received; true if it was still out on it.
    pub(super) fn receive(&mut self, out: InFlight) -> bool {
        self.is_out(out) && self.acknowledge(out.seq)
    }

    /// The letter of this ticket is gone from the log before anybody received it.
    pub(super) fn find_gone(&mut self, out: InFlight) {
        if self.give_back(out) {
            self.acknowledge(out.seq);
            self.miss(Missed(Some(1)));
        }
    }

    fn is_out(&self, out: InFlight) -> bool {
        let InFlight { seq, ticket, .. } = out;
        matches!(self.pending.get(&seq), Some(Pending::InFlight(now, _)) if *now == ticket)
    }

    /// Somebody says to have received a letter, whoever had it last; true if that is news of a
    /// letter that had been handed out.
    pub(super) fn acknowledge(&mut self, seq: Seq) -> bool {
        let known = self.pending.remove(&seq).is_some();
        if known {
            self.done.insert(seq);
            self.settle();
        }
        known
    }

    /// Somebody says to have received a letter that has not been looked at since the mailbox is in
    /// use; true if that is noted. It is not when too many are: then the letter comes once more.
    pub(super) fn acknowledge_unseen(&mut self, seq: Seq) -> bool {
        let room = self.done.range(self.seen.next()..).count() < limits::MAILBOX_IN_FLIGHT_MAX;
        seq > self.seen && room && self.done.insert(seq)
    }

    /// Moves on over all that is done.
    fn settle(&mut self) {
        let first = self.pending.keys().next();
        self.through = first.map_or(self.seen, |first| first.before());
        self.done = self.done.split_off(&self.through.next());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(through: u64, count: u64, done: &[u64]) -> AckState {
        AckState {
            through: Seq(through),
            count,
            done: done.iter().copied().map(Seq).collect(),
        }
    }

    /// A mailbox in use whose letters with these numbers have been handed out.
    fn out(seqs: &[u64]) -> (Deliveries, Vec<InFlight>) {
        let mut book = Deliveries::default();
        let outs = seqs.iter().map(|seq| book.walk(Seq(*seq)).unwrap());
        let outs = outs.collect();
        (book, outs)
    }

    #[test]
    fn what_is_received_out_of_order_is_noted_one_by_one() {
        let (mut book, outs) = out(&[2, 5, 7]);
        assert!(book.receive(outs[1]));
        assert_eq!(book.note(), note(1, 0, &[5]));
        assert!(book.receive(outs[2]));
        assert_eq!(book.note(), note(1, 0, &[5, 7]));
        assert!(book.receive(outs[0]));
        assert_eq!(book.note(), note(7, 3, &[]));
        assert!(!book.receive(outs[0]), "once is enough");
    }

    #[test]
    fn a_letter_that_came_back_goes_to_the_next_and_only_its_last_ticket_counts() {
        let (mut book, outs) = out(&[2, 5]);
        assert!(book.give_back(outs[0]));
        assert!(!book.give_back(outs[0]), "it came back already");
        let again = book.take_back().unwrap();
        assert_eq!(again.seq, Seq(2));
        assert!(!book.receive(outs[0]) && !book.give_back(outs[0]));
        assert_eq!(book.take_back(), None);
        assert!(book.receive(again));
        assert_eq!(book.note(), note(4, 1, &[]));
    }

    #[test]
    fn an_acknowledgement_counts_whoever_has_the_letter() {
        let (mut book, outs) = out(&[2, 5]);
        book.give_back(outs[0]);
        assert!(book.acknowledge(Seq(2)));
        assert_eq!(book.take_back(), None);
        assert!(book.acknowledge(Seq(5)));
        assert!(!book.acknowledge(Seq(5)) && !book.acknowledge_unseen(Seq(5)));
        assert!(!book.give_back(outs[1]));
        assert_eq!(book.note(), note(5, 2, &[]));
    }

    #[test]
    fn what_was_noted_is_not_handed_out_again() {
        let mut book = Deliveries::new(note(4, 2, &[6, 9]));
        assert!(book.acknowledge_unseen(Seq(7)) && !book.acknowledge_unseen(Seq(7)));
        let five = book.walk(Seq(5)).unwrap();
        assert_eq!(book.walk(Seq(6)), None);
        assert_eq!(book.walk(Seq(7)), None);
        assert_eq!(book.note(), note(4, 2, &[6, 7, 9]));
        assert!(book.receive(five));
        assert_eq!(book.note(), note(7, 5, &[9]));
    }

    #[test]
    fn what_the_log_let_go_of_is_missed_unless_it_was_received() {
        let mut book = Deliveries::new(note(4, 2, &[6]));
        let lost = |through, count| Expired {
            through: Seq(through),
            count,
        };
        // Two up to 4, number 6, and two others.
        book.lose(lost(8, Some(5)));
        assert_eq!(book.note(), note(8, 5, &[]));
        book.lose(lost(8, Some(5)));
        let first = book.walk(Seq(9)).unwrap();
        assert_eq!(first.missed, Some(Missed(Some(2))));
        // It is said again if it was not heard.
        book.give_back(first);
        book.lose(lost(12, Some(8)));
        let again = book.take_back().unwrap();
        assert_eq!(again.missed, Some(Missed(Some(4))));
        book.find_gone(again);
        assert_eq!(book.take_missed(), Some(Missed(Some(5))));
        assert_eq!(book.take_missed(), None);
        book.lose(lost(20, None));
        assert_eq!(book.take_missed(), Some(Missed(None)));
    }

    #[test]
    fn all_that_was_received_and_then_let_go_is_not_missed() {
        let mut book = Deliveries::new(note(0, 3, &[]));
        book.lose(Expired {
            through: Seq(8),
            count: Some(3),
        });
        assert_eq!(book.take_missed(), None);
        assert_eq!(book.note(), note(8, 3, &[]));
    }

    #[test]
    fn one_letter_that_nobody_receives_holds_up_the_others_in_the_end() {
        let (mut book, outs) = out(&[1]);
        for seq in 2..=limits::MAILBOX_IN_FLIGHT_MAX as u64 {
            assert!(!book.is_full());
            let next = book.walk(Seq(seq)).unwrap();
            assert!(book.receive(next));
        }
        assert!(book.is_full());
        assert!(book.receive(outs[0]));
        assert!(!book.is_full());
        assert_eq!(book.done.len(), 0);
    }

    #[test]
    fn acknowledgements_of_what_was_not_looked_at_are_bounded_and_hold_up_nothing() {
        let mut book = Deliveries::default();
        let most = limits::MAILBOX_IN_FLIGHT_MAX as u64;
        let noted = (2..).take_while(|seq| book.acknowledge_unseen(Seq(*seq)));
        assert_eq!(noted.count() as u64, most);
        assert!(!book.is_full());
        let first = book.walk(Seq(1)).unwrap();
        assert!((2..most + 2).all(|seq| book.walk(Seq(seq)).is_none()));
        assert!(book.is_full());
        assert!(book.receive(first));
        assert!(!book.is_full());
    }
}
