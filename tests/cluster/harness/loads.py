"""The loads of the cases: their values over the past 30 days, and their values now. The history is written for
Prometheus before a stage starts; the exporter continues where it ended. Both use `value`, so there is no step between
them.

A case changes its load by `bend`: {"value": 300}, {"mode": "nan" | "vanish" | "two"}, {"restarts": 1} (a counter
starts again at zero whenever that number changes)."""
import json
import math
import os
import shutil
import subprocess
import threading
import time
from dataclasses import asdict, dataclass

RUN = os.environ["CLUSTER_RUN"]
DAY = 86400
HISTORY = 30 * DAY
_bending = threading.Lock()


@dataclass(frozen=True)
class Load:
    """One series. `shape` is a key of SHAPES; `level` is the present value of `flat` and `held`."""
    job: str
    shape: str = "held"
    level: float = 480.0
    metric: str = "http_requests_total"
    labels: str = ""
    past: bool = True  # whether it has a history

    def counter(self):
        return self.metric.endswith("_total")

    def name(self):
        """The name with the label that a scrape would add, so that history and present are one series."""
        return f'{self.metric}{{job="{self.job}",instance="app"{"," if self.labels else ""}{self.labels}}}'


def noise(seed, t):
    """A number from -1 to 1, the same for the same seed and minute."""
    k = (int(t // 60) * 7919 + sum(map(ord, seed)) * 104729) & 0xFFFFFFFF
    for shift, factor in ((16, 0x27D4EB2D), (15, 0x85EBCA6B), (13, 1)):
        k = ((k ^ k >> shift) * factor) & 0xFFFFFFFF
    return k / 0x7FFFFFFF - 1


def flat(load, t, start):
    return load.level


def held(load, t, start):
    """A daily sine between 300 and 600 that was at its middle and rising when the history ended, and is constant from
    then on. So the load is not what the forecast expects, and a forecast alone cannot hide a missing load."""
    if t > start["end"]:
        return load.level
    return (450 + 150 * math.sin(2 * math.pi * (t - start["end"]) / DAY)) * (1 + 0.03 * noise(load.job, t))


def repeating(load, t, start):
    """150 at night; every day from the ramp's time up to 850 within 8 minutes, 4 hours there, 4 hours down. Each day
    is an exact copy of the previous day."""
    m = (t - start["ramp"]) / 60 % 1440
    if m < 8:
        return 150 + 700 * m / 8
    if m < 248:
        return 850.0
    return 850 - 700 * (m - 248) / 240 if m < 488 else 150.0


def noisy(load, t, start):
    """The same with 3 % of noise, so that no two days are equal, but yesterday is still the best forecast."""
    return repeating(load, t, start) * (1 + 0.03 * noise(load.job, t))


def varying(load, t, start):
    """The same with days that differ as a whole by up to 30 % from today, so that yesterday is a poor forecast."""
    day = (t - start["ramp"] + DAY // 2) // DAY
    return noisy(load, t, start) * (1 if day == 0 else 1 + 0.3 * noise(load.job, 60 * day))


SHAPES = {"flat": flat, "held": held, "repeating": repeating, "noisy": noisy, "varying": varying}


def value(load, t, start, bent):
    """The load at t. `start` says when the history ended and when a ramp starts (on any day)."""
    if "value" in bent:
        return float(bent["value"])
    return max(0.0, SHAPES[load.shape](load, t, start))


def make_history(loads, ramp_in):
    """Writes 30 days up to now as Prometheus' blocks below $CLUSTER_RUN/history, and the state from which the
    exporter continues. The ramp starts `ramp_in` seconds from now, and started at that time of every day before."""
    end = int(time.time()) // 60 * 60
    start = {"end": end, "ramp": end + ramp_in, "totals": {}}
    times = range(end - HISTORY, end + 1, 60)
    with open(f"{RUN}/history.om", "w") as out:
        for metric in sorted({load.metric for load in loads}):
            counter = metric.endswith("_total")
            out.write(f"# TYPE {metric.removesuffix('_total')} {'counter' if counter else 'gauge'}\n")
            for load in (load for load in loads if load.metric == metric and load.past):
                total = 1000.0
                for t in times:
                    v = value(load, t, start, {})
                    out.write(f"{load.name()} {total if counter else v:.3f} {t}\n")
                    start["totals"][load.name()] = total
                    total += 60 * v
        out.write("# EOF\n")
    shutil.rmtree(f"{RUN}/history", ignore_errors=True)
    subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=500h",
                    f"{RUN}/history.om", f"{RUN}/history"], check=True, capture_output=True)
    os.remove(f"{RUN}/history.om")
    start["loads"] = [asdict(load) for load in loads]
    _write("bent", {})
    _write("loads", start)
    return start


def bend(job, **bent):
    """Changes one load; without arguments restores it. The other loads stay as they are."""
    with _bending:
        everything = read("bent")
        everything[job] = bent
        _write("bent", everything)


def read(name):
    with open(f"{RUN}/{name}.json") as file:
        return json.load(file)


def _write(name, document):
    """Atomic, so that the exporter never reads a half-written file."""
    with open(f"{RUN}/{name}.new", "w") as out:
        json.dump(document, out)
    os.rename(f"{RUN}/{name}.new", f"{RUN}/{name}.json")
