//! Why the capacity of a replica cannot be told, and which experiment would tell.
//!
//! Each reason is a value with its numbers; its text for people is made only here.

use std::fmt;

/// A reason.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Why {
    /// There is neither CPU with a request, nor latency or failures with an objective, nor waiting work.
    NothingToLearnFrom,
    /// Too few cells were left.
    TooFew {
        /// The number of cells.
        cells: usize,
        /// The minimum number of cells.
        expected: usize,
    },
    /// The load of a replica was nearly constant.
    Flat {
        /// The 95th percentile of the load divided by the 5th.
        span: f64,
        /// Whether the number of replicas follows the load, as an autoscaler on the same signal makes it do.
        is_held: bool,
    },
    /// Each number of replicas was seen at one load only.
    Confounded,
    /// CPU follows something other than the load.
    CpuDoesNotFollow {
        /// The correlation of CPU and load, at most 1.
        correlation: f64,
    },
    /// A replica at rest uses its whole budget.
    NothingLeft {
        /// Cores of a replica at rest.
        base: f64,
        /// Cores that it may use in total.
        budget: f64,
    },
    /// The answer lies too far beyond what was seen.
    FarBeyond {
        /// The largest load of a replica that was seen for a while.
        seen: f64,
        /// The load at which the line would end.
        line: f64,
    },
    /// The objective was met at every load.
    NeverMissed {
        /// The largest load of a replica that was seen for a while.
        seen: f64,
    },
    /// The objective was already missed at the lowest loads.
    MissedAtRest,
    /// Latency falls, or does not change, when a replica has more to do.
    DoesNotRise {
        /// The probability that a cell with a miss had the larger load; a half is chance.
        ordered: f64,
        /// Whether the load falls when latency is high: it is then the served work.
        load_falls: bool,
    },
    /// Too many misses below the knee, or too many hits above it.
    Scattered {
        /// Share of the cells well below the knee that miss.
        below: f64,
        /// Share of the cells above the knee that miss.
        above: f64,
    },
    /// The total load explains the misses better than the load per replica: something shared is the limit.
    FollowsTotal,
    /// More replicas at the same load did not help.
    ReplicasDoNotHelp {
        /// The share of the expected relief that was observed.
        relief: f64,
    },
    /// The range of the answer is too wide.
    Wide {
        /// Half of the range, as a share of the answer.
        width: f64,
    },
}

/// The widest range that still counts as an answer (half of it, as a share).
pub(super) const WIDEST: f64 = 0.25;

// === impl Why ===

