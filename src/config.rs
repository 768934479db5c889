//! The command line and the environment, read into a [`Config`].
//!
//! `bind` in `server/mod.rs` hands the options on to the parts of the server: a new one is a field of
//! [`Args`] and of [`Config`], and an argument there (for the size of the tail, one of `Log::open`).

mod backup_commands;
mod bounds;
mod certificate_source;
mod cluster_args;
mod command_line;
mod generate;
mod health_url;
mod listen;
mod probe_args;
mod proxy_args;
#[cfg(feature = "secure")]
mod tls_args;
mod token_command;
mod values;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

pub use backup_commands::{BackupArgs, RestoreArgs};
pub use bounds::{MemoryBudgets, Timeouts};
pub use certificate_source::{AcmeOptions, CertificateFiles, CertificateSource};
pub use cluster_args::ClusterChoice;
pub use command_line::{CheckArgs, ClusterCommand, Command, CommandLine};
pub use generate::GenerateArgs;
pub use health_url::HealthUrl;
pub use listen::Listen;
pub use probe_args::{ProbeArgs, ProbeUrl};
pub use token_command::TokenArgs;
pub use values::{duration, heartbeat};

use crate::authority::HostName;
use crate::client_shares::{ClientBounds, ShareBounds};
use crate::limits;
use crate::machine_clock::MachineClock;
use crate::pages::BasePath;
use cluster_args::ClusterArgs;
use proxy_args::ProxyArgs;
#[cfg(feature = "secure")]
use tls_args::TlsArgs;
use values::{
    ValueList, access, at_least_one, directory, list, message_bytes, origin, rotate, size, store,
    switch,
};

