//! JSON Web Tokens: those of a known issuer, and all the ways to make a wrong one.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::access::{AccessFile, secret, token};
use crate::support::client::{get, send};
use crate::support::eventually;
use crate::support::issuer::{
    SHARED, claims, issuer, jwt, now, part, public, sign, sign_with_secret, write_keys,
};

const KEYS: [&str; 5] = ["rsa", "ec", "ec384", "ed", "shared"];

const MOST: &str = "read = [\"user.*\", \"main\"]\nwrite = [\"user.*\"]";

fn file(lines: &str) -> AccessFile {
    let file = AccessFile::new(lines);
    write_keys(&file);
    file
}

fn serve(key: &str, lines: &str) -> (AccessFile, TestServer) {
    let file = file(&issuer("app", key, &format!("{MOST}\n{lines}")));
    let server = file.serve();
    (file, server)
}

/// The status of a request to read `main` with this token, and what is said.
async fn read_main(addr: SocketAddr, token: &str) -> (u16, String) {
    ask(addr, "GET /c/main?timeout=1ms", token, "").await
}

async fn ask(addr: SocketAddr, line: &str, token: &str, body: &str) -> (u16, String) {
    let line = format!("{line}\r\nAuthorization: Bearer {token}");
    let mut answer = send(addr, &line, body.as_bytes()).await;
    let status = answer.status;
    (status, answer.text().await)
}

/// A token of each kind of key gives what its scope says, and no more than its issuer may give.
#[tokio::test]
async fn jwt_of_each_kind_of_key() {
    for key in KEYS {
        let (_file, server) = serve(key, "");
        let token = jwt(key, &json!({}));
        for (line, body, status) in [
            ("GET /c/main?timeout=1ms", "", 200),
            ("GET /c/user.42.a,user.42.*?timeout=1ms", "", 200),
            ("GET /c/user.43?timeout=1ms", "", 403),
            ("GET /c/user.*?timeout=1ms", "", 403),
            ("POST /c/user.42.in", "x", 201),
            ("POST /c/user.42.out", "x", 403),
            // The issuer may not give it.
            ("POST /c/other", "x", 403),
        ] {
            let (found, text) = ask(server.addr, line, &token, body).await;
            assert_eq!(found, status, "{key} {line}: {text}");
        }
        let all = jwt(key, &json!({ "scope": "read:* write:* metrics" }));
        let line = "GET /c/user.*,main?timeout=1ms";
        assert_eq!(ask(server.addr, line, &all, "").await.0, 200, "{key}");
        assert_eq!(
            ask(server.addr, "GET /c/*?timeout=1ms", &all, "").await.0,
            403
        );
        let metrics = "GET /metrics\r\nVia: 1.1 proxy";
        assert_eq!(ask(server.addr, metrics, &all, "").await.0, 403);
        server.stop().await;
    }
}

/// What a token says of itself decides whether it counts here and now.
#[tokio::test]
async fn jwt_claims() {
    let (_file, server) = serve("ec", "");
    let now = now();
    for (changes, status, said) in [
        (
            json!({ "aud": ["https://other.example", "https://push.example"] }),
            200,
            "",
        ),
        (json!({ "exp": now - 3 }), 200, ""),
        (json!({ "exp": 4_102_444_800.5 }), 200, ""),
        (json!({ "exp": 1e300 }), 200, ""),
        (json!({ "nbf": now + 3 }), 200, ""),
        (json!({ "iat": now + 1000, "crit": ["x"] }), 200, ""),
        (json!({ "exp": now - 10 }), 401, "time is over"),
        (json!({ "exp": 0 }), 401, "time is over"),
        (json!({ "exp": -1e300 }), 401, "time is over"),
        (json!({ "exp": null }), 401, "no exp"),
        (json!({ "exp": format!("{}", now + 60) }), 401, "not known"),
        (json!({ "exp": true }), 401, "not known"),
        (json!({ "nbf": now + 10 }), 401, "not valid yet"),
        (json!({ "aud": "https://other.example" }), 401, "aud"),
        (json!({ "aud": "https://push.example/" }), 401, "aud"),
        (json!({ "aud": [] }), 401, "aud"),
        (json!({ "aud": null }), 401, "not known"),
        (
            json!({ "aud": {"https://push.example": 1} }),
            401,
            "not known",
        ),
        (json!({ "iss": "https://other.example" }), 401, "not known"),
        (json!({ "iss": null }), 401, "not known"),
        (json!({ "iss": ["https://app.example"] }), 401, "not known"),
        (json!({ "scope": null }), 403, "no right"),
        (
            json!({ "scope": "read:mai write:main READ:main read: main" }),
            403,
            "no right",
        ),
        (json!({ "scope": "read:~chat read:m*n read:main" }), 200, ""),
        (json!({ "scope": ["read:main"] }), 401, "not known"),
    ] {
        let (found, text) = read_main(server.addr, &jwt("ec", &changes)).await;
        assert_eq!(found, status, "{changes}: {text}");
        assert!(text.contains(said), "{changes}: {text}");
    }
    server.stop().await;
}

