//! The project's own rules that no compiler checks: which module may import which, sizes, and what code must not
//! contain.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{self, root};

/// The pure core; each module imports only modules before it in this list.
const CORE: [&str; 8] = ["units", "history", "capacity", "forecast", "policy", "plan", "decide", "simulate"];
/// The edges, and the edges they may import. They meet in `serve` and `cli`.
const EDGES: [(&str, &[&str]); 7] = [
    ("draw", &[]),
    ("source", &[]),
    // Parses texts with the same readers as the server.
    ("lint", &["source"]),
    ("keda", &[]),
    ("http", &["draw"]),
    ("serve", &["source", "keda", "http"]),
    ("cli", &["draw", "source", "lint", "keda", "http", "serve"]),
];
/// What the core must not contain: runtimes, wire formats, sockets, clocks.
const NOT_IN_THE_CORE: [&str; 9] =
    ["tokio", "tonic", "serde", "reqwest", "std::net", "std::fs", "SystemTime", "Instant::now", "println!"];
const MOST_LINES: usize = 500;
const MOST_FUNCTION_LINES: usize = 70;
const MOST_COLUMNS: usize = 110;

/// Every file of a kind below a folder: its path from the root, and its text.
fn files(folder: &str, kind: &str) -> BTreeMap<String, String> {
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root("")).expect("below the root").display().to_string();
        (name, fs::read_to_string(&path).expect("UTF-8"))
    };
    support::files(&root(folder), kind).into_iter().map(named).collect()
}

/// The module of a file: `src/policy/keys.rs` belongs to `policy`.
fn module(file: &str) -> &str {
    let rest = file.strip_prefix("src/").unwrap_or(file);
    rest.split(['/', '.']).next().unwrap_or(rest)
}

/// The lines before the tests of a file, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().take_while(|(_, line)| *line != "#[cfg(test)]");
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(i, line)| (i + 1, line))
}

/// Whether a file is built only for tests: by its name, or because its parent says so.
fn is_test(file: &str) -> bool {
    let path = Path::new(file);
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let parent = path.parent().map(|folder| root(folder).with_extension("rs"));
    let parent = parent.and_then(|parent| fs::read_to_string(parent).ok()).unwrap_or_default();
    file.contains("/tests/") || parent.contains(&format!("#[cfg(test)]\nmod {name};"))
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn modules_import_only_what_stands_before_them() {
    let mut faults = Vec::new();
    for (file, text) in files("src", "rs").iter().filter(|(file, _)| !is_test(file)) {
        let own = module(file);
        let mut allowed: BTreeSet<&str> = BTreeSet::from([own]);
        match CORE.iter().position(|m| *m == own) {
            Some(at) => allowed.extend(&CORE[..at]),
            None => allowed.extend(CORE),
        }
        let edges = EDGES.iter().find(|(edge, _)| *edge == own);
        allowed.extend(edges.map_or(&[][..], |(_, others)| others));
        for (line, text) in code(text) {
            for import in text.split("crate::").skip(1) {
                let name: String =
                    import.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                if !allowed.contains(name.as_str()) {
                    faults.push(format!("{file}:{line}: {own} imports {name}"));
                }
            }
            // A sibling module reached through `super` from the top of a module is an import, too.
            if Path::new(file).components().count() == 2 && text.contains("super::") {
                faults.push(format!("{file}:{line}: write crate:: for another module"));
            }
        }
    }
    none(&faults);
}

#[test]
fn the_core_has_no_runtime_no_wire_form_and_no_clock() {
    let mut faults = Vec::new();
    for (file, text) in
        files("src", "rs").iter().filter(|(file, _)| CORE.contains(&module(file)) && !is_test(file))
    {
        for (line, text) in code(text) {
            faults.extend(
                NOT_IN_THE_CORE
                    .iter()
                    .filter(|word| text.contains(*word))
                    .map(|word| format!("{file}:{line}: {word}")),
            );
        }
    }
    none(&faults);
}

/// The packages that the product owner has required; `ndarray` counts once it is declared.
const NAMED: [&str; 10] = [
    "tonic",
    "prost",
    "tokio",
    "augurs",
    "ndarray",
    "prometheus_http_query",
    "serde",
    "chrono",
    "chrono_tz",
    "tracing",
];

#[test]
fn the_named_packages_carry_a_part_of_the_product() {
    let manifest = fs::read_to_string(root("Cargo.toml")).expect("a manifest");
    let mut sources = files("src", "rs");
    // The messages of the gRPC contract, which `keda` includes.
    sources.extend(files("proto", "rs"));
    let is_used = |package: &str| {
        let path = format!("{package}::");
        let product = sources.iter().filter(|(file, _)| !is_test(file));
        let mut lines = product.flat_map(|(_, text)| code(text));
        lines.any(|(_, line)| line.contains(&path))
    };
    let missing = NAMED.into_iter().filter(|p| *p != "ndarray" || manifest.contains("\nndarray = "));
    let missing: Vec<String> = missing.filter(|package| !is_used(package)).map(str::to_owned).collect();
    none(&missing);
}

#[test]
fn files_say_what_they_are_and_stay_small() {
    let mut faults = Vec::new();
    let mut all = files("src", "rs");
    all.extend(files("tests", "rs"));
    for (file, text) in &all {
        if !text.starts_with("//!") && !text.starts_with("#![doc") {
            faults.push(format!("{file}: no //! at its head"));
        }
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if lines > MOST_LINES {
            faults.push(format!("{file}: {lines} lines, expected at most {MOST_LINES}"));
        }
        for (i, line) in text.lines().enumerate() {
            // A line with a link cannot be wrapped.
            if line.chars().count() > MOST_COLUMNS + 12 && !line.contains("://") {
                faults.push(format!("{file}:{}: {} columns", i + 1, line.chars().count()));
            }
        }
        faults.extend(long_functions(text).map(|at| format!("{file}:{at}")));
        if file.ends_with("/mod.rs") {
            faults.push(format!("{file}: name it after its module"));
        }
    }
    none(&faults);
}

/// Functions of more lines than a screen, not counting comments and blank lines.
fn long_functions(text: &str) -> impl Iterator<Item = String> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = (0..lines.len()).filter(|&i| {
        let line = lines[i].trim_start();
        [
            "fn ",
            "pub fn ",
            "async fn ",
            "pub async fn ",
            "pub(super) fn ",
            "pub(crate) fn ",
            "pub(super) async fn ",
        ]
        .iter()
        .any(|head| line.starts_with(head))
    });
    let mut found = Vec::new();
    for start in starts {
        let indent = lines[start].len() - lines[start].trim_start().len();
        let end = format!("{}}}", " ".repeat(indent));
        let body = lines[start..].iter().take_while(|line| **line != end);
        let count = body.filter(|l| !l.trim().is_empty() && !l.trim_start().starts_with("//")).count();
        // Trait method signatures have no body and no closing line.
        let has_body =
            lines[start..].iter().find(|l| l.ends_with('{') || l.ends_with(';') || l.ends_with('}'));
        if count > MOST_FUNCTION_LINES && has_body.is_some_and(|l| l.ends_with('{')) {
            found.push(format!("{}: a function of {count} lines", start + 1));
        }
    }
    found.into_iter()
}

