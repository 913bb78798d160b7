"""The record of every second: what each link of the chain reports about every ScaledObject, kept in memory and
written to $CLUSTER_RUN/record.jsonl; and the judgement based on it. It only reads and never repairs: a missing second
is counted."""
import json
import threading
import time
from dataclasses import asdict, dataclass, field

from . import kube
from .processes import RUN

# From an answer to `spec.replicas`: the HPA syncs every 15.015 s, and a record is up to a second late at both ends.
HPA_DELAY = 17
# A record with a longer gap cannot show that nothing happened in it.
MOST_GAP = 6


@dataclass
class Sample:
    """One object at one second."""
    spec: int = 0          # spec.replicas of the workload
    ready: int = 0         # its ready replicas
    hpa: int | None = None  # the HPA's desired replicas
    metrics: list = field(default_factory=list)     # current values of its external metrics
    external: int = 0      # external metrics in its spec
    answers: dict = field(default_factory=dict)     # replicas by server; a text if it has none
    conditions: dict = field(default_factory=dict)  # the ScaledObject's, by type

    def numbers(self):
        return [answer for answer in self.answers.values() if isinstance(answer, int)]

    def answered(self):
        """Whether every running server has a number."""
        return bool(self.answers) and all(isinstance(answer, int) for answer in self.answers.values())


@dataclass
class Judgement:
    """Over a time span: seconds with fewer replicas than needed, how many of them the HPA's own delay explains, how
    often `spec.replicas` was lowered below the need, and seconds in which a server asked for less."""
    seconds: int = 0
    short: int = 0
    explained: int = 0
    unsafe: int = 0
    asked_less: int = 0
    lowest: int | None = None
    lowest_answer: int | None = None
    gap: float = 0.0

    def holds(self, share=0.0):
        """Whether at most `share` of the seconds were short without an explanation, nothing was lowered below the
        need, and the record has no gap that is too long."""
        unexplained = self.short - self.explained
        return self.seconds > 0 and unexplained <= share * self.seconds and self.unsafe == 0 and self.gap <= MOST_GAP

    def __str__(self):
        return (f"short {self.short - self.explained} s beyond the HPA's delay ({self.explained} s) of {self.seconds}, "
                f"unsafe {self.unsafe}, lowest {self.lowest}; asked for less in {self.asked_less} s, "
                f"lowest answer {self.lowest_answer}"
                + (f"; THE RECORD HAS A HOLE of {self.gap:.0f} s" if self.gap > MOST_GAP else ""))


class Record(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.rows = []      # (time, loads, {"namespace/name": Sample})
        self.sites = []     # whose servers are queried
        self._answers = {}

    def latest(self, key):
        """The newest sample of one object; KeyError if there is none yet."""
        return self.rows[-1][2][key]

    def span(self, key, since, until=float("inf")):
        """(time, loads, sample) for each second in which the object was seen."""
        return [(t, load, objects[key]) for t, load, objects in self.rows if since <= t <= until and key in objects]

    def judge(self, key, need, since, until=float("inf"), ready=False):
        """`need` returns what the true load needs, from the loads of that second."""
        rows, result, before = self.span(key, since, until), Judgement(), None
        for at, (t, load, sample) in enumerate(rows):
            wanted, has = need(load), sample.ready if ready else sample.spec
            answer = min(sample.numbers(), default=None)
            result.seconds += 1
            if has < wanted:
                result.short += 1
                result.explained += 0 <= _asked_for(rows[:at + 1], wanted) <= HPA_DELAY
            result.asked_less += answer is not None and answer < wanted
            result.unsafe += before is not None and sample.spec < min(before, wanted)
            result.lowest = _least(result.lowest, has)
            result.lowest_answer = _least(result.lowest_answer, answer)
            result.gap = max(result.gap, t - rows[at - 1][0] if at else 0.0)
            before = sample.spec
        return result

    def run(self):
        with open(f"{RUN}/record.jsonl", "a", buffering=1) as out:
            while True:
                begun = time.time()
                try:
                    row = (begun, self._loads(), self._objects())
                    self.rows.append(row)
                    out.write(json.dumps({"time": round(begun, 1), "loads": row[1],
                                          "objects": {key: asdict(sample) for key, sample in row[2].items()}}) + "\n")
                except OSError as error:
                    out.write(json.dumps({"time": begun, "error": str(error)}) + "\n")
                time.sleep(max(0.0, 1 - (time.time() - begun)))

    def follow(self, site):
        """Queries the site's servers every second, each in its own thread, so that a hanging server delays no
        other."""
        for n in range(len(site.servers)):
            threading.Thread(target=self._poll, args=(site, n), daemon=True).start()

    def _poll(self, site, n):
        while True:
            begun = time.time()
            self._answers[site.servers[n].name] = _answers(site, n)
            time.sleep(max(0.0, 1 - (time.time() - begun)))

    def _loads(self):
        try:
            return json.loads(kube.fetch("http://127.0.0.1:9500/truth", timeout=2))
        except OSError:  # no stage has begun
            return {}

    def _objects(self):
        found = {_key(o): Sample(conditions={c["type"]: c["status"] for c in o.get("status", {}).get("conditions", [])})
                 for o in kube.items("/apis/keda.sh/v1alpha1/scaledobjects")}
        for kind in ("deployments", "statefulsets"):
            for d in kube.items(f"/apis/apps/v1/{kind}"):
                if sample := found.get(_key(d)):
                    sample.spec, sample.ready = d["spec"].get("replicas", 0), d["status"].get("readyReplicas", 0)
        for h in kube.items("/apis/autoscaling/v2/horizontalpodautoscalers"):
            if sample := found.get(f'{h["metadata"]["namespace"]}/{h["spec"]["scaleTargetRef"]["name"]}'):
                status, metrics = h.get("status", {}), h["spec"].get("metrics", [])
                current = [m["external"]["current"] for m in status.get("currentMetrics") or [] if "external" in m]
                sample.hpa = status.get("desiredReplicas")
                sample.metrics = [c.get("averageValue") or c.get("value") for c in current]
                sample.external = sum("external" in m for m in metrics)
        for server, answers in list(self._answers.items()):
            for key, answer in answers.items():
                if sample := found.get(key):
                    sample.answers[server] = answer
        return found


def _least(a, b):
    return min((x for x in (a, b) if x is not None), default=None)


def _asked_for(rows, wanted):
    """For how many seconds, up to the last row, Forescale has asked for this many; -1 if it does not."""
    since = None
    for t, _, sample in reversed(rows):
        if max(sample.numbers(), default=0) < wanted:
            break
        since = t
    return -1 if since is None else rows[-1][0] - since


def _key(thing):
    return f'{thing["metadata"]["namespace"]}/{thing["metadata"]["name"]}'


def _answers(site, n):
    """What one server reports about every workload; empty while it is down. If there are several metrics, the
    highest."""
    try:
        workloads = json.loads(kube.fetch(f"{site.http(n)}/api/v1/workloads", timeout=2))["workloads"]
    except (OSError, ValueError):
        return {}
    answers = {}
    for w in workloads:
        key = f'{w["namespace"]}/{w["name"]}'
        decision = w.get("decision")
        said = decision["replicas"] if decision and not w.get("unavailable") else str(w.get("unavailable") or "none")
        if isinstance(answers.get(key), int) and isinstance(said, int):
            said = max(said, answers[key])
        answers[key] = said
    return answers
