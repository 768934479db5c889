//! What the program says on standard error: the lines of the `log` macros, written by a thread of
//! their own.
//!
//! `env_logger` decides which lines are wanted (`RUST_LOG`) and how they look. This module sees to it
//! that no line holds up the thread that logs it, whatever has become of standard error, and that no
//! client can fill a disk with lines:
//!
//! ```text
//!  log::warn!(…) ── wanted? ── one of too many from its place? ── one bounded line ─▶ LineQueue
//!                 env_logger        CallSites                        one_line            │
//!                                                                                        ▼
//!  standard error ◀──────────────────────────── thread `diagnostics`, alone, at its pace ┘
//! ```
//!
//! A line that finds the queue full is dropped and counted. The count is said as soon as standard
//! error takes lines again, and is a metric.

mod call_sites;
mod line_queue;
mod one_line;
mod panics;
mod patient;

use std::fmt;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use env_logger::{Env, Target};
use log::{Level, LevelFilter, Log, Metadata, Record};
use parking_lot::Mutex;

pub use patient::write_all;

use call_sites::{CallSites, LeftOut, LineFate};
use line_queue::LineQueue;

use crate::limits;

/// The target of the lines of the access log. They are written only where `RUST_LOG` names it, and then
/// all of them, as far as standard error takes them.
pub const ACCESS_TARGET: &str = "forever_frame::access";

/// The one logger of the process, if [`init`] was called.
static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Where the lines of the queue go that no thread has taken yet.
static QUEUE: LineQueue = LineQueue::new();

/// How many lines were not written, by reason. All count from the start of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct LostLines {
    /// Lines that one place in the program would have written in a second beyond its share.
    pub repeated: u64,
    /// Lines that came while the queue was full, because standard error was slow or not read.
    pub queue_full: u64,
    /// Lines that standard error refused.
    pub refused: u64,
}

/// A guard whose drop waits until all lines have been written, but not for longer than
/// [`limits::DIAGNOSTICS_FLUSH_TIMEOUT`].
#[derive(Debug)]
pub struct FlushGuard(());

impl Drop for FlushGuard {
    fn drop(&mut self) {
        log::logger().flush();
    }
}

/// Sends the lines of the `log` macros, and the messages of panics, to standard error, from now until
/// the process ends. To be called once, in the beginning.
///
/// # Errors
/// When the thread that writes the lines cannot be started.
pub fn init() -> io::Result<FlushGuard> {
    let logger = LOGGER.get_or_init(Logger::new);
    thread::Builder::new()
        .name("diagnostics".to_owned())
        .spawn(|| logger.write_lines(&mut io::stderr()))?;
    if log::set_logger(logger).is_ok() {
        log::set_max_level(logger.wanted.filter());
    }
    panics::report();
    Ok(FlushGuard(()))
}

/// Ends the process at once, except that the last lines are written first, as far as standard error
/// takes them.
pub fn exit(code: i32) -> ! {
    log::logger().flush();
    std::process::exit(code)
}

/// Counts the lines that were lost up to now.
#[must_use]
pub fn lost_lines() -> LostLines {
    LOGGER
        .get()
        .map_or_else(LostLines::default, |logger| LostLines {
            repeated: logger.repeated.load(Relaxed),
            queue_full: QUEUE.dropped(),
            refused: logger.refused.load(Relaxed),
        })
}

/// The logger of the process: `env_logger` with bounds around it.
struct Logger {
    /// Decides which lines are wanted, and writes them into the queue.
    wanted: env_logger::Logger,
    call_sites: Mutex<CallSites>,
    repeated: AtomicU64,
    refused: AtomicU64,
}

impl Logger {
    fn new() -> Logger {
        // `env_logger` would look at the terminal by itself, had it no target of ours.
        let style = match anstream::AutoStream::choice(&io::stderr()) {
            anstream::ColorChoice::Never => "never",
            _ => "always",
        };
        let env = Env::default()
            .default_filter_or("info")
            .default_write_style_or(style);
        let target = Target::Pipe(Box::new(&QUEUE));
        let mut wanted = env_logger::Builder::new();
        // What `RUST_LOG` says takes the place of these.
        wanted.filter_level(LevelFilter::Error);
        wanted.filter_module(ACCESS_TARGET, LevelFilter::Off);
        Logger {
            wanted: wanted.parse_env(env).target(target).build(),
            call_sites: Mutex::default(),
            repeated: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Puts a line into the queue.
    fn put(&self, level: Level, target: &str, text: fmt::Arguments<'_>) {
        let text = one_line::one_line(text);
        // What `format_args` returns borrows, and lives as long as the statement.
        self.wanted.log(
            &Record::builder()
                .level(level)
                .target(target)
                .args(format_args!("{text}"))
                .build(),
        );
    }

    /// Says how many lines like those before were left out.
    fn put_left_out(&self, left_out: &LeftOut) {
        let LeftOut {
            count, file, line, ..
        } = left_out;
        let text = format_args!("… and {count} more like this ({file}:{line})");
        self.put(left_out.level, &left_out.target, text);
    }

    fn put_all_left_out(&self, left_out: &[LeftOut]) {
        for left_out in left_out {
            self.put_left_out(left_out);
        }
    }

    /// Writes the lines of the queue to `out`, for as long as the process lives.
    fn write_lines(&self, out: &mut impl Write) {
        let (mut lines, mut unsaid, mut is_mid_line) = (Vec::new(), 0, false);
        loop {
            let next = self.call_sites.lock().next_due();
            let lost = QUEUE.take(&mut lines, next);
            unsaid += lost;
            if !lines.is_empty() {
                if is_mid_line {
                    lines.insert(0, b'\n');
                }
                match write_all(out, &lines) {
                    Ok(()) => {
                        is_mid_line = false;
                        self.say_lost(&mut unsaid);
                    }
                    Err(unwritten) => {
                        is_mid_line = !lines[..lines.len() - unwritten.rest].ends_with(b"\n");
                        let rest = &lines[lines.len() - unwritten.rest..];
                        let refused = rest.split_inclusive(|byte| *byte == b'\n').count() as u64;
                        self.refused.fetch_add(refused, Relaxed);
                        unsaid += refused;
                    }
                }
                QUEUE.written();
            }
            let due = self.call_sites.lock().take_due(Instant::now());
            self.put_all_left_out(&due);
        }
    }

    /// Says how many lines are missing, now that standard error takes lines.
    fn say_lost(&self, unsaid: &mut u64) {
        if *unsaid > 0 {
            let lost = std::mem::take(unsaid);
            let text = format_args!(
                "{lost} lines were lost here, because standard error did not take them"
            );
            self.put(Level::Warn, module_path!(), text);
        }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.wanted.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.wanted.matches(record) {
            return;
        }
        if record.target() == ACCESS_TARGET {
            return self.put(record.level(), record.target(), *record.args());
        }
        let admission = self.call_sites.lock().admit(record, Instant::now());
        match admission {
            LineFate::Put => self.put(record.level(), record.target(), *record.args()),
            LineFate::PutAfter(left_out) => {
                self.put_left_out(&left_out);
                self.put(record.level(), record.target(), *record.args());
            }
            LineFate::LeaveOut => {
                self.repeated.fetch_add(1, Relaxed);
            }
        }
    }

    fn flush(&self) {
        let left_out = self.call_sites.lock().take_all();
        self.put_all_left_out(&left_out);
        QUEUE.flush(limits::DIAGNOSTICS_FLUSH_TIMEOUT);
    }
}
