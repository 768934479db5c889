//! A wall clock that is wrong, and is set: nothing is lost by that, and nothing is kept for ever.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forever_frame::config::StoreKind;
use forever_frame::limits;
use forever_frame::machine_clock::{MachineClock, ManualClock};
use forever_frame::message::Timestamp;

use crate::support::client::{append, get};
use crate::support::mailbox;
use crate::support::person::{PASSWORD, Person};
use crate::support::wires::Stream;
use crate::support::{TestServer, eventually};

const DAY: Duration = Duration::from_hours(24);
const TEN_YEARS: Duration = Duration::from_hours(3650 * 24);
const WALL: Timestamp = Timestamp(1_800_000_000_000);

/// A server whose log is in this file, or in memory, on a machine with these clocks.
fn server(path: Option<&Path>, clock: &Arc<ManualClock>) -> TestServer {
    TestServer::with(|config| {
        if let Some(path) = path {
            config.store = StoreKind::Sqlite(path.to_owned());
        }
        config.machine_clock = MachineClock::Manual(Arc::clone(clock));
    })
}

fn clock(boot: &str, wall: Timestamp) -> Arc<ManualClock> {
    ManualClock::new(Some(boot), wall)
}

/// A metric without labels.
async fn metric(addr: SocketAddr, name: &str) -> f64 {
    let metrics = get(addr, "/metrics").await.text().await;
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix(&format!("forever_frame_{name} ")));
    value.unwrap().parse().unwrap()
}

/// Waits until the oldest message is this one.
async fn oldest_is(addr: SocketAddr, seq: u32) {
    eventually("the older ones are deleted", async || {
        let oldest = metric(addr, "log_first_seq").await;
        (oldest.to_bits() == f64::from(seq).to_bits())
            .then_some(())
            .ok_or(format!("{oldest} is the oldest"))
    })
    .await;
}

/// The texts of a stream that has ended, from `since` on.
async fn texts(addr: SocketAddr, since: &str) -> Vec<String> {
    let query = format!("since={since}&timeout=100ms");
    let stream = Stream::open(addr, "ndjson", "a", &query)
        .await
        .whole()
        .await;
    stream.texts().into_iter().map(str::to_owned).collect()
}

async fn time(addr: SocketAddr, text: &str) -> String {
    let answer = append(addr, "a", text).await;
    answer["time"].as_str().unwrap().to_owned()
}

/// A clock that is far ahead for a while expires nothing; what is as old as that expires.
#[tokio::test]
async fn step_of_wall_clock_expires_nothing() {
    let directory = crate::support::directory();
    let path = directory.path().join("log.db");
    for path in [None, Some(&*path)] {
        let clock = clock("first", WALL);
        let server = server(path, &clock);
        let addr = server.addr;
        append(addr, "a", "one").await;
        clock.pass(6 * DAY);
        append(addr, "a", "two").await;
        clock.set_forward(TEN_YEARS);
        append(addr, "a", "three").await;
        clock.pass(DAY + Duration::from_secs(1));
        // Retention has been at work with the wrong clock when this one is gone.
        oldest_is(addr, 2).await;
        assert_eq!(texts(addr, "all").await, ["two", "three"]);
        clock.set_back(TEN_YEARS);
        append(addr, "a", "four").await;
        clock.pass(6 * DAY);
        oldest_is(addr, 4).await;
        clock.pass(DAY + Duration::from_secs(1));
        // Nor is anything kept because its time is in the future.
        oldest_is(addr, 0).await;
        assert!(texts(addr, "all").await.is_empty());
        server.stop().await;
    }
}

/// Times follow the wall clock, forward and back; `since=` begins at the first message, by seq, that
/// is not earlier, and the metric says by how much the clock was set.
#[tokio::test]
async fn times_follow_wall_clock() {
    let directory = crate::support::directory();
    let path = directory.path().join("log.db");
    for path in [None, Some(&*path)] {
        let clock = clock("first", WALL);
        let server = server(path, &clock);
        let addr = server.addr;
        // The machine begins with a hardware clock that is an hour slow.
        assert_eq!(time(addr, "one").await, "2027-01-15T08:00:00.000Z");
        clock.set_forward(Duration::from_hours(1));
        assert_eq!(time(addr, "two").await, "2027-01-15T09:00:00.000Z");
        assert_eq!(texts(addr, "10m").await, ["two"]);
        assert_eq!(
            metric(addr, "wall_clock_ahead_seconds").await.to_string(),
            "3600"
        );
        clock.set_forward(TEN_YEARS);
        assert_eq!(time(addr, "three").await, "2037-01-12T09:00:00.000Z");
        assert_eq!(texts(addr, "10m").await, ["three"]);
        clock.set_back(TEN_YEARS);
        clock.pass(Duration::from_mins(20));
        assert_eq!(time(addr, "four").await, "2027-01-15T09:20:00.000Z");
        assert_eq!(texts(addr, "30m").await, ["two", "three", "four"]);
        assert_eq!(texts(addr, "10m").await, ["three", "four"]);
        // A small step back does not show.
        clock.set_back(limits::CLOCK_STEP_MIN);
        assert_eq!(time(addr, "five").await, "2027-01-15T09:20:00.000Z");
        clock.pass(limits::CLOCK_TRUST_AFTER + Duration::from_secs(1));
        eventually("the clock is trusted again", async || {
            metric(addr, "wall_clock_ahead_seconds").await == 0.0
        })
        .await;
        server.stop().await;
    }
}

