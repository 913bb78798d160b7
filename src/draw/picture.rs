//! Lines, areas and axes as SVG text: a few shapes need no library, and the SVG stays readable in the page.
//!
//! The page's style sets colours by class, so a picture adapts to light and dark mode.

use std::fmt::Write;

use super::words::{escaped, number};

/// A picture with its heading.
pub struct Figure {
    /// Its heading, and its name for screen readers.
    pub title: String,
    /// What it shows; placed below the picture.
    pub caption: String,
    /// Class and text of each legend entry.
    pub keys: Vec<(&'static str, String)>,
    /// Whether it takes the whole width.
    pub is_wide: bool,
    /// The picture, from [`Plane::svg`].
    pub svg: String,
}

/// A drawing area with two axes.
pub struct Plane {
    width: f64,
    height: f64,
    x: (f64, f64),
    y: (f64, f64),
    body: String,
}

const LEFT: f64 = 44.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 24.0;
/// A picture up to this width fits on a phone.
const NARROW: f64 = 500.0;
/// The number of columns that react to the pointer.
pub const COLUMNS: usize = 96;

// === impl Plane ===

impl Plane {
    /// A plane for these ranges.
    pub fn new(is_wide: bool, x: (f64, f64), y: (f64, f64)) -> Self {
        let (width, height) = if is_wide { (1_000.0, 240.0) } else { (480.0, 250.0) };
        let wider = |(low, high): (f64, f64)| if high > low { (low, high) } else { (low, low + 1.0) };
        Plane { width, height, x: wider(x), y: wider(y), body: String::new() }
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let part = |value: f64, (low, high): (f64, f64)| ((value - low) / (high - low)).clamp(-0.02, 1.02);
        let across = LEFT + part(x, self.x) * (self.width - LEFT - RIGHT);
        let down = TOP + (1.0 - part(y, self.y)) * (self.height - TOP - BOTTOM);
        (across, down)
    }

    /// Horizontal grid lines with their values.
    pub fn scale_y(&mut self, unit: &str) {
        for value in ticks(self.y) {
            let (left, y) = self.at(self.x.0, value);
            let right = self.width - RIGHT;
            let text = format!("{}{unit}", number(value));
            if self.width > NARROW {
                // On a phone a wide picture is scrolled to its right end first: the scale must be visible there, too.
                let _ = writeln!(
                    self.body,
                    "<text class=\"right\" x=\"{right:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                    y - 3.0
                );
            }
            let _ = writeln!(
                self.body,
                "<path class=\"grid\" d=\"M{left:.1} {y:.1}H{right:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                left - 6.0,
                y + 4.0
            );
        }
    }

    /// Labels below the plane.
    pub fn scale_x(&mut self, marks: &[(f64, String)]) {
        for (value, text) in marks {
            let (x, y) = self.at(*value, self.y.0);
            let anchor = if x > self.width - 40.0 { "end" } else { "middle" };
            let _ = writeln!(
                self.body,
                "<path class=\"grid\" d=\"M{x:.1} {y:.1}v4\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                y + 17.0,
                escaped(text)
            );
        }
    }

    /// A line through points.
    pub fn line(&mut self, class: &str, points: &[(f64, f64)]) {
        let path = self.path(points);
        let _ = writeln!(self.body, "<path class=\"line {class}\" d=\"{path}\"/>");
    }

    /// The area between two lines with the same x positions.
    pub fn area(&mut self, class: &str, low: &[(f64, f64)], high: &[(f64, f64)]) {
        let back: Vec<(f64, f64)> = low.iter().rev().copied().collect();
        let path = format!("{}{}Z", self.path(high), self.path(&back).replacen('M', "L", 1));
        let _ = writeln!(self.body, "<path class=\"{class}\" d=\"{path}\"/>");
    }

    /// A point with a tooltip.
    pub fn dot(&mut self, class: &str, at: (f64, f64), tip: &str) {
        let ((x, y), tip) = (self.at(at.0, at.1), escaped(tip));
        let _ = writeln!(
            self.body,
            "<circle class=\"dot {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" \
             data-tip=\"{tip}\"><title>{tip}</title></circle>"
        );
    }

    /// A dashed horizontal line at a value.
    pub fn mark(&mut self, y: f64) {
        let (left, at) = self.at(self.x.0, y);
        let right = self.width - RIGHT;
        let _ = writeln!(self.body, "<path class=\"mark\" d=\"M{left:.1} {at:.1}H{right:.1}\"/>");
    }

    /// A dashed vertical line with a label at its top.
    pub fn upright(&mut self, x: f64, word: &str) {
        let ((at, top), (_, bottom)) = (self.at(x, self.y.1), self.at(x, self.y.0));
        let _ = writeln!(
            self.body,
            "<path class=\"mark\" d=\"M{at:.1} {top:.1}V{bottom:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            at + 5.0,
            top + 10.0,
            escaped(word)
        );
    }

    /// A column with a tooltip.
    pub fn column(&mut self, from: f64, to: f64, tip: &str) {
        let ((left, bottom), (right, top), tip) =
            (self.at(from, self.y.0), self.at(to, self.y.1), escaped(tip));
        let _ = writeln!(
            self.body,
            "<rect class=\"hit\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
             data-tip=\"{tip}\"><title>{tip}</title></rect>",
            right - left,
            bottom - top
        );
    }

    /// The picture as SVG.
    pub fn svg(&self, title: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n",
            self.width,
            self.height,
            escaped(title),
            self.body
        )
    }

    fn path(&self, points: &[(f64, f64)]) -> String {
        let mut path = String::new();
        for (i, &(x, y)) in points.iter().enumerate() {
            let (x, y) = self.at(x, y);
            let _ = write!(path, "{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' });
        }
        path
    }
}

// === impl Figure ===

impl Figure {
    /// Appends it as HTML.
    ///
    /// # Errors
    /// Never if `out` is a string.
    pub fn write(&self, out: &mut String) -> std::fmt::Result {
        let class = if self.is_wide { " class=\"wide\"" } else { "" };
        writeln!(out, "<figure{class}><h2>{}</h2>", escaped(&self.title))?;
        if !self.keys.is_empty() {
            out.push_str("<ul class=\"keys\">");
            for (class, words) in &self.keys {
                let area = if matches!(*class, "band" | "demand") { " area" } else { "" };
                write!(out, "<li><i class=\"{class}{area}\"></i>{}</li>", escaped(words))?;
            }
            out.push_str("</ul>\n");
        }
        // A wide picture scrolls on a phone, so it must be reachable by keyboard.
        let reached = if self.is_wide {
            format!(" tabindex=\"0\" role=\"region\" aria-label=\"{}\"", escaped(&self.title))
        } else {
            String::new()
        };
        writeln!(
            out,
            "<div class=\"frame\"{reached}>{}</div><figcaption>{}</figcaption></figure>",
            self.svg,
            escaped(&self.caption)
        )
    }
}

/// A few round values inside a range.
fn ticks((low, high): (f64, f64)) -> Vec<f64> {
    let rough = (high - low) / 4.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= rough).unwrap_or(rough);
    let first = (low / step - 1e-9).ceil() as i64;
    (first..).map(|i| i as f64 * step).take_while(|v| *v <= high * (1.0 + 1e-9)).take(12).collect()
}
