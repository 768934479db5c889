//! The figures of a log that several servers share.

use std::time::Duration;

use super::exposition::Exposition;
use crate::message::Seq;

/// The state of a cluster, for the metrics.
#[derive(Clone, Copy, Debug)]
pub struct ClusterReadings {
    /// Whether there is a connection to the engine.
    pub is_connected: bool,
    /// The newest position that the engine is known to have.
    pub engine_last: Seq,
    /// The newest position that this server's copy has.
    pub copy_last: Seq,
    /// For how long the copy has lagged; `None` if it has not caught up yet.
    pub lag: Option<Duration>,
    /// Tries of appends after the first.
    pub retries: u64,
    /// Requests for entries that had not come.
    pub fills: u64,
    /// Fills that failed.
    pub failed_fills: u64,
    /// Connections to the engine after the first.
    pub reconnects: u64,
}

impl ClusterReadings {
    #[rustfmt::skip]
    pub(super) fn render(&self, out: &mut Exposition) {
        out.gauge("cluster_connected", "1 while there is a connection to the NATS servers.", u8::from(self.is_connected));
        out.gauge("cluster_engine_last_seq", "Newest seq that the cluster is known to have.", self.engine_last);
        out.gauge("cluster_copy_last_seq", "Newest seq that this server's copy has.", self.copy_last);
        if let Some(lag) = self.lag {
            out.gauge("cluster_copy_lag_seconds", "How long ago the copy had all that the cluster had; absent until it has caught up for the first time.", lag.as_secs_f64());
        }
        out.counter("cluster_append_retries_total", "Tries of appends after the first.", self.retries);
        out.counter("cluster_fills_total", "Requests for entries that had not come by themselves.", self.fills);
        out.counter("cluster_failed_fills_total", "Requests for entries that were not answered.", self.failed_fills);
        out.counter("cluster_connections_total", "Connections made to the NATS servers.", self.reconnects);
    }
}
