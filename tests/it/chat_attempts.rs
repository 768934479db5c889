//! Guessing of passwords: attempts are limited, and no answer tells which names exist.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::binary::Binary;
use crate::support::client::get;
use crate::support::person::{PASSWORD, Person};
use crate::support::{TestServer, at_last, soon};

/// The time until a login with a wrong password is refused.
async fn wrong(person: &mut Person, name: &str) -> Duration {
    let began = Instant::now();
    let mut answer = person.enter("login", name, "a wrong password").await;
    let took = began.elapsed();
    assert_eq!(answer.status, 401);
    assert!(
        !answer.text().await.contains(name),
        "the same words for all"
    );
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// A login with an unknown name is refused after the same time as one with a known name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_time_hides_unknown_names() {
    let server = TestServer::start();
    Person::new(server.addr, "somebody").await;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for address in 2..6 {
        let mut guesser = Person::nobody(server.addr).at(&format!("192.0.2.{address}"));
        for _ in 0..8 {
            known.push(wrong(&mut guesser, "somebody").await);
            unknown.push(wrong(&mut guesser, "nobody").await);
        }
    }
    let (known, unknown) = (median(known), median(unknown));
    println!("known: {known:?}, unknown: {unknown:?}");
    // Without a hash it would take a tenth. The factor 3 is for a machine that is busy by turns.
    assert!(known < unknown * 3 && unknown < known * 3);
    server.stop().await;
}

/// Of a thousand wrong passwords for one name from one address, ten are checked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_rate_limit_per_name_and_address() {
    let server = Binary::start(&[]).await;
    let addr = server.addr;
    let mut zoe = Person::new(addr, "Zoë").await;
    let memory = server.memory();
    let began = Instant::now();
    let mut guessing = JoinSet::new();
    for n in 0..50 {
        guessing.spawn(async move {
            let mut guesser = Person::nobody(addr).at("192.0.2.2");
            let mut waits = 0;
            for m in 0..20 {
                let password = format!("guess {n}-{m}");
                let mut answer = guesser.enter("login", "ZOË", &password).await;
                let text = answer.text().await;
                match answer.status {
                    401 => {}
                    429 => {
                        let after: u64 = answer.header("retry-after").parse().unwrap();
                        assert!((1..=10).contains(&after), "{after}");
                        assert!(text.contains(&format!("again in {after} s")), "{text}");
                        waits += 1;
                    }
                    status => panic!("{status}: {text}"),
                }
                assert_eq!(guesser.cookie, "");
            }
            waits
        });
    }
    // Other clients are not affected.
    assert_eq!(get(addr, "/healthz").await.status, 200);
    assert!(
        zoe.enter("login", "Zoë", PASSWORD).await.status < 300,
        "from elsewhere"
    );
    let waits: usize = at_last(guessing.join_all()).await.into_iter().sum();
    let tried = 1000 - waits;
    let more = usize::try_from(began.elapsed().as_secs() / 10).unwrap();
    assert!(
        (10..=10 + more + 1).contains(&tried),
        "{tried} were checked"
    );
    let grown = server.memory().saturating_sub(memory);
    println!(
        "{tried} were checked in {:?}, grown by {grown} KiB",
        began.elapsed()
    );
    // A hash takes 19 MiB, and the allocator may keep the memory of a few.
    assert!(grown < 128 * 1024, "{grown} KiB");
    // Another name may log in from this address, and this name from another address.
    let mut ben = Person::nobody(addr).at("192.0.2.2");
    assert!(ben.enter("register", "Ben", PASSWORD).await.status < 300);
    assert!(ben.enter("login", "Ben", PASSWORD).await.status < 300);
    let mut there = Person::nobody(addr).at("192.0.2.3");
    assert!(there.enter("login", "Zoë", PASSWORD).await.status < 300);
    // From this address this name may not, even with the right password.
    let answer = ben.enter("login", "Zoë", PASSWORD).await;
    assert!(answer.status == 429 || began.elapsed().as_secs() >= 10);
    // A session that existed before goes on.
    assert_eq!(zoe.get("/chat/friends").await.status, 200);
}

