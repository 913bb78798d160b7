//! Analogues.
use super::ladder::{DAY, Plan, Task};
use super::pool::{L, LEVELS};

#[derive(Debug, Clone)]
pub(super) struct Library {
    bin: i64,
    step: i64,
    first: i64,
    mean: [Vec<f32>; 3],
    peak: Vec<f32>,
    var: f32,
    live: Option<(usize, Vec<u32>)>,
    cache: Vec<Option<Vec<u32>>>,
    start: i64,
}

/// Quantiles of what followed, and its spread.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Followed { pub mean: f32, pub q: [f32; L], pub spread: f32, pub known: bool }

const OFFSETS: [(usize, usize); 13] = [(0,0),(0,1),(0,2),(0,3),(0,4),(0,5),(1,6),(1,8),(1,10),(2,12),(2,18),(2,24),(2,30)];
const SPAN: usize = 36;

impl Library {
    pub fn new(plan: &Plan, start: i64, slots: usize, first: i64, mean: &[f32], peak: &[f32]) -> Self {
        let block = |w: usize| -> Vec<f32> {
            let mut out = vec![f32::NAN; mean.len()];
            for i in w - 1..mean.len() { out[i] = mean[i + 1 - w..=i].iter().sum::<f32>() / w as f32; }
            out
        };
        let known: Vec<f32> = mean.iter().copied().filter(|v| !v.is_nan()).collect();
        let m = known.iter().sum::<f32>() / known.len().max(1) as f32;
        let var = known.iter().map(|v| (v - m) * (v - m)).sum::<f32>() / known.len().max(1) as f32;
        Library { bin: plan.bin, step: plan.step, first, mean: [mean.to_vec(), block(2), block(6)], peak: peak.to_vec(), var: var.max(1e-9), live: None, cache: vec![None; slots], start }
    }

    fn search(&self, last: usize) -> Vec<u32> {
        if last < SPAN + 20 { return Vec::new(); }
        let n = last - 1;
        let per_day = (DAY / self.bin) as usize;
        let at = crate::knob!("AT", 1.0) as f32 / (per_day as f32 / 4.0).powi(2) * self.var;
        let around = ((crate::knob!("AW", 3.0) * 3600.0) as i64 / self.bin) as usize;
        let mut order: Vec<(u32, u32)> = Vec::with_capacity(2 * around * (last / per_day + 1));
        let mut d = [0.0f32; 1024];
        let mut upto = n;
        for day in 0..=crate::knob!("AD", 13.0) as usize {
            let Some(centre) = last.checked_sub(day * per_day) else { break };
            let to = (centre + around + 1).min(upto);
            let from = centre.saturating_sub(around).max(SPAN);
            upto = from;
            if to <= from { if centre < SPAN { break; } continue; }
            let d = &mut d[..to - from];
            for (k, d) in d.iter_mut().enumerate() { let x = (from + k) as f32 - centre as f32; *d = at * x * x; }
            for (j, &(w, off)) in OFFSETS.iter().enumerate() {
                let m = &self.mean[w];
                let x = m[last - off];
                if x.is_nan() { continue; }
                let weight = 1.0 / (j as f32 + 1.0);
                for (d, m) in d.iter_mut().zip(&m[from - off..to - off]) { let e = m - x; *d += weight * e * e; }
            }
            order.extend(d.iter().enumerate().filter(|(_, d)| !d.is_nan()).map(|(k, d)| (d.to_bits(), (from + k) as u32)));
        }
        let k = (self.count(last) * 2).min(order.len());
        if k == 0 { return Vec::new(); }
        if k < order.len() { order.select_nth_unstable(k - 1); order.truncate(k); }
        order.sort_unstable();
        order.into_iter().map(|o| o.1).collect()
    }

    fn count(&self, n: usize) -> usize { ((n as f64 * crate::knob!("AK", 0.006)) as usize).clamp(crate::knob!("AMIN",10.0) as usize, crate::knob!("AKM", 100.0) as usize) }

