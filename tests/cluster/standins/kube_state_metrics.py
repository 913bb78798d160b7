"""kube-state-metrics, with only the metrics and labels that our queries, alerts and `doctor` use."""
import calendar
import http.server
import time

from harness import kube


def epoch(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


UNITS = {"m": 1e-3, "Ki": 2.0 ** 10, "Mi": 2.0 ** 20, "Gi": 2.0 ** 30}


def number(quantity):
    """1500m is 1.5, and 64Mi is 67108864."""
    text = str(quantity)
    unit = next((unit for unit in UNITS if text.endswith(unit)), "")
    return float(text.removesuffix(unit)) * UNITS.get(unit, 1.0)


class Page:
    def __init__(self):
        self.lines = []

    def sample(self, name, value, **labels):
        written = ",".join(f'{k}="{v}"' for k, v in labels.items())
        self.lines.append(f"kube_{name}{{{written}}} {value}")

    def deployments(self):
        for d in kube.items("/apis/apps/v1/deployments"):
            labels = {"namespace": d["metadata"]["namespace"], "deployment": d["metadata"]["name"]}
            self.sample("deployment_spec_replicas", d["spec"].get("replicas", 0), **labels)
            self.sample("deployment_status_replicas", d["status"].get("replicas", 0), **labels)
            self.sample("deployment_status_replicas_ready", d["status"].get("readyReplicas", 0), **labels)

    def replica_sets(self):
        for r in kube.items("/apis/apps/v1/replicasets"):
            labels = {"namespace": r["metadata"]["namespace"], "replicaset": r["metadata"]["name"]}
            for owner in r["metadata"].get("ownerReferences", []):
                self.sample("replicaset_owner", 1, owner_kind=owner["kind"], owner_name=owner["name"],
                            owner_is_controller="true", **labels)

    def autoscalers(self):
        for h in kube.items("/apis/autoscaling/v2/horizontalpodautoscalers"):
            labels = {"namespace": h["metadata"]["namespace"], "horizontalpodautoscaler": h["metadata"]["name"]}
            spec, status = h["spec"], h.get("status", {})
            target = spec["scaleTargetRef"]
            self.sample("horizontalpodautoscaler_info", 1, scaletargetref_kind=target["kind"],
                        scaletargetref_name=target["name"], **labels)
            for name, value in (("spec_max_replicas", spec["maxReplicas"]),
                                ("spec_min_replicas", spec.get("minReplicas", 1)),
                                ("status_current_replicas", status.get("currentReplicas", 0)),
                                ("status_desired_replicas", status.get("desiredReplicas", 0))):
                self.sample(f"horizontalpodautoscaler_{name}", value, **labels)
            for c in status.get("conditions", []):
                for state in ("true", "false", "unknown"):
                    self.sample("horizontalpodautoscaler_status_condition", int(c["status"].lower() == state), **labels,
                                condition=c["type"], status=state)
            self.metrics("spec", "target", spec.get("metrics", []), labels)
            self.metrics("status", "current", status.get("currentMetrics") or [], labels)

    def metrics(self, where, field, metrics, labels):
        for m in metrics:
            kind = m["type"].lower()
            if kind == "external":
                name, kind = m["external"]["metric"]["name"], "average"
                value = m["external"][field].get("averageValue", 0)
            elif kind == "resource":
                name, value = m["resource"]["name"], m["resource"][field].get("averageUtilization", 0)
                kind = "utilization"
            else:
                continue
            self.sample(f"horizontalpodautoscaler_{where}_target_metric", number(value), **labels, metric_name=name,
                        metric_target_type=kind)

    def pods(self):
        for p in kube.items("/api/v1/pods"):
            labels = {"namespace": p["metadata"]["namespace"], "pod": p["metadata"]["name"]}
            self.sample("pod_created", epoch(p["metadata"]["creationTimestamp"]), **labels)
            for owner in p["metadata"].get("ownerReferences", []):
                self.sample("pod_owner", 1, owner_kind=owner["kind"], owner_name=owner["name"],
                            owner_is_controller="true", **labels)
            for phase in ("Pending", "Running", "Succeeded", "Failed", "Unknown"):
                self.sample("pod_status_phase", int(p["status"].get("phase") == phase), phase=phase, **labels)
            ready = [c for c in p["status"].get("conditions", []) if c["type"] == "Ready" and c["status"] == "True"]
            for state, holds in (("true", bool(ready)), ("false", not ready), ("unknown", False)):
                self.sample("pod_status_ready", int(holds), condition=state, **labels)
            if ready:
                self.sample("pod_status_ready_time", epoch(ready[0]["lastTransitionTime"]), **labels)
            for c in p["spec"]["containers"]:
                for resource, quantity in c.get("resources", {}).get("requests", {}).items():
                    self.sample("pod_container_resource_requests", number(quantity), container=c["name"],
                                resource=resource, unit="core" if resource == "cpu" else "byte", **labels)


def page():
    made = Page()
    made.deployments()
    made.replica_sets()
    made.autoscalers()
    made.pods()
    return "\n".join(made.lines) + "\n"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        try:
            body, code = page(), 200
        except OSError as error:
            body, code = str(error), 503
        self.send_response(code)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body.encode())


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", 9501), Handler).serve_forever()
