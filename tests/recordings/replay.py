#!/usr/bin/env python3
"""Works out the recordings of our own from the documented rules, without the twin.

Written apart from `src/simulate` on purpose: floats in seconds, lists that are searched afresh at every sync, no
shared code; where both agree, a slip in one of them is unlikely. Timing as measured on a real cluster: polls at
0.05 s + interval·k, HPA syncs at 15.05 s + 15.015 s·k, pods exist 0.05 s after spec.replicas.

    python3 tests/recordings/replay.py        rewrites the JSON files beside it
"""
import json
import math
import pathlib

START = "2026-01-01T00:00:00.400Z"
FRACTION = 0.400


def scaled_object(**given):
    default = dict(minReplicaCount=1, maxReplicaCount=100, idleReplicaCount=None, pollingInterval=30,
                   cooldownPeriod=300, initialCooldownPeriod=0, fallback=None, behavior=None,
                   triggers=[dict(type="external", metricType="AverageValue", target=1, name="A")])
    return default | given


def at(rows, t):
    return [row for row in rows if row[0] <= t][-1]


class Cluster:
    def __init__(self, so, initial, rows, ready_delay):
        self.so, self.rows, self.ready_delay = so, rows, ready_delay
        self.spec, self.changes = initial, [(0.0, initial)]
        self.pods = [(0.0, 0.0)] * initial          # (exists from, ready from), oldest first
        self.recommendations, self.scalings = [], []
        self.failures, self.last_active = 0, None

    def set(self, t, n):
        if n == self.spec:
            return
        if n > self.spec:
            self.pods += [(t + 0.05, t + 0.05 + self.ready_delay)] * (n - self.spec)
        else:
            self.pods = self.pods[:n]
        self.scalings.append((t, n - self.spec))
        self.spec = n
        self.changes.append((t, n))

    def reading(self, t):
        """Value and activity of the trigger, or the fallback's."""
        _, value, active, fails, _ = at(self.rows, t)
        if not fails:
            self.failures = 0
            return round(value, 3), active
        self.failures += 1
        fallback = self.so["fallback"]
        if not fallback or self.failures <= fallback["failureThreshold"]:
            return None, None
        n = fallback["replicas"]
        n = {"static": n, "currentReplicas": self.spec, "currentReplicasIfHigher": max(n, self.spec),
             "currentReplicasIfLower": min(n, self.spec)}[fallback.get("behavior", "static")]
        return n * self.so["triggers"][0]["target"], True

    def active(self, t):
        so = self.so
        whole = math.floor(t + FRACTION) - FRACTION
        if self.spec == 0 or (so["idleReplicaCount"] is not None and self.spec < so["minReplicaCount"]):
            self.set(t, max(1, so["minReplicaCount"]))
        self.last_active = whole

    def poll(self, t):
        so = self.so
        _, active = self.reading(t)
        if active is None:
            return
        if active:
            return self.active(t)
        idle = so["idleReplicaCount"]
        floor = idle if idle is not None else (0 if so["minReplicaCount"] == 0 else None)
        if floor is not None and self.spec > floor:
            since = -FRACTION + so["initialCooldownPeriod"]
            if self.last_active is not None:
                since = self.last_active + so["cooldownPeriod"]
            if t > since:
                self.set(t, floor)

    def sync(self, t):
        so, current = self.so, self.spec
        low, high = max(1, so["minReplicaCount"]), so["maxReplicaCount"]
        if not self.recommendations:
            self.recommendations.append((t, current))
        if current == 0:
            return
        if not low <= current <= high:
            return self.set(t, min(max(current, low), high))
        value, _ = self.reading(t)
        if value is None:
            return
        trigger = so["triggers"][0]
        exists = sum(1 for pod in self.pods if pod[0] <= t)
        ready = sum(1 for pod in self.pods if pod[1] <= t)
        behavior = so["behavior"]
        up, down = [(behavior or {}).get(k, {}) for k in ("scaleUp", "scaleDown")]
        narrow = 1 - float(down.get("tolerance", 0.1)), 1 + float(up.get("tolerance", 0.1))
        if trigger["metricType"] == "AverageValue":
            ratio = value / (trigger["target"] * exists) if exists else math.inf
            wish = exists if narrow[0] <= ratio <= narrow[1] else math.ceil(value / trigger["target"])
        else:
            ratio = value / trigger["target"]
            wish = current if narrow[0] <= ratio <= narrow[1] else math.ceil(ratio * ready)
        down_window = down.get("stabilizationWindowSeconds", 300)
        up_window = up.get("stabilizationWindowSeconds", 0)
        recent = [r for at, r in self.recommendations if t - at < down_window]
        if behavior is None:
            goal = min(max([wish] + recent), max(2 * current, 4))
        else:
            brief = [r for at, r in self.recommendations if t - at < up_window]
            goal = min(max(current, min([wish] + brief)), max([wish] + recent))
            goal = self.rate(t, current, goal, up, down)
        self.recommendations.append((t, wish))
        self.set(t, min(max(goal, low), high))

    def rate(self, t, current, goal, up, down):
        rules = up if goal > current else down
        fallback = [dict(type="Percent", value=100, periodSeconds=15)]
        if goal > current:
            fallback.append(dict(type="Pods", value=4, periodSeconds=15))
        if rules.get("selectPolicy") == "Disabled":
            return current
        sign = 1 if goal > current else -1
        reach = []
        for policy in rules.get("policies", fallback):
            start = current - sum(n for at, n in self.scalings if t - at < policy["periodSeconds"])
            if policy["type"] == "Pods":
                reach.append(start + sign * policy["value"])
            else:
                exact = start * (100 + sign * policy["value"]) / 100
                reach.append(math.ceil(exact) if sign > 0 else math.floor(exact))
        far = [n * sign for n in reach]
        far = sign * (min(far) if rules.get("selectPolicy") == "Min" else max(far))
        return max(current, min(goal, far)) if sign > 0 else min(current, max(goal, far))


