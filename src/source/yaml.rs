//! The only place that parses YAML.
//!
//! Errors carry line and column but never an excerpt of the text, which may hold a password. Duplicate keys are
//! refused; the parser limits aliases and depth.

mod marked;
mod place;

use serde::de::DeserializeOwned;

pub use marked::{Content, Entry, Node, documents};
pub use place::{Place, key_of, locate};

/// Parses one YAML document; the message names line and column of the first fault.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let mut options = serde_saphyr::Options::default();
    options.with_snippet = false;
    serde_saphyr::from_str_with_options(text, options).map_err(|e| e.to_string().replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_their_place_and_show_no_content() {
        let fault = from_str::<serde_json::Value>("a: 1\nb: {c: hunter2\n").expect_err("broken off");
        assert!(fault.contains("line") && !fault.contains("hunter2"), "{fault}");
        let fault =
            from_str::<serde_json::Value>("a: hunter2\na: hunter3\n").expect_err("twice the same key");
        assert!(fault.contains("line") && !fault.contains("hunter"), "{fault}");
    }

    #[test]
    fn times_and_numbers_keep_their_text_where_quoted() {
        let value: serde_json::Value = from_str("a: '09:00'\nb: 30s\nc: 0x10\nd: yes\n").expect("valid");
        assert_eq!(value["a"], "09:00");
        assert_eq!(value["b"], "30s");
    }
}
