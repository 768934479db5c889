//! The cases that measure servers. A case is a function, and a line here.

mod append;
mod churn;
mod cluster;
mod fan_out;
mod heartbeats;
mod hot;
mod idle;
mod pace;
mod reconnect;
mod replay;
mod start;
mod tls;
mod upload;

use crate::Case;

/// The only case of its group, which runs if it is asked for.
pub(crate) const CLUSTER: [Case; 1] = [("cluster", cluster::run)];

/// The cases in the order in which they run.
pub(crate) const CASES: [Case; 16] = [
    ("paced", |run| fan_out::run(run, "paced")),
    ("flood", |run| fan_out::run(run, "flood")),
    ("idle", idle::run),
    ("heartbeats", heartbeats::run),
    ("pace", pace::run),
    ("hot", hot::run),
    ("channels", |run| fan_out::run(run, "channels")),
    ("reconnect", reconnect::run),
    ("big", |run| fan_out::run(run, "big")),
    ("growth", fan_out::growth::run),
    ("churn", churn::run),
    ("append", append::run),
    ("replay", replay::run),
    ("upload", upload::run),
    ("start", start::run),
    ("tls", tls::run),
];
