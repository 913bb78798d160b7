#![allow(missing_docs, clippy::disallowed_methods)]
use std::sync::OnceLock;
pub fn knob(name: &'static str, default: f64) -> f64 {
    static ALL: OnceLock<std::collections::HashMap<String, f64>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        std::env::vars().filter(|(k, _)| k.starts_with("K_")).filter_map(|(k, v)| Some((k, v.parse().ok()?))).collect()
    });
    all.get(name).copied().unwrap_or(default)
}