def replay(so, initial, rows, ready_delay, duration):
    cluster = Cluster(so, initial, rows, ready_delay)
    events, pushes = [], so["triggers"][0]["type"] == "external-push"
    pauses = so.get("pauses", [])
    starts = [0.0] + [pause[1] for pause in pauses]
    ends = [pause[0] for pause in pauses] + [duration]
    for begin, end in zip(starts, ends):
        polls = [begin + 0.05 + k * so["pollingInterval"] for k in range(2000)]
        syncs = [begin + 15.05 + k * 15.015 for k in range(2000)]
        events += [(t, 1, "poll") for t in polls if t < end] + [(t, 2, "sync") for t in syncs if t < end]
    events += [(pause[0], 0, "pause") for pause in pauses]
    if pushes:
        flips = zip(rows, rows[1:])
        events += [(b[0], 0, "push") for a, b in flips if b[2] and not a[2]]
    for t, _, kind in sorted(events):
        if kind == "pause":
            cluster.recommendations, cluster.scalings = [], []
            paused = [p[2] for p in pauses if p[0] == t][0]
            if paused is not None:
                cluster.set(t, paused)
        else:
            dict(poll=cluster.poll, sync=cluster.sync, push=cluster.active)[kind](t)
    return [[round(t, 3), n, n, n] for t, n in cluster.changes]


def step(t, value, active=True, fails=False):
    return [t, value, active, fails, False]


SCENARIOS = {
    "own-spike-no-behavior": (
        "20 s at 30 replicas seen by one sync: without behavior its maximum drives on to the full height",
        scaled_object(), 3, [step(0, 3), step(100, 30), step(120, 3)], 0),
    "own-spike-empty-behavior": (
        "the same spike with an empty behavior: the ramp ends when the metric falls",
        scaled_object(behavior={}), 3, [step(0, 3), step(100, 30), step(120, 3)], 0),
    "own-fallback-if-higher": (
        "failures at 8 replicas with a fallback of 6 if higher, then again at 3",
        scaled_object(fallback=dict(failureThreshold=3, replicas=6, behavior="currentReplicasIfHigher")), 8,
        [step(0, 8), step(100, 8, fails=True), step(250, 3), step(700, 3, fails=True), step(900, 3)], 0),
    "own-idle": (
        "idle replicas 0 with a minimum of 3: activation, cooldown of 60 s, activation again",
        scaled_object(minReplicaCount=3, idleReplicaCount=0, cooldownPeriod=60), 0,
        [step(0, 0, False), step(70, 7), step(400, 0, False), step(700, 4)], 0),
    "own-policies": (
        "upward window of 30 s, smallest of two policies both ways, a tolerance of 0",
        scaled_object(behavior=dict(
            scaleUp=dict(stabilizationWindowSeconds=30, selectPolicy="Min", tolerance="0", policies=[
                dict(type="Pods", value=3, periodSeconds=30), dict(type="Percent", value=50, periodSeconds=30)]),
            scaleDown=dict(stabilizationWindowSeconds=120, selectPolicy="Min", tolerance="0", policies=[
                dict(type="Pods", value=5, periodSeconds=60), dict(type="Percent", value=20, periodSeconds=60)]))),
        4, [step(0, 4), step(70, 15), step(400, 14), step(700, 2)], 0),
    "own-push": (
        "pushes between polls: activation at once, a pulse of 2 s, cooldown from the push",
        scaled_object(minReplicaCount=0, cooldownPeriod=60,
                      triggers=[dict(type="external-push", metricType="AverageValue", target=1, name="A")]), 0,
        [step(0, 0, False), step(100, 5), step(300, 0, False), step(640, 2), step(642, 2, False)], 0),
    "own-value-slow": (
        "metricType Value with pods that take 40 s: the ramp follows the ready pods",
        scaled_object(maxReplicaCount=30,
                      triggers=[dict(type="external", metricType="Value", target=10, name="A")]), 4,
        [step(0, 10), step(70, 20), step(250, 10), step(500, 6)], 40),
    "own-pause": (
        "paused at 2 replicas from 100 to 400 s; the HPA begins afresh, without its old recommendations",
        scaled_object(pauses=[[100, 400, 2]]), 9, [step(0, 9), step(90, 4)], 0),
}

for name, (description, so, initial, rows, delay) in SCENARIOS.items():
    recording = dict(name=name, description=description, startedAt=START, createdAfter=0, duration=1260,
                     scaledObject=so, initialReplicas=initial, podReadyDelay=delay, timeline=rows,
                     replicas=replay(so, initial, rows, delay, 1260))
    text = json.dumps(recording, indent=1)
    pathlib.Path(__file__).with_name(f"{name}.json").write_text(text + "\n")
    print(name, [tuple(row[:2]) for row in recording["replicas"]])
