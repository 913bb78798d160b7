//! The activity stream of `external-push` triggers.
//!
//! It tells KEDA about activation without waiting for its next poll. It never sends `false` because of an error:
//! without a decision it stays silent.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::service::current;
use super::wire::IsActiveResponse;
use super::{DecisionProvider, Served};

/// The answer to `StreamIsActive`.
pub type ActivityStream = ReceiverStream<Result<IsActiveResponse, Status>>;

/// How often `true` is repeated while active: KEDA's own polling interval, so that a lost activation is corrected as
/// fast as by polling.
const REPEAT: Duration = Duration::from_secs(30);

/// Sends the state on open, every change, and `true` again every 30 s. Sends nothing while there is no decision that
/// is new enough. Ends with OK when `shutdown` fires or the stream is `age` old: after an error KEDA would wait
/// longer and longer.
pub(super) fn activity(
    mut served: Served,
    provider: Arc<dyn DecisionProvider>,
    shutdown: CancellationToken,
    age: Duration,
    place: OwnedSemaphorePermit,
) -> ActivityStream {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        let _place = place;
        let mut said = None;
        let end = tokio::time::sleep(age);
        tokio::pin!(end);
        let mut repeat = tokio::time::interval(REPEAT);
        repeat.reset();
        loop {
            served.state.mark_unchanged();
            let active = current(&served, provider.now()).ok().map(|decision| decision.active());
            if active.is_some() && active != said {
                said = active;
                repeat.reset();
                if !say(&sender, active).await {
                    return;
                }
            }
            tokio::select! {
                changed = served.state.changed() => if changed.is_err() { return },
                _ = repeat.tick() => {
                    let active = current(&served, provider.now()).ok().map(|decision| decision.active());
                    if active == Some(true) && said == active && !say(&sender, active).await {
                        return;
                    }
                }
                () = shutdown.cancelled() => return,
                () = &mut end => return,
                () = sender.closed() => return,
            }
        }
    });
    ReceiverStream::new(receiver)
}

async fn say(sender: &mpsc::Sender<Result<IsActiveResponse, Status>>, active: Option<bool>) -> bool {
    match active {
        Some(result) => sender.send(Ok(IsActiveResponse { result })).await.is_ok(),
        None => true,
    }
}