/// No token gets through that the issuer has not signed with its key and the algorithm of that key.
#[tokio::test]
async fn jwt_attacks() {
    for key in KEYS {
        let (_file, server) = serve(key, "");
        let good = jwt(key, &json!({}));
        let claims = claims(&json!({})).to_string();
        let parts: Vec<&str> = good.split('.').collect();
        let [head, payload, signature] = parts[..] else {
            panic!("{good}");
        };
        let mut attacks = vec![
            String::new(),
            "a".into(),
            "..".into(),
            format!("{head}.{payload}"),
            format!("{head}.{payload}."),
            format!("{head}..{signature}"),
            format!(".{payload}.{signature}"),
            format!("{good}."),
            format!("{good}.{signature}"),
            format!("{good}="),
            format!("{head}.{payload}.{}", "A".repeat(signature.len())),
            format!(
                "{head}.{}.{signature}",
                part(claims.replace("user.42", "user.43"))
            ),
            format!("{head}.{payload}.{}", part([0; 64])),
            format!("{head}.{payload}.{}", part([0; 96])),
        ];
        // No algorithm, whatever its spelling, with and without a signature.
        for alg in [
            "none", "None", "NONE", "nOnE", "", " ", "null", "HS256 ", "hs256", "es256",
        ] {
            let head = part(json!({ "alg": alg, "typ": "JWT" }).to_string());
            attacks.push(format!("{head}.{payload}."));
            attacks.push(format!("{head}.{payload}.{signature}"));
        }
        for head in [
            json!({}),
            json!({ "alg": null }),
            json!({ "alg": ["none"] }),
            json!([]),
        ] {
            attacks.push(format!("{}.{payload}.{signature}", part(head.to_string())));
        }
        // A public key taken for a secret, as a file and without its last line end; and no secret.
        for name in ["rsa", "ec", "ed"] {
            for secret in [public(name), public(name).trim_ascii_end()] {
                for alg in ["HS256", "RS256", "ES256", "EdDSA"] {
                    attacks.push(sign_with_secret(secret, &json!({ "alg": alg }), &claims));
                }
            }
        }
        for secret in [&b""[..], b"\0", b"secret", &SHARED[1..]] {
            attacks.push(sign_with_secret(
                secret,
                &json!({ "alg": "HS256" }),
                &claims,
            ));
        }
        // Other keys, each under its own algorithm and under that of the right key.
        for other in KEYS.iter().filter(|other| **other != key) {
            attacks.push(jwt(other, &json!({})));
            let head: Value = json!({ "alg": alg_of(key) });
            attacks.push(sign(other, &head, &claims));
        }
        // Names of keys that lead elsewhere, and keys that the token brings along.
        for (name, value) in [
            ("kid", json!("../../../../dev/null")),
            ("kid", json!("/dev/null")),
            ("kid", json!("app' UNION SELECT 'secret")),
            ("kid", json!("|id")),
            ("kid", json!("")),
            ("jku", json!("https://evil.example/keys")),
            ("x5u", json!("https://evil.example/keys")),
            ("x5c", json!(["MIIB"])),
            ("jwk", json!({ "kty": "oct", "k": part("secret") })),
        ] {
            let mut head = json!({ "alg": "HS256" });
            head[name] = value;
            for secret in [&b""[..], b"secret", b"\n"] {
                attacks.push(sign_with_secret(secret, &head, &claims));
            }
        }
        // What must be understood is not.
        for (name, value) in [
            ("crit", json!(["exp"])),
            ("crit", json!([])),
            ("b64", json!(false)),
        ] {
            let mut head = json!({ "alg": alg_of(key) });
            head[name] = value;
            attacks.push(sign(key, &head, &claims));
        }
        // Claims that stand twice are read differently by different readers.
        let twice = claims.replacen('{', "{\"exp\":99999999999,", 1);
        attacks.push(sign(key, &json!({ "alg": alg_of(key) }), &twice));
        attacks.push(sign(key, &json!({ "alg": alg_of(key) }), &claims[1..]));
        attacks.push(sign(key, &json!({ "alg": alg_of(key) }), &"[".repeat(3000)));
        for (n, attack) in attacks.iter().enumerate() {
            // Each from an address of its own: an address may try only so many.
            let from = format!("X-Forwarded-For: 198.51.{}.{}", n / 250, n % 250);
            let line = format!("GET /c/main?timeout=1ms\r\n{from}");
            let (status, text) = ask(server.addr, &line, attack, "").await;
            assert_eq!(status, 401, "{key} {attack}: {text}");
        }
        assert_eq!(read_main(server.addr, &good).await.0, 200, "{key}");
        server.stop().await;
    }
}

fn alg_of(key: &str) -> &'static str {
    match key {
        "rsa" => "RS256",
        "ec" => "ES256",
        "ec384" => "ES384",
        "ed" => "EdDSA",
        _ => "HS256",
    }
}

