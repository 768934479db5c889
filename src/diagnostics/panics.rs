//! Panics, which are defects, are reported as other lines are: to write to standard error at once, as
//! Rust does by itself, could hold up the thread for ever.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::thread;

use crate::limits;

/// Reports panics from now on.
pub(super) fn report() {
    panic::set_hook(Box::new(|info| {
        let thread = thread::current();
        let name = thread.name().unwrap_or("without a name");
        log::error!(
            "the thread {name} panicked, which is a defect: {}",
            text(info)
        );
        // As `RUST_BACKTRACE` asks.
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            let trace = trace.to_string();
            for line in trace.lines().take(limits::BACKTRACE_LINES_MAX) {
                log::logger().log(
                    &log::Record::builder()
                        .level(log::Level::Error)
                        .target(module_path!())
                        .args(format_args!("{line}"))
                        .build(),
                );
            }
        }
    }));
}

/// Says where it was, and why.
fn text(info: &PanicHookInfo<'_>) -> String {
    let at = info.location().map(ToString::to_string);
    let why = info.payload_as_str().unwrap_or("without a message");
    format!("{}: {why}", at.unwrap_or_default())
}
