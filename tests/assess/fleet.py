"""Generated fleets of known kinds, and a real Prometheus that holds their history.

A kind is known by how it was made: what rises faster than pods start and comes again is for a forecast, whatever a
verdict says. Every figure of a workload is drawn from a seed, so that no verdict can be fitted to one fleet.
"""
import json
import math
import pathlib
import random
import socket
import subprocess
import time
import urllib.request

MINUTE, DAY = 60, 86_400
# A Monday, 00:00 UTC.
END = 1_775_433_600
DAYS = 28


class Member:
    """One workload: its kind, its load by minute, what ran, its manifest."""

    def __init__(self, name, kind, load, ran=None, low=1, high=100, threshold=10.0):
        self.name, self.kind, self.load, self.ran = name, kind, load, ran
        self.low, self.high, self.threshold = low, high, threshold

    def need(self):
        return [max(1, math.ceil(v / self.threshold)) if v == v else 0 for v in self.load]

    def manifest(self):
        return (f"apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {{name: {self.name}, namespace: shop}}\n"
                f"spec:\n  scaleTargetRef: {{name: {self.name}}}\n  minReplicaCount: {self.low}\n"
                f"  maxReplicaCount: {self.high}\n  triggers:\n  - {{type: prometheus, metadata: {{serverAddress: "
                f"'http://p', query: '{query(self.name)}', threshold: '{self.threshold}'}}}}\n---\n")


def query(name):
    return f'load{{app="{name}"}}'


def replicas(name):
    return f'kube_deployment_status_replicas_ready{{namespace="shop",deployment="{name}"}}'


def minutes(days):
    """Minutes of the history: the instant, its minute of the day, its weekday."""
    first = END - days * DAY
    for k in range(days * 1_440):
        at = first + k * MINUTE
        yield at, at % DAY // MINUTE, (at // DAY + 3) % 7


