"""The functions that cases use: workloads, waiting, figures and expectations. A case collects its failures and goes
on, so that one run reports all of them; only a failure without which it cannot go on ends it early."""
import math
import os
import subprocess
import time

from . import kube
from .processes import RUN, until
from .site import FORESCALE

# The two minutes of `rate(...[2m])` after Prometheus' start, until it covers only the present load, and a scrape at
# both ends.
RANGE = 135


class Case:
    """One case in its own namespace. `site` has its Prometheus and its Forescale servers."""

    def __init__(self, name, site, record, began, done):
        self.name, self.site, self.record, self.began, self._done = name, site, record, began, done
        self.namespace = name.replace("_", "-")
        self.figures, self.faults = [], []

    # === what it creates ===

    def make_namespace(self, name=None):
        name = name or self.namespace
        kube.apply(f"/api/v1/namespaces/{name}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def deployment(self, name, replicas=None, namespace=None, containers=("app",)):
        """Without `replicas` KEDA decides."""
        requests = {"requests": {"cpu": "100m", "memory": "64Mi"}}
        pod = {"containers": [{"name": c, "image": "none.invalid/none", "resources": requests} for c in containers]}
        spec = {"selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": pod}}
        spec |= {} if replicas is None else {"replicas": replicas}
        kube.apply(f"/apis/apps/v1/namespaces/{namespace or self.namespace}/deployments/{name}",
                   {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})

    def workload(self, name, *triggers, replicas=None, **spec):
        """A Deployment and a ScaledObject for it, as in the README. `spec` replaces fields."""
        self.deployment(name, replicas)
        exact = {"scaleUp": {"tolerance": "0"}, "scaleDown": {"tolerance": "0"}}
        spec = {"scaleTargetRef": {"name": name}, "minReplicaCount": 2, "maxReplicaCount": 40,
                "fallback": {"failureThreshold": 3, "replicas": 4, "behavior": "currentReplicasIfHigher"},
                "advanced": {"horizontalPodAutoscalerConfig": {"behavior": exact}}, "triggers": list(triggers), **spec}
        kube.apply(self.path(name), {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
                                     "metadata": {"name": name}, "spec": spec})

    def trigger(self, query, kind="external", name=None, **metadata):
        """A trigger of ours, with a load of 50 per replica. `metadata` replaces keys, and None removes one."""
        metadata = {"scalerAddress": f"{self.site.host}:6000", "query": query, "threshold": "50", "minReplicas": "2",
                    "maxReplicas": "40", **metadata}
        metadata = {key: value for key, value in metadata.items() if value is not None}
        return {"type": kind, "metadata": metadata, **({"name": name} if name else {})}

    def path(self, name):
        return f"/apis/keda.sh/v1alpha1/namespaces/{self.namespace}/scaledobjects/{name}"

    def key(self, name):
        return name if "/" in name else f"{self.namespace}/{name}"

    def forescale(self, *arguments, text=None):
        """The exit code of a command and its output, or its error output if it prints nothing else. `text` is its
        standard input."""
        done = subprocess.run([FORESCALE, *arguments], input=text, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout or done.stderr

    def folder(self):
        folder = f"{RUN}/sites/{self.namespace}"
        os.makedirs(folder, exist_ok=True)
        return folder

    # === what it waits for ===

    def now(self, name):
        return self.record.latest(self.key(name))

    def wait(self, seconds):
        """Lets a fault last, or gives its consequences time to appear. Never used in place of a condition."""
        time.sleep(max(0.0, seconds))

    def until(self, what, seconds, condition):
        return until(f"{self.name}: {what}", seconds, condition)

    def settle(self, need, *names, seconds=240):
        """Waits until every object has the replicas that its load needs, and rates cover only the present load."""
        self.until(f"{need} replicas of {', '.join(names)} at first", seconds,
                   lambda: all(self.now(n).ready >= need for n in names))
        self.wait(self.site.began + RANGE - time.time())

    def heals(self, what, seconds, name):
        """Seconds until every server has a number and the HPA has our metric again."""
        return self.try_until(what, seconds, lambda: self.now(name).answered() and any(self.now(name).metrics))

    def try_until(self, what, seconds, condition):
        """Like `until`, but a timeout is a fault of the case and returns None."""
        try:
            return self.until(what, seconds, condition)
        except TimeoutError as late:
            self.faults.append(str(late))
            return None

    def say_done(self):
        """Says that other cases may now break what all cases share."""
        self._done[self.name].set()

    def hear_done(self, other, seconds):
        """Waits for another case of this run to say so; returns at once if that case is not part of the run."""
        if other in self._done and not self._done[other].wait(seconds):
            raise TimeoutError(f"{self.name}: {other} was not done within {seconds} s")

    # === what it asserts ===

    def expect(self, holds, what):
        if not holds:
            self.faults.append(what)

    def figure(self, text):
        self.figures.append(text)

    def never_below(self, need, name, since, to=math.inf, words="", ready=False, share=0.0):
        """Asserts, from the record of every second, that replicas never fell below what the load needed. `need` is a
        number, or a function of the loads of that second; `share` is the share of seconds in which they may."""
        wanted = need if callable(need) else lambda _: need
        judged = self.record.judge(self.key(name), wanted, since, to, ready)
        text = f"{words or name}: {judged}"
        self.figures.append(text)
        # A changing load is answered when it is seen, which is later than it occurs.
        if not judged.holds(share) or judged.asked_less and not callable(need):
            self.faults.append(text)
        return judged


def rate(job):
    return f'sum(rate(http_requests_total{{job="{job}"}}[2m]))'


def need(load, threshold=50):
    """The replicas that a load needs."""
    return math.ceil(load / threshold)
