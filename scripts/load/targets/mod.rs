//! What is measured: a server that can be started, followed and published to, as a row of [`ALL`].
//!
//! All of them speak HTTP/1.1, and [`crate::feed`] ignores what stands around a message on the wire:
//! so a target is how it is started, and the requests that it understands.

mod cluster;
mod durable;
mod nchan;
mod nginx;
pub(crate) mod ours;

use std::fmt;
use std::path::Path;

use clap::ValueEnum;

use crate::line::{Endpoint, Protocol};
use crate::scratch::Scratch;
use crate::server::Server;
use crate::{Result, floor, http};

/// Kinds of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A bare epoll loop, which writes each message once to each socket
    Floor,
    /// This server
    Ours,
    /// The build of this server that `--against` names
    #[value(skip)]
    Other,
    /// nginx with libnginx-mod-nchan
    Nchan,
    /// durable-streams
    Durable,
    /// nginx with TLS in front of this server
    Nginx,
    /// Several of this server with one log, over three NATS servers
    Cluster,
}

/// A server to measure, followed in one of its ways.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    /// What its followers speak.
    protocol: Protocol,
    /// Starts it. Its files, if it has any, are in the directory; the program is that of this server's
    /// build.
    pub(crate) start: fn(&Scratch, &Path) -> Result<Server>,
    /// What stands before and after a channel's name in the path that follows the channel from its
    /// first message: some peers answer before they would see the next, so that "from now on" may
    /// miss it.
    follow: [&'static str; 2],
    follow_headers: &'static str,
    /// What stands before a channel's name in the path that appends to it.
    append: &'static str,
    append_headers: &'static str,
    /// Whether a channel must be created, by a `PUT` of the path that appends.
    creates: bool,
}

const FLOOR: Target = Target {
    kind: Kind::Floor,
    name: "floor",
    protocol: Protocol::Plain,
    start: floor::start,
    follow: ["/follow/", ""],
    follow_headers: "",
    append: "/append/",
    append_headers: "",
    creates: false,
};

const NCHAN: Target = Target {
    kind: Kind::Nchan,
    start: nchan::start,
    follow_headers: "TE: chunked\r\nAccept: */*, text/event-stream\r\n",
    ..FLOOR
};

/// Every target: this server on each streaming transport in memory and on two of them with a file,
/// and all others.
const ALL: [Target; 11] = [
    FLOOR,
    ours("ours, text, memory", ours::in_memory, "?as=text"),
    ours("ours, sse, memory", ours::in_memory, "?as=sse"),
    ours("ours, ndjson, memory", ours::in_memory, "?as=ndjson"),
    ours("ours, html, memory", ours::in_memory, "?as=html"),
    ours("ours, script, memory", ours::in_memory, "?as=script"),
    ours("ours, text, sqlite", ours::in_sqlite, "?as=text"),
    ours("ours, sse, sqlite", ours::in_sqlite, "?as=sse"),
    Target {
        name: "nchan, chunked",
        follow: ["/chunked/", ""],
        ..NCHAN
    },
    Target {
        name: "nchan, sse",
        follow: ["/sse/", ""],
        ..NCHAN
    },
    Target {
        kind: Kind::Durable,
        name: "durable-streams, sse",
        start: durable::start,
        follow: ["/v1/stream/", "?live=sse&offset=-1"],
        append: "/v1/stream/",
        // Server-Sent Events carry streams of text unchanged.
        append_headers: "Content-Type: text/plain\r\n",
        creates: true,
        ..FLOOR
    },
];

/// This server by TLS and HTTP/2, and behind a proxy that speaks TLS.
const ENCRYPTED: [Target; 3] = [
    Target {
        protocol: Protocol::Tls,
        ..ours("ours, sse, tls", ours::with_tls, "?as=sse")
    },
    Target {
        protocol: Protocol::H2,
        ..ours("ours, sse, h2 over tls", ours::with_tls, "?as=sse")
    },
    Target {
        kind: Kind::Nginx,
        protocol: Protocol::Tls,
        ..ours("nginx with tls, sse", nginx::start, "?as=sse")
    },
];

/// Servers of this kind with one log, each with its copy in a file.
const CLUSTERS: [Target; 3] = [
    clustered("cluster of 1, sse", cluster::start::<1>),
    clustered("cluster of 2, sse", cluster::start::<2>),
    clustered("cluster of 3, sse", cluster::start::<3>),
];

/// The targets that differ most, with one transport of this server.
const FEW: [&str; 5] = [
    "floor",
    "ours, sse, memory",
    "ours, sse, sqlite",
    "nchan, sse",
    "durable-streams, sse",
];