/// In one boot of the machine the time in which no server ran counts, whatever the wall clock says.
#[tokio::test]
async fn restart_counts_time_that_passed() {
    let directory = crate::support::directory();
    let path = directory.path().join("log.db");
    let clock = clock("first", WALL);
    let running = server(Some(&path), &clock);
    append(running.addr, "a", "one").await;
    running.stop().await;
    clock.pass(6 * DAY);
    clock.set_back(TEN_YEARS);
    let running = server(Some(&path), &clock);
    append(running.addr, "a", "two").await;
    assert_eq!(texts(running.addr, "all").await, ["one", "two"]);
    running.stop().await;
    clock.pass(DAY + Duration::from_secs(1));
    clock.set_forward(2 * TEN_YEARS);
    let running = server(Some(&path), &clock);
    oldest_is(running.addr, 2).await;
    assert_eq!(texts(running.addr, "all").await, ["two"]);
    running.stop().await;
}

/// After a boot the wall clock is believed when it has proved itself: a week in which the machine was
/// off counts then, and a clock that was wrong at first deletes nothing.
#[tokio::test]
async fn boot_counts_pause_when_clock_is_trusted() {
    let directory = crate::support::directory();
    for (name, wrong) in [("right", None), ("wrong", Some(TEN_YEARS))] {
        let path = directory.path().join(name);
        let first = clock("first", WALL);
        let running = server(Some(&path), &first);
        append(running.addr, "a", "before").await;
        running.stop().await;
        let pause = if wrong.is_some() { DAY } else { 8 * DAY };
        let second = clock("second", WALL.later(pause).later(wrong.unwrap_or_default()));
        let running = server(Some(&path), &second);
        let addr = running.addr;
        append(addr, "a", "after").await;
        assert_eq!(texts(addr, "all").await, ["before", "after"]);
        if let Some(wrong) = wrong {
            second.set_back(wrong);
            append(addr, "a", "set").await;
        }
        second.pass(limits::CLOCK_TRUST_AFTER);
        if wrong.is_none() {
            oldest_is(addr, 2).await;
            assert_eq!(texts(addr, "all").await, ["after"]);
        } else {
            eventually("the clock is trusted", async || {
                metric(addr, "wall_clock_ahead_seconds").await == 0.0
            })
            .await;
            // Six days later the message from before the boot is seven days old.
            second.pass(6 * DAY);
            oldest_is(addr, 2).await;
            assert_eq!(texts(addr, "all").await, ["after", "set"]);
        }
        running.stop().await;
    }
}

/// Letters, conversations and logins go by the time that passes, too.
#[tokio::test]
async fn step_of_wall_clock_ends_no_login_and_loses_no_letter() {
    let directory = crate::support::directory();
    let path = directory.path().join("log.db");
    let clock = clock("first", WALL);
    let server = server(Some(&path), &clock);
    let addr = server.addr;
    append(addr, "a", "one").await;
    clock.pass(6 * DAY);
    let [mut zoe, ben] = Person::friends(addr, "Zoë", "Ben").await;
    assert_eq!(zoe.say(&ben, "hello").await.status, 201);
    mailbox::letter(addr, "Zoë", "a letter").await;
    for step in [ManualClock::set_forward, ManualClock::set_back] {
        step(&clock, TEN_YEARS);
        clock.pass(DAY / 2 + Duration::from_secs(1));
        // A login makes room by deleting sessions that were idle for too long.
        let entered = Person::nobody(addr).enter("login", "Ben", PASSWORD).await;
        assert!(entered.status < 300);
        assert_eq!(zoe.get("/chat/friends").await.status, 200);
    }
    // Retention has been at work when the first message is gone.
    oldest_is(addr, 2).await;
    let talk = zoe.get(&ben.path("with")).await.text().await;
    assert!(talk.contains("hello"), "{talk}");
    let letter = mailbox::look(addr, "Zo%C3%AB").await;
    assert_eq!(mailbox::text(&letter), "a letter");
    clock.pass(limits::LOGIN_IDLE_TIMEOUT + Duration::from_secs(1));
    assert_eq!(zoe.get("/chat/friends").await.status, 401);
    server.stop().await;
}
