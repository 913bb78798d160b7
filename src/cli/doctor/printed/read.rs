//! From the nodes of a file to what they tell. Whatever a judgement rests on and cannot be read is a fault with its
//! file and line; all faults are told at once.

use super::{Asked, COMMAND, Condition, Conditions, Health, Hpa, HpaOf, Pause, Scaled, Truth};
use crate::cli::doctor::facts::is_name;
use crate::cli::place::Place;
use crate::policy::metric_name_or_default;
use crate::source::manifest::{ScaledObject, Trigger};
use crate::source::yaml::{Content, Entry, Node, key_of};
use crate::units::Time;

/// KEDA's defaults, and those of Kubernetes.
const LEAST: u32 = 0;
const HPA_LEAST: u32 = 1;

/// Reads the objects of one file.
pub(super) struct Reader<'a> {
    file: &'a str,
    faults: &'a mut Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, faults: &'a mut Vec<String>) -> Self {
        Reader { file, faults }
    }

    /// A ScaledObject, and its HPA among all that were printed; `None` where something was at fault.
    pub(super) fn scaled(&mut self, object: &ScaledObject<'_>, hpas: &[(&str, &Node)]) -> Option<Scaled> {
        let node = object.node;
        let place = self.place(node)?;
        let spec = object.spec();
        let status = node.get("status");
        if status.is_none() && node.at(&["metadata", "uid"]).is_none() {
            let found = format!("{place} with no status and no uid, as it is kept in Git");
            self.fault(key_of(node, "metadata").0, &found, &format!("what `{COMMAND}` prints"));
            return None;
        }
        let fallback = spec.and_then(|spec| spec.get("fallback"));
        let conditions = self.conditions(status);
        Some(Scaled {
            least: self.count(spec, "minReplicaCount").unwrap_or(LEAST),
            idle: self.count(spec, "idleReplicaCount"),
            metrics: metrics(object),
            triggers: triggers(object),
            pause: pause(node),
            fallback_after: fallback.map(|_| self.count(fallback, "failureThreshold").unwrap_or_default()),
            health: self.health(status),
            conditions: (!conditions.0.is_empty()).then_some(conditions),
            hpa: self.hpa_of(object, &place, hpas),
            place,
        })
    }

    /// Names go into the commands that are printed.
    fn place(&mut self, node: &Node) -> Option<Place> {
        let place = Place::of(node);
        for name in [&place.namespace, &place.name] {
            if !is_name(name) {
                let found = format!("'{}'", name.escape_debug());
                self.fault(
                    key_of(node, "metadata").0,
                    &found,
                    "a name of Kubernetes (a-z, 0-9, '-', '.') in metadata",
                );
                return None;
            }
        }
        Some(place)
    }

    fn hpa_of(&mut self, object: &ScaledObject<'_>, scaled: &Place, hpas: &[(&str, &Node)]) -> HpaOf {
        let given = |path: &[&str]| object.node.at(path).and_then(Node::text).filter(|name| is_name(name));
        let name = given(&["status", "hpaName"])
            .or_else(|| given(&["spec", "advanced", "horizontalPodAutoscalerConfig", "name"]))
            .unwrap_or_else(|| format!("keda-hpa-{}", scaled.name));
        let place = Place { namespace: scaled.namespace.clone(), name };
        let is_its = |hpa: &Node| {
            let owners = hpa.at(&["metadata", "ownerReferences"]).map_or(&[][..], Node::items);
            let is = |owner: &Node, key: &str, wanted: &str| owner.text_of(key).as_deref() == Some(wanted);
            let owns = |owner| is(owner, "kind", "ScaledObject") && is(owner, "name", &scaled.name);
            let found = Place::of(hpa);
            found == place || found.namespace == scaled.namespace && owners.iter().any(owns)
        };
        match hpas.iter().find(|(_, hpa)| is_its(hpa)) {
            None if hpas.is_empty() => HpaOf::NotPrinted,
            None => HpaOf::Missing(place),
            Some((file, hpa)) => match Reader::new(file, self.faults).hpa(hpa) {
                Some(hpa) => HpaOf::Printed(hpa),
                // A fault was noted, and nothing is judged.
                None => HpaOf::Missing(place),
            },
        }
    }

    fn hpa(&mut self, node: &Node) -> Option<Hpa> {
        let place = self.place(node)?;
        if node.text_of("apiVersion").as_deref() == Some("autoscaling/v1") {
            self.fault(
                key_of(node, "apiVersion").0,
                &format!("{place} as autoscaling/v1, which tells of no metrics"),
                "autoscaling/v2: kubectl get scaledobject,hpa.v2.autoscaling -A -o yaml",
            );
            return None;
        }
        let (spec, status) = (node.get("spec"), node.get("status"));
        let listed = |of: Option<&Node>, key: &str| -> Vec<Asked> {
            let items = of.and_then(|of| of.get(key)).map_or(&[][..], Node::items);
            items.iter().map(asked).collect()
        };
        let name = |metric| match metric {
            Asked::External(name) => Some(name),
            Asked::Other => None,
        };
        let least = self.count(spec, "minReplicas").unwrap_or(HPA_LEAST);
        let made = self.time(node.get("metadata"), "creationTimestamp");
        Some(Hpa {
            place,
            least,
            most: self.count(spec, "maxReplicas").unwrap_or(least),
            asked: listed(spec, "metrics"),
            valued: listed(status, "currentMetrics").into_iter().filter_map(name).collect(),
            current: self.count(status, "currentReplicas").unwrap_or_default(),
            desired: self.count(status, "desiredReplicas").unwrap_or_default(),
            since: self.time(status, "lastScaleTime").or(made),
            conditions: self.conditions(status),
        })
    }

    fn conditions(&mut self, status: Option<&Node>) -> Conditions {
        let Some(list) = status.and_then(|status| status.get("conditions")) else {
            return Conditions(Vec::new());
        };
        if !matches!(list.content, Content::List(_)) {
            self.fault(list.line, &found(list), "a list of conditions in status.conditions");
        }
        Conditions(list.items().iter().filter_map(|item| self.condition(item)).collect())
    }

    fn condition(&mut self, node: &Node) -> Option<(String, Condition)> {
        let Some(kind) = node.text_of("type") else {
            self.fault(node.line, "a condition without type", "one such as type: Ready");
            return None;
        };
        let status = node.get("status");
        let text = status.and_then(Node::text).unwrap_or_default();
        let truth = match text.to_ascii_lowercase().as_str() {
            "true" => Truth::True,
            "false" => Truth::False,
            "unknown" => Truth::Unknown,
            _ => {
                let what = status.map_or_else(|| "nothing".to_owned(), found);
                let line = status.map_or(node.line, |status| status.line);
                self.fault(
                    line,
                    &format!("{what} as the status of the condition {kind}"),
                    "True, False or Unknown",
                );
                return None;
            }
        };
        let text = |key: &str| node.text_of(key).unwrap_or_default();
        let since = self.time(Some(node), "lastTransitionTime");
        Some((kind, Condition { truth, reason: text("reason"), message: text("message"), since }))
    }

    fn health(&mut self, status: Option<&Node>) -> Vec<Health> {
        let entries = status.and_then(|status| status.get("health")).map_or(&[][..], Node::entries);
        let one = |entry: &Entry| Health {
            metric: entry.key.clone(),
            failures: self.count(Some(&entry.value), "numberOfFailures").unwrap_or_default(),
            is_failing: entry.value.text_of("status").as_deref() == Some("Failing"),
        };
        entries.iter().map(one).collect()
    }

    /// A count, where it stands there.
    fn count(&mut self, of: Option<&Node>, key: &str) -> Option<u32> {
        let node = of.and_then(|of| of.get(key))?;
        let count = node.text().and_then(|text| text.trim().parse().ok());
        if count.is_none() {
            self.fault(node.line, &format!("{key}: {}", found(node)), "a whole number, from 0");
        }
        count
    }

    /// An instant, where it stands there.
    fn time(&mut self, of: Option<&Node>, key: &str) -> Option<Time> {
        let node = of.and_then(|of| of.get(key))?;
        let time = node.text().and_then(|text| Time::parse(&text).ok());
        if time.is_none() {
            let expected = "an instant such as 2026-12-01T18:00:00Z";
            self.fault(node.line, &format!("{key}: {}", found(node)), expected);
        }
        time
    }

    fn fault(&mut self, line: usize, found: &str, expected: &str) {
        self.faults.push(format!("{}:{line}: found {found}, expected {expected}", self.file));
    }
}

