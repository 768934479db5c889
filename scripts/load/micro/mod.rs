//! The micro-measurements: the log without HTTP, and what the server executes for a delivery. No
//! figure here is what a client of the server sees.

mod inserts;
mod inside;
mod instructions;

use crate::Case;

pub(crate) use inserts::Inserts;

/// The cases in the order in which they run.
pub(crate) const CASES: [Case; 2] = [("inside", inside::run), ("instructions", instructions::run)];
