//! What is wanted of the figures, and whether they are so.

use std::fmt;

use crate::table::Table;

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

/// All figures of which something is wanted.
#[derive(Debug, Default)]
pub(crate) struct Goals {
    rows: Vec<[String; 4]>,
    met: usize,
}

impl Goal {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Goal::AtMost(most) => figure <= most,
            Goal::AtLeast(least) => figure >= least,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Goal::AtMost(most) => write!(f, "≤ {most}"),
            Goal::AtLeast(least) => write!(f, "≥ {least}"),
        }
    }
}

impl Goals {
    /// Notes a figure, and says it with its goal, for a table.
    pub(crate) fn judge(&mut self, what: String, figure: f64, unit: &str, goal: Goal) -> String {
        let met = goal.is_met(figure);
        self.met += usize::from(met);
        let (said, mark) = (
            format!("{figure:.2} {unit}"),
            if met { "yes" } else { "no" },
        );
        self.rows.push([
            what,
            said.clone(),
            format!("{goal} {unit}"),
            mark.to_owned(),
        ]);
        format!("{said} ({goal}: {mark})")
    }
}

impl fmt::Display for Goals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut table = Table::new(&["goal", "figure", "wanted", "met"]);
        for row in &self.rows {
            table.row(row.clone());
        }
        let (met, all) = (self.met, self.rows.len());
        writeln!(f, "\n## goals\n\n{table}\n{met} of {all} are met.")
    }
}
