//! The state of a mailbox's deliveries: which letters are acked, in flight, returned or missed.
//! It does no IO. The states and the arrows between them are drawn in the [module's page](super).

use std::collections::{BTreeMap, BTreeSet};

use super::ack_state::AckState;
use super::expired::{Expired, Missed};
use crate::limits;
use crate::message::Seq;

/// The delivery state of a mailbox that is in use: `ack_floor ≤ acked ∪ unacked ≤ scanned_through`.
///
/// All letters up to `ack_floor` are finished. After it and up to `scanned_through` each letter is
/// tracked, in `unacked` or in `acked`. Letters after `scanned_through` have not been scanned.
/// Some of those may be in `acked` all the same, because a client may acknowledge what it received
/// before the server was killed.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    ack_floor: Seq,
    scanned_through: Seq,
    /// The number of letters up to `scanned_through`, counted from the mailbox's first.
    scanned_count: u64,
    /// The letters that are in flight or returned.
    unacked: BTreeMap<Seq, Unacked>,
    /// The letters after `ack_floor` that are finished.
    acked: BTreeSet<Seq>,
    /// The number of missed letters that the next answer has to tell.
    missed: Option<Missed>,
    /// The tag of the latest delivery of this mailbox.
    last_tag: u64,
}

/// Identifies one delivery of a letter. A letter may be delivered many times, and only the latest
/// of its deliveries still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeliveryTag(u64);

/// The state of a letter that has been delivered and is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unacked {
    /// The letter is on its way to a receiver, with this number of missed letters.
    InFlight(DeliveryTag, Option<Missed>),
    /// The letter is to be redelivered to the next receiver that asks.
    Returned,
}

/// A letter in flight: one delivery of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InFlight {
    pub(super) seq: Seq,
    pub(super) tag: DeliveryTag,
    /// The number of missed letters that the receiver is told with this letter.
    pub(super) missed: Option<Missed>,
}

impl Deliveries {
    /// The deliveries of a mailbox with this ack state: none is in flight.
    pub(super) fn new(state: AckState) -> Deliveries {
        Deliveries {
            ack_floor: state.ack_floor,
            scanned_through: state.ack_floor,
            scanned_count: state.floor_count,
            acked: state.acked.into_iter().collect(),
            ..Deliveries::default()
        }
    }

    /// Returns the ack state, to be kept in the log.
    pub(super) fn ack_state(&self) -> AckState {
        AckState {
            ack_floor: self.ack_floor,
            floor_count: self.scanned_count.saturating_sub(self.after_floor() as u64),
            acked: self.acked.iter().copied().collect(),
        }
    }

    /// Returns the position up to which letters have been scanned.
    pub(super) fn scanned_through(&self) -> Seq {
        self.scanned_through
    }

    /// Returns the number of letters after `ack_floor`, up to `scanned_through`.
    fn after_floor(&self) -> usize {
        self.unacked.len() + self.acked.range(..=self.scanned_through).count()
    }

    /// Whether [`limits::MAILBOX_IN_FLIGHT_MAX`] letters stand after `ack_floor`, up to
    /// `scanned_through`. Then at least one of them is unacked, and no other letter is scanned
    /// until the floor advances.
    pub(super) fn is_full(&self) -> bool {
        self.after_floor() >= limits::MAILBOX_IN_FLIGHT_MAX
    }

    /// Skips letters that expired before they were scanned. They count as missed, but for those
    /// that had been acknowledged.
    pub(super) fn skip_expired(&mut self, expired: Expired) {
        if expired.through <= self.scanned_through {
            return;
        }
        let unscanned = self.scanned_through.next()..=expired.through;
        let acked = self.acked.range(unscanned).count() as u64;
        let missed = expired
            .count
            .map(|count| count.saturating_sub(self.scanned_count + acked));
        if missed != Some(0) {
            self.add_missed(Missed(missed));
        }
        self.scanned_through = expired.through;
        self.scanned_count = expired.count.unwrap_or(self.scanned_count + acked);
        self.advance_ack_floor();
    }

    /// Scans the next letter in the log's order and delivers it; `None` if it was acknowledged
    /// before it was scanned.
    pub(super) fn scan(&mut self, seq: Seq) -> Option<InFlight> {
        self.scanned_through = seq;
        self.scanned_count += 1;
        if self.acked.contains(&seq) {
            self.advance_ack_floor();
            return None;
        }
        Some(self.deliver(seq))
    }

    /// Delivers the oldest returned letter once more; `None` if no letter is returned.
    pub(super) fn redeliver(&mut self) -> Option<InFlight> {
        let returned =
            |(seq, state): (&Seq, &Unacked)| (*state == Unacked::Returned).then_some(*seq);
        let seq = self.unacked.iter().find_map(returned)?;
        Some(self.deliver(seq))
    }

    fn deliver(&mut self, seq: Seq) -> InFlight {
        self.last_tag += 1;
        let (tag, missed) = (DeliveryTag(self.last_tag), self.missed.take());
        self.unacked.insert(seq, Unacked::InFlight(tag, missed));
        InFlight { seq, tag, missed }
    }

