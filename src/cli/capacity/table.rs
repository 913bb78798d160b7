//! Reads a table of observations from a file, and reports all faults at once.
//!
//! Rows may have any instants; an empty field is unknown. Unused columns are ignored.

use std::path::Path;

use crate::capacity::{Column, Evidence};
use crate::source::trace::{self, Faults, TraceError};
use crate::units::Time;

use super::Seen;
use super::asked::Quantity;

/// Columns with a fixed meaning; the latency column depends on the objective.
const COLUMNS: [(&str, Column); 8] = [
    ("load", Column::Load),
    ("replicas", Column::Replicas),
    ("cpu", Column::Cpu),
    ("errors", Column::Errors),
    ("demand", Column::Demand),
    ("backlog", Column::Backlog),
    ("throttled", Column::Throttled),
    ("generation", Column::Generation),
];

/// Reads a table, with the latency asked for, or the first one available.
pub(super) fn read(path: &Path, asked: Option<Quantity>) -> Result<Seen, TraceError> {
    let text = trace::text(path).map_err(|source| TraceError::Read { path: path.to_owned(), source })?;
    parse(&text, asked).map_err(|faults| TraceError::Rows { path: path.to_owned(), faults })
}

fn parse(text: &str, asked: Option<Quantity>) -> Result<Seen, Faults> {
    let mut faults = Faults::default();
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let head: Vec<String> = match reader.headers() {
        Ok(head) => head.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect(),
        Err(error) => {
            faults.add(1, &error.to_string(), "a header");
            return Err(faults);
        }
    };
    let place = |name: &str| head.iter().position(|known| known == name);
    for needed in ["timestamp", "load", "replicas"] {
        if place(needed).is_none() {
            let expected = format!("a header with timestamp,load,replicas ({needed} is missing)");
            faults.add(1, &format!("'{}'", head.join(",")), &expected);
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let latency = match asked {
        Some(Quantity::Errors) => None,
        Some(quantity) => Some(quantity).filter(|quantity| place(&quantity.column()).is_some()),
        None => Quantity::LATENCIES.into_iter().find(|quantity| place(&quantity.column()).is_some()),
    };
    let mut columns: Vec<(usize, Column)> =
        COLUMNS.iter().filter_map(|(name, column)| Some((place(name)?, *column))).collect();
    columns.extend(latency.and_then(|quantity| Some((place(&quantity.column())?, Column::Latency))));
    let mut rows = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                rows.extend(row(&record, &head, &columns, line, &mut faults));
            }
            Err(error) => {
                faults.add(
                    error.position().map_or(0, csv::Position::line),
                    &error.to_string(),
                    "a row of text",
                );
            }
        }
    }
    if rows.is_empty() && faults.is_empty() {
        faults.add(2, "no rows", "at least one");
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let missing = asked.filter(|quantity| place(&quantity.column()).is_none());
    let missing =
        missing.map(|quantity| format!("the column {}, which --objective asks for", quantity.column()));
    Ok(Seen {
        evidence: Evidence::of_rows(rows),
        request: None,
        latency,
        missing: missing.into_iter().collect(),
    })
}

/// One row; `None` if it has a fault.
fn row(
    record: &csv::StringRecord,
    head: &[String],
    columns: &[(usize, Column)],
    line: u64,
    faults: &mut Faults,
) -> Option<(Time, Vec<(Column, f64)>)> {
    if record.len() != head.len() {
        faults.add(line, &format!("{} fields", record.len()), "as many as the header has");
        return None;
    }
    let field = |place: usize| record.get(place).unwrap_or("");
    let at = head.iter().position(|name| name == "timestamp").map_or("", field);
    let at = match trace::instant(at) {
        Ok(at) => at,
        Err((found, expected)) => {
            faults.add(line, &format!("'{found}'"), expected);
            return None;
        }
    };
    let mut cells = Vec::with_capacity(columns.len());
    for &(place, column) in columns {
        let text = field(place);
        match trace::number(text) {
            Some(value) => cells.push((column, value)),
            None if text.is_empty() => {}
            None => {
                faults.add(line, &format!("'{text}'"), "a number, or nothing for what is not known");
                return None;
            }
        }
    }
    Some((at, cells))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latency_that_is_asked_for_is_read() {
        let text = "timestamp,load,replicas,latency_p95,latency_mean,mood\n\
                    2026-01-01T00:00:00Z,10,2,0.5,0.1,good\n2026-01-01T00:00:51Z,12,2,,0.2,\n";
        let latency = |asked| {
            let seen = parse(text, asked).unwrap_or_else(|faults| panic!("{faults}"));
            let read = [seen.evidence.get(0, Column::Latency), seen.evidence.get(1, Column::Latency)];
            (read, seen.missing.len())
        };
        assert_eq!(latency(None), ([Some(0.5), None], 0));
        assert_eq!(latency(Some(Quantity::Mean)), ([Some(0.1), Some(0.2)], 0));
        assert_eq!(latency(Some(Quantity::P99)), ([None, None], 1));
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let told = |text: &str| parse(text, None).map(|_| ()).expect_err("faulty").to_string();
        let head = told("time,load\n");
        assert!(head.contains("timestamp is missing") && head.contains("replicas is missing"), "{head}");
        let rows = told("timestamp,load,replicas\nnow,1,1\n0,many,1\n60,1\n");
        for fault in ["line 2: found 'now'", "line 3: found 'many'", "line 4: found 2 fields"] {
            assert!(rows.contains(fault), "{fault} in {rows}");
        }
        assert!(told("timestamp,load,replicas\n").contains("no rows"));
    }
}