/// The options of a server.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Address and port to listen on, such as `127.0.0.1:8080`, `localhost:8080` (each address of the
    /// name) or `:8080` (all addresses of the machine); a port alone is one of 127.0.0.1, and port 0
    /// picks a free one. `unix:PATH` is a Unix socket, for a proxy on this machine: its owner and its group
    /// may connect (0660), who counts as 127.0.0.1. An address other than loopback lets other machines in: `--access` has to say
    /// then what they may. Sockets that systemd hands over take its place
    #[arg(
        long,
        value_name = "ADDR",
        env = "FOREVER_FRAME_LISTEN",
        default_value = "127.0.0.1:8080"
    )]
    listen: Listen,

    #[cfg(feature = "secure")]
    #[command(flatten)]
    tls: TlsArgs,

    /// Address and port to listen on besides, always without TLS, for a proxy or for the machine itself;
    /// written like --listen [default: none]
    #[arg(long, value_name = "ADDR", env = "FOREVER_FRAME_LISTEN_PLAIN")]
    listen_plain: Option<Listen>,

    /// Where the log is kept: `sqlite:PATH`, a file that survives the process (each commit is
    /// a synchronous write to the disk), or `memory` (lost at exit)
    #[arg(long, value_name = "STORE", env = "FOREVER_FRAME_STORE", default_value = "sqlite:forever-frame.db", value_parser = store)]
    store: StoreKind,

    #[command(flatten)]
    cluster: ClusterArgs,

    /// Messages kept per channel; older ones may be deleted. Each costs its text plus up to 512
    /// bytes
    #[arg(long, value_name = "N", env = "FOREVER_FRAME_KEEP", default_value_t = limits::KEEP_MESSAGES_DEFAULT, value_parser = at_least_one)]
    keep: usize,

    /// How long messages are kept, such as 90s, 12h or 7d; older ones may be deleted. It is time that
    /// passes: setting the wall clock deletes nothing
    #[arg(long, value_name = "DURATION", env = "FOREVER_FRAME_KEEP_FOR", default_value = "7d", value_parser = duration)]
    keep_for: Duration,

    /// What all channels keep together, such as 500MB or 4GiB; beyond it the oldest messages are
    /// deleted. Each counts its text and 512 bytes. The file is a little larger, and its write-ahead
    /// log comes on top [default: 4GiB; with --store memory 256MiB]
    #[arg(long, value_name = "SIZE", env = "FOREVER_FRAME_KEEP_BYTES", value_parser = size)]
    keep_bytes: Option<u64>,

    /// Longest message, in bytes (1 to 1048576). Bodies of requests share 64 MiB of memory, and what
    /// clients have not read of answers another 64 MiB; one address gets at most half of each
    #[arg(long, value_name = "BYTES", env = "FOREVER_FRAME_MAX_MESSAGE", default_value_t = limits::MESSAGE_BYTES_DEFAULT, value_parser = message_bytes)]
    max_message: usize,

    /// Most connections at once; more are answered 503, except for /healthz and /metrics. Each is an
    /// open file; an idle stream takes about 1.8 KiB, 4 KiB more over TLS, and 0.1 to 0.4 KiB for each
    /// channel after the first, so up to 25 KiB without TLS; a request in progress takes about 20 KiB,
    /// and the system up to 128 KiB for a client that does not read
    /// [default: the open-file limit less 128]
    #[arg(long, value_name = "N", env = "FOREVER_FRAME_MAX_CONNECTIONS", value_parser = at_least_one)]
    max_connections: Option<usize>,

    /// Most connections at once of one address, or of one /64 network of IPv6; more are answered 429. The
    /// machine itself, and proxies that are trusted, have no bound [default: as many as are left for all
    /// others, so half of --max-connections for one alone]
    #[arg(long, value_name = "N", env = "FOREVER_FRAME_CONNECTIONS_PER_ADDRESS", value_parser = at_least_one)]
    connections_per_address: Option<usize>,

    /// Most requests in progress at once of one address: streams, long polls, uploads, and appends whose
    /// body is still to come; more are answered 429. Behind a proxy that is trusted the address of its
    /// client counts [default: as many as are left for all others]
    #[arg(long, value_name = "N", env = "FOREVER_FRAME_REQUESTS_PER_ADDRESS", value_parser = at_least_one)]
    requests_per_address: Option<usize>,

    /// Most appends a second of one address (1 to 1000000), of which those of two seconds may come at
    /// once; more are answered 429. Lines of uploads have as many besides, and wait
    #[arg(
        long,
        value_name = "N",
        env = "FOREVER_FRAME_APPENDS_PER_ADDRESS",
        default_value_t = limits::APPENDS_PER_CLIENT_DEFAULT,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::APPENDS_PER_CLIENT_MAX))
    )]
    appends_per_address: u32,

    /// Most requests in progress at once of those who show one token, from whichever addresses; more are
    /// answered 429 [default: as many as are left for all others]
    #[arg(long, value_name = "N", env = "FOREVER_FRAME_REQUESTS_PER_TOKEN", value_parser = at_least_one)]
    requests_per_token: Option<usize>,

    /// Most appends a second of those who show one token (1 to 1000000), counted like those of an address
    #[arg(
        long,
        value_name = "N",
        env = "FOREVER_FRAME_APPENDS_PER_TOKEN",
        default_value_t = limits::APPENDS_PER_CLIENT_DEFAULT,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::APPENDS_PER_CLIENT_MAX))
    )]
    appends_per_token: u32,

    /// Interval between heartbeats on a quiet sse, ndjson or script stream (1s to 60s); each is a
    /// small write. Keep it below the idle timeout of any proxy in between. The dots of text and
    /// html streams come every second
    #[arg(long, value_name = "DURATION", env = "FOREVER_FRAME_HEARTBEAT", default_value = "15s", value_parser = heartbeat)]
    heartbeat: Duration,

    /// Longest life of a stream (at least 1s); it then ends in-band with the reason `rotate`, up to a
    /// fifth earlier so that not all end at once, and its client comes back with its cursor. For
    /// proxies that never tell that a client has left [default: none]
    #[arg(long, value_name = "DURATION", env = "FOREVER_FRAME_ROTATE", value_parser = rotate)]
    rotate: Option<Duration>,

    /// How long a connection may be idle between two requests before it is closed (in order, so that no
    /// request is lost in between); longer than the idle timeout of a proxy in front, if it keeps
    /// connections. An idle connection takes about 10 KiB
    #[arg(long, value_name = "DURATION", env = "FOREVER_FRAME_KEEP_ALIVE", default_value = "75s", value_parser = duration)]
    keep_alive: Duration,

    /// Time over which open streams are ended when the server stops, spread so that their clients
    /// do not all reconnect at once
    #[arg(long, value_name = "DURATION", env = "FOREVER_FRAME_DRAIN", default_value = "5s", value_parser = duration)]
    drain: Duration,

    /// Who may read and write which channels, and see the metrics: a file (TOML) without which nobody may
    /// anything, or `open`: everybody may all. SIGHUP reads the file again
    /// [default: open on a loopback address; elsewhere the server does not start without it]
    #[arg(long, value_name = "FILE|open", env = "FOREVER_FRAME_ACCESS", value_parser = access)]
    access: Option<AccessOption>,

    #[command(flatten)]
    proxy: ProxyArgs,

    /// Origin, such as `https://example.org`, whose pages may read and append to channels; may be
    /// given several times (in the environment: separated by commas); `*` allows every origin
    /// [default: none]
    #[arg(long = "cors-origin", value_name = "ORIGIN", env = "FOREVER_FRAME_CORS_ORIGIN", value_parser = list(origin))]
    cors_origins: Vec<ValueList<String>>,

    /// Serve the pages in DIR instead of the built-in ones, read anew for each request
    #[arg(long, value_name = "DIR", env = "FOREVER_FRAME_PAGES", value_parser = directory)]
    pages: Option<PathBuf>,

    /// Leave out the demonstration pages, the mailbox and the chat; keep /c/…, /healthz and /metrics
    #[arg(long, env = "FOREVER_FRAME_NO_DEMOS", value_parser = switch)]
    no_demos: bool,

    /// Create two demo accounts in the chat, `liger_zql` and `漠然`, who are friends and share the
    /// password 12345; anyone who can reach the server can log in as them
    #[arg(long, env = "FOREVER_FRAME_DEMO_ACCOUNTS", value_parser = switch)]
    demo_accounts: bool,
}

