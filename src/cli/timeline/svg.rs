//! The timeline as a picture: the load's band above, floors, ceilings and expected replicas below.
//!
//! Local days are columns; weekends and calendar days are shaded. The SVG is written directly: a dozen shapes need no
//! library, and text stays text.

use std::fmt::Write;

use chrono::{Datelike, TimeZone};

use super::outlook::Outlook;
use super::print::capped;
use crate::decide::Stretch as Hour;
use crate::draw::escaped;
use crate::units::{Replicas, Span, Time};

const WIDTH: f64 = 1_200.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 64.0;
/// Height of each panel.
const PANEL: f64 = 190.0;
const GAP: f64 = 34.0;

const BAND: &str = "#9ecae1";
const LINE: &str = "#08519c";
const FLOOR: &str = "#74c476";
const CEILING: &str = "#a63603";
const CAPPED: &str = "#de2d26";
const SHADE: &str = "#f1f1f1";
const HOLIDAY: &str = "#fdebd0";

/// A panel: its position and the value at its upper edge.
struct Panel {
    top: f64,
    most: f64,
}

/// Draws it.
pub(super) fn draw(outlook: &Outlook) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = draw_all(&mut out, outlook);
    out
}

fn draw_all(out: &mut String, outlook: &Outlook) -> std::fmt::Result {
    let has_load = !outlook.hours.is_empty();
    let below = TOP + if has_load { PANEL + GAP } else { 0.0 };
    let height = below + PANEL + 56.0;
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>"
    )?;
    let title = format!("{}, from {} ({})", outlook.title, outlook.shown(outlook.from), outlook.zone);
    writeln!(out, "<text x=\"{LEFT}\" y=\"24\" font-size=\"16\">{}</text>", escaped(&title))?;
    let replicas = Panel { top: below, most: round_up(most_replicas(outlook)) };
    days(out, outlook, TOP, below + PANEL)?;
    if has_load {
        let most = outlook.hours.iter().map(|h| h.load[2]).fold(0.0, f64::max);
        let load = Panel { top: TOP, most: round_up(most) };
        load_band(out, outlook, &load)?;
        frame(out, &load, "load")?;
    }
    bounds(out, outlook, &replicas)?;
    expected(out, outlook, &replicas)?;
    frame(out, &replicas, "replicas")?;
    marks(out, outlook, TOP, below + PANEL)?;
    legend(out, outlook, height - 14.0)?;
    writeln!(out, "</svg>")
}

fn x(outlook: &Outlook, at: Time) -> f64 {
    let whole = outlook.to.since(outlook.from).as_seconds().max(1) as f64;
    LEFT + (WIDTH - LEFT - RIGHT) * at.since(outlook.from).as_seconds().min(whole as i64) as f64 / whole
}

fn most_replicas(outlook: &Outlook) -> f64 {
    let bounds = outlook.stretches.iter().flat_map(|s| [s.bounds.floor, s.bounds.ceiling]).flatten();
    let limits = bounds.map(|b| b.replicas.min(outlook.limits.max));
    let hours = outlook.hours.iter().map(|hour| hour.replicas);
    let word = outlook.r#override.iter().map(|word| word.replicas.min(outlook.limits.max));
    let most = limits.chain(hours).chain(word).chain([outlook.limits.min, Replicas::ONE]).max();
    f64::from(most.map_or(1, Replicas::get))
}

/// The next of 1, 1.5, 2, 3, 4, 5, 6, 8, 10 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-9).log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|s| s * power).find(|&v| v >= value * 1.02).unwrap_or(12.0 * power)
}

/// Columns of local days, with their names.
fn days(out: &mut String, outlook: &Outlook, top: f64, bottom: f64) -> std::fmt::Result {
    let local = |at: Time| outlook.zone.from_utc_datetime(&at.to_utc().naive_utc());
    let mut date = local(outlook.from).date_naive();
    let columns = (outlook.to.since(outlook.from).as_seconds() / 86_400).max(1);
    // Names that would overlap are left out.
    let every = (columns / 16 + 1) as u32;
    for index in 0.. {
        let start = date.and_hms_opt(0, 0, 0).and_then(|t| outlook.zone.from_local_datetime(&t).earliest());
        let start = start.map_or(outlook.from, |t| Time::from_epoch(t.timestamp()));
        if start >= outlook.to {
            break;
        }
        let Some(next) = date.succ_opt() else { break };
        let end = next.and_hms_opt(0, 0, 0).and_then(|t| outlook.zone.from_local_datetime(&t).earliest());
        let end = end.map_or(start + Span::DAY, |t| Time::from_epoch(t.timestamp()));
        let (left, right) = (x(outlook, start), x(outlook, end.min(outlook.to)));
        let special = outlook
            .events
            .iter()
            .any(|e| matches!(e.kind, "calendar" | "event") && e.at >= start.max(outlook.from) && e.at < end);
        let fill = match () {
            () if special => Some(HOLIDAY),
            () if date.weekday().number_from_monday() > 5 => Some(SHADE),
            () => None,
        };
        if let Some(fill) = fill {
            writeln!(
                out,
                "<rect x=\"{left:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{fill}\"/>",
                right - left,
                bottom - top
            )?;
        }
        writeln!(
            out,
            "<line x1=\"{left:.1}\" x2=\"{left:.1}\" y1=\"{top}\" y2=\"{bottom}\" stroke=\"#ddd\"/>"
        )?;
        if index % every == 0 && right - left > 20.0 {
            let name = date.format("%a %d");
            writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{}\" fill=\"#444\">{name}</text>",
                left + 4.0,
                bottom + 16.0
            )?;
        }
        date = next;
    }
    Ok(())
}

