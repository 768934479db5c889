//! The command line and the environment, made into a [`Config`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::limits;

/// A forever frame server: HTTP responses that never end, over one message log.
///
/// Watch with `curl -N http://HOST/stream`, send with `curl -d hello http://HOST/send`,
/// or open `http://HOST/` in a browser.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100)]
pub struct Args {
    /// Address and port to listen on; port 0 picks a free one
    #[arg(
        long,
        value_name = "ADDR",
        env = "FOREVER_FRAME_LISTEN",
        default_value = "127.0.0.1:8080",
        value_parser = address
    )]
    listen: SocketAddr,

    /// Where the log lives: `sqlite:PATH`, a file that outlives the process (up to 64 GiB, and a
    /// write to the disk for each commit), or `memory` (up to 256 MiB)
    #[arg(long, value_name = "STORE", env = "FOREVER_FRAME_STORE", default_value = "sqlite:forever-frame.db", value_parser = store)]
    store: StoreKind,

    /// Messages kept in each channel; older ones may go. Each costs its text and up to 512 bytes
    #[arg(long, value_name = "N", env = "FOREVER_FRAME_KEEP", default_value_t = limits::KEEP_MESSAGES, value_parser = at_least_one)]
    keep: usize,

    /// How long messages are kept, such as 90s, 12h, 7d; older ones may go
    #[arg(long, value_name = "DURATION", env = "FOREVER_FRAME_KEEP_FOR", default_value = "7d", value_parser = duration)]
    keep_for: Duration,

    /// Longest message in bytes (1 to 1048576). A watcher that has stopped reading may hold one
    #[arg(long, value_name = "BYTES", env = "FOREVER_FRAME_MAX_MESSAGE", default_value_t = limits::MESSAGE_BYTES, value_parser = message_bytes)]
    max_message: usize,

    /// Most connections at once; more are answered 503. Each is a file; an idle stream costs 1.5 KiB,
    /// a request that is being answered about 20
    /// [default: what the open-file limit allows, less 128]
    #[arg(long, value_name = "N", env = "FOREVER_FRAME_MAX_CONNECTIONS", value_parser = at_least_one)]
    max_connections: Option<usize>,

    /// How often a quiet sse, ndjson or script stream says that all is well (1s to 60s). Keep it
    /// below the idle limit of what stands between; the dots of text and html come every 1s
    #[arg(long, value_name = "DURATION", env = "FOREVER_FRAME_HEARTBEAT", default_value = "15s", value_parser = heartbeat)]
    heartbeat: Duration,

    /// Time over which open streams are ended when the server stops, so that their clients do
    /// not all come back at once
    #[arg(long, value_name = "DURATION", env = "FOREVER_FRAME_DRAIN", default_value = "5s", value_parser = duration)]
    drain: Duration,

    /// Let pages of this origin, such as `https://example.org`, read and append under /c/; may be
    /// given several times; `*` allows all
    #[arg(long = "cors-origin", value_name = "ORIGIN", env = "FOREVER_FRAME_CORS_ORIGIN", value_delimiter = ',', value_parser = origin)]
    cors_origins: Vec<String>,

    /// Serve the pages in DIR instead of those built in, read afresh at each request
    #[arg(long, value_name = "DIR", env = "FOREVER_FRAME_PAGES", value_parser = directory)]
    pages: Option<PathBuf>,

    /// Leave out the demonstration pages, the mailbox and the chat; keep /c/…, /healthz and /metrics
    #[arg(long, env = "FOREVER_FRAME_NO_DEMOS")]
    no_demos: bool,

    /// Have two accounts in the chat for a look around, `liger_zql` and `漠然`, friends of each
    /// other, both with the password 12345: whoever reaches the server can be them
    #[arg(long, env = "FOREVER_FRAME_DEMO_ACCOUNTS")]
    demo_accounts: bool,
}

/// Which store holds the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// In memory.
    Memory,
    /// In this file.
    Sqlite(PathBuf),
}

/// All that the server is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where the log lives.
    pub store: StoreKind,
    /// How much of it is kept.
    pub keep: crate::log::Keep,
    /// Longest message, in bytes.
    pub max_message: usize,
    /// Most connections; `None` for what the open-file limit allows.
    pub max_connections: Option<usize>,
    /// How often quiet streams without dots say that all is well.
    pub heartbeat: Duration,
    /// Time over which streams end.
    pub drain: Duration,
    /// Whose pages may read and append: origins, or `*`.
    pub cors_origins: Vec<String>,
    /// Pages to serve instead of those built in.
    pub pages: Option<PathBuf>,
    /// Are the demonstration pages served?
    pub demos: bool,
    /// Are there accounts in the chat that everybody knows the password of?
    pub demo_accounts: bool,
    /// Are streams taken out of hyper's hands? No option: tests hold both ways to the same.
    pub handover: bool,
    /// What clients may take their time with. No options: tests shorten them.
    pub timeouts: Timeouts,
}