/// The kind of store that holds the log, as `--store` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// In memory, until the process ends.
    Memory,
    /// In a database of `SQLite` at this path.
    Sqlite(PathBuf),
}

/// Who may read and write, as `--access` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessOption {
    /// Everybody may all.
    Open,
    /// Nobody may anything but what this file says.
    File(PathBuf),
}

/// Everything that a server is started with: the options of the command line, and what only tests
/// change.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 picks a free one.
    pub listen: Listen,
    /// Where the certificate comes from with which TLS is spoken there.
    pub certificate: Option<CertificateSource>,
    /// Where to listen besides, without TLS.
    pub listen_plain: Option<Listen>,
    /// The store that holds the log.
    pub store: StoreKind,
    /// Where the log is that several servers share, of which the store has a copy.
    pub cluster: Option<ClusterChoice>,
    /// How much of the log is kept.
    pub keep: crate::log::Keep,
    /// How many bytes all channels keep together; `None` for the default of the store's kind.
    pub keep_bytes: Option<u64>,
    /// The longest message, in bytes.
    pub max_message: usize,
    /// The most connections at once; `None` for what the open-file limit allows.
    pub max_connections: Option<usize>,
    /// The most that one client may use.
    pub clients: ClientBounds,
    /// The interval between heartbeats on quiet streams that have no dots.
    pub heartbeat: Duration,
    /// The longest life of a stream, if it has one.
    pub rotate: Option<Duration>,
    /// The time over which open streams are ended when the server stops.
    pub drain: Duration,
    /// Who may read and write; `None` for everybody, on a loopback address alone.
    pub access: Option<AccessOption>,
    /// The names under which a server on a loopback address may be asked, besides `localhost` and
    /// addresses.
    pub hosts: Vec<HostName>,
    /// The origins whose pages may read and append to channels; `*` for every origin.
    pub cors_origins: Vec<String>,
    /// The addresses of the proxies that are believed; none for those on this machine.
    pub trusted_proxies: Vec<IpNet>,
    /// The path below which a proxy has the server.
    pub base_path: BasePath,
    /// A directory with pages to serve instead of the built-in ones.
    pub pages: Option<PathBuf>,
    /// Whether the demonstration pages, the mailbox and the chat are served.
    pub demos: bool,
    /// Whether the chat has the two demo accounts, whose password everybody knows.
    pub demo_accounts: bool,
    /// Whether streams leave hyper and are written by their connection. Not an option of the
    /// command line: tests hold both ways to the same behaviour.
    pub handover: bool,
    /// How much memory clients share. Not options of the command line: tests make it scarce.
    pub memory: MemoryBudgets,
    /// How long a slow client is waited for. Not options of the command line: tests shorten them.
    pub timeouts: Timeouts,
    /// How many idempotency keys are held. Not an option of the command line: tests lower it.
    pub idempotency_keys_max: usize,
    /// The clocks that the log goes by. Not an option of the command line: tests set them.
    pub machine_clock: MachineClock,
}

