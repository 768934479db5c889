//! Case `cluster`: several of this server with one log over three NATS servers, next to one that is alone.
//! All of them share the processors of this machine, so more servers have no more processors here.

use std::thread;
use std::time::{Duration, Instant};

use crate::crowd::{Crowd, Shape};
use crate::measured::Rounds;
use crate::publish::publish;
use crate::run::Run;
use crate::server::Server;
use crate::table::{Table, figure, rate};
use crate::targets::{self, Target};
use crate::{Result, http, live};

/// How many publishers wait for their answers at the same time.
const PUBLISHERS: [usize; 3] = [1, 8, 64];

/// How long each number of publishers appends.
const APPENDING: Duration = Duration::from_secs(2);

/// How long a stream is watched while nothing else happens.
const QUIET: Duration = Duration::from_secs(5);

/// The followers of all servers together, and what is published to them.
const FAN_OUT: Shape = Shape {
    followers: 900,
    publishers: 8,
    ..Shape::USUAL
};
const MESSAGES: u32 = 300;

struct Figures {
    /// Appends a second.
    appends: [f64; PUBLISHERS.len()],
    /// The p50 and p99 in milliseconds from the publisher at the first server to a follower at the last.
    live: [f64; 2],
    /// Deliveries a second, and the CPU time of each in microseconds.
    fan_out: f64,
    cpu: f64,
}

pub(super) fn run(run: &mut Run) -> Result<()> {
    let targets = targets::clusters();
    let measured = run.measure(targets, Rounds::THREE, |target| measure(run, target))?;
    let mut table = Table::default();
    for row in measured.rows() {
        let appends = |n: usize| rate(row.median(|figures: &Figures| figures.appends[n]));
        table.row([
            ("target", row.target.to_string()),
            ("appends/s of 1 publisher", appends(0)),
            ("of 8", appends(1)),
            ("of 64", appends(2)),
            (
                "to the last server: p50 ms",
                figure(row.median(|figures| figures.live[0])),
            ),
            ("p99 ms", figure(row.median(|figures| figures.live[1]))),
            ("deliveries/s", rate(row.median(|figures| figures.fan_out))),
            ("CPU µs/delivery", figure(row.median(|figures| figures.cpu))),
        ]);
    }
    println!(
        "{table}\nMessages of 100 bytes. Publishers and followers are spread over all servers, and append as \
         fast as they are answered; {} followers have {MESSAGES} messages. The time to the last server is \
         that of a message every {} ms. The CPU time is that of the NATS servers too. Medians of 3 rounds.",
        FAN_OUT.followers,
        live::EVERY.as_millis()
    );
    Ok(())
}

fn measure(run: &Run, target: &Target) -> Result<Figures> {
    let server = run.start(target)?;
    let mut appends = [0.0; PUBLISHERS.len()];
    for (appends, publishers) in appends.iter_mut().zip(PUBLISHERS) {
        *appends = append(&server, publishers, run.time(APPENDING))?;
    }
    let (latencies, ()) = live::during(target, &server, || {
        thread::sleep(run.time(QUIET));
        Ok(())
    })?;
    server.stop()?;
    let mut crowd = Crowd::gather(target, run, FAN_OUT)?;
    let outcome = crowd.publish(MESSAGES, Duration::ZERO)?;
    let deliveries = outcome.deliveries as f64;
    Ok(Figures {
        appends,
        live: latencies.percentiles([50, 99]),
        fan_out: deliveries / outcome.elapsed.as_secs_f64(),
        cpu: outcome.cpu.total().as_secs_f64() * 1e6 / deliveries,
    })
}

/// Appends for some time. Returns the appends a second.
fn append(server: &Server, publishers: usize, time: Duration) -> Result<f64> {
    let request = http::append("append", 1);
    let began = Instant::now();
    let published = publish(&server.addrs(), publishers, |_, next| {
        next.extend_from_slice(request.as_bytes());
        began.elapsed() < time
    })?;
    Ok(published.per_second())
}
