//! The scenarios in `tests/scenarios`: a policy, a load and what goes wrong, with the decisions that must follow.
//!
//! Each file runs through the same code as in the server. `UPDATE=1` replaces the expected decisions by the actual
//! ones; `SCENARIO=part-of-a-name` selects files. `tests/scenarios/README.md` describes the grammar.

mod notation;
mod report;
mod script;
mod world;

use std::path::{Path, PathBuf};

use script::Script;

use crate::support;

#[test]
fn every_scenario_ends_as_it_is_written() {
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let updating = std::env::var("UPDATE").is_ok_and(|v| v == "1");
    let files = files();
    let chosen: Vec<_> = files.iter().filter(|f| f.to_string_lossy().contains(&only)).collect();
    assert!(!chosen.is_empty(), "no scenario is named like '{only}'");
    let broken: Vec<String> = chosen.iter().filter_map(|file| run(file, updating).err()).collect();
    println!("{} scenarios", chosen.len());
    assert!(broken.is_empty(), "{} of {}:\n\n{}", broken.len(), chosen.len(), broken.join("\n\n"));
}

/// The differences between the file and the actual decisions.
fn run(file: &Path, updating: bool) -> Result<(), String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let text = std::fs::read_to_string(file).map_err(|e| format!("{name}: {e}"))?;
    let script = Script::parse(&text).map_err(|e| format!("{name}: {e}"))?;
    let got = world::play(&script).map_err(|e| format!("{name}: {e}"))?;
    if got == text {
        return Ok(());
    }
    if updating {
        return std::fs::write(file, &got).map_err(|e| format!("{name}: {e}"));
    }
    Err(format!("{name}: (- written, + decided)\n{}", differences(&text, &got)))
}

/// The lines that differ. Expectations are rewritten in place, so most lines keep their order.
fn differences(written: &str, decided: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (written.lines().collect(), decided.lines().collect());
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("  - {}", line.trim_start()));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("  + {}", line.trim_start()));
    gone.chain(come).collect::<Vec<_>>().join("\n")
}

fn files() -> Vec<PathBuf> {
    support::files(&support::root("tests/scenarios"), "txt")
}
