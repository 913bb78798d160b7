"""The load rises from 150/s to 850/s within 8 minutes, at the time of day at which it always does, on days that differ by
up to 30 % as a whole. The replicas are ready before it, which no reactive trigger does: pods take 15 s, the rate two
minutes. Such a load only the forecast foresees: yesterday is a poor guess."""
import json
import time

from harness import kube, loads
from harness.case import need, rate

LOADS = [loads.Load("ramp-ahead", "varying")]
THRESHOLD = 100
# A ramp of 8 minutes and a minute on its top.
LASTS = 540
# The quantile that is insured, 0.99 of `availability`, is one of peaks with their noise: 1 in 100 may be higher.
OBJECTIVE, SHARE = "availability", 0.01
# The window that is insured, 90 s of lead time with KEDA's poll and the HPA's syncs, is calibrated by the peaks of 5 minutes,
# the next that are; and what the time of day says is known to 5 minutes, blurred by its neighbours. So the forecast, to its
# 0.99 quantile, sees the ramp up to 12 minutes ahead. From further away nothing does; from within more replicas are the
# answer to it.
UNSEEN = 900
# Of the 9 on the top. As many or more before the ramp is seen would be no answer to it.
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
