//! Names that are not to be had: those that can be mistaken for another account's, and those that no
//! URL reaches.

use crate::support::TestServer;
use crate::support::client::{post, send, send_raw};
use crate::support::log_dir::LogDir;
use crate::support::person::{PASSWORD, Person};

/// A name that mixes scripts, or looks like that of another account, is refused with its reason.
#[tokio::test]
async fn account_name_that_deceives_refused() {
    let server = TestServer::start();
    Person::new(server.addr, "victim").await;
    Person::new(server.addr, "漠然").await;
    for (name, status, words) in [
        ("v\u{456}ctim", 400, "several scripts"),
        ("Anna \u{410}\u{43d}\u{43d}\u{430}", 400, "several scripts"),
        ("VlCTlM", 409, "looks too much like"),
        ("v1ctim", 409, "looks too much like"),
        ("ＶＩＣＴＩＭ", 409, "is taken"),
        ("vic\u{200d}tim", 409, "is taken"),
        (
            "a\u{301}\u{302}\u{303}\u{304}\u{305}",
            400,
            "combining marks",
        ),
        (".", 400, ". or .."),
        ("．．", 400, ". or .."),
        ("\u{2025}", 400, ". or .."),
    ] {
        let mut stranger = Person::nobody(server.addr);
        let mut answer = stranger.enter("register", name, PASSWORD).await;
        let text = answer.text().await;
        assert_eq!(answer.status, status, "{name:?}: {text}");
        assert!(text.contains(words), "{name:?}: {text}");
        // A browser gets the form again, with the same sentence.
        let body = format!(
            "name={}&password=12345678",
            crate::support::person::encoded(name)
        );
        let request = "POST /chat/register\r\nAccept: text/html";
        let mut page = send(server.addr, request, body.as_bytes()).await;
        assert_eq!(page.status, status, "{name:?}");
        assert!(page.text().await.contains(words), "{name:?}");
    }
    for name in ["Victor", "Sony ソニー", "LG전자", "Ελένη", "漠然 2", "..."] {
        Person::new(server.addr, name).await;
    }
    server.stop().await;
}

/// Accounts from before these rules are logged in to, found and talked with as ever.
#[tokio::test]
async fn account_from_before_the_name_rules_stays() {
    let log_dir = LogDir::new();
    let server = log_dir.start(&[]).await;
    let [mut zoe, mut old] = Person::friends(server.addr, "victim", "old").await;
    server.end("-TERM").await;
    let connection = log_dir.connect();
    let rename =
        "UPDATE accounts SET name = 'v\u{456}ctim', key = 'v\u{456}ctim' WHERE name = 'old';
                  DROP TABLE looks; UPDATE parts SET version = 1 WHERE name = 'accounts';";
    let renamed = tokio::task::spawn_blocking(move || connection.execute_batch(rename));
    renamed.await.unwrap().unwrap();
    let server = log_dir.start(&[]).await;
    (zoe, old) = (zoe.moved(server.addr), old.moved(server.addr));
    assert_eq!(
        old.enter("login", "V\u{406}CTIM", PASSWORD).await.status,
        200
    );
    assert_eq!(zoe.say(&old, "hello").await.status, 201);
    assert_eq!(old.say(&zoe, "hi").await.status, 201);
    let mut stranger = Person::nobody(server.addr);
    assert_eq!(
        stranger.enter("register", "vlctim", PASSWORD).await.status,
        409
    );
}

/// A channel cannot be named by what paths have for directories, however it is written.
#[tokio::test]
async fn channel_of_dots_refused() {
    let server = TestServer::start();
    for name in [".", "..", "%2e", "%2e%2e", ".%2E", "a,..", "%ef%bc%8e"] {
        for method in ["POST", "PUT", "GET"] {
            let request = format!(
                "{method} /c/{name} HTTP/1.1\r\nHost: {}\r\nContent-Length: 2\r\n\r\nhi",
                server.addr
            );
            let mut answer = send_raw(server.addr, request.as_bytes()).await.unwrap();
            let text = answer.text().await;
            assert_eq!(answer.status, 400, "{method} {name}: {text}");
            let is_several = method != "GET" && name.contains(',');
            let words = if name == "%ef%bc%8e" {
                "can be used"
            } else if is_several {
                "names several"
            } else {
                "no URL can name"
            };
            assert!(text.contains(words), "{method} {name}: {text}");
        }
    }
    assert_eq!(post(server.addr, "/c/...", "hi").await.status, 201);
    server.stop().await;
}
