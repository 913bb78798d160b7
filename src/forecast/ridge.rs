//! Weighted least squares with a penalty, from sums kept by block of time.
//!
//! The sums of products of each block are kept apart, so that fits with other memories and fits that leave a
//! block out (for honest residuals) cost one small Cholesky factorisation each, and no second pass over the data.

/// Sums of weighted products of features and two targets, over the rows of one block.
#[derive(Debug, Clone)]
pub(super) struct Sums<const P: usize> {
    gram: [[f64; P]; P],
    cross: [[f64; P]; 2],
    weight: [f64; 2],
}

impl<const P: usize> Sums<P> {
    /// No rows.
    pub fn new() -> Self {
        Sums { gram: [[0.0; P]; P], cross: [[0.0; P]; 2], weight: [0.0; 2] }
    }

    /// Adds a row with its weight and its two targets.
    pub fn add(&mut self, row: &[f32; P], weight: f64, targets: [f64; 2]) {
        let row = row.map(f64::from);
        for (i, (gram, &x)) in self.gram.iter_mut().zip(&row).enumerate() {
            let wx = weight * x;
            // Lower triangle only.
            for (g, &other) in gram.iter_mut().zip(&row).take(i + 1) {
                *g += wx * other;
            }
        }
        for (cross, target) in self.cross.iter_mut().zip(targets) {
            let wy = weight * target;
            for (c, x) in cross.iter_mut().zip(&row) {
                *c += wy * x;
            }
        }
        self.weight[0] += weight;
    }

    /// Adds the sums of another block, scaled.
    pub fn merge(&mut self, other: &Self, factor: f64) {
        for (a, b) in self.gram.iter_mut().zip(&other.gram) {
            for (x, y) in a.iter_mut().zip(b) {
                *x += factor * y;
            }
        }
        for (a, b) in self.cross.iter_mut().zip(&other.cross) {
            for (x, y) in a.iter_mut().zip(b) {
                *x += factor * y;
            }
        }
        self.weight[0] += factor * other.weight[0];
    }

    /// The total weight of the rows.
    pub fn weight(&self) -> f64 {
        self.weight[0]
    }

    /// Coefficients for both targets, with a penalty of `ridge` times each feature's own second moment (none on
    /// the first feature, the constant). Zeros where the sums are degenerate.
    pub fn solve(&self, ridge: f64) -> [[f64; P]; 2] {
        let mut l = self.gram;
        let mut trace = 0.0;
        for i in 0..P {
            trace += l[i][i];
        }
        let floor = 1e-9 * trace / P as f64 + 1e-300;
        for i in 0..P {
            let own = l[i][i];
            l[i][i] = own + floor + if i > 0 { ridge * own } else { 0.0 };
        }
        if !factor(&mut l) {
            return [[0.0; P]; 2];
        }
        self.cross.map(|cross| substitute(&l, cross))
    }
}

/// Cholesky factorisation of the lower triangle in place; false where the matrix is not positive definite.
fn factor<const P: usize>(l: &mut [[f64; P]; P]) -> bool {
    for i in 0..P {
        for j in 0..=i {
            let mut sum = l[i][j];
            for k in 0..j {
                sum -= l[i][k] * l[j][k];
            }
            if i == j {
                if !(sum > 0.0 && sum.is_finite()) {
                    return false;
                }
                l[i][i] = sum.sqrt();
            } else {
                l[i][j] = sum / l[j][j];
            }
        }
    }
    true
}

/// Forward and backward substitution.
fn substitute<const P: usize>(l: &[[f64; P]; P], mut x: [f64; P]) -> [f64; P] {
    for i in 0..P {
        let mut sum = x[i];
        for k in 0..i {
            sum -= l[i][k] * x[k];
        }
        x[i] = sum / l[i][i];
    }
    for i in (0..P).rev() {
        let mut sum = x[i];
        for k in i + 1..P {
            sum -= l[k][i] * x[k];
        }
        x[i] = sum / l[i][i];
    }
    if x.iter().all(|v| v.is_finite()) { x } else { [0.0; P] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovers_a_plane() {
        let mut sums = Sums::<3>::new();
        for i in 0..50 {
            let (a, b) = (f64::from(i % 7) - 3.0, f64::from(i % 5));
            sums.add(&[1.0, a as f32, b as f32], 1.0 + a * a, [2.0 + 3.0 * a - b, a]);
        }
        let [x, y] = sums.solve(0.0);
        for (got, want) in x.iter().chain(&y).zip([2.0, 3.0, -1.0, 0.0, 1.0, 0.0]) {
            assert!((got - want).abs() < 1e-6, "{x:?} {y:?}");
        }
        assert_eq!(Sums::<3>::new().solve(0.1), [[0.0; 3]; 2]);
    }
}
