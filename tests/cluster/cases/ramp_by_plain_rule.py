"""As ramp_ahead with a load that is every day exactly as the day before. There a plain rule, the same time of a former
day, forecasts better than the pool; the forecast is then that rule's, and not none."""
from cases import ramp_ahead
from harness import loads

LOADS = [loads.Load("ramp-by-plain-rule", "repeating")]


def run(case):
    ramp_ahead.run(case)