fn frame(out: &mut String, panel: &Panel, name: &str) -> std::fmt::Result {
    for share in [0.0, 0.5, 1.0] {
        let y = panel.y(panel.most * share);
        writeln!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#bbb\" stroke-width=\"0.6\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#444\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            panel.most * share
        )?;
    }
    let y = panel.top - 8.0;
    writeln!(out, "<text x=\"{LEFT}\" y=\"{y}\" fill=\"#444\" font-weight=\"bold\">{name}</text>")
}

fn load_band(out: &mut String, outlook: &Outlook, panel: &Panel) -> std::fmt::Result {
    let middle = |hour: &Hour| x(outlook, hour.from + Span::minutes(30));
    let points = |place: usize| {
        outlook.hours.iter().map(move |hour| format!("{:.1},{:.1}", middle(hour), panel.y(hour.load[place])))
    };
    let mut band: Vec<String> = points(0).collect();
    band.extend(points(2).collect::<Vec<_>>().into_iter().rev());
    writeln!(out, "<polygon points=\"{}\" fill=\"{BAND}\" fill-opacity=\"0.7\"/>", band.join(" "))?;
    let median: Vec<String> = points(1).collect();
    writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{LINE}\" stroke-width=\"1.5\"/>",
        median.join(" ")
    )
}

/// Floors as filled steps, ceilings as dashed ones.
fn bounds(out: &mut String, outlook: &Outlook, panel: &Panel) -> std::fmt::Result {
    for stretch in &outlook.stretches {
        let (left, right) = (x(outlook, stretch.from), x(outlook, stretch.to));
        let floor = stretch.bounds.floor.map_or(Replicas::ZERO, |b| b.replicas).max(outlook.limits.min);
        let y = panel.y(f64::from(floor.min(outlook.limits.max).get()));
        writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{FLOOR}\" \
             fill-opacity=\"0.55\"/>",
            right - left,
            panel.y(0.0) - y
        )?;
        let ceiling = stretch.bounds.ceiling.map(|b| b.replicas.min(outlook.limits.max));
        if let Some(ceiling) = ceiling {
            let y = panel.y(f64::from(ceiling.get()));
            writeln!(
                out,
                "<line x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{CEILING}\" \
                 stroke-width=\"2\" stroke-dasharray=\"6 4\"/>"
            )?;
        }
    }
    Ok(())
}

/// The replicas of each hour as steps; hours at a limit in another colour.
fn expected(out: &mut String, outlook: &Outlook, panel: &Panel) -> std::fmt::Result {
    let steps = outlook.hours.iter().map(|hour| {
        let y = panel.y(f64::from(hour.replicas.get()));
        let (left, right) = (x(outlook, hour.from), x(outlook, hour.from + Span::HOUR));
        format!("{left:.1},{y:.1} {right:.1},{y:.1}")
    });
    let steps: Vec<String> = steps.collect();
    if steps.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{LINE}\" stroke-width=\"1.5\"/>",
        steps.join(" ")
    )?;
    for (from, to, _, allowed) in capped(&outlook.hours, outlook) {
        let y = panel.y(f64::from(allowed.get()));
        let (left, right) = (x(outlook, from), x(outlook, to));
        writeln!(
            out,
            "<line x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{CAPPED}\" \
             stroke-width=\"4\"/>"
        )?;
    }
    Ok(())
}

/// Vertical lines at clock changes, and at the ends of overrides and rules.
fn marks(out: &mut String, outlook: &Outlook, top: f64, bottom: f64) -> std::fmt::Result {
    let marked = ["clock_change", "override_ends", "rule_ends"];
    let events = outlook.events.iter().filter(|e| marked.contains(&e.kind) && e.at < outlook.to);
    for (index, event) in events.enumerate() {
        let at = x(outlook, event.at);
        // Names near the right edge are placed to the left of their line.
        let (anchor, shift) = if at > WIDTH * 0.75 { ("end", -4.0) } else { ("start", 4.0) };
        writeln!(
            out,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top}\" y2=\"{bottom}\" stroke=\"#756bb1\" \
             stroke-width=\"1.5\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" fill=\"#54278f\">{}</text>",
            at + shift,
            top + 14.0 + 14.0 * (index % 4) as f64,
            escaped(&event.text)
        )?;
    }
    Ok(())
}

fn legend(out: &mut String, outlook: &Outlook, y: f64) -> std::fmt::Result {
    let quantile = outlook.hours.first().map_or(0.0, |h| h.quantile.get());
    let band = format!("load, 0.25 to {quantile}");
    let mut entries =
        vec![(FLOOR, "floor"), (CEILING, "ceiling"), (SHADE, "weekend"), (HOLIDAY, "calendar or event")];
    if !outlook.hours.is_empty() {
        entries.extend([(BAND, band.as_str()), (LINE, "median load, expected replicas"), (CAPPED, "capped")]);
    }
    let mut left = LEFT;
    for (colour, name) in entries {
        writeln!(
            out,
            "<rect x=\"{left}\" y=\"{:.1}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{y}\" fill=\"#444\">{}</text>",
            y - 10.0,
            left + 17.0,
            escaped(name)
        )?;
        // About the width of a character at this size.
        left += 40.0 + 6.6 * name.chars().count() as f64;
    }
    Ok(())
}

// === impl Panel ===

impl Panel {
    fn y(&self, value: f64) -> f64 {
        self.top + PANEL * (1.0 - (value / self.most).clamp(0.0, 1.0))
    }
}
