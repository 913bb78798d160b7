//! The finding of a check: fine, worth a look, broken, or not visible.

/// One link of the chain.
pub(super) struct Check {
    pub name: &'static str,
    /// The question it answers.
    pub asks: &'static str,
    pub finding: Finding,
}

/// The state of a link.
pub(super) enum Finding {
    Ok(String),
    Warn(Trouble),
    Fail(Trouble),
    /// It cannot be observed, and why.
    Skipped(String),
}

/// What is wrong.
pub(super) struct Trouble {
    pub found: String,
    pub expected: String,
    pub advice: String,
}

pub(super) fn ok(found: impl Into<String>) -> Finding {
    Finding::Ok(found.into())
}

pub(super) fn skipped(why: impl Into<String>) -> Finding {
    Finding::Skipped(why.into())
}

pub(super) fn warn(
    found: impl Into<String>,
    expected: impl Into<String>,
    advice: impl Into<String>,
) -> Finding {
    Finding::Warn(Trouble { found: found.into(), expected: expected.into(), advice: advice.into() })
}

pub(super) fn fail(
    found: impl Into<String>,
    expected: impl Into<String>,
    advice: impl Into<String>,
) -> Finding {
    Finding::Fail(Trouble { found: found.into(), expected: expected.into(), advice: advice.into() })
}

// === impl Finding ===

impl Finding {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Finding::Ok(_) => "ok",
            Finding::Warn(_) => "warn",
            Finding::Fail(_) => "fail",
            Finding::Skipped(_) => "skipped",
        }
    }

    pub(super) fn found(&self) -> &str {
        match self {
            Finding::Ok(found) | Finding::Skipped(found) => found,
            Finding::Warn(trouble) | Finding::Fail(trouble) => &trouble.found,
        }
    }

    pub(super) fn trouble(&self) -> Option<&Trouble> {
        match self {
            Finding::Warn(trouble) | Finding::Fail(trouble) => Some(trouble),
            _ => None,
        }
    }
}
