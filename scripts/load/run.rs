//! A run: what all cases share, and what they leave for its end.

use crate::Result;
use crate::goals::Goals;
use crate::plot::Plot;
use crate::scratch::Scratch;
use crate::targets::{Kind, Target};

/// The options of a run, its files, and what its cases have found.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) scratch: Scratch,
    pub(crate) kinds: Vec<Kind>,
    /// A part of the names of the targets that are measured.
    pub(crate) target: String,
    /// Whether the run only shows that everything works.
    pub(crate) quick: bool,
    pub(crate) goals: Goals,
    pub(crate) plot: Plot,
}

/// The results of the targets that were measured, in their order.
#[derive(Debug)]
pub(crate) struct Measured<T>(Vec<(Target, T)>);

impl Run {
    /// A number of followers, channels or messages; a tenth of it in a quick run.
    pub(crate) fn size(&self, size: usize) -> usize {
        if self.quick { size / 10 } else { size }
    }

    /// Measures the targets that this run is about, one after the other. A peer that fails is
    /// reported and left out.
    pub(crate) fn measure<T>(
        &self,
        targets: Vec<Target>,
        measure: impl Fn(&Target) -> Result<T>,
    ) -> Result<Measured<T>> {
        self.measure_best(targets, 1, measure, |first, _| first)
    }

    /// Measures the targets in rounds; `best` combines the results of two rounds.
    pub(crate) fn measure_best<T>(
        &self,
        mut targets: Vec<Target>,
        rounds: usize,
        measure: impl Fn(&Target) -> Result<T>,
        best: impl Fn(T, T) -> T,
    ) -> Result<Measured<T>> {
        targets.retain(|target| {
            self.kinds.contains(&target.kind) && target.name.contains(&self.target)
        });
        let mut rows: Vec<(Target, Option<T>)> =
            targets.into_iter().map(|target| (target, None)).collect();
        for _ in 0..rounds {
            for (target, result) in &mut rows {
                match (measure(target), target.kind) {
                    (Ok(new), _) => {
                        *result = Some(match result.take() {
                            Some(old) => best(old, new),
                            None => new,
                        });
                    }
                    (Err(error), Kind::Floor | Kind::Ours) => {
                        return Err(format!("{target}: {error}").into());
                    }
                    (Err(error), _) => println!("{target} has failed: {error}\n"),
                }
            }
        }
        let rows = rows.into_iter();
        let rows = rows.filter_map(|(target, result)| Some((target, result?)));
        Ok(Measured(rows.collect()))
    }
}

impl<T> Measured<T> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Target, T)> {
        self.0.iter()
    }

    /// The ratio of a figure to the highest one of a kind, if that kind was measured.
    pub(crate) fn ratio(&self, this: &T, figure: impl Fn(&T) -> f64, kind: Kind) -> Option<f64> {
        let others = self.iter().filter(|(target, _)| target.kind == kind);
        let highest = others.map(|(_, other)| figure(other)).reduce(f64::max)?;
        (highest > 0.0).then(|| figure(this) / highest)
    }
}
