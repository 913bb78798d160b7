//! The ScaledObject proposed for a workload that profits, made by the same hand as `forescale init`'s.
//!
//! It keeps the workload's name, limits and lead time; what it replaces is the trigger.

use super::Settings;
use super::folder::safe;
use super::inventory::Candidate;
use super::row::Kept;
use crate::cli::init::manifest::{Given, Proposal};
use crate::cli::init::survey::Survey;
use crate::simulate::Verdict;
use crate::units::Threshold;

/// Puts the proposal beside the result, where the forecast pays or a schedule is enough.
pub(super) fn add(kept: &mut Kept, candidate: &Candidate, survey: &Survey, settings: &Settings) {
    let (Verdict::Predictive | Verdict::Schedule, Ok(load)) = (kept.verdict(), &candidate.load) else {
        return;
    };
    let Ok(threshold) = Threshold::new(load.per_replica().unwrap_or_default()) else { return };
    let Ok(scaler) = settings.scaler.of(&candidate.namespace, &candidate.name) else { return };
    let given = Given {
        name: &candidate.name,
        target: (&candidate.target.kind, &candidate.target.name),
        namespace: &candidate.namespace,
        scaler: &scaler,
        query: Some(&load.query),
        lead: settings.lead,
        timezone: settings.timezone,
        min_replicas: candidate.min,
        max_replicas: Some(candidate.max),
    };
    let mut proposal = Proposal::new(&given, survey, threshold);
    proposal.target_share = Some("1%".to_owned());
    kept.manifest_text = Some(proposal.manifest());
    kept.row.manifest =
        Some(format!("manifests/{}/{}.yaml", safe(&candidate.namespace), safe(&candidate.name)));
}