    /// Takes the number of missed letters, for an answer without a letter.
    pub(super) fn take_missed(&mut self) -> Option<Missed> {
        self.missed.take()
    }

    /// Adds missed letters to those that the next answer tells.
    pub(super) fn add_missed(&mut self, missed: Missed) {
        self.missed = Some(self.missed.map_or(missed, |others| others.plus(missed)));
    }

    /// Marks the letter of a delivery that did not arrive as returned; the number of missed letters
    /// that it carried returns, too. False, and without effect, if the delivery is no longer in
    /// flight.
    pub(super) fn return_to_queue(&mut self, in_flight: InFlight) -> bool {
        if !self.is_in_flight(in_flight) {
            return false;
        }
        self.unacked.insert(in_flight.seq, Unacked::Returned);
        if let Some(missed) = in_flight.missed {
            self.add_missed(missed);
        }
        true
    }

    /// Acknowledges the letter of a delivery that has arrived. False, and without effect, if the
    /// delivery is no longer in flight.
    pub(super) fn acknowledge_delivery(&mut self, in_flight: InFlight) -> bool {
        self.is_in_flight(in_flight) && self.acknowledge(in_flight.seq)
    }

    /// Marks the letter of a delivery as expired, if the delivery is still in flight: the letter is
    /// finished, and counts as missed.
    pub(super) fn mark_expired(&mut self, in_flight: InFlight) {
        if self.return_to_queue(in_flight) {
            self.acknowledge(in_flight.seq);
            self.add_missed(Missed(Some(1)));
        }
    }

    /// Whether this delivery is its letter's latest, and neither acknowledged nor returned.
    fn is_in_flight(&self, in_flight: InFlight) -> bool {
        let InFlight { seq, tag, .. } = in_flight;
        matches!(self.unacked.get(&seq), Some(Unacked::InFlight(latest, _)) if *latest == tag)
    }

    /// Acknowledges a delivered letter by its position, whichever receiver had it last, and even if
    /// it has returned. False, and without effect, if the letter is not unacked.
    pub(super) fn acknowledge(&mut self, seq: Seq) -> bool {
        let was_unacked = self.unacked.remove(&seq).is_some();
        if was_unacked {
            self.acked.insert(seq);
            self.advance_ack_floor();
        }
        was_unacked
    }

    /// Acknowledges a letter that has not been scanned since the mailbox is in use. False, and
    /// without effect, if the letter has been scanned, was acknowledged before, or if too many such
    /// acknowledgements are kept already: then the letter will be delivered once more.
    pub(super) fn acknowledge_unscanned(&mut self, seq: Seq) -> bool {
        let unscanned = self.acked.range(self.scanned_through.next()..).count();
        let has_room = unscanned < limits::MAILBOX_IN_FLIGHT_MAX;
        seq > self.scanned_through && has_room && self.acked.insert(seq)
    }

