"""The load rises from 150/s to 850/s within 8 minutes, at the same time of day as always, on days that differ by up
to 30 % as a whole. The replicas are ready before it. No reactive trigger can do that: pods take 15 s, the rate two
minutes. Only the forecast predicts such a load; the load of yesterday is a poor guess."""
import json
import time

from harness import kube, loads
from harness.case import need, rate

LOADS = [loads.Load("ramp-ahead", "varying")]
THRESHOLD = 100
# A ramp of 8 minutes, and a minute at its top.
LASTS = 540
# The insured quantile, 0.99 of `availability`, is one of peaks with their noise: 1 in 100 may be higher.
OBJECTIVE, SHARE = "availability", 0.01
# The insured window (90 s of lead time, KEDA's poll and the HPA's syncs) is calibrated by peaks over 5 minutes, the
# next longer window that is calibrated. The time of day is resolved to 5 minutes, and each such bin is smoothed with
# its neighbours. So the forecast, up to its 0.99 quantile, sees the ramp up to 12 minutes ahead. From further away
# nothing sees it; from nearer, more replicas are the right answer to it.
UNSEEN = 900
# The top needs 9. This many or more before the ramp is visible would not be an answer to it.
MOST_BEFORE = 4


def run(case):
    ramps(case, {"web": "ramp-ahead"})


def ramps(case, jobs):
    """One workload for each load, all with the ramp at the same time."""
    ramp = loads.read("loads")["ramp"]
    for name, job in jobs.items():
        case.workload(name, case.trigger(rate(job), threshold=str(THRESHOLD), leadTime="90s", objective=OBJECTIVE))
    case.until("replicas before the ramp", ramp - UNSEEN - time.time(), lambda: all(
        case.now(name).ready >= 2 and case.now(name).answered() for name in jobs))
    for name in jobs:
        story = json.loads(kube.fetch(f"{case.site.http()}/api/v1/workloads/{case.namespace}/{name}/forecast"))
        verdict = story.get("verdict") or {}
        case.figure(f"{name}: before the ramp {story['trust']}: {verdict.get('text', '')}")
    case.wait(ramp + LASTS - time.time())
    for name, job in jobs.items():
        judge(case, name, job, ramp)


def judge(case, name, job, ramp):
    wants = lambda now: need(now[job], THRESHOLD)
    case.never_below(wants, name, ramp - 60, words=f"{name}, spec.replicas", share=SHARE)
    case.never_below(wants, name, ramp - 60, words=f"{name}, ready", ready=True, share=SHARE)
    seen = case.record.span(case.key(name), ramp - UNSEEN)
    before = seen[0][2].spec
    rise = next((t - ramp for t, _, sample in seen if sample.spec > before), None)
    case.figure(f"{name}: {before} before; first rise {rise and round(rise)} s from the ramp")
    case.expect(before <= MOST_BEFORE, f"{name}: {before} replicas long before the ramp")
    case.expect(rise is not None and rise < 0, f"{name}: the first rise is at {rise} s from the ramp")
