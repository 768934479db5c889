//! Counters and gauges, and their text for Prometheus.
//!
//! What is counted is in [`Metrics`], which any thread changes; what has its truth elsewhere (the
//! log, the system) is looked up when the text is asked for, and handed in as [`Readings`],
//! which `http/operator.rs` fills in.

mod cluster_readings;
mod counter;
mod exposition;
mod letters;
mod refusals;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

pub use letters::{Letters, Waiting};
pub use refusals::{RefusalReason, Refusals};

pub use cluster_readings::ClusterReadings;
use counter::Counter;
use exposition::Exposition;

use crate::client_shares::RequestPlace;
use crate::diagnostics::LostLines;
use crate::message::Seq;
use crate::wire::Wire;

/// Why a stream was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The client left, or its connection broke.
    Client,
    /// The stream had all that was asked for: `limit` or `timeout` was reached, or its page was
    /// complete.
    Complete,
    /// The server stopped.
    Drain,
    /// The client had stopped reading.
    Stalled,
    /// The store could not be read.
    Store,
}

impl Closed {
    /// All reasons, in the order of their counters.
    const ALL: [Closed; 5] = [
        Closed::Client,
        Closed::Complete,
        Closed::Drain,
        Closed::Stalled,
        Closed::Store,
    ];

    /// The value of the label `reason`.
    fn name(self) -> &'static str {
        match self {
            Closed::Client => "client",
            Closed::Complete => "complete",
            Closed::Drain => "drain",
            Closed::Stalled => "stalled",
            Closed::Store => "store",
        }
    }
}

/// The upper bounds of the publish latency's buckets, in microseconds: from an append in memory to
/// a disk that struggles.
const LATENCY_MICROS: [u64; 10] = [
    50, 100, 250, 500, 1_000, 5_000, 25_000, 100_000, 500_000, 2_500_000,
];

/// All counters and gauges of the server. Every field may be read and changed from any thread; the
/// fields are not consistent with each other at any one moment.
#[derive(Debug, Default)]
pub struct Metrics {
    open_connections: AtomicI64,
    refused_connections: AtomicU64,
    open_streams: [AtomicI64; Wire::ALL.len()],
    closed_streams: [AtomicU64; Closed::ALL.len()],
    messages_in: AtomicU64,
    bytes_in: AtomicU64,
    messages_out: Counter,
    bytes_out: Counter,
    heartbeats: AtomicU64,
    gaps: AtomicU64,
    failed_reads: AtomicU64,
    latency: [AtomicU64; LATENCY_MICROS.len() + 1],
    latency_micros: AtomicU64,
    /// The metrics of the mailboxes.
    pub letters: Letters,
    /// The metrics of requests that are refused.
    pub refusals: Refusals,
}

/// The values that are not counted, but looked up when the metrics are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Readings {
    /// The oldest and the newest position of the log.
    pub bounds: (Seq, Seq),
    /// Whether the log takes messages.
    pub log_available: bool,
    /// Whether no part of the log is known to be unreadable.
    pub log_readable: bool,
    /// The state of the cluster, if the log is shared.
    pub cluster: Option<ClusterReadings>,
    /// How many idempotency keys the log holds.
    pub keys_held: usize,
    /// By how many seconds the wall clock is ahead of the time that has passed, since it was set;
    /// negative if it lags.
    pub wall_ahead_seconds: f64,
    /// The bytes of request bodies that are in memory and not yet appended.
    pub body_bytes: usize,
    /// The bytes that clients have not read, as far as they are counted.
    pub unsent_bytes: usize,
    /// The lines that should have been written to standard error and were not.
    pub lost_lines: LostLines,
    /// The number of open files, where the system tells.
    pub open_files: Option<u64>,
    /// The most files that may be open, where the system tells.
    pub max_files: Option<u64>,
}

