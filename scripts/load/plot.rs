//! The picture for the README: bars for each target, and lines over followers, as SVG.
//!
//! It is drawn here and not by a plotting program from a file of figures: the usual ones are on few
//! machines, and draw no SVG that follows the reader's dark or light mode; and a script that does would
//! be this code in a second language, with a format between the two.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::Result;
use crate::table::figure;
use crate::targets::Target;

const WIDTH: f64 = 860.0;
const PANEL: f64 = WIDTH / 2.0;
/// Where bars begin, and the length of the longest.
const LABELS: f64 = 150.0;
const LONGEST: f64 = 200.0;
const LINE: f64 = 20.0;
const HEAD: f64 = 34.0;
const LINES_HEIGHT: f64 = 220.0;

const STYLE: &str = "
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 13px }
  .floor { fill: #8c959f; stroke: #8c959f } .ours { fill: #0969da; stroke: #0969da }
  .other { fill: #1a7f37; stroke: #1a7f37 } .nchan { fill: #bf8700; stroke: #bf8700 } .durable { fill: #8250df; stroke: #8250df }
  polyline { fill: none !important; stroke-width: 2 }
  .axis { stroke: #8c959f; stroke-width: 1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .ours { fill: #58a6ff; stroke: #58a6ff } .nchan { fill: #d29922; stroke: #d29922 }
    .durable { fill: #bc8cff; stroke: #bc8cff }
  }
";

/// Values under a name.
type Series<T> = (String, Vec<T>);

/// The figures that the cases have noted for the picture.
#[derive(Debug, Default)]
pub(crate) struct Plot {
    /// For each panel, the name and the figure of each target.
    panels: Vec<Series<(String, f64)>>,
    /// For each target, the CPU time of a delivery by the number of followers.
    lines: Vec<Series<(f64, f64)>>,
}

impl Plot {
    /// Adds a bar to the panel with this title.
    pub(crate) fn bar(&mut self, title: &str, target: &Target, figure: f64) {
        add(&mut self.panels, title, (target.to_string(), figure));
    }

    /// Adds a point to the line of a target.
    pub(crate) fn point(&mut self, target: &Target, followers: f64, cpu: f64) {
        add(&mut self.lines, &target.to_string(), (followers, cpu));
    }

    /// Writes the picture, unless it would be empty.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        if self.panels.is_empty() && self.lines.is_empty() {
            return Ok(());
        }
        fs::write(path, self.svg()).map_err(|error| {
            let path = path.display();
            format!("the picture cannot be written to {path}: {error}")
        })?;
        println!("\nThe picture is in {}.", path.display());
        Ok(())
    }

    fn svg(&self) -> String {
        let (mut body, mut top) = (String::new(), 8.0);
        for pair in self.panels.chunks(2) {
            for (panel, left) in pair.iter().zip([0.0, PANEL]) {
                draw_bars(panel, left, top, &mut body);
            }
            let bars = pair.iter().map(|(_, bars)| bars.len()).max();
            top += HEAD + LINE * bars.unwrap_or(0) as f64 + 12.0;
        }
        if !self.lines.is_empty() {
            draw_lines(&self.lines, top, &mut body);
            top += LINES_HEIGHT;
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\" width=\"{WIDTH}\" \
             height=\"{top}\"><style>{STYLE}</style>\n{body}</svg>\n"
        )
    }
}

fn add<T>(all: &mut Vec<Series<T>>, name: &str, value: T) {
    match all.iter_mut().find(|(other, _)| other == name) {
        Some((_, values)) => values.push(value),
        None => all.push((name.to_owned(), vec![value])),
    }
}

fn draw_bars((title, bars): &Series<(String, f64)>, left: f64, top: f64, out: &mut String) {
    text(left + 8.0, top + 16.0, "title", title, out);
    let most = bars.iter().fold(0.0, |most, bar| bar.1.max(most));
    for (row, (name, value)) in bars.iter().enumerate() {
        let y = top + HEAD + LINE * row as f64;
        let length = (value / most * LONGEST).max(1.0);
        text(left + 8.0, y + 4.0, "", name, out);
        rect(class(name), left + LABELS, y - 7.0, length, out);
        let x = left + LABELS + length + 6.0;
        text(x, y + 4.0, "", &figure(*value), out);
    }
}

/// Draws lines over followers, on a logarithmic scale.
fn draw_lines(lines: &[Series<(f64, f64)>], top: f64, out: &mut String) {
    let title = "Server CPU per delivery, µs, by number of followers";
    text(8.0, top + 16.0, "title", title, out);
    let points = || lines.iter().flat_map(|(_, points)| points);
    let (least, most) = points().fold((f64::MAX, 1.0), |(least, most), point| {
        (point.0.min(least), point.0.max(most))
    });
    let highest = points().fold(0.0, |highest, point| point.1.max(highest));
    let (bottom, height) = (top + LINES_HEIGHT - 30.0, LINES_HEIGHT - 70.0);
    let steps = (most / least).ln().max(1.0);
    let x = |followers: f64| 40.0 + (followers / least).ln() / steps * (WIDTH - 260.0);
    let y = |cpu: f64| bottom - cpu / highest * height;
    line("axis", &[(x(least), bottom), (x(most), bottom)], out);
    for (followers, _) in &lines[0].1 {
        let label = format!("{followers}");
        text(x(*followers) - 12.0, bottom + 18.0, "", &label, out);
    }
    for (index, (name, points)) in lines.iter().enumerate() {
        let drawn: Vec<(f64, f64)> = points.iter().map(|p| (x(p.0), y(p.1))).collect();
        line(class(name), &drawn, out);
        let row = top + 40.0 + LINE * index as f64;
        rect(class(name), WIDTH - 200.0, row - 7.0, 14.0, out);
        let last = points.last().map_or(0.0, |point| point.1);
        let label = format!("{name} ({})", figure(last));
        text(WIDTH - 180.0, row + 4.0, "", &label, out);
    }
}

/// The CSS class of a target's name, which has its colour.
fn class(name: &str) -> &str {
    let end = name.find([',', '-']).unwrap_or(name.len());
    &name[..end]
}

fn text(x: f64, y: f64, class: &str, text: &str, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
    );
}

fn rect(class: &str, x: f64, y: f64, width: f64, out: &mut String) {
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"14\"/>"
    );
}

fn line(class: &str, points: &[(f64, f64)], out: &mut String) {
    let point = |(x, y): &(f64, f64)| format!("{x:.1},{y:.1}");
    let points: Vec<String> = points.iter().map(point).collect();
    let points = points.join(" ");
    let _ = writeln!(out, "<polyline class=\"{class}\" points=\"{points}\"/>");
}