/// An address that the client itself writes into `X-Forwarded-For` does not evade the limit.
#[tokio::test]
async fn login_rate_limit_ignores_forged_address() {
    let server = TestServer::start();
    Person::new(server.addr, "Zoë").await;
    let mut answers = Vec::new();
    for n in 0..13 {
        // The last address in the header is the one that the proxy saw.
        let mut guesser = Person::nobody(server.addr).at(&format!("198.51.100.{n}, 192.0.2.1"));
        answers.push(
            guesser
                .enter("login", "Zoë", "a wrong password")
                .await
                .status,
        );
    }
    let checked = answers.iter().filter(|status| **status == 401).count();
    assert!((10..13).contains(&checked), "{answers:?}");
    server.stop().await;
}

/// The old password cannot be guessed by the form that changes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn password_change_rate_limited() {
    let server = TestServer::start();
    let zoe = Person::new(server.addr, "Zoë").await;
    let mut changing = JoinSet::new();
    for n in 0..30 {
        let mut zoe = zoe.clone();
        changing.spawn(async move {
            let fields = [("old", &*format!("guess {n}")), ("new", "another password")];
            zoe.post("/chat/password", &fields).await.status
        });
    }
    let answers = soon(changing.join_all()).await;
    assert!(
        answers.iter().all(|status| [401, 429].contains(status)),
        "{answers:?}"
    );
    let checked = answers.iter().filter(|status| **status == 401).count();
    assert!(checked <= 12, "{checked} were checked");
    server.stop().await;
}

/// Clients that log in again and again with their own right passwords, from a few addresses, keep
/// nobody else from logging in, registering, or changing a password.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_flood_leaves_others_their_turns() {
    let server = Binary::start(&[]).await;
    let addr = server.addr;
    // An IPv6 client has as many addresses as it likes, of the same network.
    let address = |n: usize, m: usize| match n {
        0 => format!("2001:db8::{}", m + 1),
        n => format!("192.0.2.{n}"),
    };
    let mut flood = JoinSet::new();
    for n in 0..4 {
        let name = format!("mallory {n}");
        let mut mallory = Person::nobody(addr).at(&address(n, 0));
        assert_eq!(mallory.enter("register", &name, PASSWORD).await.status, 201);
        for m in 0..10 {
            let mut mallory = Person::nobody(addr).at(&address(n, m));
            let name = name.clone();
            flood.spawn(async move {
                loop {
                    mallory.enter("login", &name, PASSWORD).await;
                }
            });
        }
    }
    let mut zoe = Person::nobody(addr).at("198.51.100.1");
    let mut password = PASSWORD.to_owned();
    assert_eq!(zoe.enter("register", "Zoë", PASSWORD).await.status, 201);
    for n in 0..10 {
        assert_eq!(
            zoe.enter("login", "Zoë", &password).await.status,
            200,
            "{n}"
        );
        let new = format!("password number {n}");
        let fields = [("old", &*password), ("new", &*new)];
        assert_eq!(zoe.post("/chat/password", &fields).await.status, 204, "{n}");
        password = new;
    }
    flood.shutdown().await;
}

/// A hundred logins at once all succeed, some of them after an answer that says when to try again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_crowd_gets_in() {
    let server = TestServer::start();
    let addr = server.addr;
    Person::new(addr, "Zoë").await;
    let mut crowd = JoinSet::new();
    for n in 0..100 {
        crowd.spawn(async move {
            let mut person = Person::nobody(addr).at(&format!("192.0.2.{n}"));
            let mut refused = 0;
            loop {
                let answer = person.enter("login", "Zoë", PASSWORD).await;
                if answer.status < 300 {
                    return refused;
                }
                // A refusal for lack of room does not count as an attempt.
                assert_eq!(answer.status, 503);
                assert_eq!(answer.header("retry-after"), "1");
                refused += 1;
                sleep(Duration::from_millis(100)).await;
            }
        });
    }
    assert_eq!(get(addr, "/healthz").await.status, 200);
    let refused: usize = at_last(crowd.join_all()).await.into_iter().sum();
    println!("{refused} logins had to be tried again");
    assert!(refused > 0);
    server.stop().await;
}
