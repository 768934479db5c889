//! The tables in the doc of this module, as tests.

use std::net::Ipv4Addr;

use super::*;

type Event = fn(&Connection<()>);

/// An event by its name, with the phase and the fate that it leads to from `Open` and `HalfClosed`.
type Row = (&'static str, Event, [(Phase, Fate); 2]);

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ALICE: Client = Client::Forwarded {
    sender: 1,
    mailbox: 7,
};

/// What has become of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unconfirmed,
    Confirmed,
    Returned,
}
use Fate::{Confirmed, Returned, Unconfirmed};

/// A delivery whose fate can be looked up.
fn deliver(connection: &Connection<()>, client: Client) -> impl Fn() -> Fate + use<> {
    let confirmed = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&confirmed);
    connection.add_delivery(client, Box::new(move || confirmed.store(true, Relaxed)));
    move || match (seen.load(Relaxed), Arc::strong_count(&seen)) {
        (true, _) => Confirmed,
        (false, 1) => Returned,
        (false, _) => Unconfirmed,
    }
}

fn to_phase(connection: &Connection<()>, phase: Phase) {
    match phase {
        Phase::Open => {}
        Phase::HalfClosed => connection.on_eof(),
        Phase::Stalled => connection.on_stalled(),
        Phase::Broken => connection.on_broken(),
    }
}

/// The first table of the module: in each phase, each event leads to the next phase and decides
/// the fate of a delivery made before it.
#[test]
fn connection_events_by_phase() {
    use Phase::{Broken, HalfClosed, Open, Stalled};
    let on_read: Event = |c| {
        c.on_read();
        c.on_request(None);
    };
    let rows: [Row; 7] = [
        (
            "no event",
            |_| (),
            [(Open, Unconfirmed), (HalfClosed, Unconfirmed)],
        ),
        (
            "on_read, on_request",
            on_read,
            [(Open, Confirmed), (HalfClosed, Confirmed)],
        ),
        ("on_eof", Connection::on_eof, [(HalfClosed, Unconfirmed); 2]),
        (
            "on_stalled",
            Connection::on_stalled,
            [(Stalled, Returned); 2],
        ),
        ("on_broken", Connection::on_broken, [(Broken, Returned); 2]),
        (
            "on_end(true)",
            |c| c.on_end(true),
            [(Open, Confirmed), (HalfClosed, Confirmed)],
        ),
        (
            "on_end(false)",
            |c| c.on_end(false),
            [(Open, Returned), (HalfClosed, Returned)],
        ),
    ];
    for (name, event, expected) in rows {
        for (phase, expected) in [Open, HalfClosed].into_iter().zip(expected) {
            let connection = Connection::new(LOCALHOST);
            to_phase(&connection, phase);
            let fate = deliver(&connection, Client::Direct);
            event(&connection);
            assert_eq!(
                (connection.phase.get(), fate()),
                expected,
                "{name} in {phase:?}"
            );
        }
        for phase in [Stalled, Broken] {
            let connection = Connection::new(LOCALHOST);
            to_phase(&connection, phase);
            let fate = deliver(&connection, Client::Direct);
            assert_eq!(fate(), Returned, "nothing is delivered in {phase:?}");
            event(&connection);
            assert_eq!(connection.phase.get(), phase, "{name} in {phase:?}");
            assert!(!connection.has_unconfirmed());
        }
    }
}

/// The second table of the module: what a request proves, by whom it is sent.
#[test]
fn request_confirms_only_its_own_client() {
    let other_mailbox = Client::Forwarded {
        sender: 1,
        mailbox: 8,
    };
    let rows: [(&str, Client, Event, Fate); 7] = [
        (
            "direct, then direct",
            Client::Direct,
            |c| c.on_request(None),
            Confirmed,
        ),
        (
            "direct, then forwarded",
            Client::Direct,
            |c| c.on_request(Some(2)),
            Confirmed,
        ),
        (
            "forwarded, then another client",
            ALICE,
            |c| c.on_request(Some(2)),
            Returned,
        ),
        (
            "forwarded, then a direct request",
            ALICE,
            |c| c.on_request(None),
            Returned,
        ),
        (
            "forwarded, then the same client",
            ALICE,
            |c| c.on_request(Some(1)),
            Unconfirmed,
        ),
        (
            "forwarded, then the same client for the same mailbox",
            ALICE,
            |c| {
                c.on_request(Some(1));
                c.on_receive(ALICE);
            },
            Confirmed,
        ),
        (
            "forwarded, then the same client for another mailbox",
            other_mailbox,
            |c| {
                c.on_request(Some(1));
                c.on_receive(ALICE);
            },
            Returned,
        ),
    ];
    for (name, client, request, expected) in rows {
        let connection = Connection::new(LOCALHOST);
        let fate = deliver(&connection, client);
        request(&connection);
        assert_eq!(fate(), Unconfirmed, "{name}: it was sent before the answer");
        connection.on_read();
        request(&connection);
        assert_eq!(fate(), expected, "{name}");
    }
}

/// A body that arrives after the answer does not make its request, sent before, a proof.
#[test]
fn late_body_proves_nothing() {
    let connection = Connection::new(LOCALHOST);
    let fate = deliver(&connection, ALICE);
    connection.on_request(Some(1));
    connection.on_read();
    connection.on_receive(ALICE);
    assert_eq!(fate(), Unconfirmed);
}

/// Bytes after this side's end confirm what was delivered to a direct client only.
#[test]
fn late_read_confirms_a_direct_client() {
    let connection = Connection::new(LOCALHOST);
    let (direct, forwarded) = (
        deliver(&connection, Client::Direct),
        deliver(&connection, ALICE),
    );
    connection.on_late_read();
    assert_eq!((direct(), forwarded()), (Confirmed, Unconfirmed));
}

/// A lease lasts until the connection ends, or another one takes its place.
#[test]
fn lease_ends_with_its_connection() {
    let connection = Connection::<()>::new(LOCALHOST);
    let (first, second) = (Arc::new(()), Arc::new(()));
    connection.hold_lease(Box::new(Arc::clone(&first)));
    connection.hold_lease(Box::new(Arc::clone(&second)));
    let held = || (Arc::strong_count(&first), Arc::strong_count(&second));
    assert_eq!(held(), (1, 2));
    connection.on_broken();
    assert_eq!(held(), (1, 1));
}

/// Liveness is asked for again and again, and each time taken once.
#[test]
fn liveness_request_is_taken_once() {
    let connection = Connection::<()>::new(LOCALHOST);
    assert!(!connection.take_liveness_request());
    connection.request_liveness();
    assert!(connection.take_liveness_request());
    assert!(!connection.take_liveness_request());
}
