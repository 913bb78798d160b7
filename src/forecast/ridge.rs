//! Ridge regression: weighted least squares with a penalty, from sums of products per block of time.
//!
//! The sums of each block are stored apart. So a fit with another half-life, or one that leaves blocks out (for
//! out-of-fold residuals), costs one small Cholesky factorisation and no second pass over the data. The sums of a block
//! are in single precision, because blocks are short; totals are in double precision.

/// Sums of weighted products of features and two targets, over the rows of one block.
#[derive(Debug, Clone)]
pub(super) struct Sums<const P: usize> {
    gram: [[f32; P]; P],
    cross: [[f32; P]; 2],
    fourth: [f32; P],
    weight: f32,
}

/// The same sums over several blocks, each with its own weight.
#[derive(Debug, Clone)]
pub(super) struct Total<const P: usize> {
    gram: [[f64; P]; P],
    cross: [[f64; P]; 2],
    /// Weighted fourth powers of the features.
    fourth: [f64; P],
    weight: f64,
}

impl<const P: usize> Sums<P> {
    /// No rows.
    pub fn new() -> Self {
        Sums { gram: [[0.0; P]; P], cross: [[0.0; P]; 2], fourth: [0.0; P], weight: 0.0 }
    }

    /// Adds a row with its weight and its two targets.
    pub fn add(&mut self, row: &[f32; P], weight: f32, targets: [f32; 2]) {
        // The lower triangle, each row extended to a multiple of eight, so that the loop is vectorised without a rest.
        for (i, (gram, x)) in self.gram.iter_mut().zip(row).enumerate() {
            let wx = weight * x;
            let strip = ((i | 7) + 1).min(P);
            for (g, other) in gram[..strip].iter_mut().zip(&row[..strip]) {
                *g += wx * other;
            }
        }
        for (cross, target) in self.cross.iter_mut().zip(targets) {
            let wy = weight * target;
            for (c, x) in cross.iter_mut().zip(row) {
                *c += wy * x;
            }
        }
        for (sum, x) in self.fourth.iter_mut().zip(row) {
            let square = x * x;
            *sum += weight * square * square;
        }
        self.weight += weight;
    }
}

impl<const P: usize> Total<P> {
    /// No rows.
    pub fn new() -> Self {
        Total { gram: [[0.0; P]; P], cross: [[0.0; P]; 2], fourth: [0.0; P], weight: 0.0 }
    }

    /// Adds the sums of a block, multiplied by a factor.
    pub fn merge(&mut self, block: &Sums<P>, factor: f64) {
        let add = |sum: &mut [f64; P], part: &[f32; P]| {
            for (x, y) in sum.iter_mut().zip(part) {
                *x += factor * f64::from(*y);
            }
        };
        self.gram.iter_mut().zip(&block.gram).for_each(|(a, b)| add(a, b));
        self.cross.iter_mut().zip(&block.cross).for_each(|(a, b)| add(a, b));
        add(&mut self.fourth, &block.fourth);
        self.weight += factor * f64::from(block.weight);
    }

    /// Adds other totals, or subtracts them with sign -1.
    pub fn combine(&mut self, other: &Self, sign: f64) {
        let add = |sum: &mut [f64; P], part: &[f64; P]| {
            for (x, y) in sum.iter_mut().zip(part) {
                *x += sign * y;
            }
        };
        self.gram.iter_mut().zip(&other.gram).for_each(|(a, b)| add(a, b));
        self.cross.iter_mut().zip(&other.cross).for_each(|(a, b)| add(a, b));
        add(&mut self.fourth, &other.fourth);
        self.weight += sign * other.weight;
    }

    /// The coefficients for both targets. The penalty is in units of each feature's second moment: `share`, plus `rows`
    /// over the total weight, both times the rarity of the feature. The first feature, the constant, has no penalty. All
    /// coefficients are zero if the matrix is not positive definite.
    pub fn solve(&self, (share, rows): (f64, f64)) -> [[f64; P]; 2] {
        let mut l = self.gram;
        let trace: f64 = l.iter().enumerate().map(|(i, row)| row[i]).sum();
        let floor = 1e-7 * trace / P as f64 + 1e-300;
        for (i, row) in l.iter_mut().enumerate() {
            let penalty = (share + rows / self.weight.max(1.0)) * self.rarity(i, row[i]);
            row[i] += floor + if i > 0 { penalty * row[i] } else { 0.0 };
        }
        if !factor(&mut l) {
            return [[0.0; P]; 2];
        }
        self.cross.map(|cross| substitute(&l, cross))
    }
}

impl<const P: usize> Total<P> {
    /// The rarity of a feature: its kurtosis over that of a normal variable, at least one. It is large for a feature that
    /// is zero in all but a few rows, such as a lag of a week while the history is hardly longer than a week.
    fn rarity(&self, feature: usize, square: f64) -> f64 {
        let fourth = self.fourth[feature];
        if square > 0.0 { (self.weight * fourth / (3.0 * square * square)).max(1.0) } else { 1.0 }
    }
}

/// Cholesky factorisation of the lower triangle in place; false if the matrix is not positive definite.
fn factor<const P: usize>(l: &mut [[f64; P]; P]) -> bool {
    for i in 0..P {
        let (done, rest) = l.split_at_mut(i);
        let Some(row) = rest.first_mut() else { return false };
        for (j, other) in done.iter().enumerate() {
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let own = row[i] - dot(&row[..i], &row[..i]);
        if !(own > 0.0 && own.is_finite()) {
            return false;
        }
        row[i] = own.sqrt();
    }
    true
}

/// Forward and backward substitution.
fn substitute<const P: usize>(l: &[[f64; P]; P], mut x: [f64; P]) -> [f64; P] {
    for (i, row) in l.iter().enumerate() {
        x[i] = (x[i] - dot(&row[..i], &x[..i])) / row[i];
    }
    for (i, row) in l.iter().enumerate().rev() {
        x[i] /= row[i];
        let solved = x[i];
        for (x, c) in x.iter_mut().zip(row).take(i) {
            *x -= c * solved;
        }
    }
    if x.iter().all(|v| v.is_finite()) { x } else { [0.0; P] }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovers_a_plane() {
        let mut sums = Sums::<3>::new();
        for i in 0..50u8 {
            let (a, b) = (f32::from(i % 7) - 3.0, f32::from(i % 5));
            sums.add(&[1.0, a, b], 1.0 + a * a, [2.0 + 3.0 * a - b, a]);
        }
        let mut total = Total::new();
        total.merge(&sums, 2.0);
        let [x, y] = total.solve((0.0, 0.0));
        for (got, want) in x.iter().chain(&y).zip([2.0, 3.0, -1.0, 0.0, 1.0, 0.0]) {
            assert!((got - want).abs() < 1e-5, "{x:?} {y:?}");
        }
        assert_eq!(Total::<3>::new().solve((0.1, 0.0)), [[0.0; 3]; 2]);
    }
}