    /// Moves `ack_floor` up to the first unacked letter, or to `scanned_through` if there is none,
    /// and forgets the acked letters that are below it then.
    fn advance_ack_floor(&mut self) {
        let first = self.unacked.keys().next();
        self.ack_floor = first.map_or(self.scanned_through, |first| first.before());
        self.acked = self.acked.split_off(&self.ack_floor.next());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(ack_floor: u64, floor_count: u64, acked: &[u64]) -> AckState {
        AckState {
            ack_floor: Seq(ack_floor),
            floor_count,
            acked: acked.iter().copied().map(Seq).collect(),
        }
    }

    /// The deliveries of a mailbox whose letters at these positions are in flight.
    fn in_flight(seqs: &[u64]) -> (Deliveries, Vec<InFlight>) {
        let mut deliveries = Deliveries::default();
        let scanned = seqs.iter().map(|seq| deliveries.scan(Seq(*seq)).unwrap());
        let scanned = scanned.collect();
        (deliveries, scanned)
    }

    /// Letters that are acknowledged out of order are tracked until the floor passes them.
    #[test]
    fn acks_out_of_order() {
        let (mut deliveries, letters) = in_flight(&[2, 5, 7]);
        assert!(deliveries.acknowledge_delivery(letters[1]));
        assert_eq!(deliveries.ack_state(), state(1, 0, &[5]));
        assert!(deliveries.acknowledge_delivery(letters[2]));
        assert_eq!(deliveries.ack_state(), state(1, 0, &[5, 7]));
        assert!(deliveries.acknowledge_delivery(letters[0]));
        assert_eq!(deliveries.ack_state(), state(7, 3, &[]));
        let twice = deliveries.acknowledge_delivery(letters[0]);
        assert!(!twice, "a delivery is acknowledged once");
    }

    /// A returned letter is redelivered, and from then on only its latest delivery counts.
    #[test]
    fn redelivery_supersedes_earlier_delivery() {
        let (mut deliveries, letters) = in_flight(&[2, 5]);
        assert!(deliveries.return_to_queue(letters[0]));
        let twice = deliveries.return_to_queue(letters[0]);
        assert!(!twice, "the letter has returned already");
        let again = deliveries.redeliver().unwrap();
        assert_eq!(again.seq, Seq(2));
        assert!(!deliveries.acknowledge_delivery(letters[0]));
        assert!(!deliveries.return_to_queue(letters[0]));
        assert_eq!(deliveries.redeliver(), None);
        assert!(deliveries.acknowledge_delivery(again));
        assert_eq!(deliveries.ack_state(), state(4, 1, &[]));
    }

    /// An acknowledgement by position counts for a letter in flight and for a returned letter.
    #[test]
    fn ack_by_position_in_any_state() {
        let (mut deliveries, letters) = in_flight(&[2, 5]);
        deliveries.return_to_queue(letters[0]);
        assert!(deliveries.acknowledge(Seq(2)));
        assert_eq!(deliveries.redeliver(), None);
        assert!(deliveries.acknowledge(Seq(5)));
        assert!(!deliveries.acknowledge(Seq(5)) && !deliveries.acknowledge_unscanned(Seq(5)));
        assert!(!deliveries.return_to_queue(letters[1]));
        assert_eq!(deliveries.ack_state(), state(5, 2, &[]));
    }

    /// Letters that the ack state has as acked, and letters acked before the scan, are not
    /// delivered.
    #[test]
    fn acked_letters_are_not_delivered_again() {
        let mut deliveries = Deliveries::new(state(4, 2, &[6, 9]));
        assert!(deliveries.acknowledge_unscanned(Seq(7)));
        assert!(!deliveries.acknowledge_unscanned(Seq(7)));
        let five = deliveries.scan(Seq(5)).unwrap();
        assert_eq!(deliveries.scan(Seq(6)), None);
        assert_eq!(deliveries.scan(Seq(7)), None);
        assert_eq!(deliveries.ack_state(), state(4, 2, &[6, 7, 9]));
        assert!(deliveries.acknowledge_delivery(five));
        assert_eq!(deliveries.ack_state(), state(7, 5, &[9]));
    }

    /// Expired letters count as missed unless they were acked; the number is told until an answer
    /// with it arrives.
    #[test]
    fn expired_letters_are_missed_unless_acked() {
        let mut deliveries = Deliveries::new(state(4, 2, &[6]));
        let expired = |through, count| Expired {
            through: Seq(through),
            count,
        };
        // Five letters have expired: two up to position 4, the one at 6, and two others.
        deliveries.skip_expired(expired(8, Some(5)));
        assert_eq!(deliveries.ack_state(), state(8, 5, &[]));
        deliveries.skip_expired(expired(8, Some(5)));
        let first = deliveries.scan(Seq(9)).unwrap();
        assert_eq!(first.missed, Some(Missed(Some(2))));
        // The delivery that told the number did not arrive, so the next one tells it.
        deliveries.return_to_queue(first);
        deliveries.skip_expired(expired(12, Some(8)));
        let again = deliveries.redeliver().unwrap();
        assert_eq!(again.missed, Some(Missed(Some(4))));
        deliveries.mark_expired(again);
        assert_eq!(deliveries.take_missed(), Some(Missed(Some(5))));
        assert_eq!(deliveries.take_missed(), None);
        deliveries.skip_expired(expired(20, None));
        assert_eq!(deliveries.take_missed(), Some(Missed(None)));
    }

    /// No letter is missed when all that expired had been acked.
    #[test]
    fn expired_after_ack_is_not_missed() {
        let mut deliveries = Deliveries::new(state(0, 3, &[]));
        deliveries.skip_expired(Expired {
            through: Seq(8),
            count: Some(3),
        });
        assert_eq!(deliveries.take_missed(), None);
        assert_eq!(deliveries.ack_state(), state(8, 3, &[]));
    }

    /// A letter that is never acked stops the scan in the end, until it is acked.
    #[test]
    fn oldest_unacked_letter_stops_scan() {
        let (mut deliveries, letters) = in_flight(&[1]);
        for seq in 2..=limits::MAILBOX_IN_FLIGHT_MAX as u64 {
            assert!(!deliveries.is_full());
            let next = deliveries.scan(Seq(seq)).unwrap();
            assert!(deliveries.acknowledge_delivery(next));
        }
        assert!(deliveries.is_full());
        assert!(deliveries.acknowledge_delivery(letters[0]));
        assert!(!deliveries.is_full());
        assert_eq!(deliveries.acked.len(), 0);
    }

    /// Acknowledgements of letters that were not scanned are bounded, and do not stop the scan.
    #[test]
    fn unscanned_acks_are_bounded() {
        let mut deliveries = Deliveries::default();
        let most = limits::MAILBOX_IN_FLIGHT_MAX as u64;
        let acked = (2..).take_while(|seq| deliveries.acknowledge_unscanned(Seq(*seq)));
        assert_eq!(acked.count() as u64, most);
        assert!(!deliveries.is_full());
        let first = deliveries.scan(Seq(1)).unwrap();
        assert!((2..most + 2).all(|seq| deliveries.scan(Seq(seq)).is_none()));
        assert!(deliveries.is_full());
        assert!(deliveries.acknowledge_delivery(first));
        assert!(!deliveries.is_full());
    }
}
