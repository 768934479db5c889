//! Counters and gauges, and their text for Prometheus.

mod counter;
mod letters;

use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

pub use letters::{Letters, Waiting};

use counter::Counter;

use crate::message::Seq;
use crate::wire::Wire;

/// Why a stream was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The client left, or its line broke.
    Client,
    /// `limit` or `timeout` was reached, or the page was complete.
    Complete,
    /// The server stopped.
    Drain,
    /// The client had stopped reading.
    Stalled,
    /// The store could not be read.
    Store,
}

impl Closed {
    const ALL: [Closed; 5] = [
        Closed::Client,
        Closed::Complete,
        Closed::Drain,
        Closed::Stalled,
        Closed::Store,
    ];

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

/// Upper bounds of the publish latency's buckets, in microseconds: from an append in memory to a
/// disk that struggles.
const LATENCY_MICROS: [u64; 10] = [
    50, 100, 250, 500, 1_000, 5_000, 25_000, 100_000, 500_000, 2_500_000,
];

/// All that is counted. Every field may be read and written from any thread.
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
    latency: [AtomicU64; LATENCY_MICROS.len() + 1],
    latency_micros: AtomicU64,
    /// Those of mailboxes.
    pub letters: Letters,
}

/// What is not counted but looked up when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Readings {
    /// The oldest and the newest place of the log.
    pub bounds: (Seq, Seq),
    /// Does the log take messages?
    pub log_available: bool,
    /// Bytes of requests' bodies that are in memory, not yet appended.
    pub body_bytes: usize,
    /// Open files, where the system tells.
    pub open_files: Option<u64>,
    /// How many may be open, where the system tells.
    pub max_files: Option<u64>,
}

