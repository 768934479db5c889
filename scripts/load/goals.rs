//! Goals: bounds that the project wants some figures of this server to keep.
//!
//! A goal that is not met is reported and is no error, since figures depend on the machine and on
//! what else runs there. Only a message that is lost or out of order fails a run.

use std::fmt;

use crate::table::{Table, figure};
use crate::targets::{Kind, Target};

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

    fn is_met(&self, value: f64) -> bool {
        match self.bound {
            Bound::AtMost(most) => value <= most,
            Bound::AtLeast(least) => value >= least,
        }
    }
}

/// The goals that a run has compared with its figures.
#[derive(Debug, Default)]
pub(crate) struct Goals(Vec<Judged>);

/// A figure of this server, and the same of its other build if that was measured.
#[derive(Debug)]
struct Judged {
    case: String,
    name: &'static str,
    goal: Goal,
    value: f64,
    other: Option<f64>,
}

impl Goals {
    /// Compares a figure with its goal, and returns the cell for the case's own table. The figures of
    /// targets that have no goals are only formatted. Those of the other build of this server, which
    /// come after its own, are shown next to these.
    pub(crate) fn judge(&mut self, case: &str, target: &Target, goal: &Goal, value: f64) -> String {
        match target.kind {
            Kind::Ours => self.0.push(Judged {
                case: case.to_owned(),
                name: target.name,
                goal: *goal,
                value,
                other: None,
            }),
            Kind::Other => {
                let same = |judged: &&mut Judged| {
                    (judged.case.as_str(), judged.name, judged.goal.what)
                        == (case, target.name, goal.what)
                };
                if let Some(judged) = self.0.iter_mut().find(same) {
                    judged.other = Some(value);
                }
            }
            _ => return figure(value),
        }
        let met = if goal.is_met(value) { "yes" } else { "no" };
        format!("{value:.2} {} ({goal}: {met})", goal.unit)
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bound {
            Bound::AtMost(most) => write!(f, "≤ {most}"),
            Bound::AtLeast(least) => write!(f, "≥ {least}"),
        }
    }
}

impl fmt::Display for Goals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Goals(all) = self;
        if all.is_empty() {
            return Ok(());
        }
        let mut table = Table::default();
        for Judged {
            case,
            name,
            goal,
            value,
            other,
        } in all
        {
            let unit = goal.unit;
            let or_none = |cell: Option<String>| cell.unwrap_or_default();
            table.row([
                ("goal", format!("{case}, {name}: {}", goal.what)),
                ("figure", format!("{value:.2} {unit}")),
                ("wanted", format!("{goal} {unit}")),
                (
                    "met",
                    if goal.is_met(*value) { "yes" } else { "no" }.to_owned(),
                ),
                (
                    "other build",
                    or_none(other.map(|other| format!("{other:.2} {unit}"))),
                ),
                (
                    "to other",
                    or_none(other.map(|other| format!("{:.2} ×", value / other))),
                ),
            ]);
        }
        let met = all.iter().filter(|judged| judged.goal.is_met(judged.value));
        let (met, all) = (met.count(), all.len());
        writeln!(f, "\n## goals\n\n{table}\n{met} of {all} are met.")
    }
}