def rising(dice, days):
    """Rises by several times within minutes, again and again; no stretch of busy hours holds it."""
    threshold, quiet = dice.uniform(5, 50), dice.uniform(2, 5)
    top, noise = quiet * dice.uniform(4, 9), dice.uniform(0.01, 0.05)
    ramp = dice.randint(3, 10)
    if dice.random() < 0.6:
        period = dice.choice([60, 90, 120, 180, 240])
        hold, phase = dice.randint(ramp + 5, period // 2), dice.randint(0, period - 1)
        since = lambda minute: (minute - phase) % period
    else:
        # Some times of the day, as batches and broadcasts have.
        starts = sorted(dice.sample(range(0, 1_440, 60), dice.randint(4, 8)))
        shift, hold = dice.randint(0, 59), dice.randint(ramp + 5, 30)
        since = lambda minute: min((minute - shift - start) % 1_440 for start in starts)
    def shape(minute):
        m = since(minute)
        return min(1, m / ramp) if m < hold else max(0, 1 - (m - hold) / ramp)
    table = [shape(minute) for minute in range(1_440)]
    load = [threshold * (quiet + (top - quiet) * table[minute]) * (1 + noise * dice.gauss(0, 1))
            for _, minute, _ in minutes(days)]
    return load, threshold


def office(dice, days):
    """Square hours of work."""
    threshold, quiet = dice.uniform(5, 50), dice.uniform(1, 3)
    busy, noise = quiet * dice.uniform(4, 10), dice.uniform(0.005, 0.02)
    start, length, weekends = dice.randint(6, 10), dice.randint(7, 10), dice.random() < 0.3
    load = [threshold * (busy if start * 60 <= minute < (start + length) * 60 and (weekends or day < 5) else quiet)
            * (1 + noise * dice.gauss(0, 1)) for _, minute, day in minutes(days)]
    return load, threshold


def flat(dice, days):
    """The same all the time."""
    threshold, level, noise = dice.uniform(5, 50), dice.uniform(3, 30), dice.uniform(0.005, 0.03)
    return [threshold * level * (1 + noise * dice.gauss(0, 1)) for _ in range(days * 1_440)], threshold


def wandering(dice, days):
    """No pattern: wanders about its level within hours, or bursts at random moments."""
    threshold, level = dice.uniform(5, 50), dice.uniform(5, 20)
    bursts, memory = dice.random() < 0.5, dice.uniform(60, 600)
    load, x, burst = [], 0.0, 0.0
    for _ in range(days * 1_440):
        x += -x / memory + 0.35 * math.sqrt(2 / memory) * dice.gauss(0, 1)
        if bursts and dice.random() < 6 / 1_440:
            burst = dice.uniform(0.5, 2)
        burst *= 0.9
        load.append(threshold * level * (math.exp(x) + burst) * (1 + 0.01 * dice.gauss(0, 1)))
    return load, threshold


# What is right for each kind. Without a pattern a trigger on the load now is enough, or nothing is.
RIGHT = {"rising": {"predictive"}, "office": {"schedule"}, "flat": {"reactive"},
         "wandering": {"reactive", "at_risk"}, "over": {"over_provisioned"}, "missing": {"cannot_tell"}}


def held(member, dice):
    """What a careful team runs for a load: enough for the largest of the last day, or a fixed count."""
    need = member.need()
    if dice.random() < 0.4:
        # Nobody knows.
        return None
    if dice.random() < 0.5:
        return [max(need)] * len(need)
    block = [max(need[i:i + 360]) for i in range(0, len(need), 360)]
    return [max(block[i // 360], block[max(0, i // 360 - 4)]) for i in range(len(need))]


def known(seed=1, days=DAYS):
    """Sixty workloads of known kind."""
    dice = random.Random(seed)
    fleet = []
    for kind, count, make in [("rising", 20, rising), ("office", 10, office), ("flat", 10, flat),
                              ("wandering", 10, wandering)]:
        for i in range(count):
            load, threshold = make(dice, days)
            member = Member(f"{kind}-{i}", kind, [max(0.0, v) for v in load], threshold=round(threshold, 3))
            member.ran = held(member, dice)
            fleet.append(member)
    for i in range(5):
        load, threshold = dice.choice([rising, office, flat, wandering])(dice, days)
        member = Member(f"over-{i}", "over", [max(0.0, v) for v in load], threshold=round(threshold, 3))
        need = member.need()
        if i < 3:
            # By its floor.
            member.low = math.ceil(dice.uniform(1.5, 3) * max(need))
            member.high = member.low + 20
            member.ran = [max(member.low, n) for n in need]
        else:
            # Another hand holds far more than the threshold asks for.
            member.ran = [math.ceil(dice.uniform(4, 6) * max(need))] * len(need)
        fleet.append(member)
    fleet += missing(dice, days)
    dice.shuffle(fleet)
    return fleet


def missing(dice, days):
    """What cannot be judged: no series, NaN alone, a day of history, nothing that ran, no trigger with a load."""
    steady = [100 + dice.gauss(0, 1) for _ in range(days * 1_440)]
    nan = [math.nan] * len(steady)
    return [Member("missing-0", "missing", []), Member("missing-1", "missing", nan, ran=[3] * len(nan)),
            Member("missing-2", "missing", nan[1_440:] + steady[:1_440]),
            Member("missing-3", "missing", steady, ran=[0] * len(steady)),
            Member("missing-4", "missing", [], ran=[2] * len(steady))]


class Prometheus:
    """A server on a free port with a written history."""

    def __init__(self, folder, series):
        """`series` yields (metric, [(instant, value)])."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        text = self.folder / "history.om"
        with open(text, "w") as out:
            name = None
            for metric, points in series:
                if metric.split("{")[0] != name:
                    name = metric.split("{")[0]
                    out.write(f"# TYPE {name} gauge\n")
                out.writelines(f"{metric} {'NaN' if v != v else repr(v)} {at}\n" for at, v in points)
            out.write("# EOF\n")
        # Blocks of two hours, the default, take a hundred times longer.
        subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=8760h", "--quiet",
                        text, self.folder / "data"], check=True)
        text.unlink()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        # Every query stands in a log, with the time at which it was asked.
        self.log = self.folder / "queries.log"
        (self.folder / "prometheus.yml").write_text(f"global: {{query_log_file: {self.log}}}\n")
        self.child = subprocess.Popen(
            ["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
             "--storage.tsdb.retention.time=20y", f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"],
            stderr=open(self.folder / "log", "w"))
        until = time.monotonic() + 120
        while not self.ready():
            if self.child.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"prometheus is not ready: {(self.folder / 'log').read_text()}")
            time.sleep(0.1)

    def ready(self):
        try:
            with urllib.request.urlopen(self.url + "/-/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def asked(self):
        """When each question arrived, in seconds."""
        from datetime import datetime
        rows = [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []
        stamps = [(row["ts"], row["stats"]["timings"]["evalTotalTime"] + row["stats"]["timings"]["execQueueTime"])
                  for row in rows]
        return sorted(datetime.fromisoformat(ts.replace("Z", "+00:00")).timestamp() - took for ts, took in stamps)

    def stop(self):
        self.child.terminate()
        self.child.wait()


def series(fleet, days=DAYS):
    """The history of a fleet, loads first."""
    first = END - days * DAY
    for member in fleet:
        if member.load:
            yield query(member.name), ((first + i * MINUTE, v) for i, v in enumerate(member.load))
    for member in fleet:
        if member.ran:
            yield replicas(member.name), ((first + i * MINUTE, v) for i, v in enumerate(member.ran))
