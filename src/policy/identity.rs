//! Identifies the trigger of a ScaledObject to which a policy belongs: the one name that every edge uses.
//!
//! Its parts are valid Kubernetes names, so they can appear unescaped in a query, a label, a path or a log line, and
//! their length is bounded.

use std::fmt;

use super::Fault;
use super::fault::Faults;
use super::keys::{LABEL, is_label};

/// One trigger of one ScaledObject, as KEDA identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadId {
    namespace: String,
    name: String,
    metric: String,
}

// === impl WorkloadId ===

impl WorkloadId {
    /// An identity from the namespace and the name of a ScaledObject and the name of a metric.
    ///
    /// # Errors
    /// Everything that Kubernetes would refuse: a namespace must be an RFC 1123 label, a name must have the
    /// characters and the length of an RFC 1123 subdomain.
    pub fn new(namespace: &str, name: &str, metric: &str) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        let mut check = |key: &str, text: &str, is_fine: bool, expected: &str| {
            if !is_fine {
                faults.push(Fault::new(key, text, expected));
            }
        };
        check("namespace", namespace, is_label(namespace), LABEL);
        check("name", name, is_object_name(name), "1 to 253 characters of a-z, 0-9, - and .");
        check("metricName", metric, is_label(metric), LABEL);
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        Ok(WorkloadId { namespace: namespace.to_owned(), name: name.to_owned(), metric: metric.to_owned() })
    }

    /// Namespace of the ScaledObject.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Name of the ScaledObject.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name of the metric, without KEDA's `s0-` prefix.
    pub fn metric(&self) -> &str {
        &self.metric
    }
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.name, self.metric)
    }
}

/// Whether Kubernetes would accept it as the name of an object, by its characters and length.
pub(super) fn is_object_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    (1..=253).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_is_no_identity_and_all_of_it_is_said() {
        assert!(WorkloadId::new("shop", &"web.eu".repeat(42), "forescale").is_ok());
        for name in
            ["", "Web", "web\"} or vector(1)", "../../etc/passwd", "a\n# EOF", "w_1", &"x".repeat(254)]
        {
            assert!(WorkloadId::new("shop", name, "forescale").is_err(), "{name}");
        }
        let faults = WorkloadId::new("a.b", "", "Load").expect_err("three faults");
        let keys: Vec<_> = faults.0.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, ["namespace", "name", "metricName"]);
    }
}
