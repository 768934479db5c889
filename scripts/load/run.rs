//! A run: what all cases share, and what they leave for its end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Result;
use crate::goals::Goals;
use crate::measured::{Measured, Rounds};
use crate::plot::Plot;
use crate::scratch::Scratch;
use crate::server::Server;
use crate::targets::{Kind, Target, ours};

/// The options of a run, its files, and what its cases have found.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) scratch: Scratch,
    pub(crate) kinds: Vec<Kind>,
    /// A part of the names of the targets that are measured.
    pub(crate) target: String,
    /// Another build of this server, which is measured too.
    pub(crate) against: Option<PathBuf>,
    /// Whether the run only shows that everything works.
    pub(crate) quick: bool,
    /// How long the case `soak` takes.
    pub(crate) soak: Duration,
    pub(crate) goals: Goals,
    pub(crate) plot: Plot,
}

impl Run {
    /// A number of followers, channels or messages; a tenth of it in a quick run.
    pub(crate) fn size(&self, size: usize) -> usize {
        if self.quick { size / 10 } else { size }
    }

    /// The time for which something is watched; a tenth of it in a quick run.
    pub(crate) fn time(&self, time: Duration) -> Duration {
        if self.quick { time / 10 } else { time }
    }

    /// Starts a target.
    pub(crate) fn start(&self, target: &Target) -> Result<Server> {
        (target.start)(&self.scratch, self.program(target))
    }

    /// The program of this server's build that a target is.
    pub(crate) fn program(&self, target: &Target) -> &Path {
        match (&self.against, target.kind) {
            (Some(other), Kind::Other) => other,
            _ => Path::new(ours::PROGRAM),
        }
    }

    /// The targets that this run is about, each of this server followed by that of its other build.
    pub(crate) fn selected(&self, targets: Vec<Target>) -> Vec<Target> {
        let is_asked = |target: &Target| {
            self.kinds.contains(&target.kind) && target.name.contains(&self.target)
        };
        let with_other = |target: Target| {
            let other = target.other_build().filter(|_| self.against.is_some());
            [target].into_iter().chain(other)
        };
        let asked = targets.into_iter().filter(is_asked);
        asked.flat_map(with_other).collect()
    }

    /// Measures the targets that this run is about, in rounds; in a quick run, one. A peer that fails
    /// is reported and left out.
    pub(crate) fn measure<T>(
        &self,
        targets: Vec<Target>,
        rounds: Rounds,
        measure: impl Fn(&Target) -> Result<T>,
    ) -> Result<Measured<T>> {
        let targets = self.selected(targets);
        let rounds = if self.quick { Rounds::ONE } else { rounds };
        let mut results = Vec::new();
        for index in rounds.order(&targets) {
            let target = &targets[index];
            match (measure(target), target.kind) {
                (Ok(result), _) => results.push((index, result)),
                (Err(error), Kind::Floor | Kind::Ours) => {
                    return Err(format!("{target}: {error}").into());
                }
                (Err(error), _) => println!("{target} has failed: {error}\n"),
            }
        }
        Ok(Measured { targets, results })
    }
}