#[test]
fn nothing_is_left_undone_or_left_out() {
    let mut faults = Vec::new();
    let mut all = files("src", "rs");
    all.extend(files("tests", "rs"));
    // Split, so that this file does not match itself.
    let words = [
        concat!("#[", "ignore"),
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("db", "g!("),
    ];
    for (file, text) in &all {
        for (i, line) in text.lines().enumerate() {
            faults
                .extend(words.iter().filter(|w| line.contains(*w)).map(|w| format!("{file}:{}: {w}", i + 1)));
        }
    }
    none(&faults);
}

#[test]
fn every_file_is_part_of_the_crate() {
    let all = files("src", "rs");
    let mut faults = Vec::new();
    for file in all.keys().filter(|f| !["src/lib.rs", "src/main.rs"].contains(&f.as_str())) {
        let path = Path::new(file);
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let folder = path.parent().expect("a folder").display().to_string();
        let parent = if folder == "src" { "src/lib.rs".to_owned() } else { format!("{folder}.rs") };
        let declared = all.get(&parent).is_some_and(|text| {
            text.lines().any(|line| line.trim_start().ends_with(&format!("mod {name};")))
        });
        if !declared {
            faults.push(format!("{file}: {parent} does not declare it"));
        }
    }
    none(&faults);
}

#[test]
fn tracked_files_name_no_machine_and_no_second_toolchain() {
    let manifest = fs::read_to_string(root("Cargo.toml")).expect("a manifest");
    assert!(manifest.contains("\nrust-version = \""), "the least toolchain is stated");
    let listed = Command::new("git").args(["ls-files"]).current_dir(root("")).output();
    let Some(listed) = listed.ok().filter(|out| out.status.success()) else {
        println!("no git checkout: tracked files are not known");
        return;
    };
    let places =
        [concat!("/wo", "rk/"), concat!("/tmp", "/wt"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut faults = Vec::new();
    for file in String::from_utf8_lossy(&listed.stdout).lines() {
        // Recordings and pictures are not text; a file may be deleted but not committed yet.
        let Ok(text) = fs::read_to_string(root(file)) else { continue };
        faults.extend(
            places.iter().filter(|place| text.contains(**place)).map(|place| format!("{file}: {place}")),
        );
    }
    none(&faults);
}
