//! The options of a log that several servers share.

use std::path::PathBuf;

use super::values::{self, ValueList, list, nats_stream, nats_url};

/// Where the cluster is, on the command line.
#[derive(clap::Args, Debug)]
pub(super) struct ClusterArgs {
    /// NATS server with `JetStream`, such as `nats://10.0.0.1:4222` or `tls://…`, through which several of these
    /// servers share one log; --store has this server's copy. May be given several times (or separated by
    /// commas); the first that answers is used. An append is then on the disks of a majority of the NATS
    /// servers. The mailbox and the chat are left out [default: none, the log is this server's own]
    #[arg(long = "cluster", value_name = "URL", env = "FOREVER_FRAME_CLUSTER", value_parser = list(nats_url))]
    cluster: Vec<ValueList<String>>,

    /// Name of the stream that has the log, which is made if there is none: with it --keep-for and
    /// --keep-bytes are what is kept, and must be the same on all servers
    #[arg(long, value_name = "NAME", env = "FOREVER_FRAME_CLUSTER_STREAM", default_value = ClusterChoice::STREAM, value_parser = nats_stream)]
    cluster_stream: String,

    /// File with NATS credentials (as `nsc` and `nats` make them), read at the start
    #[arg(long, value_name = "FILE", env = "FOREVER_FRAME_CLUSTER_CREDS")]
    cluster_creds: Option<PathBuf>,

    /// How many NATS servers have each message (1, 3 or 5); with 1, for a trial, its loss is the log's
    #[arg(
        long,
        value_name = "N",
        env = "FOREVER_FRAME_CLUSTER_REPLICAS",
        default_value_t = ClusterChoice::REPLICAS,
        value_parser = values::replicas
    )]
    cluster_replicas: usize,
}

/// Where the log is that several servers share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterChoice {
    /// The NATS servers.
    pub urls: Vec<String>,
    /// The name of the stream.
    pub stream: String,
    /// A file with credentials.
    pub creds: Option<PathBuf>,
    /// How many NATS servers have each message.
    pub replicas: usize,
}

impl ClusterChoice {
    /// The name of the stream unless another is given.
    pub const STREAM: &str = "forever-frame";
    /// How many NATS servers have each message unless it is said.
    pub const REPLICAS: usize = 3;
}

impl ClusterArgs {
    /// Where the log is; `None` if it is this server's own.
    pub(super) fn choice(self) -> Option<ClusterChoice> {
        let urls = values::all(self.cluster);
        (!urls.is_empty()).then_some(ClusterChoice {
            urls,
            stream: self.cluster_stream,
            creds: self.cluster_creds,
            replicas: self.cluster_replicas,
        })
    }
}