impl Metrics {
    /// A message of `bytes` was appended, `latency` after it had come.
    pub fn appended(&self, bytes: usize, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENCY_MICROS.partition_point(|bound| *bound < micros);
        self.latency[bucket].fetch_add(1, Relaxed);
        self.latency_micros.fetch_add(micros, Relaxed);
        self.messages_in.fetch_add(1, Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
    }

    /// A stream was handed messages and bytes.
    pub fn delivered(&self, messages: u64, bytes: usize) {
        self.messages_out.add(messages);
        self.bytes_out.add(bytes as u64);
    }

    /// A stream was told that all is well.
    pub fn heartbeat(&self) {
        self.heartbeats.fetch_add(1, Relaxed);
    }

    /// A stream was told of a gap.
    pub fn gap(&self) {
        self.gaps.fetch_add(1, Relaxed);
    }

    /// A connection was refused for want of room.
    pub fn refused(&self) {
        self.refused_connections.fetch_add(1, Relaxed);
    }

    /// How many streams are open, on all wires.
    #[must_use]
    pub fn open_streams(&self) -> i64 {
        self.open_streams
            .iter()
            .map(|open| open.load(Relaxed))
            .sum()
    }

    /// The exposition format of Prometheus, version 0.0.4.
    #[must_use]
    pub fn render(&self, readings: &Readings) -> String {
        let mut out = Exposition(String::with_capacity(4096));
        out.head("open_connections", "gauge", "Connections that are open.");
        out.sample("open_connections", "", &self.open_connections.load(Relaxed));
        out.head(
            "refused_connections_total",
            "counter",
            "Connections refused because --max-connections were open.",
        );
        out.sample(
            "refused_connections_total",
            "",
            &self.refused_connections.load(Relaxed),
        );
        out.head(
            "open_streams",
            "gauge",
            "Streams that are open, by transport.",
        );
        for wire in Wire::ALL {
            let labels = format!("transport=\"{}\"", wire.name());
            out.sample(
                "open_streams",
                &labels,
                &self.open_streams[wire.index()].load(Relaxed),
            );
        }
        out.head(
            "closed_streams_total",
            "counter",
            "Streams closed, by reason.",
        );
        for (reason, count) in Closed::ALL.iter().zip(&self.closed_streams) {
            out.sample(
                "closed_streams_total",
                &format!("reason=\"{}\"", reason.name()),
                &count.load(Relaxed),
            );
        }
        let counters = [
            (
                "messages_in_total",
                "Messages appended.",
                self.messages_in.load(Relaxed),
            ),
            (
                "bytes_in_total",
                "Bytes of text in the messages appended.",
                self.bytes_in.load(Relaxed),
            ),
            (
                "messages_out_total",
                "Messages handed to streams.",
                self.messages_out.get(),
            ),
            (
                "bytes_out_total",
                "Bytes handed to streams, as encoded.",
                self.bytes_out.get(),
            ),
            (
                "heartbeats_total",
                "Heartbeats handed to streams.",
                self.heartbeats.load(Relaxed),
            ),
            (
                "gaps_total",
                "Gaps that streams were told of.",
                self.gaps.load(Relaxed),
            ),
        ];
        for (name, help, count) in counters {
            out.head(name, "counter", help);
            out.sample(name, "", &count);
        }
        self.letters.render(&mut out);
        self.render_latency(&mut out);
        out.readings(readings);
        out.0
    }

    fn render_latency(&self, out: &mut Exposition) {
        const NAME: &str = "publish_latency_seconds";
        out.head(NAME, "histogram", "From an append's arrival to its answer.");
        let bounds = LATENCY_MICROS
            .iter()
            .map(|micros| seconds(*micros))
            .chain(["+Inf".to_owned()]);
        let mut sum = 0;
        for (bound, count) in bounds.zip(&self.latency) {
            sum += count.load(Relaxed);
            out.sample(
                "publish_latency_seconds_bucket",
                &format!("le=\"{bound}\""),
                &sum,
            );
        }
        out.sample(
            "publish_latency_seconds_sum",
            "",
            &seconds(self.latency_micros.load(Relaxed)),
        );
        out.sample("publish_latency_seconds_count", "", &sum);
    }
}

fn seconds(micros: u64) -> String {
    format!("{}", Duration::from_micros(micros).as_secs_f64())
}

struct Exposition(String);

impl Exposition {
    fn readings(&mut self, readings: &Readings) {
        let (first, last) = readings.bounds;
        let gauges: [(_, _, &dyn fmt::Display); 4] = [
            (
                "log_first_seq",
                "Seq of the oldest message kept, 0 if there is none.",
                &first,
            ),
            (
                "log_last_seq",
                "Seq of the newest message, 0 if there was none.",
                &last,
            ),
            (
                "log_available",
                "1 while the log takes messages, 0 while it refuses them.",
                &u8::from(readings.log_available),
            ),
            (
                "body_bytes",
                "Bytes of requests' bodies in memory, not yet appended.",
                &readings.body_bytes,
            ),
        ];
        for (name, help, value) in gauges {
            self.head(name, "gauge", help);
            self.sample(name, "", value);
        }
        if let Some(open) = readings.open_files {
            self.head(
                "open_files",
                "gauge",
                "Files and sockets that the process has open.",
            );
            self.sample("open_files", "", &open);
        }
        if let Some(max) = readings.max_files {
            self.head("max_files", "gauge", "How many it may have open.");
            self.sample("max_files", "", &max);
        }
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            self.0,
            "# HELP forever_frame_{name} {help}\n# TYPE forever_frame_{name} {kind}"
        );
    }

    fn sample(&mut self, name: &str, labels: &str, value: &dyn fmt::Display) {
        let _ = match labels {
            "" => writeln!(self.0, "forever_frame_{name} {value}"),
            _ => writeln!(self.0, "forever_frame_{name}{{{labels}}} {value}"),
        };
    }
}

/// An open stream: counted while this lives.
#[derive(Debug)]
pub struct OpenStream {
    metrics: Arc<Metrics>,
    wire: Wire,
    /// Why it will have been closed, if it is closed now.
    pub closed: Closed,
}

impl OpenStream {
    /// Counts a stream as open.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, wire: Wire) -> OpenStream {
        metrics.open_streams[wire.index()].fetch_add(1, Relaxed);
        OpenStream {
            metrics,
            wire,
            closed: Closed::Client,
        }
    }

    /// Where it is counted.
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

/// An open connection: counted while this lives.
#[derive(Debug)]
pub struct OpenConnection(Arc<Metrics>);

impl OpenConnection {
    /// Counts a connection as open.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> OpenConnection {
        metrics.open_connections.fetch_add(1, Relaxed);
        OpenConnection(metrics)
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
    fn what_is_counted_is_shown() {
        let metrics = Arc::new(Metrics::default());
        metrics.appended(5, Duration::from_micros(70));
        let stream = OpenStream::new(Arc::clone(&metrics), Wire::Html);
        let readings = Readings {
            bounds: (Seq(1), Seq(3)),
            log_available: true,
            body_bytes: 0,
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