impl Metrics {
    /// Counts a message of `bytes` that was appended, `latency` after its request had come.
    pub fn appended(&self, bytes: usize, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENCY_MICROS.partition_point(|bound| *bound < micros);
        self.latency[bucket].fetch_add(1, Relaxed);
        self.latency_micros.fetch_add(micros, Relaxed);
        self.messages_in.fetch_add(1, Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts messages and bytes that were handed to a stream.
    pub fn delivered(&self, messages: u64, bytes: usize) {
        self.messages_out.add(messages);
        self.bytes_out.add(bytes as u64);
    }

    /// Counts heartbeats that were handed to streams.
    pub fn heartbeats(&self, count: u64) {
        self.heartbeats.fetch_add(count, Relaxed);
    }

    /// Counts a gap that was reported to a stream.
    pub fn gap(&self) {
        self.gaps.fetch_add(1, Relaxed);
    }

    /// Counts a read of the store that failed.
    pub fn read_failed(&self) {
        self.failed_reads.fetch_add(1, Relaxed);
    }

    /// Counts a connection that was refused because the server was full.
    pub fn refused(&self) {
        self.refused_connections.fetch_add(1, Relaxed);
    }

    /// The number of streams that are open, on all transports.
    #[must_use]
    pub fn open_streams(&self) -> i64 {
        self.open_streams
            .iter()
            .map(|open| open.load(Relaxed))
            .sum()
    }

    /// Returns the text of all metrics, in the exposition format of Prometheus, version 0.0.4.
    #[must_use]
    pub fn render(&self, readings: &Readings) -> String {
        let mut out = Exposition::new();
        self.render_connections(&mut out);
        self.render_streams(&mut out);
        self.letters.render(&mut out);
        self.refusals.render(&mut out);
        self.render_latency(&mut out);
        readings.render(&mut out);
        out.into_text()
    }

    fn render_connections(&self, out: &mut Exposition) {
        let value = self.open_connections.load(Relaxed);
        out.gauge("open_connections", "Connections that are open.", value);
        out.counter(
            "refused_connections_total",
            "Connections refused because --max-connections were open.",
            self.refused_connections.load(Relaxed),
        );
    }

    #[rustfmt::skip]
    fn render_streams(&self, out: &mut Exposition) {
        out.head("open_streams", "gauge", "Streams that are open, by transport.");
        let open = self.open_streams.iter().map(|open| open.load(Relaxed));
        out.by_label("open_streams", "transport", Wire::ALL.map(Wire::name).into_iter().zip(open));
        out.head("closed_streams_total", "counter", "Streams closed, by reason.");
        let closed = self.closed_streams.iter().map(|closed| closed.load(Relaxed));
        out.by_label("closed_streams_total", "reason", Closed::ALL.map(Closed::name).into_iter().zip(closed));
        let counters = [
            ("messages_in_total", "Messages appended.", self.messages_in.load(Relaxed)),
            ("bytes_in_total", "Bytes of text in the messages appended.", self.bytes_in.load(Relaxed)),
            ("messages_out_total", "Messages handed to streams.", self.messages_out.get()),
            ("bytes_out_total", "Bytes handed to streams, as encoded.", self.bytes_out.get()),
            ("heartbeats_total", "Heartbeats handed to streams.", self.heartbeats.load(Relaxed)),
            ("failed_reads_total", "Reads of the log's file that failed.", self.failed_reads.load(Relaxed)),
            ("gaps_total", "Gaps reported to streams.", self.gaps.load(Relaxed)),
        ];
        for (name, help, count) in counters {
            out.counter(name, help, count);
        }
    }

    fn render_latency(&self, out: &mut Exposition) {
        out.head(
            "publish_latency_seconds",
            "histogram",
            "From an append's arrival to its answer.",
        );
        let bounds = LATENCY_MICROS
            .iter()
            .map(|micros| seconds(*micros))
            .chain(["+Inf".to_owned()]);
        let mut count = 0;
        for (bound, observed) in bounds.zip(&self.latency) {
            // Buckets are cumulative.
            count += observed.load(Relaxed);
            let labels = format!("le=\"{bound}\"");
            out.sample("publish_latency_seconds_bucket", &labels, &count);
        }
        let sum = seconds(self.latency_micros.load(Relaxed));
        out.sample("publish_latency_seconds_sum", "", &sum);
        out.sample("publish_latency_seconds_count", "", &count);
    }
}

/// Microseconds as a decimal number of seconds.
fn seconds(micros: u64) -> String {
    format!("{}", Duration::from_micros(micros).as_secs_f64())
}

impl Readings {
    #[rustfmt::skip]
    fn render(&self, out: &mut Exposition) {
        let (first, last) = self.bounds;
        out.gauge("log_first_seq", "Seq of the oldest message kept, 0 if there is none.", first);
        out.gauge("log_last_seq", "Seq of the newest message, 0 if there was none.", last);
        out.gauge("log_available", "1 while the log takes messages, 0 while it refuses them.", u8::from(self.log_available));
        out.gauge("log_readable", "1 while all of the log can be read, 0 while a part cannot.", u8::from(self.log_readable));
        out.gauge("idempotency_keys", "Idempotency-Keys that are held; when 1000000 are, new ones are refused.", self.keys_held);
        out.gauge("wall_clock_ahead_seconds", "By how much the wall clock differs from the time that has passed, since it was set; 0 while it is trusted.", self.wall_ahead_seconds);
        out.gauge("body_bytes", "Bytes reserved for request bodies that are not yet appended.", self.body_bytes);
        out.gauge("unsent_bytes", "Bytes of large answers and stalled streams in memory that clients have not read.", self.unsent_bytes);
        let LostLines { repeated, queue_full, refused } = self.lost_lines;
        out.head("lost_log_lines_total", "counter", "Lines not written to standard error, by reason.");
        out.by_label("lost_log_lines_total", "reason", [("repeated", repeated), ("queue_full", queue_full), ("refused", refused)].into_iter());
        if let Some(cluster) = &self.cluster {
            cluster.render(out);
        }
        if let Some(open) = self.open_files {
            out.gauge("open_files", "Files and sockets that the process has open.", open);
        }
        if let Some(max) = self.max_files {
            out.gauge("max_files", "Most files and sockets that the process may have open.", max);
        }
    }
}

/// A guard that counts a stream as open until it is dropped, and as closed from then on.
#[derive(Debug)]
pub struct OpenStream {
    metrics: Arc<Metrics>,
    wire: Wire,
    /// The client's place for the stream.
    place: RequestPlace,
    /// The reason that is counted if the stream is closed now.
    pub closed: Closed,
}

impl OpenStream {
    /// Counts a stream of this transport as open.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, wire: Wire) -> OpenStream {
        metrics.open_streams[wire.index()].fetch_add(1, Relaxed);
        OpenStream {
            metrics,
            wire,
            place: RequestPlace::default(),
            closed: Closed::Client,
        }
    }

    /// The stream, which has this place of its client's as long as it is open.
    #[must_use]
    pub fn with_place(mut self, place: RequestPlace) -> OpenStream {
        self.place = place;
        self
    }

    /// The metrics in which the stream is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.metrics.open_streams[self.wire.index()].fetch_sub(1, Relaxed);
        self.metrics.closed_streams[self.closed as usize].fetch_add(1, Relaxed);
    }
}

