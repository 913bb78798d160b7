"""The load rises from 150/s to 850/s within 8 minutes, at the time of day at which it always does, with 3 % of noise.
The replicas are ready before it, which no reactive trigger does: pods take 15 s, the rate two minutes."""
import json
import time

from harness import kube, loads
from harness.case import need, rate

LOADS = [loads.Load("ramp-ahead", "ramp")]
THRESHOLD = 100
# A ramp of 8 minutes and a minute on its top.
LASTS = 540


def run(case):
    ramp = loads.read("loads")["ramp"]
    wants = lambda now: need(now[case.namespace], THRESHOLD)
    case.workload("web", case.trigger(rate(case.namespace), threshold=str(THRESHOLD), leadTime="90s"))
    case.until("replicas before the ramp", ramp - 150 - time.time(), lambda: case.now("web").ready >= 2
               and case.now("web").answered())
    settled = time.time()
    story = json.loads(kube.fetch(f"{case.site.http()}/api/v1/workloads/{case.namespace}/web/forecast"))
    case.figure(f"trust before the ramp: {story['trust']}")
    case.wait(ramp + LASTS - time.time())
    seen = case.record.span(case.key("web"), settled)
    before = seen[0][2].spec
    rise = next((t - ramp for t, _, sample in seen if sample.spec > before), None)
    case.never_below(wants, "web", ramp - 60, words="spec.replicas")
    case.never_below(wants, "web", ramp - 60, words="ready", ready=True)
    case.figure(f"{before} before; first rise {rise and round(rise)} s from the ramp")
    case.expect(before == need(150, THRESHOLD), f"{before} replicas long before the ramp")
    case.expect(rise is not None and rise < 0, f"the first rise is at {rise} s from the ramp")
