//! The npm package: it is packed, installed and used in Node as in a page, and its types are checked.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::helpers::browser::Browser;
use crate::helpers::programs::{MISSING, command, output, parsers};
use crate::support::client::{append, post};
use crate::support::log_dir::LogDir;
use crate::support::port::Port;
use crate::support::{TestServer, directory, eventually, soon};

const TREE: &str = env!("CARGO_MANIFEST_DIR");
const CODE: &str = include_str!("../../pages/forever-frame.js");
const TYPES: &str = include_str!("../../scripts/package/npm/forever-frame.d.ts");
const README: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/scripts/package/npm/README.md"
));

/// A program of npm's, in a directory, which is its home, too.
fn in_directory(program: &str, args: &[&str], dir: &Path) -> Command {
    let mut command = command(program, args);
    command
        .current_dir(dir)
        .env("HOME", dir)
        .env("no_proxy", "*");
    command
}

/// A directory with the package installed, as somebody has it.
async fn installed() -> (TempDir, PathBuf) {
    let dir = directory();
    let at = dir.path().to_owned();
    std::fs::write(at.join("package.json"), r#"{"private":true}"#).unwrap();
    let pack = format!("{TREE}/scripts/package/npm/pack");
    let packed = output(in_directory(&pack, &["."], &at)).await;
    let args = ["install", "--offline", "--no-audit", "--no-fund"];
    let args = [&args[..], &[packed.trim_end()]].concat();
    output(in_directory("npm", &args, &at)).await;
    (dir, at)
}

/// A script of Node that runs, and says a line of JSON an event.
struct Script {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Script {
    fn start(dir: &Path, args: &[&str]) -> Script {
        let mut node = in_directory("node", args, dir);
        node.stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = node.spawn().expect(MISSING);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Script { child, lines }
    }

    async fn line(&mut self) -> Option<String> {
        soon(self.lines.next_line()).await.unwrap()
    }

    /// The next event that is `live` or not, as it is wanted.
    async fn says(&mut self, kind: &str, seq: u64, what: Value) {
        let said: Value = serde_json::from_str(&self.line().await.unwrap()).unwrap();
        let cursor = said[1].as_str().unwrap();
        assert_eq!((&said[0], &said[2]), (&json!(kind), &what), "{said}");
        assert!(cursor.ends_with(&format!("-{seq}")), "{said}");
    }

    async fn ends(mut self) {
        assert_eq!(self.line().await, None);
        assert!(soon(self.child.wait()).await.unwrap().success());
    }
}

/// A stream in Node goes on over a server that is killed, begins at a cursor, and lets the process end when
/// its channel is closed. With `events` it hears those names and no others.
#[tokio::test]
async fn npm_package_follows_in_node() {
    let (_installed, dir) = installed().await;
    std::fs::write(dir.join("follow.mjs"), include_str!("npm/follow.mjs")).unwrap();
    let (log_dir, port) = (LogDir::new(), Port::reserve());
    let options = ["--drain", "0s"];
    let server = log_dir.start_at(&port.listen(), &options).await;
    let url = format!("http://{}/c/a", port.addr);
    append(server.addr, "a", "one").await;
    let mut all = Script::start(&dir, &["follow.mjs", &url, "all"]);
    let mut named = Script::start(&dir, &["follow.mjs", &url, "1", "added"]);
    all.says("message", 1, json!("one")).await;
    all.says("live", 1, Value::Null).await;
    named.says("live", 1, Value::Null).await;
    append(server.addr, "a", "two").await;
    all.says("message", 2, json!("two")).await;
    named.says("message", 2, json!("two")).await;

    server.end("-KILL").await;
    let server = log_dir.start_at(&port.listen(), &options).await;
    assert_eq!(post(server.addr, "/c/a?event=added", "3").await.status, 201);
    assert_eq!(post(server.addr, "/c/a?event=other", "4").await.status, 201);
    // What was appended before it came back is the past.
    for _ in 0..3 {
        let line = all.line().await.unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        match said[2].as_str() {
            None => assert_eq!(said[0], "live"),
            Some(text) => assert!(said[1].as_str().unwrap().ends_with(text), "{line}"),
        }
    }
    let heard: Vec<String> = [named.line().await.unwrap(), named.line().await.unwrap()].into();
    assert!(
        heard.iter().any(|line| line.starts_with(r#"["added""#)),
        "{heard:?}"
    );
    assert_eq!(post(server.addr, "/c/a?close=1", "five").await.status, 201);
    for mut script in [all, named] {
        script.says("message", 5, json!("five")).await;
        script.says("closed", 5, json!("a")).await;
        script.ends().await;
    }
    server.end("-TERM").await;
}

/// The example of the package's README does what it says, and begins with what is there.
#[tokio::test]
async fn npm_package_readme_works() {
    let (_installed, dir) = installed().await;
    let server = TestServer::start();
    let (_, example) = README.split_once("```js\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let here = example.replace("localhost:8080", &server.addr.to_string());
    assert_ne!(here, example);
    std::fs::write(dir.join("example.mjs"), here).unwrap();
    let mut example = Script::start(&dir, &["example.mjs"]);
    let live = "this is all that there was; what comes now is new";
    assert_eq!(example.line().await.as_deref(), Some(live));
    let answer = append(server.addr, "build", "tests pass").await;
    let message = format!("{} tests pass", answer["cursor"].as_str().unwrap());
    assert_eq!(example.line().await, Some(message));
    assert_eq!(post(server.addr, "/c/build?close=1", "").await.status, 201);
    assert_eq!(example.line().await.as_deref(), Some("build is closed"));
    example.ends().await;
    server.stop().await;
}

/// A page that imports the module follows, and so does a page with the file alone, which is the server's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn npm_package_follows_in_a_page() {
    let (_installed, dir) = installed().await;
    let package = dir.join("node_modules/forever-frame");
    assert_eq!(
        std::fs::read_to_string(package.join("forever-frame.js")).unwrap(),
        CODE
    );
    let server = TestServer::with(|config| config.pages = Some(package));
    append(server.addr, "a", "one").await;
    let browser = Browser::start().await;
    browser.open(server.addr, "/healthz").await;
    let script = "window.said = [];
        import('/index.js').then(module => {
          window.isGlobal = module.default === ForeverFrame && module.ForeverFrame === ForeverFrame;
          const stream = new module.ForeverFrame('/c/a');
          stream.addEventListener('message', e => said.push(e.data));
        })";
    browser.execute(script).await;
    eventually("the message", async || {
        let said = browser.execute("return [window.isGlobal, said]").await;
        if said == json!([true, ["one"]]) {
            Ok(())
        } else {
            Err(said.to_string())
        }
    })
    .await;
    browser.close().await;
    server.stop().await;
}

/// The types are right for a page and for Node, in both ways of finding modules, and refuse what is wrong.
#[tokio::test]
async fn npm_package_types() {
    let (_installed, dir) = installed().await;
    for (name, text) in [
        ("use.ts", include_str!("npm/use.ts")),
        ("page.ts", include_str!("npm/page.ts")),
    ] {
        std::fs::write(dir.join(name), text).unwrap();
    }
    let packages = parsers().join("node_modules");
    let compiler = packages.join("typescript/bin/tsc");
    for (module, resolution) in [("nodenext", "nodenext"), ("esnext", "bundler")] {
        for (lib, types, files) in [
            (
                json!(["es2022", "dom"]),
                json!([]),
                json!(["use.ts", "page.ts"]),
            ),
            (json!(["es2022"]), json!(["node"]), json!(["use.ts"])),
        ] {
            let options = json!({
                "compilerOptions": {
                    "noEmit": true, "strict": true, "target": "es2022", "module": module,
                    "moduleResolution": resolution, "lib": lib, "types": types,
                    "typeRoots": [packages.join("@types")],
                },
                "files": files,
            });
            std::fs::write(dir.join("tsconfig.json"), options.to_string()).unwrap();
            let compiler = compiler.to_str().unwrap();
            let mut tsc = in_directory("node", &[compiler, "-p", "."], &dir);
            let done = soon(tsc.output()).await.expect(MISSING);
            let said = String::from_utf8_lossy(&done.stdout);
            assert!(done.status.success(), "{options}: {said}");
        }
    }
}

/// What the code offers is in the types: each option, and each thing that a stream can be asked.
#[test]
fn npm_package_types_name_all() {
    let (_, options) = CODE.split_once("constructor(url, { ").unwrap();
    let (options, _) = options.split_once(" } = {})").unwrap();
    for option in options.split(", ") {
        let name = option.split(' ').next().unwrap();
        assert!(TYPES.contains(&format!("\n  {name}?: ")), "{name}");
    }
    let (_, class) = CODE
        .split_once("class ForeverFrame extends EventTarget {")
        .unwrap();
    let mut offered = 0;
    for line in class.lines().take_while(|line| !line.starts_with("  }")) {
        let Some(line) = line.strip_prefix("    ") else {
            continue;
        };
        if line.starts_with([' ', '/', '}', '*'])
            || line.contains(" #")
            || line.starts_with('#')
            || line.starts_with("constructor")
        {
            continue;
        }
        let Some((head, _)) = line.split_once('(') else {
            continue;
        };
        assert!(TYPES.contains(&format!("\n  {head}(")), "{head}");
        offered += 1;
    }
    assert!(offered > 8, "{offered}");
}
