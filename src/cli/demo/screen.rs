//! The demo's output: a line every half hour if the output is not a terminal, otherwise a growing chart.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

use crate::units::{Span, Time};

/// What was seen at one call.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The instant of the call.
    pub at: Time,
    /// The load at that time.
    pub load: f64,
    /// The forecast peak of the lead window, at the insured quantile.
    pub forecast: Option<f64>,
    /// The replicas that the load alone needs.
    pub demand: u32,
    /// Replicas answered.
    pub answer: f64,
    /// Pods ready.
    pub ready: u32,
    /// Pods ready under the reactive trigger.
    pub reactive: u32,
}

/// Draws rows as they come.
#[derive(Debug)]
pub struct Screen {
    style: Style,
    begin: Time,
    length: Span,
    drawn: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Silent,
    Lines,
    Chart,
}

const COLUMNS: usize = 72;
const ROWS: usize = 12;
/// Possible distances between the times below the chart.
const EVERY: [Span; 5] = [Span::minutes(15), Span::HOUR, Span::hours(3), Span::hours(6), Span::hours(12)];
const MOST_TIMES: i64 = 8;
/// The distance between lines, in simulated time.
const LINE_EVERY: Span = Span::minutes(30);
/// The distance between redraws of the chart: about twenty per second at the usual speed.
const CHART_EVERY: Span = Span::seconds(150);

// === impl Screen ===

impl Screen {
    /// A screen, which stays empty unless `visible`.
    pub fn new(visible: bool, begin: Time, length: Span) -> Self {
        let style = match (visible, std::io::stdout().is_terminal()) {
            (false, _) => Style::Silent,
            (true, true) => Style::Chart,
            (true, false) => Style::Lines,
        };
        Screen { style, begin, length, drawn: None }
    }

    /// Shows the newest row, if it is time.
    pub fn draw(&mut self, rows: &[Row]) {
        let Some(row) = rows.last().filter(|row| row.at >= self.begin) else { return };
        let every = if self.style == Style::Chart { CHART_EVERY } else { LINE_EVERY };
        if self.style == Style::Silent || self.drawn.is_some_and(|at| row.at.since(at) < every) {
            return;
        }
        let first = self.drawn.is_none();
        self.drawn = Some(row.at);
        let text = match self.style {
            Style::Chart => self.chart(rows, first),
            _ => line(row, first),
        };
        let mut out = std::io::stdout().lock();
        // A closed pipe ends the output, not the simulation.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn chart(&self, rows: &[Row], first: bool) -> String {
        let shown: Vec<&Row> = rows.iter().filter(|r| r.at >= self.begin).collect();
        let column = |at: Time| {
            let share = at.since(self.begin).as_seconds() as f64 / self.length.as_seconds().max(1) as f64;
            ((share * COLUMNS as f64) as usize).min(COLUMNS - 1)
        };
        let top = shown.iter().map(|r| r.ready.max(r.reactive).max(r.demand)).max().unwrap_or(1).max(1);
        let line = |count: u32| (f64::from(count) / f64::from(top) * (ROWS - 1) as f64).round() as usize;
        let mut cells = [[' '; COLUMNS]; ROWS];
        for row in &shown {
            let x = column(row.at);
            let marks = [(line(row.demand), '·'), (line(row.reactive), '-'), (line(row.ready), '#')];
            for (y, mark) in marks {
                cells[ROWS - 1 - y.min(ROWS - 1)][x] = mark;
            }
        }
        let mut text = String::new();
        if !first {
            let _ = write!(text, "\x1b[{}A", ROWS + 4);
        }
        for (i, cells) in cells.iter().enumerate() {
            let label = (ROWS - 1 - i) as f64 / (ROWS - 1) as f64 * f64::from(top);
            let _ = writeln!(text, "\x1b[2K{label:>5.0} {}", cells.iter().collect::<String>());
        }
        let _ = writeln!(text, "\x1b[2K{}", self.axis());
        if let Some(row) = shown.last() {
            let _ = writeln!(
                text,
                "\x1b[2K      # predictive   - reactive   · demand          {}",
                row.at.to_utc().format("%a %H:%M UTC")
            );
            let forecast = row.forecast.map_or_else(|| "none".to_owned(), |f| format!("{f:.0}"));
            let _ = writeln!(
                text,
                "\x1b[2K      load {:.0}, forecast peak {forecast}: answered {:.0}, ready {}",
                row.load, row.answer, row.ready
            );
            let _ = writeln!(text, "\x1b[2K      reactive alone: ready {}", row.reactive);
        }
        text
    }
}

impl Screen {
    /// Times of day, below the columns to which they belong.
    fn axis(&self) -> String {
        let every =
            EVERY.into_iter().find(|every| self.length.as_seconds() <= MOST_TIMES * every.as_seconds());
        let every = every.unwrap_or(Span::DAY);
        let mut axis = " ".repeat(6);
        let mut at = self.begin.floor_to(every, Span::ZERO);
        while at <= self.begin + self.length {
            let share = at.since(self.begin).as_seconds() as f64 / self.length.as_seconds().max(1) as f64;
            let column = 6 + (share.max(0.0) * COLUMNS as f64) as usize;
            if at >= self.begin && column >= axis.len() && column + 5 <= COLUMNS + 6 {
                axis += &" ".repeat(column - axis.len());
                axis += &at.to_utc().format("%H:%M").to_string();
            }
            at = at + every;
        }
        axis
    }
}

fn line(row: &Row, first: bool) -> String {
    let mut text = String::new();
    if first {
        text.push_str("time                    load  forecast  demand  answered  ready  reactive\n");
    }
    let forecast = row.forecast.map_or_else(|| "-".to_owned(), |f| format!("{f:.0}"));
    let _ = writeln!(
        text,
        "{}  {:>6.0}  {forecast:>8}  {:>6}  {:>8.0}  {:>5}  {:>8}",
        row.at, row.load, row.demand, row.answer, row.ready, row.reactive
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_tells_times_of_day_at_their_columns() {
        let begin = Time::parse("2026-03-10T06:30:00Z").expect("an instant");
        let axis = |hours: i64| Screen::new(false, begin, Span::hours(hours)).axis();
        let day = axis(24);
        assert_eq!(
            day.split_whitespace().collect::<Vec<_>>(),
            ["09:00", "12:00", "15:00", "18:00", "21:00", "00:00", "03:00"]
        );
        // From half past six to noon is 5.5 of 24 hours.
        assert_eq!(day.find("12:00"), Some(6 + 72 * 11 / 48));
        assert!([1, 6, 24, 100, 400].iter().all(|hours| axis(*hours).len() <= 78));
    }
}
