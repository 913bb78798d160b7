//! The pages that people read: no link is broken, the README stays short, and the library's examples run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{files, root};

#[path = "../examples/decide.rs"]
mod decide;
#[path = "../examples/forecast.rs"]
mod forecast;
#[path = "../examples/twin.rs"]
mod twin;

/// The pages at the top level, and those of the folders that people read.
fn pages() -> Vec<PathBuf> {
    let top = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(root);
    let below = [".github", "deploy", "models", "src", "tests/cluster"];
    top.into_iter().chain(below.into_iter().flat_map(|folder| files(&root(folder), "md"))).collect()
}

/// A page without its code blocks, in which brackets are not links.
fn prose(page: &str) -> String {
    let mut fenced = false;
    let lines = page.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !is_fence && !fenced && !line.starts_with("    ")
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The targets of a page's links and pictures, in the forms `[text](target)` and `[text]: target`.
fn targets(page: &str) -> Vec<String> {
    let text = prose(page);
    let inline = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '\n']).next());
    let named =
        text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: ")).map(|(_, target)| target);
    inline.chain(named).map(ToOwned::to_owned).collect()
}

/// The anchors of a page's headings, as forges and mdBook generate them.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let text = line.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

fn is_outside(target: &str) -> bool {
    // The changelog's links are resolved by the forge that shows it.
    target.contains("://")
        || target.starts_with("mailto:")
        || target.starts_with("../../compare/")
        || target.starts_with("../../releases/")
}

/// What is wrong with one link of a page.
fn fault(page: &Path, target: &str) -> Option<String> {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { page.to_owned() } else { page.parent()?.join(file) };
    let told = |why: &str| Some(format!("{}: {target}: {why}", page.display()));
    if !path.exists() {
        return told("there is no such file");
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    let is_known = anchor.is_empty() || anchors(&text).iter().any(|known| known == anchor);
    if is_known { None } else { told("there is no such heading") }
}

#[test]
fn no_link_of_a_page_leads_nowhere() {
    let mut count = 0;
    let mut faults = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("UTF-8");
        for target in targets(&text).iter().filter(|target| !is_outside(target)) {
            count += 1;
            faults.extend(fault(&page, target));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(count > 60, "only {count} links");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let readme = root("README.md");
    assert!(fault(&readme, "deploy/nothing.md").is_some());
    assert!(fault(&readme, "deploy/README.md#nothing").is_some());
    assert_eq!(fault(&readme, "SECURITY.md#what-is-protected-and-from-whom"), None);
}

#[test]
fn the_readme_stays_short_and_has_the_figures_in_one_place() {
    let readme = fs::read_to_string(root("README.md")).expect("UTF-8");
    assert!(readme.lines().count() <= 150, "{} lines", readme.lines().count());
    assert_eq!(readme.matches("ANCHOR: figures").count(), 1, "the book takes the figures from there");
}

#[test]
fn the_librarys_examples_run() {
    forecast::main().expect("the example forecasts");
    decide::main().expect("the example decides");
    twin::main().expect("the example runs its twin");
}
