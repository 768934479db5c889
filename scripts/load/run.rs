//! A run: what all cases share, and what they leave for its end.

use crate::Result;
use crate::goals::Goals;
use crate::plot::Plot;
use crate::scratch::Scratch;
use crate::targets::{AnyTarget, Kind, Target};

/// See the module.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) scratch: Scratch,
    pub(crate) kinds: Vec<Kind>,
    /// What the names of targets must contain.
    pub(crate) target: String,
    /// Is it only about whether everything works?
    pub(crate) quick: bool,
    pub(crate) goals: Goals,
    pub(crate) plot: Plot,
}

/// What was measured of each target.
#[derive(Debug)]
pub(crate) struct Measured<T>(Vec<(AnyTarget, T)>);

impl Run {
    /// So many followers, channels or messages; a tenth of them if it is to be quick.
    pub(crate) fn size(&self, size: usize) -> usize {
        if self.quick { size / 10 } else { size }
    }

    /// Measures those of the targets that this run is about, one after the other, and that as
    /// often as it has rounds; `best` makes one of two. A peer that fails is left out, and said.
    pub(crate) fn measure<T>(
        &self,
        targets: Vec<AnyTarget>,
        rounds: usize,
        measure: impl Fn(&(dyn Target + Sync)) -> Result<T>,
        best: impl Fn(T, T) -> T,
    ) -> Result<Measured<T>> {
        let asked = |target: &AnyTarget| {
            self.kinds.contains(&target.kind()) && target.to_string().contains(&self.target)
        };
        let mut rows: Vec<(AnyTarget, Option<T>)> = targets
            .into_iter()
            .filter(asked)
            .map(|target| (target, None))
            .collect();
        for _ in 0..rounds {
            for (target, so_far) in &mut rows {
                match (measure(&**target), target.kind()) {
                    (Ok(new), _) => {
                        *so_far = Some(match so_far.take() {
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
        let measured = |(target, result): (AnyTarget, Option<T>)| Some((target, result?));
        Ok(Measured(rows.into_iter().filter_map(measured).collect()))
    }
}

impl<T> Measured<T> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&(dyn Target + Sync), &T)> {
        self.0.iter().map(|(target, result)| (&**target, result))
    }

    /// The first of a kind.
    pub(crate) fn first(&self, kind: Kind) -> Option<&T> {
        let mut all = self.iter();
        all.find_map(|(target, result)| (target.kind() == kind).then_some(result))
    }

    /// A figure against that of the floor, where the floor was measured.
    pub(crate) fn to_floor(&self, figure: impl Fn(&T) -> f64, this: &T) -> Option<f64> {
        let floor = figure(self.first(Kind::Floor)?);
        (floor > 0.0).then(|| figure(this) / floor)
    }
}
