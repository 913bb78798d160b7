//! The pool: it combines the quantiles of the experts with weights by rolling loss, then corrects the coverage.
//!
//! A member of the pool is an expert with a scale of its error: the fitted scale, or the size of the expert's own recent
//! errors. The quantiles of a member follow from its normalised past errors. At each level the members are weighted by
//! their rolling pinball loss at that level (exponential weights: Vovk 1990; for quantiles: Berrisch and Ziel 2021), and
//! their quantiles averaged (Vincentisation); for a sparse load it is the weighted median. The last step is the conformal
//! correction. The pool learns from a truth only once it is observed.

use super::analogue::Followed;
use super::conformal::{Correction, TIE};
use super::experts::{Asleep, EXPERTS, Expert};
use super::levels::{L, LEVELS};
use super::plain::{self, Knots, Lags, NAIVE_DAY, NAIVE_WEEK, PERSISTENCE, RULES, Record};
use super::rule::{JUDGED, Rule};
use super::transform::unstabilise32;
use super::weights::{dot, excess, pinball, prefer, weighted};

/// The place of 0.9 in [`LEVELS`].
const NINE_TENTHS: usize = 3;
/// The number of members: each expert with the fitted scale, then each with its own error size, then two that are
/// distributions themselves: the analogues, and the distribution of all past loads.
pub(super) const J: usize = 2 * EXPERTS + 2;
/// The place of the analogues' own quantiles.
pub(super) const DIRECT: usize = J - 2;
/// The place of the quantiles of all past loads (or window peaks). It suits a load that is nearly always zero, whose
/// errors have no usual size.
pub(super) const SEEN: usize = J - 1;

/// One number per level and member.
pub(super) type Table = [[f32; J]; L];

/// The quantiles of each member's normalised errors, and the mean absolute error of each expert.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Errors {
    pub knots: Table,
    pub usual: [f32; EXPERTS],
    /// The quantiles of the normalised errors of the plain rules.
    pub plain: Knots,
}

/// A forecast from one origin for one target.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pending {
    /// The forecast of each expert, on the variance-stabilised scale.
    pub experts: [f32; EXPERTS],
    /// The load that followed the neighbours, unless the analogues sleep.
    pub followed: Followed,
    /// Which experts sleep.
    pub asleep: Asleep,
    /// The fitted scale of the error.
    pub scale: f32,
    /// Each expert's own recent error size.
    pub own: [f32; EXPERTS],
    /// The values of the seasonal naive rules.
    pub lags: Lags,
    /// The pool's quantiles before correction, in units of the series' scale.
    pub raw: [f32; L],
    /// The same after correction. The tracker also mixes them with those of the second hypothesis, if there is one.
    pub pooled: [f32; L],
}

/// The state that learns from each truth: losses, error sizes, correction, record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PoolState {
    /// Rolling loss of each member by level.
    loss: Table,
    /// Rolling loss of the pool with each learning rate, by level.
    rolling_loss: [[f32; L]; 3],
    /// Rolling loss of the pool with each share of the analogues, by level.
    shared: [[f32; SHARES.len()]; L],
    pub own: [f32; EXPERTS],
    pub correction: Correction,
    /// Rolling losses of the pool and of the plain rules.
    pub record: Record,
    /// Recent loss of the corrected pool by level, with a half-life of about an hour: how well it does after a shift.
    pub fresh: [f32; L],
    /// Rolling share of truths at or below each quantile.
    pub cover: [f32; L],
    /// The rule that predicts at each of the judged levels.
    pub rules: [Rule; JUDGED.len()],
}

/// Learning rates of the members' weights: from a broad average to nearly the best member alone. The weights of the three
/// rates follow from their own rolling losses, with the learning rate below.
const LEARNING_RATES: [f32; 3] = [2.5, 6.0, 12.0];
const META_RATE: f32 = 15.0;
/// The floor of an expert's own error size, as a share of its mean error over the window.
const OWN_FLOOR: f32 = 0.03;
/// The loss that is recorded for a sleeping member, as a multiple of the pool's: when it wakes, it starts with a poor
/// record and has to earn its weight.
const NEWCOMER: f32 = 1.6;
/// Shares that the analogues' own quantiles may have in the answer on top of their weight in the pool; the learning rate
/// of the weights of these shares; and by how much the loss of a full share is raised before it is compared with that of
/// none.
const SHARES: [f32; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];
const SHARING: f32 = 20.0;
const RESERVE: f32 = 0.08;
/// The floor of the spread of the analogues, as a share of the fitted scale.
const LEAST_SPREAD: f32 = 0.05;

/// The scale of the error of the analogues' own quantiles.
pub(super) fn spread(spread: f32, scale: f32) -> f32 {
    spread.max(LEAST_SPREAD * scale)
}

