//! A real browser: Chromium without a window, driven by chromedriver.

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

use crate::support::{eventually, soon};

/// The failure where there is no browser. No test is skipped: one that did not run has not passed.
const MISSING: &str = "these tests need a browser, which scripts/test installs: apt-get install chromium chromium-driver xvfb";

/// Chromium's arguments. The debugging pipe ties Chromium to chromedriver: when one of them dies,
/// however it dies, the other one ends. With a debugging port it would keep running.
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

/// A browser with a window and a fresh profile.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Driver,
}

impl Browser {
    pub(crate) async fn start() -> Browser {
        Browser::with(json!({})).await
    }

    /// Starts a browser whose user has switched scripts off for all pages. `WebDriver` can still read
    /// the pages: its scripts are not the page's.
    pub(crate) async fn without_javascript() -> Browser {
        Browser::with(json!({ "profile.managed_default_content_settings.javascript": 2 })).await
    }

    /// Starts a browser whose user reads Chinese.
    pub(crate) async fn in_chinese() -> Browser {
        Browser::with(json!({ "intl.accept_languages": "zh-CN,zh" })).await
    }

    /// Starts a browser with windows on a screen: only there a tab is hidden when another is seen.
    pub(crate) async fn on_screen() -> Browser {
        let screen = Screen::start().await;
        Browser::with_all(json!({}), Some(screen), &[]).await
    }

    /// Starts a browser whose user prefers dark pages.
    pub(crate) async fn dark() -> Browser {
        Browser::with_all(
            json!({}),
            None,
            &["--blink-settings=preferredColorScheme=0"],
        )
        .await
    }

    async fn with(preferences: Value) -> Browser {
        Browser::with_all(preferences, None, &[]).await
    }

    async fn with_all(preferences: Value, screen: Option<Screen>, more: &[&str]) -> Browser {
        let program = program("chromium");
        let mut driver = Driver::start(screen.as_ref()).await;
        driver.screen = screen;
        let profile = driver.home.join("profile");
        let all = ARGUMENTS.iter().chain(more);
        let mut arguments: Vec<String> = all.map(|argument| (*argument).to_owned()).collect();
        if driver.screen.is_some() {
            arguments.retain(|argument| argument != "--headless");
        }
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let capabilities = json!({
            // The long page is never loaded completely: nothing may wait for that.
            "pageLoadStrategy": "none",
            // A dialog stays open, so that no test can overlook it.
            "unhandledPromptBehavior": "ignore",
            // The certificates of tests are of an authority that no browser knows.
            "acceptInsecureCerts": true,
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

    /// Ends the browser in order. A browser that is only dropped ends, too.
    pub(crate) async fn close(self) {
        let Browser { client, driver } = self;
        soon(client.close()).await.unwrap();
        drop(driver);
    }

    /// Opens a page.
    pub(crate) async fn open(&self, addr: SocketAddr, path: &str) {
        let url = format!("http://{addr}{path}");
        self.leave(self.client.goto(&url)).await;
    }

    /// Presses the reload button. A form that led to this page is sent again.
    pub(crate) async fn reload(&self) {
        self.leave(self.client.refresh()).await;
    }

    /// Presses a button that leads to another page.
    pub(crate) async fn press(&self, css: &str) {
        let button = self.find(css).await;
        self.leave(button.click()).await;
    }

    /// Does what leads away from this page, and waits until the page is gone: otherwise the page that
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

    /// Waits for an element of the page.
    pub(crate) async fn find(&self, css: &str) -> Element {
        eventually(&format!("there is {css}"), async || {
            let found = self.client.find(Locator::Css(css)).await;
            found.map_err(|error| error.to_string())
        })
        .await
    }

    /// The number of such elements in the page now.
    pub(crate) async fn count(&self, css: &str) -> usize {
        soon(self.client.find_all(Locator::Css(css)))
            .await
            .unwrap()
            .len()
    }

    /// Waits until the text of an element is as it should be, and gives it.
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

    /// Runs a script in the page, also where the page or the user forbids scripts.
    pub(crate) async fn execute(&self, script: &str) -> Value {
        soon(self.client.execute(script, Vec::new())).await.unwrap()
    }

    /// Runs a script in the page that calls its last argument with what it finds.
    pub(crate) async fn execute_async(&self, script: &str) -> Value {
        let found = self.client.execute_async(script, Vec::new());
        soon(found).await.unwrap()
    }

    /// Whether the browser runs the scripts of pages.
    pub(crate) async fn runs_scripts(&self) -> bool {
        let page =
            "data:text/html,<title>off</title><script>document.title='on'</script><p id=end>";
        self.leave(self.client.goto(page)).await;
        self.find("#end").await;
        soon(self.client.title()).await.unwrap() == "on"
    }

    /// Opens another window and switches to it; the handle leads back to the window before.
    pub(crate) async fn open_window(&self) -> WindowHandle {
        let before = soon(self.client.window()).await.unwrap();
        let window = soon(self.client.new_window(false)).await.unwrap();
        self.look_into(window.handle).await;
        before
    }

    /// Follows a link that opens another window, and switches to that; the handle leads back to the
    /// window before.
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

    /// Opens a page in another tab, which is in front then, and switches to it.
    pub(crate) async fn open_tab(&self, addr: SocketAddr, path: &str) -> WindowHandle {
        let known = soon(self.client.windows()).await.unwrap();
        let url = format!("http://{addr}{path}");
        let open = format!("window.open('{url}', '_blank', 'noopener')");
        self.execute(&open).await;
        let tab = eventually("another tab", async || {
            let windows = self.client.windows().await;
            let mut windows = windows.map_err(|error| error.to_string())?.into_iter();
            let new = windows.find(|window| !known.contains(window));
            new.ok_or_else(|| "only those that were there".to_owned())
        })
        .await;
        self.look_into(tab.clone()).await;
        tab
    }

    /// Switches to a window.
    pub(crate) async fn look_into(&self, window: WindowHandle) {
        soon(self.client.switch_to_window(window)).await.unwrap();
    }
}

/// A chromedriver of its own for each browser, so that none can disturb another.
struct Driver {
    child: Child,
    url: String,
    /// No longer read, but open: chromedriver may still write to it.
    output: Lines<BufReader<ChildStdout>>,
    /// The directory in which both write all their files.
    home: PathBuf,
    /// The id of Chromium's process, once it has been started.
    chromium: Option<u64>,
    /// Where the windows are shown, if they are. It is dropped last.
    screen: Option<Screen>,
}

/// A screen that nobody sees (Xvfb).
struct Screen {
    _server: Child,
    /// Its name, as programs find it in `DISPLAY`.
    display: String,
}

impl Screen {
    async fn start() -> Screen {
        let mut server = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "Xvfb", "-displayfd", "1"])
            .args(["-screen", "0", "1280x900x24", "-nolisten", "tcp"])
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect(MISSING);
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let number = soon(lines.next_line()).await.unwrap().expect(MISSING);
        Screen {
            _server: server,
            display: format!(":{}", number.trim()),
        }
    }
}

impl Driver {
    /// Starts chromedriver, again if need be: it wants its port on both loopback addresses, and ends if
    /// another process has taken the port on the second one meanwhile.
    async fn start(screen: Option<&Screen>) -> Driver {
        const TRIES: usize = 3;
        for _ in 1..TRIES {
            if let Ok(driver) = Driver::once(screen).await {
                return driver;
            }
        }
        Driver::once(screen).await.unwrap()
    }

