//! What several integration tests share: programs to run against, and waiting for conditions.

pub mod authority;
pub mod forescale;
pub mod keda;
pub mod load;
pub mod prometheus;
pub mod proxy;
pub mod server;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A path below the project's root.
pub fn root(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every file of a kind below a folder, sorted; none if the folder does not exist.
pub fn files(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == kind) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Polls until there is an answer, and returns how long that took. The short sleep only spaces out the polling; it
/// does not replace the condition.
pub async fn until<T>(
    within: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> (T, Duration) {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return (answer, begun.elapsed());
        }
        assert!(begun.elapsed() < within, "{what}: not within {within:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
