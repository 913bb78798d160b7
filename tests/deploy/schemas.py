"""Makes the JSON Schemas that kubeconform validates by, out of published Go modules.

    schemas.py OUT KUBERNETES_DIR CRD_FILE...

Kubernetes' OpenAPI documents and the CRDs of others become one strict schema for each kind: a key that the API server
would drop is a fault.
"""

import json
import pathlib
import sys

import yaml

STRICT_OFF = "x-kubernetes-preserve-unknown-fields"


def strict(node, prefix):
    """Refuses unknown keys below `node`, and points references at `definitions`."""
    if isinstance(node, list):
        return [strict(item, prefix) for item in node]
    if not isinstance(node, dict):
        return node
    out = {}
    for key, value in node.items():
        if key == "$ref":
            out[key] = value.replace(prefix, "#/definitions/")
        elif key == "properties":
            out[key] = {name: strict(schema, prefix) for name, schema in value.items()}
        elif key != "default":
            out[key] = strict(value, prefix)
    if "properties" in out and not out.get(STRICT_OFF) and "additionalProperties" not in out:
        out["additionalProperties"] = False
    return out


def file_name(group, version, kind):
    """The name that kubeconform's {{.ResourceKind}}{{.KindSuffix}} asks for."""
    group = group.split(".")[0]
    return "-".join(part for part in (kind.lower(), group, version.lower()) if part) + ".json"


def main():
    out, kubernetes, crds = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    for document in sorted((kubernetes / "api/openapi-spec/v3").glob("*_openapi.json")):
        schemas = json.loads(document.read_text())["components"].get("schemas", {})
        definitions = strict(schemas, "#/components/schemas/")
        for name, schema in schemas.items():
            for gvk in schema.get("x-kubernetes-group-version-kind", []):
                if "properties" not in schema or "metadata" not in schema["properties"]:
                    continue
                whole = {"$ref": f"#/definitions/{name}", "definitions": definitions}
                (out / file_name(**gvk)).write_text(json.dumps(whole))
                written += 1
    for path in crds:
        for crd in yaml.safe_load_all(pathlib.Path(path).read_text()):
            for version in crd["spec"]["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"], "#/")
                # A CRD leaves metadata to the API server.
                schema["properties"]["metadata"] = {"type": "object"}
                name = file_name(crd["spec"]["group"], version["name"], crd["spec"]["names"]["kind"])
                (out / name).write_text(json.dumps(schema))
                written += 1
    print(f"{written} schemas")
    assert written > 100, "the modules do not hold what they held"


main()
