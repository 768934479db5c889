//! The keys of issuers: sets of them, files that have none, and keys that are there no more.

use serde_json::{Value, json};

use crate::support::access::AccessFile;
use crate::support::client::send;
use crate::support::issuer::{claims, issuer, part, public, sign, write_keys};
use crate::support::{binary, soon};

/// An access file with an issuer whose key is in the file `ec`.
fn file(lines: &str) -> AccessFile {
    let file = AccessFile::new(&issuer("app", "ec", lines));
    write_keys(&file);
    file
}

fn alg_of(key: &str) -> &'static str {
    match key {
        "rsa" => "RS256",
        "ec384" => "ES384",
        _ => "ES256",
    }
}

/// The status of a request to read `main` with this token.
async fn read_main(addr: std::net::SocketAddr, token: &str) -> u16 {
    let line = format!("GET /c/main?timeout=1ms\r\nAuthorization: Bearer {token}");
    send(addr, &line, b"").await.status
}

/// Sets of keys: a token that names its key is compared with that one.
#[tokio::test]
async fn jwt_key_sets() {
    let jwk = |name: &str, changes: Value| {
        let key = jsonwebtoken::DecodingKey::from_ec_pem(public(name)).unwrap();
        let point = key.try_get_as_bytes().unwrap();
        let half = (point.len() - 1) / 2;
        let curve = if half == 32 { "P-256" } else { "P-384" };
        let mut jwk = json!({
            "kty": "EC", "crv": curve, "kid": name, "x": part(&point[1..=half]), "y": part(&point[half + 1..]),
        });
        for (name, value) in changes.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    };
    let other = json!({ "kty": "XYZ", "kid": "later" });
    let encryption = jwk("ec", json!({ "use": "enc", "kid": "enc" }));
    let set = json!({ "keys": [other, encryption, jwk("ec", json!({})), jwk("ec384", json!({}))] });
    let file = file("read = [\"main\"]");
    let server = file.serve();
    let use_keys = |keys: &Value| {
        std::fs::write(file.directory().join("ec"), keys.to_string()).unwrap();
        server.reload();
    };
    use_keys(&set);
    let signed = |key: &str, kid: Value| {
        let head = json!({ "alg": alg_of(key), "kid": kid });
        sign(key, &head, &claims(&json!({})).to_string())
    };
    for (token, status) in [
        (signed("ec", json!("ec")), 200),
        (signed("ec384", json!("ec384")), 200),
        (signed("ec", json!(null)), 200),
        (signed("ec", json!("ec384")), 401),
        (signed("ec", json!("enc")), 401),
        (signed("ec", json!("none")), 401),
        (signed("ec", json!(7)), 401),
        (signed("rsa", json!("ec")), 401),
    ] {
        assert_eq!(read_main(server.addr, &token).await, status, "{token}");
    }
    // A key that is gone is of no use any more, and streams that came by it end.
    let token = signed("ec", json!("ec"));
    let line = format!("GET /c/main?as=ndjson\r\nAuthorization: Bearer {token}");
    let mut stream = send(server.addr, &line, b"").await;
    stream.until("\"open\"").await;
    use_keys(&json!({ "keys": [jwk("ec384", json!({}))] }));
    assert!(stream.text().await.contains("\"revoked\""));
    assert_eq!(read_main(server.addr, &token).await, 401);
    // One key alone is a set, too.
    use_keys(&jwk("ec", json!({ "kid": null })));
    assert_eq!(read_main(server.addr, &token).await, 200);
    server.stop().await;
}

/// A file that has no key to verify with is refused at the start, in one line that does not repeat it.
#[tokio::test]
async fn jwt_keys_that_are_none() {
    let file = file("");
    let private = include_bytes!("../support/issuer_keys/ec.pem");
    for (key, why) in [
        (&b"too short"[..], "too short for a secret: it has 9 bytes"),
        (&private[..], "give the PUBLIC KEY"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "is a CERTIFICATE"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no public key"),
        (b"-----BEGIN", "give the PUBLIC KEY"),
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAA", "of SSH"),
        (b"{ \"keys\": [] }", "no key"),
        (b"{ \"keys\": {} }", "no list of keys"),
        (b"{ \"keys\": [ this is thirty-two bytes long ] }", "no JWK set"),
        (b"{ \"keys\": [{ \"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"AA\", \"d\": \"secret\" }] }", "private key, number 1"),
        (b"{ \"keys\": [{ \"kty\": \"oct\", \"k\": \"c2hvcnQ\" }] }", "too short"),
        (b"{ \"keys\": [{ \"kty\": \"oct\", \"alg\": \"RS256\", \"k\": \"c2hvcnQ\" }] }", "not for RS256"),
        (b"{ \"kty\": \"RSA\", \"n\": \"!\", \"e\": \"AQAB\" }", "cannot be used"),
        (b"{ \"kty\": \"EC\", \"crv\": \"P-256\" }", "no key that can verify"),
    ] {
        std::fs::write(file.directory().join("key"), key).unwrap();
        file.write(&issuer("app", "key", ""));
        let path = file.path();
        let args = ["--listen", "127.0.0.1:0", "--access", path.to_str().unwrap()];
        let output = soon(binary::command(&args).output()).await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(", line 4: issuer.app.key = \"key\" "), "{error}");
        assert!(error.contains(why), "{why}: {error}");
        assert!(!error.contains("c2hvcnQ") && !error.contains("AAAA"), "{error}");
    }
    for (lines, why) in [
        (issuer("app", "nothing", ""), "cannot be read"),
        (
            "[issuer.app]\niss = \"a\"\naud = \"b\"\n".into(),
            "has no key",
        ),
        (
            "[issuer.app]\niss = \"\"\naud = \"b\"\nkey = \"ec\"\n".into(),
            "iss = \"\" is no text",
        ),
        (
            issuer("app", "ec", "metrics = true"),
            "no \"issuer.app.metrics\"",
        ),
    ] {
        file.write(&lines);
        let path = file.path();
        let args = [
            "--listen",
            "127.0.0.1:0",
            "--access",
            path.to_str().unwrap(),
        ];
        let output = soon(binary::command(&args).output()).await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(why), "{why}: {error}");
    }
}