/// A guard that counts a connection as open until it is dropped.
#[derive(Debug)]
pub struct OpenConnection(Arc<Metrics>);

impl OpenConnection {
    /// Counts a connection as open.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> OpenConnection {
        metrics.open_connections.fetch_add(1, Relaxed);
        OpenConnection(metrics)
    }

    /// The metrics in which the connection is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open_connections.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn render_shows_what_is_counted() {
        let metrics = Arc::new(Metrics::default());
        metrics.appended(5, Duration::from_micros(70));
        let stream = OpenStream::new(Arc::clone(&metrics), Wire::Html);
        let readings = Readings {
            bounds: (Seq(1), Seq(3)),
            log_available: true,
            log_readable: true,
            cluster: None,
            keys_held: 0,
            wall_ahead_seconds: 0.0,
            body_bytes: 0,
            unsent_bytes: 0,
            lost_lines: LostLines::default(),
            open_files: Some(7),
            max_files: None,
        };
        let text = metrics.render(&readings);
        assert!(
            text.contains("forever_frame_open_streams{transport=\"html\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("forever_frame_publish_latency_seconds_bucket{le=\"0.0001\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("forever_frame_publish_latency_seconds_bucket{le=\"0.00005\"} 0\n"),
            "{text}"
        );
        assert!(text.contains("forever_frame_log_last_seq 3\n"), "{text}");
        assert!(!text.contains("max_files"), "{text}");
        drop(stream);
        assert!(
            metrics
                .render(&readings)
                .contains("forever_frame_closed_streams_total{reason=\"client\"} 1\n")
        );
        assert_eq!(metrics.open_streams(), 0);
    }
}
