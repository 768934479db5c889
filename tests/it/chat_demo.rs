//! The accounts for trying the chat out (`--demo-accounts`).

use serde_json::json;

use crate::support::binary::Binary;
use crate::support::client::get;
use crate::support::log_dir::LogDir;
use crate::support::person::{PASSWORD, Person};

const NAMES: [&str; 2] = ["liger_zql", "漠然"];
const DEMO: &[&str] = &["--demo-accounts"];

async fn log_in(server: &Binary, name: &str) -> (u16, Person) {
    let mut person = Person::nobody(server.addr);
    let status = person.enter("login", name, "12345").await.status;
    (status, person)
}

/// With the option there are two accounts, friends of each other; the page and the log say so.
#[tokio::test]
async fn demo_accounts_exist_and_are_announced() {
    let server = Binary::start(DEMO).await;
    for (me, other) in [(NAMES[0], NAMES[1]), (NAMES[1], NAMES[0])] {
        let (status, person) = log_in(&server, me).await;
        assert_eq!(status, 200);
        let friends = person.get("/chat/friends").await.json().await["friends"].take();
        let seen = &friends[0]["seen"];
        assert!(seen.is_string(), "{friends}");
        assert_eq!(
            friends,
            json!([{
                "name": other, "standing": "friend", "online": false, "unread": 0, "seen": seen
            }])
        );
    }
    let page = get(server.addr, "/chat/login").await.text().await;
    let log = server.end("-TERM").await;
    for said in [NAMES[0], NAMES[1], "12345"] {
        assert!(page.contains(said), "{page}");
        assert!(log.contains(said), "{log}");
    }
}

/// Without the option the accounts do not exist, also in a log in which they have existed.
#[tokio::test]
async fn demo_accounts_removed_without_option() {
    let log_dir = LogDir::new();
    let server = log_dir.start(DEMO).await;
    let (_, before) = log_in(&server, NAMES[0]).await;
    let mut zoe = Person::new(server.addr, "Zoë").await;
    assert_eq!(zoe.befriend("ask", NAMES[0]).await.status, 200);
    server.end("-TERM").await;

    let server = log_dir.start(&[]).await;
    for name in NAMES {
        assert_eq!(log_in(&server, name).await.0, 401);
    }
    assert_eq!(
        before.moved(server.addr).get("/chat/friends").await.status,
        401
    );
    zoe = zoe.moved(server.addr);
    let list = zoe.get("/chat/friends").await.json().await;
    assert_eq!(list["friends"], json!([]));
    assert!(
        !get(server.addr, "/chat/login")
            .await
            .text()
            .await
            .contains(NAMES[0])
    );
    // The name is free for a registration.
    let mine = Person::new(server.addr, NAMES[0]).await;
    server.end("-TERM").await;

    // The registered account keeps it when the option is given again.
    let server = log_dir.start(DEMO).await;
    assert_eq!(log_in(&server, NAMES[0]).await.0, 401);
    let mut mine = mine.moved(server.addr);
    assert_eq!(mine.enter("login", NAMES[0], PASSWORD).await.status, 200);
    assert!(
        !get(server.addr, "/chat/login")
            .await
            .text()
            .await
            .contains("12345")
    );
    let log = server.end("-TERM").await;
    assert!(log.contains("has another password"), "{log}");
}
