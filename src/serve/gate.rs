//! So many at a time, and those that somebody waits for first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// A gate with places and two queues before it.
pub(super) struct Gate(Mutex<Queues>);

struct Queues {
    free: usize,
    urgent: VecDeque<oneshot::Sender<Place>>,
    patient: VecDeque<oneshot::Sender<Place>>,
}

/// A place behind the gate, given to the next in turn when it is dropped.
pub(super) struct Place(Option<Arc<Gate>>);

// === impl Gate ===

impl Gate {
    pub(super) fn new(places: usize) -> Arc<Self> {
        let queues = Queues { free: places.max(1), urgent: VecDeque::new(), patient: VecDeque::new() };
        Arc::new(Gate(Mutex::new(queues)))
    }

    /// Waits for a place; who is urgent is let in before all who are not.
    pub(super) async fn enter(self: &Arc<Self>, is_urgent: bool) -> Place {
        let receiver = {
            let mut queues = self.lock();
            if queues.free > 0 {
                queues.free -= 1;
                return Place(Some(Arc::clone(self)));
            }
            let (sender, receiver) = oneshot::channel();
            if is_urgent { &mut queues.urgent } else { &mut queues.patient }.push_back(sender);
            receiver
        };
        // The sender is dropped with the gate only, which this call holds.
        receiver.await.unwrap_or(Place(None))
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(gate) = self.0.take() else { return };
        loop {
            let next = {
                let mut queues = gate.lock();
                let next = queues.urgent.pop_front().or_else(|| queues.patient.pop_front());
                if next.is_none() {
                    queues.free += 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.send(Place(Some(Arc::clone(&gate)))) {
                Ok(()) => return,
                // Who waited has gone; its place must not be given back by its own drop, which would recurse.
                Err(mut unused) => unused.0 = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_urgent_go_first_and_whoever_gave_up_holds_no_place() {
        let gate = Gate::new(1);
        let first = gate.enter(false).await;
        let (said, mut order) = tokio::sync::mpsc::unbounded_channel();
        let enter = |name: &'static str, is_urgent: bool| {
            let (gate, said) = (Arc::clone(&gate), said.clone());
            tokio::spawn(async move {
                let _place = gate.enter(is_urgent).await;
                said.send(name).expect("heard");
            })
        };
        let waiting = |urgent: usize, patient: usize| {
            let queues = gate.lock();
            (queues.urgent.len(), queues.patient.len()) == (urgent, patient)
        };
        for (name, is_urgent, queued) in
            [("gave up", true, (1, 0)), ("patient", false, (1, 1)), ("urgent", true, (2, 1))]
        {
            let task = enter(name, is_urgent);
            while !waiting(queued.0, queued.1) {
                tokio::task::yield_now().await;
            }
            if name == "gave up" {
                task.abort();
                task.await.expect_err("aborted");
            }
        }
        drop(first);
        assert_eq!([order.recv().await, order.recv().await], [Some("urgent"), Some("patient")]);
        let again = gate.enter(false).await;
        assert_eq!(gate.lock().free, 0);
        drop(again);
        assert_eq!(gate.lock().free, 1);
    }
}