/// The names of the targets that differ most.
const SOME: [&str; 6] = [
    "floor",
    "ours, text, memory",
    "ours, sse, memory",
    "ours, sse, sqlite",
    "nchan, sse",
    "durable-streams, sse",
];

const fn ours(
    name: &'static str,
    start: fn(&Scratch, &Path) -> Result<Server>,
    query: &'static str,
) -> Target {
    Target {
        kind: Kind::Ours,
        name,
        start,
        follow: ["/c/", query],
        append: "/c/",
        ..FLOOR
    }
}

const fn clustered(name: &'static str, start: fn(&Scratch, &Path) -> Result<Server>) -> Target {
    Target {
        kind: Kind::Cluster,
        ..ours(name, start, "?as=sse")
    }
}

/// All targets.
pub(crate) fn all() -> Vec<Target> {
    ALL.to_vec()
}

/// This server in clear text, by TLS and HTTP/2, and behind a proxy that speaks TLS.
pub(crate) fn encrypted() -> Vec<Target> {
    [named(&["ours, sse, memory"]), ENCRYPTED.to_vec()].concat()
}

/// This server alone with a file, and as one of several with one log.
pub(crate) fn clusters() -> Vec<Target> {
    [named(&["ours, sse, sqlite"]), CLUSTERS.to_vec()].concat()
}

/// The targets that differ most.
pub(crate) fn some() -> Vec<Target> {
    named(&SOME)
}

/// The targets that differ most, with one transport of this server.
pub(crate) fn few() -> Vec<Target> {
    named(&FEW)
}

/// The targets with these names.
pub(crate) fn named(names: &[&str]) -> Vec<Target> {
    let mut targets = all();
    targets.retain(|target| names.contains(&target.name));
    targets
}

impl Target {
    /// This target of the other build of this server; `None` for what is not this server.
    pub(crate) fn other_build(self) -> Option<Target> {
        let kind = Kind::Other;
        (self.kind == Kind::Ours).then_some(Target { kind, ..self })
    }

    /// The build of this server that it is.
    pub(crate) fn build(&self) -> &'static str {
        match self.kind {
            Kind::Other => "other",
            _ => "ours",
        }
    }

    /// Where the followers of its server ask: at several places, if it is one of a cluster.
    pub(crate) fn endpoints(&self, server: &Server) -> Vec<Endpoint> {
        let addrs = server.tls.map_or_else(|| server.addrs(), |addr| vec![addr]);
        let protocol = self.protocol;
        let endpoint = |addr| Endpoint { addr, protocol };
        addrs.into_iter().map(endpoint).collect()
    }

    /// The request that creates a channel, if channels must be created.
    pub(crate) fn create(&self, channel: &str) -> Option<String> {
        let path = || format!("{}{channel}", self.append);
        self.creates
            .then(|| http::head("PUT", &path(), self.append_headers, 0))
    }

    /// The request that follows a channel from its first message.
    pub(crate) fn follow(&self, channel: &str) -> String {
        self.follow_with(channel, "")
    }

    /// The request with further parameters, such as `&heartbeat=1s`.
    pub(crate) fn follow_with(&self, channel: &str, parameters: &str) -> String {
        let [before, after] = self.follow;
        let path = format!("{before}{channel}{after}{parameters}");
        http::get(&path, self.follow_headers)
    }

    /// The head of the request that appends a body of this length to a channel.
    pub(crate) fn append(&self, channel: &str, length: usize) -> String {
        let path = format!("{}{channel}", self.append);
        http::head("POST", &path, self.append_headers, length as u64)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.name.strip_prefix("ours")) {
            (Kind::Other, Some(rest)) => write!(f, "other{rest}"),
            _ => f.write_str(self.name),
        }
    }
}

impl Kind {
    /// Whether targets of this kind can be started here. The error is a sentence.
    pub(crate) fn check(self) -> std::result::Result<(), String> {
        let missing = match self {
            Kind::Nchan if !Path::new(nchan::MODULE).exists() => format!(
                "nchan is left out: there is no {}; apt-get install libnginx-mod-nchan",
                nchan::MODULE
            ),
            Kind::Durable if !is_in_path(durable::PROGRAM) => format!(
                "durable-streams is left out: there is no {} in the PATH; \
                 cargo install durable-streams",
                durable::PROGRAM
            ),
            Kind::Nginx if !is_in_path(nginx::PROGRAM) => format!(
                "nginx is left out: there is no {} in the PATH; apt-get install nginx-light",
                nginx::PROGRAM
            ),
            Kind::Cluster if !cfg!(feature = "cluster") => {
                "clusters are left out: they need cargo bench --features cluster".to_owned()
            }
            _ => return Ok(()),
        };
        Err(missing)
    }
}

fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).exists())
}