impl From<Args> for Config {
    fn from(args: Args) -> Config {
        #[cfg(feature = "secure")]
        let certificate = args.tls.source();
        #[cfg(not(feature = "secure"))]
        let certificate = None;
        Config {
            listen: args.listen,
            certificate,
            listen_plain: args.listen_plain,
            store: args.store,
            cluster: args.cluster.choice(),
            keep: crate::log::Keep {
                messages: args.keep,
                age: args.keep_for,
            },
            keep_bytes: args.keep_bytes,
            max_message: args.max_message,
            max_connections: args.max_connections,
            clients: ClientBounds {
                connections: args.connections_per_address,
                address: ShareBounds {
                    requests: args.requests_per_address,
                    appends: args.appends_per_address,
                },
                token: ShareBounds {
                    requests: args.requests_per_token,
                    appends: args.appends_per_token,
                },
            },
            heartbeat: args.heartbeat,
            rotate: args.rotate,
            drain: args.drain,
            access: args.access,
            hosts: values::all(args.proxy.hosts),
            cors_origins: values::all(args.cors_origins),
            trusted_proxies: values::all(args.proxy.trusted_proxies),
            base_path: args.proxy.base_path,
            pages: args.pages,
            demos: !args.no_demos,
            demo_accounts: args.demo_accounts,
            handover: true,
            memory: MemoryBudgets::default(),
            timeouts: Timeouts {
                keep_alive: args.keep_alive,
                ..Timeouts::default()
            },
            idempotency_keys_max: limits::IDEMPOTENCY_KEYS_MAX,
            machine_clock: MachineClock::System,
        }
    }
}

impl Default for Config {
    /// The configuration of a command line without options. The defaults stand twice, here and in
    /// [`Args`], because `clap` would also read the environment; a test holds them equal.
    fn default() -> Config {
        Config {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            certificate: None,
            listen_plain: None,
            store: StoreKind::Sqlite("forever-frame.db".into()),
            cluster: None,
            keep: crate::log::Keep {
                messages: limits::KEEP_MESSAGES_DEFAULT,
                age: limits::KEEP_FOR_DEFAULT,
            },
            keep_bytes: None,
            max_message: limits::MESSAGE_BYTES_DEFAULT,
            max_connections: None,
            clients: ClientBounds::default(),
            heartbeat: limits::HEARTBEAT_INTERVAL_DEFAULT,
            rotate: None,
            drain: limits::DRAIN_DEFAULT,
            access: None,
            hosts: Vec::new(),
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            base_path: BasePath::default(),
            pages: None,
            demos: true,
            demo_accounts: false,
            handover: true,
            memory: MemoryBudgets::default(),
            timeouts: Timeouts::default(),
            idempotency_keys_max: limits::IDEMPOTENCY_KEYS_MAX,
            machine_clock: MachineClock::System,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What these options of a server mean.
    fn read(options: &[&str]) -> Result<Config, clap::Error> {
        let words = std::iter::once("x").chain(options.iter().copied());
        match CommandLine::try_read(words.map(Into::into))? {
            Command::Serve(args) => Ok(Config::from(*args)),
            other => panic!("{options:?}: {other:?}"),
        }
    }

    /// A command line without options gives the same as [`Config::default`].
    #[test]
    fn config_defaults_are_those_of_args() {
        let no_options = read(&[]).unwrap();
        assert_eq!(
            format!("{no_options:?}"),
            format!("{:?}", Config::default())
        );
    }

    #[test]
    fn args_refuse_bad_values() {
        for bad in [
            ["--drain", "5"],
            ["--rotate", "900ms"],
            ["--max-message", "0"],
            ["--store", "disk"],
            ["--store", "sqlite:"],
            ["--keep", "-1"],
            ["--cluster", "http://10.0.0.1:4222"],
            ["--cluster-stream", "a.b"],
            ["--cluster-replicas", "2"],
            ["--keep-bytes", "0"],
            ["--keep-bytes", "much"],
            ["--keep-bytes", "-4GiB"],
            ["--pages", "/nowhere"],
            ["--heartbeat", "90s"],
            ["--cors-origin", "https://x/"],
            ["--trusted-proxy", "proxy.example"],
            ["--trusted-proxy", "10.0.0.0/33"],
        ] {
            assert!(read(&bad).is_err(), "{bad:?}");
        }
    }

    /// Proxies are given one by one or as a list, as an address or a network, of either family.
    #[test]
    fn args_take_trusted_proxies() {
        let list = "192.0.2.7, 10.0.0.0/8,::ffff:198.51.100.0/120";
        let args = ["--trusted-proxy", list, "--trusted-proxy", "2001:db8::/32"];
        let config = read(&args).unwrap();
        let proxies: Vec<String> = config
            .trusted_proxies
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            proxies,
            [
                "192.0.2.7/32",
                "10.0.0.0/8",
                "198.51.100.0/24",
                "2001:db8::/32"
            ]
        );
    }
}
