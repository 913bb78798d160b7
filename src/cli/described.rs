//! One workload as a file describes it: a ScaledObject with its trigger, or a policy.
//!
//! Every command that takes such a file accepts both, parsed by the readers of `lint` and of the server, so that
//! faults have the same words. Nothing here judges, and nothing asks a cluster.

mod behavior;

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail};

use super::files;
use crate::lint::is_server;
use crate::simulate::Behavior;
use crate::source::Catalogue;
use crate::source::manifest::{ScaledObject, scaled_objects};
use crate::source::yaml::documents;

/// The description of one workload in a file.
pub(super) struct Described {
    /// Its title: `NAMESPACE/NAME`, or the name of the policy's file.
    pub title: String,
    /// A trigger's metadata; for a policy, only the name under which it is in the catalogue.
    pub metadata: HashMap<String, String>,
    /// The HPA `behavior` of a ScaledObject, if it has one.
    pub behavior: Option<Behavior>,
}

/// Reads a file; a policy in it is added to the catalogue. `name` chooses among several ScaledObjects.
pub(super) fn read(path: &Path, name: Option<&str>, catalogue: &mut Catalogue) -> anyhow::Result<Described> {
    let text = files::text(path)?;
    of(path, &text, name, catalogue).with_context(|| path.display().to_string())
}

fn of(path: &Path, text: &str, name: Option<&str>, catalogue: &mut Catalogue) -> anyhow::Result<Described> {
    let documents = documents(text).map_err(anyhow::Error::msg)?;
    if documents.iter().any(|document| document.get("kind").is_some()) {
        return trigger(&scaled_objects(&documents), name);
    }
    if documents.iter().any(is_server) {
        bail!("found a server's configuration, expected a ScaledObject or a policy");
    }
    if let Some(name) = name {
        bail!("--name {name}: a policy has no name; expected a file with ScaledObjects");
    }
    let title = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    catalogue.add(&title, text)?;
    let metadata = HashMap::from([("policy".to_owned(), title.clone())]);
    Ok(Described { title, metadata, behavior: None })
}

/// The trigger that uses Forescale, of the only ScaledObject that has one.
fn trigger(objects: &[ScaledObject<'_>], name: Option<&str>) -> anyhow::Result<Described> {
    let fits = |object: &ScaledObject<'_>| name.is_none_or(|wanted| wanted == object.name);
    let mut found = objects
        .iter()
        .filter(|object| fits(object))
        .filter_map(|object| Some((object, object.ours().next()?)));
    let Some((object, trigger)) = found.next() else {
        let names: Vec<_> = objects.iter().map(|object| object.name.as_str()).collect();
        let wanted = name.map_or_else(String::new, |name| format!(" '{name}'"));
        let held = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        bail!("found no ScaledObject{wanted} with a trigger that asks Forescale; it holds: {held}");
    };
    if let Some((other, _)) = found.next() {
        let more = 2 + found.count();
        bail!(
            "found {more} ScaledObjects ('{}', '{}', …), expected one; choose it with --name",
            object.name,
            other.name
        );
    }
    let title = match &object.namespace {
        Some(namespace) => format!("{namespace}/{}", object.name),
        None => object.name.clone(),
    };
    let behavior =
        behavior::of(object.node).map_err(|faults| anyhow::anyhow!("{title}: {}", faults.join("; ")))?;
    Ok(Described { title, metadata: trigger.metadata.clone(), behavior })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str, name: Option<&str>) -> Result<Described, String> {
        of(Path::new("/a/office.yaml"), text, name, &mut Catalogue::default()).map_err(|e| format!("{e:#}"))
    }

    fn object(name: &str, address: &str) -> String {
        format!(
            "kind: ScaledObject\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  triggers:\n  \
             - {{type: external, metadata: {{scalerAddress: '{address}', query: up}}}}\n---\n"
        )
    }

    #[test]
    fn a_policy_and_a_scaled_object_are_told_apart() {
        let policy = read_text("query: up\nthreshold: 1\n", None).map(|d| (d.title, d.metadata.len()));
        assert_eq!(policy, Ok(("office".to_owned(), 1)));
        let web =
            read_text(&object("web", "forescale:6000"), None).map(|d| (d.title, d.metadata["query"].clone()));
        assert_eq!(web, Ok(("shop/web".to_owned(), "up".to_owned())));
    }

    #[test]
    fn what_is_not_one_workload_is_refused_with_what_it_holds() {
        let two = object("web", "forescale:6000") + &object("api", "forescale:6000");
        assert_eq!(read_text(&two, Some("api")).map(|d| d.title), Ok("shop/api".to_owned()));
        let table = [
            (
                two.as_str(),
                None,
                "found 2 ScaledObjects ('web', 'api', …), expected one; choose it with --name",
            ),
            (
                &two,
                Some("x"),
                "found no ScaledObject 'x' with a trigger that asks Forescale; it holds: web, api",
            ),
            (
                "kind: Deployment\n",
                None,
                "found no ScaledObject with a trigger that asks Forescale; it holds: none",
            ),
            (
                "datasources: {default: {url: 'http://p'}}\n",
                None,
                "found a server's configuration, expected a ScaledObject or a policy",
            ),
            ("query: up\n", Some("x"), "--name x: a policy has no name; expected a file with ScaledObjects"),
        ];
        for (text, name, expected) in table {
            assert_eq!(read_text(text, name).map(|d| d.title), Err(expected.to_owned()), "{text}");
        }
    }
}
