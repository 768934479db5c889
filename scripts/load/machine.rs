//! The machine on which the figures were measured.

use std::fs::{self, File};
use std::io::Write;
use std::time::Instant;

use crate::Result;
use crate::latency::Latencies;
use crate::scratch::Scratch;
use crate::table::ms;

/// The machine in a line: its cores, its kernel, its load, and how long its file system takes to make
/// 4 KiB durable.
pub(crate) fn line(scratch: &Scratch) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let kernel = kernel.trim();
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or("unknown");
    let synced = fdatasync(scratch)?;
    let (p50, p99) = (ms(synced.percentile(50)), ms(synced.percentile(99)));
    Ok(format!(
        "{cores} cores ({model}), shared by servers and clients; Linux {kernel}; load {load}; \
         fdatasync of 4 KiB: p50 {p50} ms, p99 {p99} ms"
    ))
}

fn fdatasync(scratch: &Scratch) -> Result<Latencies> {
    let path = scratch.file("fdatasync");
    let mut file = File::create(&path)?;
    let mut latencies = Latencies::default();
    for _ in 0..200 {
        file.write_all(&[b'x'; 4096])?;
        let began = Instant::now();
        file.sync_data()?;
        latencies.add(began.elapsed());
    }
    fs::remove_file(path)?;
    Ok(latencies)
}
