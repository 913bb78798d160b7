//! The price of a replica for an hour: a fixed price, or a price by what its pod requests.

use clap::Args;

use super::inventory::PodRequests;

/// Prices of an hour.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct Prices {
    /// Price of one replica-hour.
    #[arg(long, value_name = "MONEY", default_value_t = 0.0, value_parser = money)]
    price: f64,
    /// Price per hour of one core that a pod requests, in place of --price.
    #[arg(long, value_name = "MONEY", default_value_t = 0.0, value_parser = money, conflicts_with = "price")]
    price_cpu: f64,
    /// Price per hour of one GiB of memory that a pod requests, in place of --price.
    #[arg(long, value_name = "MONEY", default_value_t = 0.0, value_parser = money, conflicts_with = "price")]
    price_memory: f64,
}

fn money(text: &str) -> Result<f64, String> {
    let found = text.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    found.ok_or_else(|| format!("found '{text}', expected an amount of money such as 0.04"))
}

// === impl Prices ===

impl Prices {
    /// A price for one core for an hour.
    pub(super) fn by_cpu(price_cpu: f64) -> Self {
        Prices { price_cpu, ..Prices::default() }
    }

    /// The price of one replica; `None` without a price, or if it depends on an unknown request.
    pub(super) fn of(self, requests: PodRequests) -> Option<f64> {
        let part = |price: f64, requested: Option<f64>| {
            if price > 0.0 { requested.map(|requested| price * requested) } else { Some(0.0) }
        };
        match self.are_by_request() {
            true => Some(part(self.price_cpu, requests.cores)? + part(self.price_memory, requests.memory)?),
            false => Some(self.price).filter(|price| *price > 0.0),
        }
    }

    pub(super) fn are_by_request(self) -> bool {
        self.price_cpu > 0.0 || self.price_memory > 0.0
    }

    /// The prices that were given, by the names of their flags.
    pub(super) fn given(self) -> impl Iterator<Item = (&'static str, String)> {
        let all = [("price", self.price), ("price-cpu", self.price_cpu), ("price-memory", self.price_memory)];
        all.into_iter().filter(|price| price.1 > 0.0).map(|(name, price)| (name, price.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_costs_what_is_given_or_what_it_requests() {
        let requests = PodRequests { cores: Some(0.5), memory: Some(2.0) };
        let unknown = PodRequests { cores: Some(0.5), memory: None };
        let each = Prices { price: 0.1, ..Prices::default() };
        let by_both = Prices { price_cpu: 0.04, price_memory: 0.005, ..Prices::default() };
        let by_cpu = Prices { price_cpu: 0.04, ..Prices::default() };
        assert_eq!((each.of(unknown), Prices::default().of(requests)), (Some(0.1), None));
        assert!(by_both.of(requests).is_some_and(|price| (price - 0.03).abs() < 1e-12));
        assert_eq!((by_both.of(unknown), by_cpu.of(unknown)), (None, Some(0.02)));
        assert!(money("-1").is_err() && money("nan").is_err() && money("0.04") == Ok(0.04));
    }
}
