//! A heat map by day and hour of the time short.

use std::fmt::Write;

use super::super::entry::Entry;
use crate::draw::{Figure, escaped, number};

/// Samples and short samples of one hour of one day.
type Cell = (u32, u32);

const CELL_W: f64 = 17.6;
const CELL_H: f64 = 15.0;
const LEFT: f64 = 54.0;
/// More days than this are combined into weekdays.
const MOST_DAYS: usize = 14;

/// One map for the predictive strategy, and one for the strategy it is compared with.
pub(super) fn all(entries: &[&Entry]) -> Vec<Figure> {
    let shown = |entry: &&&Entry| matches!(entry.name, "predictive" | "reactive" | "actual");
    let mut maps: Vec<&&Entry> = entries.iter().filter(shown).collect();
    maps.sort_by_key(|entry| entry.name != "predictive");
    maps.into_iter().take(2).filter_map(|entry| map(entry)).collect()
}

fn map(entry: &Entry) -> Option<Figure> {
    let days: Vec<i64> = entry.run.steps.iter().map(|s| s.timestamp.epoch().div_euclid(86_400)).collect();
    let (first, last) = (*days.first()?, *days.last()?);
    let folds = (last - first) as usize + 1 > MOST_DAYS;
    let rows = if folds { 7 } else { (last - first) as usize + 1 };
    let mut cells = vec![[Cell::default(); 24]; rows];
    for step in &entry.run.steps {
        let at = step.timestamp.epoch();
        let day = at.div_euclid(86_400);
        // 1 January 1970 was a Thursday; Monday is row 0.
        let row = if folds { (day + 3).rem_euclid(7) } else { day - first } as usize;
        let hour = (at.rem_euclid(86_400) / 3_600) as usize;
        if let Some(cell) = cells.get_mut(row).and_then(|row| row.get_mut(hour)) {
            cell.0 += 1;
            cell.1 += u32::from(step.ready < step.demand);
        }
    }
    let label = |row: usize| {
        if folds {
            ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].get(row).copied().unwrap_or("").to_owned()
        } else {
            let at = crate::units::Time::from_epoch((first + row as i64) * 86_400);
            at.to_utc().format("%a %-d").to_string()
        }
    };
    let title = format!("When {} was short", entry.name);
    Some(Figure {
        svg: draw(&cells, &title, label),
        title,
        caption: "Share of each hour with fewer pods ready than needed (UTC); the darker, the longer."
            .to_owned(),
        keys: Vec::new(),
        is_wide: false,
    })
}

fn draw(cells: &[[Cell; 24]], title: &str, label: impl Fn(usize) -> String) -> String {
    let (width, height) = (480.0, cells.len() as f64 * CELL_H + 24.0);
    let mut out =
        format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\n", escaped(title));
    for (row, hours) in cells.iter().enumerate() {
        let y = row as f64 * CELL_H;
        let name = label(row);
        let _ =
            writeln!(out, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>", LEFT - 6.0, y + 11.0);
        for (hour, &(all, short)) in hours.iter().enumerate() {
            let share = f64::from(short) / f64::from(all.max(1));
            let x = LEFT + hour as f64 * CELL_W;
            let fill = if all == 0 || short == 0 {
                "class=\"empty\"".to_owned()
            } else {
                // Even a few minutes must be visible, so colours start at a fifth of the full opacity.
                format!("style=\"fill:rgba(var(--bad),{:.2})\"", 0.2 + 0.8 * share)
            };
            let tip = format!("{name}, {hour}:00 to {}:00: short {} %", hour + 1, number(100.0 * share));
            let _ = writeln!(
                out,
                "<rect {fill} x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\" \
                 data-tip=\"{tip}\"><title>{tip}</title></rect>",
                CELL_W - 1.5,
                CELL_H - 1.5
            );
        }
    }
    for hour in [0, 6, 12, 18] {
        let x = LEFT + f64::from(hour) * CELL_W;
        let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{:.1}\">{hour}:00</text>", height - 8.0);
    }
    out.push_str("</svg>\n");
    out
}