    async fn once(screen: Option<&Screen>) -> io::Result<Driver> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let program = program("chromedriver");
        let number = STARTED.fetch_add(1, Relaxed);
        let home = format!("forever-frame-browser-{}-{number}", std::process::id());
        let home = std::env::temp_dir().join(home);
        std::fs::create_dir(&home).unwrap();
        // When the tests are killed, they cannot end chromedriver: then the kernel does.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .arg("--port=0")
            .env("HOME", &home)
            .env("TMPDIR", &home)
            .env("DISPLAY", screen.map_or("", |screen| &screen.display))
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
            screen: None,
        };
        let port = soon(driver.port()).await?;
        driver.url = format!("http://127.0.0.1:{port}");
        Ok(driver)
    }

    /// The port that chromedriver has chosen, once it listens there.
    async fn port(&mut self) -> io::Result<u16> {
        while let Some(line) = self.output.next_line().await? {
            let said = line.split_once("was started successfully on port ");
            if let Some((_, port)) = said {
                return port.trim_end_matches('.').parse().map_err(io::Error::other);
            }
        }
        Err(io::Error::other("chromedriver ended without a port"))
    }

    /// Whether this driver's Chromium still runs. The process id alone would not tell, because ids are
    /// reused.
    fn is_chromium_there(&self) -> bool {
        let home = self.home.to_string_lossy();
        self.chromium
            .and_then(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).ok())
            .is_some_and(|line| String::from_utf8_lossy(&line).contains(&*home))
    }
}

impl Drop for Driver {
    /// Ends both processes and removes their files, also when a test fails.
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
        // Chromium's helpers end later than it does, and may still write.
        while let Err(error) = std::fs::remove_dir_all(&self.home) {
            if error.kind() == io::ErrorKind::NotFound || Instant::now() > deadline {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The path of a program in `PATH`.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| Path::is_file(file))
        .unwrap_or_else(|| panic!("there is no {name}; {MISSING}"))
}
