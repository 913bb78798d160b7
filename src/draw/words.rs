//! Formats numbers, instants and text for the pages.

use chrono::TimeZone;
use chrono_tz::Tz;

use crate::units::Time;

/// Escapes text for HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Opens a region that scrolls on its own: with a name, and in the order of the Tab key, so that the keyboard reaches
/// what is out of sight. It ends with `</div>`.
pub fn scroller(label: &str) -> String {
    format!("<div class=\"scroll\" role=\"region\" aria-label=\"{}\" tabindex=\"0\">", escaped(label))
}

/// A number rounded to about three significant digits.
pub fn number(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        s if s >= 1e9 => return format!("{:.1}G", value / 1e9),
        s if s >= 1e6 => return format!("{:.1}M", value / 1e6),
        s if s >= 10_000.0 => return format!("{:.0}k", value / 1e3),
        s if s >= 100.0 => return format!("{value:.0}"),
        s if s >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// An instant to the minute, on the wall clock of a time zone.
pub fn day(zone: Tz, at: Time) -> String {
    let local = zone.from_utc_datetime(&at.to_utc().naive_utc());
    format!("{} {zone}", local.format("%a %-d %b %Y, %H:%M"))
}

/// An instant, for ranges of a few days.
pub fn moment(at: Time) -> String {
    at.to_utc().format("%a %-d %b, %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (value, text) in [
            (0.0, "0"),
            (1.25, "1.25"),
            (99.96, "100"),
            (123.4, "123"),
            (45_678.0, "46k"),
            (1.5e6, "1.5M"),
            (10.0, "10"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(escaped("<a b=\"&\">"), "&lt;a b=&quot;&amp;&quot;&gt;");
    }
}