/// The expert of a member.
fn expert_of(member: usize) -> usize {
    match member {
        DIRECT => Expert::Analogues.place(),
        // It needs no lag: never asleep.
        SEEN => Expert::LastValue.place(),
        _ => member % EXPERTS,
    }
}

/// The weight of a truth, and the decay of earlier ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Memory {
    /// How many evenly spread truths it stands for.
    pub weight: f32,
    /// The share that remains of the losses, of the own error sizes, and of the recent loss.
    pub keep: f32,
    pub own: f32,
    pub fresh: f32,
}

/// The weights of the members: by learning rate, and averaged.
#[derive(Debug, Clone)]
pub(super) struct Weights {
    by_rate: [Table; 3],
    pub mixed: Table,
    /// The share of the analogues' own quantiles on top of that, by level.
    pub share: [f32; L],
}

impl PoolState {
    /// The state before any truth.
    pub fn new(errors: &Errors) -> Self {
        PoolState {
            loss: [[0.0; J]; L],
            rolling_loss: [[0.0; L]; 3],
            shared: [[0.0; SHARES.len()]; L],
            own: errors.usual,
            correction: Correction::new(),
            record: Record::new(),
            fresh: [0.0; L],
            cover: [0.0; L],
            rules: [Rule::Forecast; JUDGED.len()],
        }
    }

    /// The weights of the members, which sum to one at each level: the mean over the learning rates, weighted by the
    /// rolling loss with each rate.
    pub fn weights(&self) -> Weights {
        let mut by_rate = [[[0.0; J]; L]; LEARNING_RATES.len()];
        let mut mixed = [[0.0; J]; L];
        for (l, mixed) in mixed.iter_mut().enumerate() {
            let excess = excess(&self.loss[l]);
            for (table, rate) in by_rate.iter_mut().zip(LEARNING_RATES) {
                table[l] = weighted(excess, rate);
            }
            let share = prefer(&self.rolling_loss.map(|lost| lost[l]), META_RATE);
            for (table, share) in by_rate.iter().zip(share) {
                for (m, w) in mixed.iter_mut().zip(&table[l]) {
                    *m += share * w;
                }
            }
        }
        let share = self.shared.map(|mut lost| {
            for (lost, share) in lost.iter_mut().zip(SHARES) {
                *lost *= 1.0 + RESERVE * share;
            }
            prefer(&lost, SHARING).iter().zip(SHARES).map(|(weight, share)| weight * share).sum()
        });
        Weights { by_rate, mixed, share }
    }

    /// Fills in the pool's quantiles, before and after correction.
    pub fn predict(&self, said: &Table, weights: &Weights, p: &mut Pending) {
        let is_sparse = is_sparse(said);
        p.raw = std::array::from_fn(|l| {
            let pool = mix(&weights.mixed[l], &said[l], p.asleep, is_sparse);
            if is_sparse || p.asleep.is(Expert::Analogues.place()) {
                pool
            } else {
                pool + weights.share[l] * (said[l][DIRECT] - pool)
            }
        });
        p.pooled = self.correction.apply(p.raw);
    }

    /// Learns from a truth, which is given in units of the scale and on the variance-stabilised scale.
    pub fn learn(
        &mut self,
        errors: &Errors,
        weights: &Weights,
        (p, said): (&Pending, &Table),
        (truth, z): (f32, f32),
        Memory { weight, keep, own: keep_own, fresh: keep_fresh }: Memory,
    ) {
        let is_sparse = is_sparse(said);
        // The record of the rules has twice the half-life of the losses.
        let slow = keep.sqrt();
        let own = self.correction.apply(p.raw);
        for ((fresh, y), level) in self.fresh.iter_mut().zip(own).zip(LEVELS) {
            *fresh = keep_fresh * *fresh + (1.0 - keep_fresh) * pinball(level as f32, truth - y);
        }
        for (l, loss) in self.loss.iter_mut().enumerate() {
            let level = LEVELS[l] as f32;
            let members = &said[l];
            let mut lost = *members;
            for y in &mut lost {
                *y = pinball(level, truth - *y);
            }
            if !p.asleep.none() {
                let newcomer = NEWCOMER * pinball(level, truth - p.raw[l]);
                let sleeping = lost.iter_mut().enumerate().filter(|(j, _)| p.asleep.is(expert_of(*j)));
                sleeping.for_each(|(_, lost)| *lost = newcomer);
            }
            for (loss, lost) in loss.iter_mut().zip(lost) {
                *loss = keep * *loss + (1.0 - keep) * lost;
            }
            if !p.asleep.is(Expert::Analogues.place()) {
                let pool = mix(&weights.mixed[l], members, p.asleep, is_sparse);
                for (shared, share) in self.shared[l].iter_mut().zip(SHARES) {
                    let miss = truth - pool - share * (members[DIRECT] - pool);
                    *shared = keep * *shared + (1.0 - keep) * pinball(level, miss);
                }
            }
            for (rolling_loss, table) in self.rolling_loss.iter_mut().zip(&weights.by_rate) {
                let miss = truth - mix(&table[l], members, p.asleep, is_sparse);
                rolling_loss[l] = keep * rolling_loss[l] + (1.0 - keep) * pinball(level, miss);
            }
            let covered = truth <= p.pooled[l] + TIE;
            self.cover[l] = slow * self.cover[l] + (1.0 - slow) * f32::from(u8::from(covered));
        }
        self.correction.learn(&p.raw, truth, keep, weight);
        self.record.learn(&errors.plain, p.rules(), p.scale, &p.pooled, truth, slow);
        for (rule, level) in self.rules.iter_mut().zip(JUDGED) {
            *rule = rule.next(&self.record, level);
        }
        for (e, (own, expert)) in self.own.iter_mut().zip(p.experts).enumerate() {
            if !p.asleep.is(e) {
                *own = keep_own * *own + (1.0 - keep_own) * (z - expert).abs();
            }
        }
    }
}