    pub fn extend(&mut self, bin: Option<(i64, f64, f64)>) {
        let Some((bin, mean, peak)) = bin else { return };
        let Ok(place) = usize::try_from(bin - self.first) else { return };
        if place < self.mean[0].len() || place > self.mean[0].len() + 40000 { return; }
        while self.mean[0].len() < place { for m in &mut self.mean { m.push(f32::NAN); } self.peak.push(f32::NAN); }
        self.mean[0].push(mean as f32);
        self.peak.push(peak as f32);
        for (k, w) in [(1, 2), (2, 6)] {
            let m = &self.mean[0];
            let v = if m.len() < w { f32::NAN } else { m[m.len() - w..].iter().sum::<f32>() / w as f32 };
            self.mean[k].push(v);
        }
        self.live = None;
        let last = self.mean[0].len() - 1;
        if self.step <= 600 { self.live = Some((last, self.search(last))); }
    }

    pub fn follow(&self, at: i64, task: &Task) -> Followed {
        let none = Followed::default();
        if self.step > 600 || task.steps as i64 * self.step > DAY { return none; }
        let c = (at + self.step).div_euclid(self.bin) - 1;
        match &self.live { Some((last, near)) if *last as i64 + self.first == c => self.from(near, *last, at, task), _ => none }
    }

    pub fn ask(&mut self, slot: usize, task: &Task) -> Followed {
        let none = Followed::default();
        if self.step > 600 || task.steps as i64 * self.step > DAY { return none; }
        let at = self.start + slot as i64 * self.step;
        let c = (at + self.step).div_euclid(self.bin) - 1;
        let Ok(last) = usize::try_from(c - self.first) else { return none };
        if last >= self.mean[0].len() { return none; }
        if self.cache[slot].is_none() { self.cache[slot] = Some(self.search(last)); }
        self.from(self.cache[slot].as_ref().unwrap(), last, at, task)
    }

    fn from(&self, near: &[u32], last: usize, at: i64, task: &Task) -> Followed {
        let none = Followed::default();
        let ahead = task.steps as i64 * self.step;
        let x = self.mean[0][last];
        if x.is_nan() { return none; }
        let want = self.count(last);
        let move_by = crate::knob!("AM", 0.6) as f32;
        let mut v: Vec<f32> = Vec::with_capacity(want);
        for &n in near {
            let shift = (last as i64 - n as i64) * self.bin;
            // Known at the origin.
            let end = (at + ahead - shift).div_euclid(self.bin) - self.first + i64::from(!task.peak);
            if end > last as i64 { continue; }
            let f = if task.peak {
                let a = (at + self.step - shift).div_euclid(self.bin) - self.first;
                let b = (at + ahead - shift).div_euclid(self.bin) - self.first;
                (a..=b).map(|i| self.peak[i as usize]).fold(f32::MIN, |m, p| if p.is_nan() || m.is_nan() { f32::NAN } else { m.max(p) })
            } else {
                let t = at + ahead - shift;
                let middle = (self.bin - self.step) / 2;
                let b = (t - middle).div_euclid(self.bin);
                let share = (t - middle - b * self.bin) as f32 / self.bin as f32;
                let i = (b - self.first) as usize;
                let p = self.mean[0][i];
                if share == 0.0 { p } else { p + share * (self.mean[0][i + 1] - p) }
            };
            if f.is_nan() { continue; }
            v.push(f + move_by * (x - self.mean[0][n as usize]));
            if v.len() == want { break; }
        }
        if v.len() < 4 { return none; }
        let mean = v.iter().sum::<f32>() / v.len() as f32;
        v.sort_unstable_by(f32::total_cmp);
        let q = LEVELS.map(|l| { let p = l as f32 * (v.len() - 1) as f32; let i = p as usize; let j = (i + 1).min(v.len() - 1); v[i] + (p - i as f32) * (v[j] - v[i]) });
        let spread = v.iter().map(|x| (x - q[1]).abs()).sum::<f32>() / v.len() as f32;
        Followed { mean, q, spread, known: true }
    }
}
