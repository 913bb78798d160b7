//! What several integration tests need: programs to run against, and waiting for conditions.

pub mod authority;
pub mod forescale;
pub mod keda;
pub mod load;
pub mod prometheus;
pub mod proxy;
pub mod server;

use std::time::{Duration, Instant};

/// Asks until the answer is there, and tells how long that took. The wait between two questions is no wait in place
/// of one.
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
