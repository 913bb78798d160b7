//! The `behavior` of a ScaledObject's HPA, for the twin: tolerance, stabilization and policies as in the file.
//!
//! What the API server would refuse is refused, all at once. Missing fields stay missing: the twin fills them as the
//! API server does.

use crate::simulate::{Amount, Behavior, Millis, Policy, Rules, Select};
use crate::source::yaml::Node;

/// Its path in a ScaledObject.
const PLACE: [&str; 4] = ["spec", "advanced", "horizontalPodAutoscalerConfig", "behavior"];

/// The behavior of a ScaledObject; `None` if it has none.
///
/// # Errors
/// All its faults, each with its key, what was found and what was expected.
pub(super) fn of(object: &Node) -> Result<Option<Behavior>, Vec<String>> {
    let Some(node) = object.at(&PLACE) else { return Ok(None) };
    let mut faults = Vec::new();
    let mut rules = |direction| {
        node.get(direction)
            .map_or_else(Rules::default, |node| Reader { direction, faults: &mut faults }.rules(node))
    };
    let behavior = Behavior { scale_up: rules("scaleUp"), scale_down: rules("scaleDown") };
    if faults.is_empty() { Ok(Some(behavior)) } else { Err(faults) }
}

struct Reader<'f> {
    direction: &'static str,
    faults: &'f mut Vec<String>,
}

impl Reader<'_> {
    fn rules(&mut self, node: &Node) -> Rules {
        /// The longest window that the API server accepts, seconds.
        const LONGEST_WINDOW: i64 = 3_600;
        let window = self.read(node, "stabilizationWindowSeconds", "0 to 3600 seconds", |text| {
            let seconds = text.parse::<i64>().ok()?;
            (0..=LONGEST_WINDOW).contains(&seconds).then_some(seconds)
        });
        let select = self.read(node, "selectPolicy", "Max, Min or Disabled", |text| match text {
            "Max" => Some(Select::Max),
            "Min" => Some(Select::Min),
            "Disabled" => Some(Select::Disabled),
            _ => None,
        });
        let tolerance = self.read(node, "tolerance", "a share of at least 0, such as 0.05 or 50m", quantity);
        let policies = node
            .get("policies")
            .map(|list| list.items().iter().filter_map(|policy| self.policy(policy)).collect::<Vec<_>>());
        Rules { stabilization: window.map(|s| Millis(s * 1_000)), select, policies, tolerance }
    }

    fn policy(&mut self, node: &Node) -> Option<Policy> {
        /// The longest period that the API server accepts, seconds.
        const LONGEST_PERIOD: i64 = 1_800;
        let value =
            self.need(node, "value", "a number above 0", |text| text.parse::<u32>().ok().filter(|v| *v > 0));
        let seconds = self.need(node, "periodSeconds", "1 to 1800 seconds", |text| {
            text.parse::<i64>().ok().filter(|seconds| (1..=LONGEST_PERIOD).contains(seconds))
        });
        let kind: Option<fn(u32) -> Amount> = self.need(node, "type", "Pods or Percent", |text| match text {
            "Pods" => Some(Amount::Pods as fn(u32) -> Amount),
            "Percent" => Some(Amount::Percent),
            _ => None,
        });
        Some(Policy { amount: kind?(value?), period: Millis(seconds? * 1_000) })
    }

    fn need<T>(
        &mut self,
        node: &Node,
        key: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        if node.get(key).is_none() {
            self.fault(key, "nothing", expected);
        }
        self.read(node, key, expected, read)
    }

    fn read<T>(
        &mut self,
        node: &Node,
        key: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = node.get(key)?;
        let text = value.text().unwrap_or_default();
        let found = read(text.trim());
        if found.is_none() {
            self.fault(key, &format!("'{text}'"), expected);
        }
        found
    }

    fn fault(&mut self, key: &str, found: &str, expected: &str) {
        self.faults.push(format!("behavior.{}.{key}: found {found}, expected {expected}", self.direction));
    }
}

/// Parses a Kubernetes quantity: a number, or thousandths.
fn quantity(text: &str) -> Option<f64> {
    let value = match text.strip_suffix('m') {
        Some(thousandths) => thousandths.parse::<f64>().ok()? / 1_000.0,
        None => text.parse().ok()?,
    };
    (value.is_finite() && value >= 0.0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::yaml::documents;

    fn read(behavior: &str) -> Result<Option<Behavior>, Vec<String>> {
        let text =
            format!("spec:\n  advanced:\n    horizontalPodAutoscalerConfig:\n      behavior: {behavior}\n");
        of(documents(&text).expect("YAML").first().expect("a document"))
    }

    #[test]
    fn what_is_written_is_read_and_what_is_not_is_left_out() {
        assert_eq!(of(documents("spec: {}\n").expect("YAML").first().expect("a document")), Ok(None));
        assert_eq!(read("{scaleUp: {}}"), Ok(Some(Behavior::default())));
        let found = read(
            "{scaleUp: {tolerance: 0, selectPolicy: Min, policies: [{type: Pods, value: 4, periodSeconds: 15}, \
             {type: Percent, value: 100, periodSeconds: 60}]}, scaleDown: {tolerance: 50m, \
             stabilizationWindowSeconds: 120}}",
        );
        let found = found.expect("valid").expect("there");
        let policy = |amount, seconds: i64| Policy { amount, period: Millis(seconds * 1_000) };
        let up = Rules {
            select: Some(Select::Min),
            policies: Some(vec![policy(Amount::Pods(4), 15), policy(Amount::Percent(100), 60)]),
            tolerance: Some(0.0),
            stabilization: None,
        };
        let down = Rules { tolerance: Some(0.05), stabilization: Some(Millis(120_000)), ..Rules::default() };
        assert_eq!(found, Behavior { scale_up: up, scale_down: down });
    }

    #[test]
    fn all_faults_come_at_once() {
        let faults = read(
            "{scaleUp: {tolerance: -1, selectPolicy: Most, policies: [{type: Pod, value: 0}]}, scaleDown: \
             {stabilizationWindowSeconds: 4000}}",
        );
        let faults = faults.expect_err("six faults");
        for (fault, says) in faults.iter().zip([
            "behavior.scaleUp.selectPolicy: found 'Most', expected Max, Min or Disabled",
            "behavior.scaleUp.tolerance: found '-1'",
            "behavior.scaleUp.value: found '0'",
            "behavior.scaleUp.periodSeconds: found nothing",
            "behavior.scaleUp.type: found 'Pod'",
            "behavior.scaleDown.stabilizationWindowSeconds: found '4000'",
        ]) {
            assert!(fault.starts_with(says), "{fault}");
        }
        assert_eq!(faults.len(), 6, "{faults:?}");
    }
}