/// What stands there, in words.
fn found(node: &Node) -> String {
    match &node.content {
        Content::Null => "nothing".to_owned(),
        Content::List(_) => "a list".to_owned(),
        Content::Map(_) => "a mapping".to_owned(),
        Content::Bool(_) | Content::Number(_) | Content::Text(_) => {
            format!("'{}'", node.text().unwrap_or_default().escape_debug())
        }
    }
}

/// The names that KEDA gives to the metrics of our triggers: with the trigger's place before each.
fn triggers(object: &ScaledObject<'_>) -> Vec<String> {
    let name =
        |trigger: &Trigger<'_>| format!("s{}-{}", trigger.index, metric_name_or_default(&trigger.metadata));
    object.ours().map(name).collect()
}

/// Their names in the HPA: a formula makes one of all.
fn metrics(object: &ScaledObject<'_>) -> Vec<String> {
    match object.node.at(&["spec", "advanced", "scalingModifiers", "formula"]) {
        Some(_) => vec!["composite-metric".to_owned()],
        None => triggers(object),
    }
}

/// The annotation that pauses, one that stops both directions before others; KEDA takes all but Go's words for false
/// as true.
fn pause(node: &Node) -> Option<Pause> {
    const REPLICAS: &str = "autoscaling.keda.sh/paused-replicas";
    const PAUSED: &str = "autoscaling.keda.sh/paused";
    const FALSE: [&str; 6] = ["0", "f", "F", "false", "False", "FALSE"];
    let annotations = node.at(&["metadata", "annotations"]).map_or(&[][..], Node::entries);
    let pausing = annotations.iter().filter_map(|entry| {
        let value = entry.value.text().unwrap_or_default();
        let counts = entry.key == REPLICAS || !FALSE.contains(&value.as_str());
        (entry.key.starts_with(PAUSED) && counts).then(|| Pause {
            is_whole: [REPLICAS, PAUSED].contains(&entry.key.as_str()),
            annotation: entry.key.clone(),
            value,
        })
    });
    pausing.max_by_key(|pause| pause.is_whole)
}

fn asked(metric: &Node) -> Asked {
    let name = metric.at(&["external", "metric", "name"]).and_then(Node::text);
    name.map_or(Asked::Other, Asked::External)
}