/// The weighted mean of the members that are awake; for a sparse load their weighted median. There a quantile is either
/// zero or the size of an event, and a mean of the two would be neither.
fn mix(weights: &[f32; J], members: &[f32; J], asleep: Asleep, is_sparse: bool) -> f32 {
    if asleep.none() && !is_sparse {
        return dot(weights, members);
    }
    let awake: [f32; J] = std::array::from_fn(|j| if asleep.is(expert_of(j)) { 0.0 } else { weights[j] });
    let sum: f32 = awake.iter().sum();
    // If all weight is on sleeping members, their substitutes are better than nothing.
    let (weights, sum) = if sum > 1e-6 { (&awake, sum) } else { (weights, 1.0) };
    if is_sparse { median(weights, members, sum) } else { dot(weights, members) / sum }
}

/// The smallest value with at least half of the weight at or below it.
fn median(weights: &[f32; J], values: &[f32; J], sum: f32) -> f32 {
    let mut order: [usize; J] = std::array::from_fn(|j| j);
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut below = 0.0;
    for j in order {
        below += weights[j];
        if below >= 0.5 * sum {
            return values[j];
        }
    }
    values[order[J - 1]]
}

/// Whether at least nine tenths of the past loads (or window peaks) are zero.
fn is_sparse(said: &Table) -> bool {
    said[NINE_TENTHS][SEEN] <= 0.0
}

impl Pending {
    /// The quantiles of every member, in units of the series' scale.
    pub fn said(&self, errors: &Errors) -> Table {
        let sizes = sizes(errors, self);
        std::array::from_fn(|l| member_quantiles(&errors.knots[l], &self.experts, &sizes, self.followed.q[l]))
    }

    /// The values of the plain rules.
    fn rules(&self) -> [f32; RULES] {
        let [day, week] = self.lags;
        [self.experts[Expert::LastValue.place()], day, week]
    }

    /// The quantiles of a rule. If a seasonal naive has no value, those of the other one; if that has none either, those
    /// of the pool.
    pub fn by(&self, rule: Rule, errors: &Errors) -> [f32; L] {
        let values = self.rules();
        let order: &[usize] = match rule {
            Rule::Forecast => &[],
            Rule::Reactive => &[PERSISTENCE],
            Rule::NaiveDay => &[NAIVE_DAY, NAIVE_WEEK],
            Rule::NaiveWeek => &[NAIVE_WEEK, NAIVE_DAY],
        };
        let Some(&rule) = order.iter().find(|&&rule| !values[rule].is_nan()) else { return self.pooled };
        let mut least = 0.0f32;
        std::array::from_fn(|l| {
            least = least.max(plain::quantile(&errors.plain, l, rule, values[rule], self.scale));
            least
        })
    }
}

/// The scale of the error of each member.
fn sizes(errors: &Errors, p: &Pending) -> [f32; J] {
    let mut out = [p.scale; J];
    for ((out, own), usual) in out.iter_mut().skip(EXPERTS).zip(p.own).zip(errors.usual) {
        *out = own_size(own, usual);
    }
    out[DIRECT] = spread(p.followed.spread, p.scale);
    out
}

/// An expert's own error size, with its floor.
pub(super) fn own_size(own: f32, usual: f32) -> f32 {
    own.max(OWN_FLOOR * usual).max(1e-7)
}

/// The quantile of every member at one level, in units of the series' scale.
fn member_quantiles(knots: &[f32; J], experts: &[f32; EXPERTS], sizes: &[f32; J], direct: f32) -> [f32; J] {
    let mut out = [0.0; J];
    out[DIRECT] = unstabilise32(direct + sizes[DIRECT] * knots[DIRECT]);
    out[SEEN] = unstabilise32(knots[SEEN]);
    for half in [0, EXPERTS] {
        for e in 0..EXPERTS {
            out[half + e] = unstabilise32(experts[e] + sizes[half + e] * knots[half + e]);
        }
    }
    out
}
