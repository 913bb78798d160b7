//! The keys that are checked, and where they stand.

use std::collections::HashMap;

use chrono_tz::Tz;

use crate::policy::Keys;
use crate::source::yaml::{Node, Place};

/// Keys and the mapping that contains them.
pub(super) struct Subject<'a> {
    /// The mapping whose lines are reported.
    pub node: &'a Node,
    /// The place to report for a missing key.
    pub at: Place,
    /// The keys as texts.
    pub metadata: HashMap<String, String>,
    /// Whether other keys may come from an unknown policy, or from the trigger that names this policy.
    pub is_partial: bool,
    /// The paths of keys that were reported as secrets already.
    pub reported: Vec<String>,
}

/// The time zone of the keys; UTC if it is missing or invalid.
pub(super) fn zone_of(keys: &Keys) -> Tz {
    keys.values.get("timezone").and_then(|t| t.trim().parse().ok()).unwrap_or(Tz::UTC)
}
