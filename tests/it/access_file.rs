//! The access file as the program reads it, and tokens as the program makes them.

use crate::support::access::AccessFile;
use crate::support::binary::{self, Binary};
use crate::support::client::{get, send};
use crate::support::{directory, soon};

/// A server that other machines reach does not start before somebody has said who may; what is wrong with
/// the file is said in one line with its place, and without what may be a secret.
#[tokio::test]
async fn access_is_needed_elsewhere_than_on_loopback() {
    for listen in ["0.0.0.0:0", "[::]:0", ":0"] {
        let (code, error) = fails(&["--listen", listen]).await;
        assert_eq!(code, Some(1), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains("--access"), "{error}");
    }
    let server = Binary::start_at("127.0.0.1:0", &["--access", "open"]).await;
    assert_eq!(get(server.addr, "/stream?timeout=1ms").await.status, 200);
    let directory = directory();
    let path = directory.path().join("access.toml");
    let path = path.to_str().unwrap();
    let hash = "0".repeat(64);
    for (text, place, what) in [
        ("x = 1", ", line 1", "no \"x\""),
        ("\nanyone.red = []", ", line 2", "no \"anyone.red\""),
        (
            "anyone.read = \"a\"",
            ", line 1",
            "anyone.read = \"a\" is no list",
        ),
        (
            "anyone.read = [\n\"a\",\n\"b c\"]",
            ", line 3",
            "anyone.read = \"b c\" ",
        ),
        ("anyone.read = [\"~chat\"]", ", line 1", "\"~chat\""),
        ("anyone.read = [1]", ", line 1", "= 1 is no text"),
        ("demos = 1", ", line 1", "demos = 1 is neither"),
        ("[token]\nci = 1", ", line 2", "token.ci = 1 is no table"),
        (
            "[token.ci]\nread = []",
            ", line 1",
            "token.ci has no sha256",
        ),
        (
            "[token.ci]\nsha256 = \"ff_private\"",
            ", line 2",
            "token.ci.sha256 is not the SHA-256",
        ),
        ("[token.ci]\nff_private", ", line 2", ""),
        (
            &format!("[token.a]\nsha256 = \"{hash}\"\n[token.b]\nsha256 = \"{hash}\""),
            ", line 4",
            "that of token.a",
        ),
        (
            &format!("[token.a]\nsha256 = \"{hash}\"\nuntil = 2027-01-01"),
            ", line 3",
            "until = 2027-01-01 is not a time",
        ),
        (
            &format!("[token.\"a b\"]\nsha256 = \"{hash}\""),
            ", line 1",
            "the name of a token",
        ),
    ] {
        std::fs::write(path, text).unwrap();
        let (code, error) = fails(&["--access", path]).await;
        assert_eq!(code, Some(1), "{text:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{text:?}: {error}");
        assert!(
            error.contains(&format!("{path}{place}: ")),
            "{text:?}: {error}"
        );
        assert!(error.contains(what), "{text:?}: {error}");
        assert!(!error.contains("ff_private"), "{error}");
    }
    let (code, error) = fails(&["--access", "/nowhere/access.toml"]).await;
    assert_eq!((code, error.lines().count()), (Some(1), 1), "{error}");
}

/// Runs the binary, and gives its exit code and standard error.
async fn fails(args: &[&str]) -> (Option<i32>, String) {
    let listen = if args.contains(&"--listen") {
        &[][..]
    } else {
        &["--listen", "127.0.0.1:0"]
    };
    let output = soon(binary::command(&[listen, args].concat()).output())
        .await
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), error)
}

/// `forever-frame token` prints a secret and the lines for the access file, with which the secret is one.
#[tokio::test]
async fn access_by_a_made_token() {
    let args = [
        "token",
        "ci",
        "--read",
        "a,b.*",
        "--read",
        "c",
        "--write",
        "build.*",
        "--metrics",
        "--for",
        "90d",
    ];
    let output = soon(binary::command(&args).output()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    let (secret, lines) = text.split_once("\n\n").unwrap();
    assert_eq!(secret.len(), 46, "{text}");
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[0], "[token.ci]");
    assert_eq!(
        lines[2..5],
        [
            "read = [\"a\", \"c\", \"b.*\"]",
            "write = [\"build.*\"]",
            "metrics = true"
        ]
    );
    assert!(
        lines[5].starts_with("until = 20") && lines[5].ends_with('Z'),
        "{text}"
    );
    let file = AccessFile::new(&lines.join("\n"));
    let server = file.serve();
    let ask = async |line: &str, body: &[u8]| {
        let proxy = "X-Forwarded-For: 192.0.2.1";
        let line = format!("{line}\r\n{proxy}\r\nAuthorization: Bearer {secret}");
        send(server.addr, &line, body).await
    };
    assert_eq!(ask("POST /c/build.1", b"x").await.status, 201);
    assert_eq!(ask("GET /metrics", b"").await.status, 200);
    assert_eq!(ask("POST /c/a", b"x").await.status, 403);
    for bad in [
        &["token"][..],
        &["token", "a b"],
        &["token", "a", "--read", "~x"],
        &["token", "a", "--for", "x"],
    ] {
        let output = soon(binary::command(bad).output()).await.unwrap();
        assert_eq!(output.status.code(), Some(2), "{bad:?}");
        assert!(output.stdout.is_empty());
    }
    server.stop().await;
}
