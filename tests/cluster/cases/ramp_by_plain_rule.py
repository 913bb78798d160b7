"""Like ramp_ahead, with days that are alike, with noise and exactly. On them a plain rule, the same time on an
earlier day, forecasts better than the pool; the replicas are then those of that rule, not those of the present
load."""
from cases.ramp_ahead import ramps
from harness import loads

LOADS = [loads.Load("ramp-by-plain-rule", "noisy"), loads.Load("exact", "repeating")]


def run(case):
    ramps(case, {"noisy": "ramp-by-plain-rule", "exact": "exact"})