/// How long clients are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// See [`limits::HEAD_TIMEOUT`].
    pub head: Duration,
    /// See [`limits::BODY_TIMEOUT`].
    pub body: Duration,
    /// See [`limits::STALL_TIMEOUT`].
    pub stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            head: limits::HEAD_TIMEOUT,
            body: limits::BODY_TIMEOUT,
            stall: limits::STALL_TIMEOUT,
        }
    }
}

impl From<Args> for Config {
    fn from(args: Args) -> Config {
        Config {
            listen: args.listen,
            store: args.store,
            keep: crate::log::Keep {
                messages: args.keep,
                age: args.keep_for,
            },
            max_message: args.max_message,
            max_connections: args.max_connections,
            heartbeat: args.heartbeat,
            drain: args.drain,
            cors_origins: args.cors_origins,
            pages: args.pages,
            demos: !args.no_demos,
            demo_accounts: args.demo_accounts,
            handover: true,
            timeouts: Timeouts::default(),
        }
    }
}

impl Default for Config {
    /// What the command line says when it says nothing.
    fn default() -> Config {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            store: StoreKind::Sqlite("forever-frame.db".into()),
            keep: crate::log::Keep {
                messages: limits::KEEP_MESSAGES,
                age: limits::KEEP_FOR,
            },
            max_message: limits::MESSAGE_BYTES,
            max_connections: None,
            heartbeat: limits::HEARTBEAT_EVERY,
            drain: limits::DRAIN,
            cors_origins: Vec::new(),
            pages: None,
            demos: true,
            demo_accounts: false,
            handover: true,
            timeouts: Timeouts::default(),
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "write it like 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080".to_owned())
}

fn store(text: &str) -> Result<StoreKind, String> {
    match text.strip_prefix("sqlite:") {
        None if text == "memory" => Ok(StoreKind::Memory),
        Some(path) if !path.is_empty() => Ok(StoreKind::Sqlite(path.into())),
        _ => Err("write it like sqlite:forever-frame.db, or memory".to_owned()),
    }
}

/// A duration such as 500ms, 15s, 10m or 7d.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "is not a duration; write it like 500ms, 15s, 10m or 7d".to_owned())
}

/// A heartbeat that is neither a load nor too late.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn heartbeat(text: &str) -> Result<Duration, String> {
    let (least, most) = (
        limits::HEARTBEAT.start().as_secs(),
        limits::HEARTBEAT.end().as_secs(),
    );
    let outside = || format!("is not between {least}s and {most}s");
    duration(text).and_then(|heartbeat| {
        limits::HEARTBEAT
            .contains(&heartbeat)
            .then_some(heartbeat)
            .ok_or_else(outside)
    })
}

/// `*`, or an origin as browsers send it: scheme, host and perhaps port (RFC 6454, section 6.2).
fn origin(text: &str) -> Result<String, String> {
    let host = text.split_once("://").map(|(_, host)| host);
    let is_origin =
        host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', ',']));
    let sound = text == "*" || (is_origin && text.bytes().all(|b| b.is_ascii_graphic()));
    sound
        .then(|| text.to_ascii_lowercase())
        .ok_or_else(|| "write it like https://example.org, without a path, or *".to_owned())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|n| *n >= 1)
        .ok_or_else(|| "it must be a whole number, 1 or more".to_owned())
}

fn message_bytes(text: &str) -> Result<usize, String> {
    let most = limits::MESSAGE_BYTES_CEILING;
    text.parse()
        .ok()
        .filter(|n| (1..=most).contains(n))
        .ok_or_else(|| format!("it must be a number of bytes from 1 to {most}"))
}

fn directory(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() {
        Ok(path)
    } else {
        Err("there is no such directory".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
        let said_nothing = Config::from(Args::try_parse_from(["x"]).unwrap());
        assert_eq!(
            format!("{said_nothing:?}"),
            format!("{:?}", Config::default())
        );
        for bad in [
            ["--drain", "5"],
            ["--max-message", "0"],
            ["--store", "disk"],
            ["--store", "sqlite:"],
            ["--keep", "-1"],
            ["--pages", "/nowhere"],
            ["--heartbeat", "90s"],
            ["--cors-origin", "https://x/"],
        ] {
            assert!(
                Args::try_parse_from(["x"].into_iter().chain(bad)).is_err(),
                "{bad:?}"
            );
        }
    }
}
