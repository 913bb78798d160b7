//! Values that are used but never shown: tokens, passwords, header values.
//!
//! A secret in a file is read again at each use, so that a rotated secret takes effect without a restart. Nothing
//! here prints, serialises or compares a secret, and no error contains one.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most bytes read of a secret file: a wrong path must not fill the memory.
const MAX_BYTES: u64 = 64 * 1024;

/// A text that is never printed.
#[derive(Clone)]
pub struct Secret(String);

/// Where a secret comes from.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// In the configuration itself, usually through `${ENV}`.
    Inline(Secret),
    /// In a file, read at each use.
    File(PathBuf),
}

// === impl Secret ===

impl Secret {
    /// Wraps a text so that it is no longer shown.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` with each occurrence of this secret replaced, since a server may echo what it was sent.
    pub fn hide_in(&self, text: &str) -> String {
        // Replacing one or two characters would garble the text and hide nothing.
        if self.0.len() < 3 { text.to_owned() } else { text.replace(&self.0, "***") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

// === impl SecretSource ===

impl SecretSource {
    /// The secret as it is now; if it cannot be read, the reason without its content.
    pub fn read(&self) -> Result<Secret, String> {
        match self {
            SecretSource::Inline(secret) => Ok(secret.clone()),
            SecretSource::File(path) => {
                let bytes = read_small(path)?;
                let text =
                    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))?;
                // Editors and `echo` end a file with a line break that is no part of the secret.
                let text = text.trim_end_matches(['\n', '\r']);
                if text.is_empty() {
                    return Err(format!("{} is empty", path.display()));
                }
                Ok(Secret::new(text))
            }
        }
    }
}

/// The bytes of a credentials file; more than 64 KiB are refused.
pub(crate) fn read_small(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| format!("{}: {e}", path.display()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("{} is larger than {MAX_BYTES} bytes", path.display()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret} {secret:?} {:?}", SecretSource::Inline(secret.clone())),
            "*** *** Inline(***)"
        );
        assert_eq!(secret.hide_in("Bearer hunter2 refused"), "Bearer *** refused");
    }

    #[test]
    fn a_file_is_read_again_at_each_use() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("token");
        let source = SecretSource::File(path.clone());
        assert!(source.read().is_err_and(|e| e.contains("token")));
        std::fs::write(&path, "first\n").expect("written");
        assert_eq!(source.read().expect("readable").reveal(), "first");
        std::fs::write(&path, "second").expect("written");
        assert_eq!(source.read().expect("readable").reveal(), "second");
        std::fs::write(&path, "\n").expect("written");
        assert!(source.read().is_err_and(|e| e.contains("empty")));
        std::fs::write(&path, "x".repeat(70_000)).expect("written");
        assert!(source.read().is_err_and(|e| e.contains("larger") && !e.contains("xxx")));
    }
}
