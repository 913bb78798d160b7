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

use super::wire::IsActiveResponse;
use super::{DecisionProvider, Served};
use crate::decide::Decision;
use crate::units::Time;

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

/// The newest decision, if there is one that is not too old.
pub(super) fn current(served: &Served, now: Time) -> Result<Arc<Decision>, Status> {
    let state = served.state.borrow().clone();
    let decision = state.map_err(|blind| Status::unavailable(blind.to_string()))?;
    let age = now.since(decision.at);
    if age <= served.most_age {
        return Ok(decision);
    }
    Err(Status::unavailable(format!(
        "the newest decision is {age} old; KEDA gets none that is older than {}",
        served.most_age
    )))
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;
    use tonic::Code;

    use super::*;
    use crate::decide::{Prepared, decide};
    use crate::history::Observations;
    use crate::policy::{Keys, Policy};
    use crate::units::Span;

    #[test]
    fn a_decision_is_answered_with_for_so_long_and_then_refused_with_its_age() {
        let keys =
            [("start", "0 9 * * *"), ("end", "0 18 * * *"), ("timezone", "UTC"), ("desiredReplicas", "2")];
        let values = keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let policy = Policy::from_keys(&Keys { values, ..Keys::default() }).expect("valid");
        let at = Time::parse("2026-11-24T12:00:00Z").expect("valid");
        let nothing = Observations::none(0, at);
        let decision = decide(&Prepared::pending(&policy, at), &nothing, &policy, at).expect("by the clock");
        let (_sender, state) = watch::channel(Ok(Arc::new(decision)));
        let served = Served { state, most_age: Span::MINUTE };
        for (seconds, is_current) in [(0, true), (60, true), (61, false), (7_200, false)] {
            let answer = current(&served, at + Span::seconds(seconds));
            assert_eq!(answer.is_ok(), is_current, "{seconds} s");
        }
        let status = current(&served, at + Span::seconds(75)).expect_err("too old");
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("1m15s old"), "{status}");
    }
}
