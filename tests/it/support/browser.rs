//! A real browser: Chromium without a window, led by chromedriver.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::WindowHandle;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::{PATIENCE, soon};

/// Said instead of skipping: a test that did not run has not passed.
const MISSING: &str = "these tests need a browser: apt-get install chromium chromium-driver";

/// The debugging pipe is what ties Chromium to chromedriver: when one dies, however it dies, the
/// other one goes. With a debugging port it would stay behind.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
];

/// A browser with a window, and with nothing that another one left.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Driver,
}

impl Browser {
    pub(crate) async fn start() -> Browser {
        Browser::with(json!({})).await
    }

    /// One whose user has switched scripts off for all pages. `WebDriver` can still read them: its
    /// scripts are not the page's.
    pub(crate) async fn without_javascript() -> Browser {
        Browser::with(json!({ "profile.managed_default_content_settings.javascript": 2 })).await
    }

    async fn with(preferences: Value) -> Browser {
        let program = program("chromium");
        let mut driver = Driver::start().await;
        let profile = driver.home.join("profile");
        let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let capabilities = json!({
            // The long page is never loaded: nothing may wait until it is.
            "pageLoadStrategy": "none",
            // A dialog stays open, so that no test can overlook it.
            "unhandledPromptBehavior": "ignore",
            "goog:chromeOptions": {
                "binary": program,
                "args": arguments,
                "prefs": preferences,
            },
        });
        let Value::Object(capabilities) = capabilities else {
            unreachable!()
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let client = soon(builder.connect(&driver.url))
            .await
            .unwrap_or_else(|error| panic!("Chromium does not start: {error}; {MISSING}"));
        driver.chromium = client
            .capabilities()
            .and_then(|found| found.get("goog:processID"))
            .and_then(Value::as_u64);
        assert!(driver.chromium.is_some(), "Chromium's number is not told");
        Browser { client, driver }
    }

    /// Ends it in order. One that is only dropped ends, too.
    pub(crate) async fn close(self) {
        let Browser { client, driver } = self;
        soon(client.close()).await.unwrap();
        drop(driver);
    }

    /// Goes to a page.
    pub(crate) async fn open(&self, addr: SocketAddr, path: &str) {
        let url = format!("http://{addr}{path}");
        self.leave(self.client.goto(&url)).await;
    }

    /// The reload button. A form that led here is sent again.
    pub(crate) async fn reload(&self) {
        self.leave(self.client.refresh()).await;
    }

    /// Presses a button that leads to another page.
    pub(crate) async fn press(&self, css: &str) {
        let button = self.find(css).await;
        self.leave(button.click()).await;
    }

    /// Does what leads away from this page, and waits until it is gone: otherwise the page that
    /// was left could pass for the one that was asked for.
    pub(crate) async fn leave(&self, how: impl Future<Output = Result<(), CmdError>>) {
        let before = self.find("html").await;
        soon(how).await.unwrap();
        eventually("the page is left", async || match before.tag_name().await {
            Err(error) if error.is_stale_element_reference() => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }

    /// An element of the page, when it is there.
    pub(crate) async fn find(&self, css: &str) -> Element {
        eventually(&format!("there is {css}"), async || {
            let found = self.client.find(Locator::Css(css)).await;
            found.map_err(|error| error.to_string())
        })
        .await
    }

    /// How many elements of the page there are now.
    pub(crate) async fn count(&self, css: &str) -> usize {
        soon(self.client.find_all(Locator::Css(css)))
            .await
            .unwrap()
            .len()
    }

    /// What an element shows, once that is as it should be.
    pub(crate) async fn read(&self, css: &str, what: &str, holds: impl Fn(&str) -> bool) -> String {
        eventually(&format!("{css} shows {what}"), async || {
            let shown = async { self.client.find(Locator::Css(css)).await?.text().await }.await;
            match shown {
                Ok(text) if holds(&text) => Ok(text),
                other => Err(format!("{other:?}")),
            }
        })
        .await
    }

    /// Runs a script in the page, whatever the page and the user allow to be run.
    pub(crate) async fn execute(&self, script: &str) -> Value {
        soon(self.client.execute(script, Vec::new())).await.unwrap()
    }

    /// Does it run the scripts of pages?
    pub(crate) async fn runs_scripts(&self) -> bool {
        let page =
            "data:text/html,<title>off</title><script>document.title='on'</script><p id=end>";
        self.leave(self.client.goto(page)).await;
        self.find("#end").await;
        soon(self.client.title()).await.unwrap() == "on"
    }

    /// Opens another window and looks into it; the handle leads back to the one before.
    pub(crate) async fn open_window(&self) -> WindowHandle {
        let before = soon(self.client.window()).await.unwrap();
        let window = soon(self.client.new_window(false)).await.unwrap();
        self.look_into(window.handle).await;
        before
    }

    /// Follows a link that opens another window, and looks into that; the handle leads back.
    pub(crate) async fn follow(&self, css: &str) -> WindowHandle {
        let before = soon(self.client.window()).await.unwrap();
        let known = soon(self.client.windows()).await.unwrap();
        soon(self.find(css).await.click()).await.unwrap();
        let window = eventually("another window", async || {
            let windows = self.client.windows().await;
            let mut windows = windows.map_err(|error| error.to_string())?.into_iter();
            let new = windows.find(|window| !known.contains(window));
            new.ok_or_else(|| "only those that were there".to_owned())
        })
        .await;
        self.look_into(window).await;
        before
    }

    pub(crate) async fn look_into(&self, window: WindowHandle) {
        soon(self.client.switch_to_window(window)).await.unwrap();
    }
}

/// Looks again until it is there: a browser tells nobody when it has come so far. What was there
/// instead is said when patience ends.
pub(crate) async fn eventually<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let looked = tokio::time::timeout(PATIENCE, look()).await;
        match looked.unwrap_or_else(|_| Err("the browser does not answer".to_owned())) {
            Ok(found) => return found,
            Err(instead) => assert!(
                Instant::now() < deadline,
                "it never came to this: {what}; at last: {instead}"
            ),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A chromedriver of its own for each browser, so that none can disturb another.
struct Driver {
    child: Child,
    url: String,
    /// Read no more, but open: chromedriver may want to say something.
    output: Lines<BufReader<ChildStdout>>,
    /// Where both put all that they write.
    home: PathBuf,
    /// Chromium's process, once it has been started.
    chromium: Option<u64>,
}

impl Driver {
    /// Starts it, again if need be: it wants the port that it finds on both of the machine's own
    /// addresses, and ends if somebody else has got it on the other one meanwhile.
    async fn start() -> Driver {
        const TRIES: usize = 3;
        for _ in 1..TRIES {
            if let Ok(driver) = Driver::once().await {
                return driver;
            }
        }
        Driver::once().await.unwrap()
    }

    async fn once() -> io::Result<Driver> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let program = program("chromedriver");
        let number = STARTED.fetch_add(1, Relaxed);
        let home = format!("forever-frame-browser-{}-{number}", std::process::id());
        let home = std::env::temp_dir().join(home);
        std::fs::create_dir(&home).unwrap();
        // Whoever kills the tests leaves them no time to end it: then the kernel does.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .arg("--port=0")
            .env("HOME", &home)
            .env("TMPDIR", &home)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("setpriv, which is part of util-linux");
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut driver = Driver {
            child,
            url: String::new(),
            output,
            home,
            chromium: None,
        };
        let port = soon(driver.port()).await?;
        driver.url = format!("http://127.0.0.1:{port}");
        Ok(driver)
    }

    /// The port that it has chosen, once it listens there.
    async fn port(&mut self) -> io::Result<u16> {
        while let Some(line) = self.output.next_line().await? {
            let said = line.split_once("was started successfully on port ");
            if let Some((_, port)) = said {
                return port.trim_end_matches('.').parse().map_err(io::Error::other);
            }
        }
        Err(io::Error::other("chromedriver ended without a port"))
    }

    /// Does its Chromium still run? Its number alone would not tell: numbers are given again.
    fn is_chromium_there(&self) -> bool {
        let home = self.home.to_string_lossy();
        self.chromium
            .and_then(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).ok())
            .is_some_and(|line| String::from_utf8_lossy(&line).contains(&*home))
    }
}

impl Drop for Driver {
    /// Leaves nothing behind, also when a test fails.
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        drop(self.child.start_kill());
        while matches!(self.child.try_wait(), Ok(None)) || self.is_chromium_there() {
            if Instant::now() > deadline {
                eprintln!("Chromium {:?} does not end", self.chromium);
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Its helpers go after it, and may still write.
        while let Err(error) = std::fs::remove_dir_all(&self.home) {
            if error.kind() == io::ErrorKind::NotFound || Instant::now() > deadline {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Where a program is.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| Path::is_file(file))
        .unwrap_or_else(|| panic!("there is no {name}; {MISSING}"))
}
