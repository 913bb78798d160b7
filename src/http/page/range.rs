//! The links that choose how far back the pictures look, and whether the page refreshes itself. They work without
//! scripts.

use std::fmt::Write;

use serde::Deserialize;

use super::encoded;
use crate::draw::escaped;
use crate::units::Span;

/// Query parameters of a workload's page.
#[derive(Deserialize, Default)]
pub(in crate::http) struct Look {
    hours: Option<u16>,
    refresh: Option<u16>,
}

/// Hours to choose from.
const RANGES: [(u16, &str); 5] =
    [(6, "6 hours"), (24, "1 day"), (72, "3 days"), (168, "7 days"), (336, "14 days")];
/// Seconds between two refreshes, if requested: KEDA polls at the same interval.
const REFRESH: u16 = 30;
/// The shortest refresh; refreshing more often would only make the server render the same page again.
const LEAST_REFRESH: u16 = 10;

// === impl Look ===

impl Look {
    /// How far back to look.
    pub(in crate::http) fn back(&self) -> Span {
        Span::hours(i64::from(self.hours()))
    }

    /// Seconds until the page refreshes.
    pub(in crate::http) fn refresh(&self) -> Option<u16> {
        self.refresh.map(|seconds| seconds.max(LEAST_REFRESH))
    }

    fn hours(&self) -> u16 {
        let most = RANGES.map(|(hours, _)| hours).into_iter().max().unwrap_or(24);
        self.hours.unwrap_or(24).clamp(1, most)
    }

    /// The links. They point to the pictures, so that the reader keeps their place in the page.
    pub(super) fn write(&self, out: &mut String, metric: &str) -> std::fmt::Result {
        let metric = escaped(&encoded(metric));
        let to = |hours: u16, refresh: Option<u16>| {
            let refresh = refresh.map_or_else(String::new, |seconds| format!("&amp;refresh={seconds}"));
            format!("?metric={metric}&amp;hours={hours}{refresh}#pictures")
        };
        out.push_str("<nav class=\"ranges\" id=\"pictures\" aria-label=\"Time range\"><p>Show the last");
        for (hours, words) in RANGES {
            let current = if hours == self.hours() { " aria-current=\"true\"" } else { "" };
            write!(out, " <a href=\"{}\"{current}>{words}</a>", to(hours, self.refresh()))?;
        }
        match self.refresh() {
            Some(seconds) => writeln!(
                out,
                "</p><p>The page reloads every {seconds} s. <a href=\"{}\">Stop</a></p></nav>",
                to(self.hours(), None)
            ),
            None => writeln!(
                out,
                "</p><p><a href=\"{}\">Reload every {REFRESH} s</a></p></nav>",
                to(self.hours(), Some(REFRESH))
            ),
        }
    }
}
