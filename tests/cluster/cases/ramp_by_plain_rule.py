"""As ramp_ahead with days that are alike, with noise and exactly. There a plain rule, the same time of a former day,
forecasts better than the pool; the replicas are then that rule's, and not those of the load now."""
from cases.ramp_ahead import ramps
from harness import loads

LOADS = [loads.Load("ramp-by-plain-rule", "noisy"), loads.Load("exact", "repeating")]


def run(case):
    ramps(case, {"noisy": "ramp-by-plain-rule", "exact": "exact"})
