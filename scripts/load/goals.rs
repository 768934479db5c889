//! Goals: bounds that the project wants some figures of this server to keep.
//!
//! A goal that is not met is reported and is no error, since figures depend on the machine and on
//! what else runs there. Only a message that is lost or out of order fails a run.

use std::fmt;

use crate::table::{Table, figure};
use crate::targets::Target;

/// A bound on a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    what: &'static str,
    unit: &'static str,
    bound: Bound,
}

/// The highest or the lowest value that meets a goal.
#[derive(Clone, Copy, Debug)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    pub(crate) const fn at_most(most: f64, unit: &'static str, what: &'static str) -> Goal {
        let bound = Bound::AtMost(most);
        Goal { what, unit, bound }
    }

    pub(crate) const fn at_least(least: f64, unit: &'static str, what: &'static str) -> Goal {
        let bound = Bound::AtLeast(least);
        Goal { what, unit, bound }
    }
}

/// The goals that a run has compared with its figures.
#[derive(Debug, Default)]
pub(crate) struct Goals {
    table: Table,
    met: usize,
    all: usize,
}

impl Goals {
    /// Compares a figure with its goal, and returns the cell for the case's own table. The figures of
    /// targets that have no goals are only formatted.
    pub(crate) fn judge(&mut self, case: &str, target: &Target, goal: &Goal, value: f64) -> String {
        if !target.has_goals() {
            return figure(value);
        }
        let (met, wanted) = match goal.bound {
            Bound::AtMost(most) => (value <= most, format!("≤ {most}")),
            Bound::AtLeast(least) => (value >= least, format!("≥ {least}")),
        };
        self.met += usize::from(met);
        self.all += 1;
        let Goal { what, unit, .. } = goal;
        let (value, met) = (format!("{value:.2} {unit}"), if met { "yes" } else { "no" });
        self.table.row([
            ("goal", format!("{case}, {target}: {what}")),
            ("figure", value.clone()),
            ("wanted", format!("{wanted} {unit}")),
            ("met", met.to_owned()),
        ]);
        format!("{value} ({wanted}: {met})")
    }
}

impl fmt::Display for Goals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Goals { table, met, all } = self;
        match all {
            0 => Ok(()),
            _ => writeln!(f, "\n## goals\n\n{table}\n{met} of {all} are met."),
        }
    }
}
