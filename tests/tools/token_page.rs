//! A page whose requests show a token, in Chromium: `forever-frame.js` asks for another when one expires.

use serde_json::json;

use crate::helpers::browser::Browser;
use crate::hidden_frame::{becomes, with_library};
use crate::support::access::{AccessFile, token};
use crate::support::client::send;
use crate::support::issuer::{issuer, jwt, now, write_keys};

/// A stream goes on over the end of its token, misses nothing, and asks for a token as often as it needs
/// one; a stream without a token is not let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn library_asks_for_tokens() {
    let lines = issuer("app", "ec", "read = [\"*\"]");
    let file = AccessFile::new(&format!("{}{lines}", token("writer", "write = [\"*\"]")));
    write_keys(&file);
    let server = file.serve();
    let append = async |text: &str| {
        let header = crate::support::access::bearer("writer");
        let line = format!("POST /c/x\r\n{header}");
        assert_eq!(send(server.addr, &line, text.as_bytes()).await.status, 201);
    };
    append("one").await;
    let browser = Browser::start().await;
    browser.open(server.addr, "/healthz").await;
    // The first has expired already, the second is over in some seconds.
    let tokens = [now() - 60, now() + 2, now() + 600]
        .map(|exp| jwt("ec", &json!({ "exp": exp, "scope": "read:x" })));
    let script = format!(
        "window.tokens = {};
        window.heard = {{ stream: [], poll: [], none: [] }};
        window.asked = {{ stream: 0, poll: 0 }};
        for (const [name, transports] of [['stream', undefined], ['poll', ['sse', 'json']]]) {{
            const token = async () => tokens[Math.min(asked[name]++, 2)];
            const stream = new ForeverFrame('/c/x', {{ shared: false, transports, token }});
            stream.addEventListener('message', e => heard[name].push(e.data));
        }}
        const none = new ForeverFrame('/c/x', {{ shared: false }});
        none.addEventListener('message', e => heard.none.push(e.data));",
        json!(tokens)
    );
    browser.execute(&with_library(&script)).await;
    let all = |texts: &[&str]| json!({ "stream": texts, "poll": texts, "none": [] });
    becomes(&browser, "window.heard", all(&["one"])).await;
    becomes(&browser, "window.asked.stream", json!(3)).await;
    append("two").await;
    becomes(&browser, "window.heard", all(&["one", "two"])).await;
    browser.close().await;
    server.stop().await;
}
