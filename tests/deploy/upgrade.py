"""Whether an upgrade can be applied over what an older chart has rendered, and what it changes.

    upgrade.py OLD NEW

Objects that vanish, and fields that Kubernetes lets nobody change, are faults; so is a port that KEDA or Prometheus was told
of. What changes beside is printed, object by object.
"""

import sys

import yaml

# What the API server refuses to change.
FIXED = {
    "Deployment": [("spec", "selector")],
    "Service": [("spec", "clusterIP"), ("spec", "selector"), ("spec", "ports")],
}


def objects(path):
    rendered = [d for d in yaml.safe_load_all(open(path)) if d]
    return {(d["kind"], d["metadata"].get("namespace", ""), d["metadata"]["name"]): d for d in rendered}


def at(document, path):
    for key in path:
        document = document.get(key, {}) if isinstance(document, dict) else {}
    return document


def changes(old, new, path=""):
    """The places at which two documents differ; labels of the version and the checksum always do."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if key not in ("helm.sh/chart", "app.kubernetes.io/version", "checksum/config"):
                yield from changes(old.get(key), new.get(key), f"{path}.{key}")
    elif old != new:
        yield path.lstrip(".")


def main():
    old, new = objects(sys.argv[1]), objects(sys.argv[2])
    faults = [f"{kind} {name} vanishes" for kind, _, name in sorted(old.keys() - new.keys())]
    for key in sorted(old.keys() & new.keys()):
        for path in FIXED.get(key[0], []):
            if at(old[key], path) != at(new[key], path):
                faults.append(f"{key[0]} {key[2]}: {'.'.join(path)} changes")
        found = list(changes(old[key], new[key]))
        if found:
            print(f"  {key[0]} {key[2]}: {', '.join(found)}")
    for kind, _, name in sorted(new.keys() - old.keys()):
        print(f"  {kind} {name}: new")
    for fault in faults:
        print("fault:", fault)
    sys.exit(1 if faults else 0)


main()