/// A token that is too long is refused before anything of it is read.
#[tokio::test]
async fn jwt_that_is_huge() {
    let (_file, server) = serve("ec", "");
    let long = jwt("ec", &json!({ "padding": "x".repeat(8000) }));
    let (status, text) = read_main(server.addr, &long).await;
    assert_eq!(status, 401);
    assert!(text.contains("too long"), "{text}");
    let many: Vec<String> = (0..300).map(|n| format!("read:c{n}")).collect();
    let many = jwt("ec", &json!({ "scope": many.join(" ") }));
    let (status, text) = read_main(server.addr, &many).await;
    assert!(status == 401 && text.contains("too long"), "{text}");
    let huge = jwt("ec", &json!({ "padding": "x".repeat(100_000) }));
    assert_eq!(read_main(server.addr, &huge).await.0, 431);
    server.stop().await;
}

/// A token in an address may only read, and what it names; elsewhere it is a token like any other.
#[tokio::test]
async fn jwt_in_an_address() {
    let file = file(&format!(
        "anyone.read = [\"open\"]\n{}{}",
        token("plain", "read = [\"*\"]"),
        issuer("app", "ec", &format!("{MOST}\nin_url = true")),
    ));
    let server = file.serve();
    let addr = server.addr;
    let scope = |scope: &str| jwt("ec", &json!({ "scope": scope }));
    let good = scope("read:main read:user.1 openid");
    for (token, status) in [
        (&good, 200),
        (&scope("read:user.*"), 401),
        (&scope("read:main read:user.*"), 401),
        (&scope("read:main write:user.1"), 401),
        (&scope("read:main write:main"), 401),
        (&scope("read:user.2"), 403),
        (
            &jwt("ec", &json!({ "scope": "read:main", "exp": now() - 60 })),
            401,
        ),
        (&secret("plain"), 401),
        (&"x".to_owned(), 401),
    ] {
        for wire in ["text", "html", "script", "sse", "ndjson", "json&wait=0s"] {
            let target = format!("/c/main?timeout=1ms&as={wire}&key={token}");
            let mut answer = get(addr, &target).await;
            let text = answer.text().await;
            assert!(
                matches!(answer.status, s if s == status || status == 401 && s == 429),
                "{token} {wire}: {} {text}",
                answer.status
            );
            assert!(!text.contains(token.as_str()) || token.len() < 2, "{text}");
        }
    }
    for target in [
        "/stream?timeout=1ms",
        "/c/?as=text",
        "/c/main,open?timeout=1ms",
        "/c/main?timeout=1ms&key=",
    ] {
        let separator = if target.ends_with("key=") {
            ""
        } else {
            "&key="
        };
        assert_eq!(
            get(addr, &format!("{target}{separator}{good}"))
                .await
                .status,
            200,
            "{target}"
        );
    }
    // It goes before a header and a cookie, also where these are good or wrong.
    for header in [
        format!("Authorization: Bearer {}", secret("plain")),
        "Authorization: Bearer ff_wrong".into(),
        format!("Cookie: forever-frame-access={}", secret("plain")),
    ] {
        let line = |channel: &str| format!("GET /c/{channel}?timeout=1ms&key={good}\r\n{header}");
        assert_eq!(send(addr, &line("main"), b"").await.status, 200, "{header}");
        assert_eq!(
            send(addr, &line("private"), b"").await.status,
            403,
            "{header}"
        );
    }
    // An empty one is none, two are too many, and it never writes.
    let plain = format!("Authorization: Bearer {}", secret("plain"));
    let line = format!("GET /c/private?timeout=1ms&key=\r\n{plain}");
    assert_eq!(send(addr, &line, b"").await.status, 200);
    let mut twice = get(addr, &format!("/c/main?key={good}&key=ff_other")).await;
    assert_eq!(twice.status, 400);
    assert!(!twice.text().await.contains("ff_other"));
    let write = jwt("ec", &json!({ "scope": "write:user.1" }));
    let line = format!("POST /c/user.1?key={write}");
    assert_eq!(send(addr, &line, b"x").await.status, 401);
    server.stop().await;
    // Where the issuer does not say so, no token of it may stand in an address.
    let (_file, server) = serve("ec", "");
    let (status, _) = read_main(server.addr, &good).await;
    assert_eq!(status, 200);
    let mut answer = get(server.addr, &format!("/c/main?key={good}")).await;
    assert_eq!(answer.status, 401);
    assert!(answer.text().await.contains("in_url"));
    server.stop().await;
}

/// Streams end when their token does.
#[tokio::test]
async fn jwt_expires() {
    let (_file, server) = serve("ed", "");
    let token = jwt("ed", &json!({ "exp": now() - 4 }));
    let line = format!("GET /c/main?as=sse\r\nAuthorization: Bearer {token}");
    let mut stream = send(server.addr, &line, b"").await;
    assert!(stream.text().await.contains("\"reason\":\"expired\""));
    eventually("it is refused", async || {
        read_main(server.addr, &token).await.0 == 401
    })
    .await;
    server.stop().await;
}