impl Why {
    /// Its name for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Why::NothingToLearnFrom => "nothing_to_learn_from",
            Why::TooFew { .. } => "too_few",
            Why::Flat { is_held: true, .. } => "held_flat",
            Why::Flat { .. } => "flat",
            Why::Confounded => "confounded",
            Why::CpuDoesNotFollow { .. } => "cpu_does_not_follow",
            Why::NothingLeft { .. } => "nothing_left",
            Why::FarBeyond { .. } => "far_beyond",
            Why::NeverMissed { .. } => "never_missed",
            Why::MissedAtRest => "missed_at_rest",
            Why::DoesNotRise { load_falls: true, .. } => "load_falls_under_overload",
            Why::DoesNotRise { .. } => "does_not_rise",
            Why::Scattered { .. } => "scattered",
            Why::FollowsTotal => "follows_total",
            Why::ReplicasDoNotHelp { .. } => "replicas_do_not_help",
            Why::Wide { .. } => "wide",
        }
    }

    /// Whether the objective is missed for a reason that no number of replicas can fix.
    pub(super) fn lies_elsewhere(&self) -> bool {
        matches!(
            self,
            Why::FollowsTotal
                | Why::ReplicasDoNotHelp { .. }
                | Why::MissedAtRest
                | Why::DoesNotRise { load_falls: true, .. }
        )
    }

    /// The experiment that would tell.
    pub fn experiment(&self) -> &'static str {
        match self {
            Why::NothingToLearnFrom => {
                "name what to learn from: CPU with the request of a replica, latency or failures with an objective, or \
                 for a queue the work that waits"
            }
            Why::TooFew { .. } => "record for longer: an hour of minutes at least, over quiet and busy times",
            Why::Flat { .. } | Why::Confounded | Why::NeverMissed { .. } | Why::FarBeyond { .. } => {
                "a planned squeeze: hold fewer replicas for an hour at a busy time, and watch the objective"
            }
            Why::CpuDoesNotFollow { .. } => {
                "an objective with latency or failures: CPU is not what this service runs out of"
            }
            Why::NothingLeft { .. } => {
                "a larger request, or a higher utilization: a replica at rest uses all of it"
            }
            Why::MissedAtRest => "an objective that the service meets when it is quiet",
            Why::DoesNotRise { load_falls: true, .. } => {
                "the load that is offered, not served: count requests at the entrance, with those turned away"
            }
            Why::DoesNotRise { .. } | Why::Scattered { .. } => {
                "a load test of one replica, or the cause of the misses at low load found first"
            }
            Why::FollowsTotal | Why::ReplicasDoNotHelp { .. } => {
                "look behind the service: the limit is shared, and more replicas do not move it"
            }
            Why::Wide { .. } => {
                "record for longer, or a planned squeeze: an hour with fewer replicas at a busy time"
            }
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| (100.0 * share).round();
        match self {
            Why::NothingToLearnFrom => f.write_str("there is nothing to learn from"),
            Why::TooFew { cells, expected } => write!(f, "{cells} usable cells, at least {expected} are needed"),
            Why::Flat { span, is_held: true } => write!(
                f,
                "an autoscaler holds the load of a replica flat: it spans a factor of {span:.1}, 2 is needed"
            ),
            Why::Flat { span, .. } => {
                write!(f, "the load of a replica spans a factor of {span:.1} only, 2 is needed")
            }
            Why::Confounded => f.write_str(
                "each number of replicas was seen at one load only, so their effects cannot be told apart",
            ),
            Why::CpuDoesNotFollow { correlation } => {
                write!(f, "CPU does not follow the load (correlation {correlation:.2}, 0.8 is needed)")
            }
            Why::NothingLeft { base, budget } => {
                write!(f, "a replica at rest uses {base:.3} cores, and may use {budget:.3}")
            }
            Why::FarBeyond { seen, line } => write!(
                f,
                "the line of CPU would have to be followed to {line:.4} per replica, {:.1} times beyond the {seen:.4} \
                 that was seen",
                line / seen
            ),
            Why::NeverMissed { seen } => {
                write!(f, "the objective was met at every load, up to {seen:.4} per replica: a lower bound only")
            }
            Why::MissedAtRest => f.write_str("the objective is missed even where a replica has little to do"),
            Why::DoesNotRise { load_falls: true, .. } => f.write_str(
                "the load falls where latency is high: it is the work that was served, and falls under overload",
            ),
            Why::DoesNotRise { ordered, .. } => write!(
                f,
                "misses do not come with more load per replica (ordered {:.2}, 0.5 is chance, 0.8 is needed)",
                ordered
            ),
            Why::Scattered { below, above } => write!(
                f,
                "misses do not follow the load of a replica: {} % of the cells well below the knee miss the objective, \
                 {} % above it",
                percent(*below),
                percent(*above)
            ),
            Why::FollowsTotal => f.write_str(
                "misses follow the total load and not the load per replica: something shared is the bottleneck",
            ),
            Why::ReplicasDoNotHelp { relief } => write!(
                f,
                "more replicas at the same load brought {} % of the relief that a capacity per replica would bring: the \
                 bottleneck is elsewhere, in a service behind or in start-up",
                percent(*relief)
            ),
            Why::Wide { width } => write!(
                f,
                "the range is \u{b1} {} %, at most {} % is an answer",
                percent(width.min(9.99)),
                percent(WIDEST)
            ),
        }
    }
}
