//! Runs every strategy over every workload, at its own setting and over a sweep of its insurance.
//!
//! Two threads share the work, strategy by strategy; results are passed on as soon as they are finished. The order of
//! results does not depend on which thread was faster.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::entry::{Entrant, Entry};
use super::files::Files;
use super::progress::Progress;
use super::workload::{Outcome, Workload};
use crate::cli::runtime;
use crate::plan::{Insured, PENALTIES};
use crate::policy::{Mode, Policy};
use crate::simulate::{
    ConfigError, Frontier, MATCHED_TAU_U, Point, Run, Simple, ran, run, run_forescale, sweep,
};

/// The strategies and workloads to run.
pub(super) struct Contest {
    entrants: Vec<Entrant>,
    sweeps: bool,
    interrupted: Arc<AtomicBool>,
}

/// The number of threads that share the work.
const THREADS: usize = 2;

// === impl Contest ===

impl Contest {
    pub(super) fn new(entrants: Vec<Entrant>, sweeps: bool) -> Self {
        Contest { entrants, sweeps, interrupted: Arc::default() }
    }

    /// Whether it was interrupted before everything was done.
    pub(super) fn was_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Runs every strategy over every workload; writes results as soon as they are finished.
    pub(super) fn run<'a>(
        &self,
        workloads: &'a [Workload],
        files: &Files,
    ) -> anyhow::Result<Vec<Outcome<'a>>> {
        let tasks: Vec<(usize, Entrant)> = workloads
            .iter()
            .enumerate()
            .flat_map(|(i, w)| {
                let actual = w.actual.iter().map(|_| Entrant::Actual);
                self.entrants.iter().copied().chain(actual).map(move |entrant| (i, entrant))
            })
            .collect();
        let progress = Progress::new(tasks.len());
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(usize, Entry)>> = Mutex::default();
        let work = || -> anyhow::Result<()> {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(&(i, entrant)) = tasks.get(place).filter(|_| !self.was_interrupted()) else {
                    return Ok(());
                };
                let Some(workload) = workloads.get(i) else { return Ok(()) };
                let entry = self.enter(workload, entrant)?;
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.push((place, entry));
                self.hand_on(workload, i, &tasks, &mut done, files)?;
                progress.finished(&workload.name);
            }
        };
        watch(&self.interrupted);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(_) => Err(anyhow::anyhow!("a worker failed")),
            })
        })?;
        progress.end();
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|entry| entry.0);
        let mut outcomes: Vec<Outcome<'a>> =
            workloads.iter().map(|workload| Outcome { workload, entries: Vec::new() }).collect();
        for (place, entry) in done {
            if let Some(outcome) = tasks.get(place).and_then(|task| outcomes.get_mut(task.0)) {
                outcome.entries.push(entry);
            }
        }
        outcomes.retain(|outcome| !outcome.entries.is_empty());
        for outcome in &outcomes {
            // A workload left unfinished by an interruption gets a report of what is there; the others have theirs.
            if outcome.entries.iter().any(|entry| !entry.run.steps.is_empty()) {
                files.write_workload(outcome.workload, &outcome.entries.iter().collect::<Vec<_>>(), true)?;
            }
        }
        Ok(outcomes)
    }

    /// Writes the results of a workload so far; frees its rows once it is complete.
    fn hand_on(
        &self,
        workload: &Workload,
        index: usize,
        tasks: &[(usize, Entrant)],
        done: &mut [(usize, Entry)],
        files: &Files,
    ) -> anyhow::Result<()> {
        let mine = |place: usize| tasks.get(place).is_some_and(|task| task.0 == index);
        let mut order: Vec<usize> = (0..done.len()).filter(|&i| mine(done[i].0)).collect();
        order.sort_by_key(|&i| done[i].0);
        let entries: Vec<&Entry> = order.iter().map(|&i| &done[i].1).collect();
        let is_complete = entries.len() == tasks.iter().filter(|task| task.0 == index).count();
        files.write_workload(workload, &entries, is_complete)?;
        if is_complete {
            for i in order {
                done[i].1.run.steps = Vec::new();
                done[i].1.run.changes = Vec::new();
                done[i].1.views = Vec::new();
            }
        }
        Ok(())
    }

    /// A rule at its own setting, the factor 1, and over the sweep.
    fn swept(
        &self,
        entrant: Entrant,
        at: impl Fn(f64) -> Result<Run, ConfigError>,
    ) -> Result<Entry, ConfigError> {
        let own = at(1.0)?;
        let swept = |insurance: f64| {
            if insurance == 1.0 { Ok(own.scorecard) } else { at(insurance).map(|run| run.scorecard) }
        };
        let frontier = if self.sweeps { sweep(MATCHED_TAU_U, swept)? } else { Frontier::default() };
        Ok(Entry { frontier, ..Entry::new(entrant.name(), own) })
    }

    fn enter(&self, workload: &Workload, entrant: Entrant) -> Result<Entry, ConfigError> {
        let Workload { load, target, policy, .. } = workload;
        match entrant {
            Entrant::Simple(simple) => {
                let studied = simple.study(load, target, &policy.calendar);
                self.swept(entrant, |insurance| run(load, target, &mut *studied.insured(insurance)))
            }
            Entrant::Schedule => {
                let studied = Simple::Reactive.study(load, target, &policy.calendar);
                let busy = workload.busy.and_then(|busy| busy.sized(load, target, &policy.calendar));
                self.swept(entrant, |insurance| {
                    let alone = studied.insured(insurance);
                    let mut rule = match busy {
                        Some(busy) => busy.beside(alone, target, policy.calendar.clone(), insurance),
                        None => alone,
                    };
                    run(load, target, &mut *rule)
                })
            }
            Entrant::Forescale(name, mode) => {
                let policy = Policy { mode, ..policy.clone() };
                let swept: &[f64] = if self.sweeps && mode == Mode::Predictive { &PENALTIES } else { &[] };
                let worths = swept.iter().map(|&worth| Some(Insured::Penalty(worth)));
                let all: Vec<Option<Insured>> = std::iter::once(None).chain(worths).collect();
                let mut runs = run_forescale(load, target, &policy, &all)?.into_iter();
                let own = runs.next().unwrap_or_default();
                Ok(Entry::foreseen(name, own, Frontier::of(Point::foreseen(swept, runs))))
            }
            Entrant::Actual => {
                let run = workload.actual.as_ref().map(|series| ran(load, target, series));
                let run = run.unwrap_or_default();
                Ok(Entry::new(entrant.name(), run))
            }
        }
    }
}

/// After the first Ctrl-C no new work is started, and what is done is kept; the second ends the process.
fn watch(interrupted: &Arc<AtomicBool>) {
    let interrupted = Arc::clone(interrupted);
    // The thread ends with the process; it owns only the flag.
    std::thread::spawn(move || {
        let Ok(runtime) = runtime::here() else { return };
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                interrupted.store(true, Ordering::Relaxed);
                let word = "interrupted: running work is finished and kept; interrupt again to stop at once";
                let _ = writeln!(std::io::stderr(), "{word}");
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        });
    });
}
