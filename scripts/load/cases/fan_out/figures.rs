//! The figures of a load, and how they are compared.

use crate::crowd::Outcome;
use crate::measured::Row;
use crate::targets::Kind;

/// The figures of a load. Of the first, more is better; of the others, less.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// Deliveries a second.
    pub(super) per_second: f64,
    /// CPU time of the server for a delivery, in microseconds, and what of it is in user mode.
    pub(super) cpu: f64,
    pub(super) user: f64,
    /// Latencies from before a message was sent until it had come, in milliseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
    /// Latencies from before a message was sent until it was acknowledged, in milliseconds.
    pub(super) wait: f64,
    pub(super) wait_p99: f64,
}

/// One of the figures.
pub(super) type Of = fn(&Figures) -> f64;

pub(super) const CPU: Of = |figures| figures.cpu;
pub(super) const P99: Of = |figures| figures.p99;
pub(super) const PER_SECOND: Of = |figures| figures.per_second;
pub(super) const MILLIONS: Of = |figures| figures.per_second / 1e6;

/// How a figure becomes what is judged.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// It is judged itself.
    Itself(Of),
    /// Its ratio to the floor's.
    ToFloor(Of),
    /// What the CPU time of a delivery would be to the floor's if the kernel had the same work in
    /// both: the part in kernel mode drifts by more than what the code of a server changes.
    UserToFloor,
    /// Its ratio to the highest one of a peer.
    ToPeer(Kind, Of),
    /// Its ratio to that of the other build of this server.
    ToOther(Of),
}

impl How {
    /// What is judged of a target; `None` if what it is compared with was not measured.
    pub(super) fn of(self, row: &Row<'_, Figures>) -> Option<f64> {
        match self {
            How::Itself(of) => Some(row.median(of)),
            How::ToFloor(of) => row.to_floor(of),
            How::UserToFloor => {
                row.near_floor(|this, floor| 1.0 + (this.user - floor.user) / floor.cpu)
            }
            How::ToPeer(kind, of) => row.to_kind(kind, of),
            How::ToOther(of) => row.to_other_build(of),
        }
    }

    /// The ratio that is judged, as a cell.
    pub(super) fn cell(self, row: &Row<'_, Figures>) -> String {
        let ratio = self.of(row);
        ratio.map_or_else(String::new, |ratio| format!("{ratio:.2} ×"))
    }
}

impl From<Outcome> for Figures {
    fn from(outcome: Outcome) -> Figures {
        let deliveries = outcome.deliveries as f64;
        let [p50, p99, max] = outcome.latencies.percentiles([50, 99, 100]);
        let [wait, wait_p99] = outcome.published.latencies.percentiles([50, 99]);
        Figures {
            per_second: deliveries / outcome.elapsed.as_secs_f64(),
            cpu: outcome.cpu.total().as_secs_f64() * 1e6 / deliveries,
            user: outcome.cpu.user.as_secs_f64() * 1e6 / deliveries,
            p50,
            p99,
            max,
            wait,
            wait_p99,
        }
    }
}
