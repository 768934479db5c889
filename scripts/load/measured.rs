//! What was measured of all targets in several rounds, and the ratios between targets.

use crate::targets::{Kind, Target};

/// How often targets are measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    /// Rounds of this server and its other build.
    pub(crate) ours: usize,
    /// Rounds of the floor and the peers.
    pub(crate) others: usize,
    /// Whether the floor is measured before and after each target. What the kernel needs for the same
    /// work drifts by a sixth within minutes, so a ratio to the floor is one to its neighbours.
    pub(crate) floor_between: bool,
}

/// The results of the targets, in the order of time.
#[derive(Debug)]
pub(crate) struct Measured<T> {
    pub(crate) targets: Vec<Target>,
    /// Each with the index of its target.
    pub(crate) results: Vec<(usize, T)>,
}

/// A target with its results.
#[derive(Debug)]
pub(crate) struct Row<'a, T> {
    pub(crate) target: &'a Target,
    index: usize,
    measured: &'a Measured<T>,
}

impl Rounds {
    pub(crate) const ONE: Rounds = Rounds {
        ours: 1,
        others: 1,
        floor_between: false,
    };
    pub(crate) const THREE: Rounds = Rounds {
        ours: 3,
        others: 3,
        floor_between: false,
    };
    /// Three rounds of this server, and one of all others, for what takes long.
    pub(crate) const THREE_OF_OURS: Rounds = Rounds {
        ours: 3,
        others: 1,
        floor_between: false,
    };
    pub(crate) const THREE_BETWEEN_FLOORS: Rounds = Rounds {
        ours: 3,
        others: 3,
        floor_between: true,
    };

    /// The indexes of the targets in the order in which they are measured. Both builds of this server
    /// have the same floors as neighbours.
    pub(crate) fn order(self, targets: &[Target]) -> Vec<usize> {
        let floor = targets.iter().position(|target| target.kind == Kind::Floor);
        let floor = floor.filter(|_| self.floor_between);
        let mut order = Vec::new();
        for round in 0..self.ours.max(self.others) {
            for (index, target) in targets.iter().enumerate() {
                let rounds = match target.kind {
                    Kind::Ours | Kind::Other => self.ours,
                    _ => self.others,
                };
                if round < rounds && floor != Some(index) {
                    order.extend(floor.filter(|_| target.kind != Kind::Other));
                    order.push(index);
                }
            }
            order.extend(floor);
        }
        order
    }
}

impl<T> Measured<T> {
    /// The targets that have results.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_, T>> {
        let rows = self.targets.iter().enumerate();
        let rows = rows.map(|(index, target)| Row {
            target,
            index,
            measured: self,
        });
        rows.filter(|row| row.results().next().is_some())
    }
}

impl<'a, T> Row<'a, T> {
    /// Its results, with their places in the order of time.
    fn results(&self) -> impl Iterator<Item = (usize, &'a T)> {
        let index = self.index;
        let all = self.measured.results.iter().enumerate();
        all.filter(move |(_, (of, _))| *of == index)
            .map(|(place, (_, result))| (place, result))
    }

    /// The median of a figure.
    pub(crate) fn median(&self, of: impl Fn(&T) -> f64) -> f64 {
        median(self.results().map(|(_, result)| of(result)).collect())
    }

    /// The median of what compares a result with one of the floor: with the nearest before and the
    /// nearest after it, of which the mean counts. `None` if the floor was not measured.
    pub(crate) fn near_floor(&self, compare: impl Fn(&T, &T) -> f64) -> Option<f64> {
        let Measured { targets, results } = self.measured;
        let is_floor = |(index, _): &&(usize, T)| targets[*index].kind == Kind::Floor;
        let compare_at = |place: usize, this: &T| {
            let (before, after) = results.split_at(place);
            let before = before.iter().rev().find(is_floor);
            let both = before.into_iter().chain(after.iter().find(is_floor));
            let compared: Vec<f64> = both.map(|(_, floor)| compare(this, floor)).collect();
            let mean = compared.iter().sum::<f64>() / compared.len() as f64;
            (!compared.is_empty()).then_some(mean)
        };
        let ratios = self.results().map(|(place, this)| compare_at(place, this));
        ratios.collect::<Option<Vec<f64>>>().map(median)
    }

    /// The ratio of a figure to that of the nearest floors.
    pub(crate) fn to_floor(&self, of: impl Fn(&T) -> f64) -> Option<f64> {
        self.near_floor(|this, floor| of(this) / of(floor))
    }

    /// The ratio of a figure to the highest one of a kind, if that kind was measured.
    pub(crate) fn to_kind(&self, kind: Kind, of: impl Fn(&T) -> f64) -> Option<f64> {
        let others = self.measured.rows().filter(|row| row.target.kind == kind);
        self.to_highest(others, of)
    }

    /// The ratio of a figure of this server to that of its other build.
    pub(crate) fn to_other_build(&self, of: impl Fn(&T) -> f64) -> Option<f64> {
        let other = self.target.other_build()?;
        let same =
            |row: &Row<'_, T>| row.target.kind == other.kind && row.target.name == other.name;
        self.to_highest(self.measured.rows().filter(same), of)
    }

    fn to_highest<'b>(
        &self,
        others: impl Iterator<Item = Row<'b, T>>,
        of: impl Fn(&T) -> f64,
    ) -> Option<f64>
    where
        T: 'b,
    {
        let highest = others.map(|row| row.median(&of)).reduce(f64::max)?;
        (highest > 0.0).then(|| self.median(of) / highest)
    }
}

/// The median of figures, of which there is at least one.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
