//! The text of the metrics, in the exposition format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write};

/// The text of the metrics that have been written so far.
pub(super) struct Exposition(String);

impl Exposition {
    /// A text without metrics.
    pub(super) fn new() -> Exposition {
        Exposition(String::with_capacity(4096))
    }

    /// Returns the complete text.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// A metric that goes up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.sample(name, "", &value);
    }

    /// A metric that only goes up while the process lives.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "counter", help);
        self.sample(name, "", &value);
    }

    /// The samples of a metric that has one for each value of a label.
    pub(super) fn by_label<V: Display>(
        &mut self,
        name: &str,
        label: &str,
        samples: impl Iterator<Item = (&'static str, V)>,
    ) {
        for (of, value) in samples {
            self.sample(name, &format!("{label}=\"{of}\""), &value);
        }
    }

    /// The lines before the samples of a metric. `kind` is `gauge`, `counter` or `histogram`.
    pub(super) fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            self.0,
            "# HELP forever_frame_{name} {help}\n# TYPE forever_frame_{name} {kind}"
        );
    }

    /// A sample of a metric. `labels` are as Prometheus writes them, without the braces; empty if
    /// there are none.
    pub(super) fn sample(&mut self, name: &str, labels: &str, value: &dyn Display) {
        // Writing to a String cannot fail.
        let _ = match labels {
            "" => writeln!(self.0, "forever_frame_{name} {value}"),
            _ => writeln!(self.0, "forever_frame_{name}{{{labels}}} {value}"),
        };
    }
}
