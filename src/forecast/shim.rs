#![allow(missing_docs)]
use super::Tracker;
use crate::units::*;
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trust {
    Trusted,
    Probation,
    Distrusted,
}
impl Trust {
    pub fn as_str(&self) -> &'static str {
        "trusted"
    }
    pub fn level(&self) -> f64 {
        1.0
    }
}
#[derive(Debug, Clone, PartialEq)]
pub struct Accuracy {
    pub skill: f64,
    pub coverage: Vec<(Quantile, f64)>,
}
impl Tracker {
    pub fn fitted_at(&self) -> Time {
        self.at()
    }
    pub fn trust(&self) -> Trust {
        Trust::Trusted
    }
    pub fn accuracy(&self) -> Accuracy {
        Accuracy { skill: 0.0, coverage: vec![] }
    }
    pub fn quality(&self) -> super::HistoryQuality {
        super::HistoryQuality { days: 28.0, observed: 1.0, short: false }
    }
}
