"""Prometheus is down for 3 minutes while the load stays the same. Then it is back with a gap in every rate(), which
is too low until its two minutes have refilled. No replica may be removed; and afterwards a falling load is followed
again."""
import time

from harness import loads
from harness.case import need, rate

LOADS = [loads.Load("source-returns")]
NEED = need(480)
AWAY, AFTER = 180, 200


def make(case):
    """One workload by forecast, one by the present load only, and one that goes to zero if the load is below a
    threshold."""
    query = rate(case.namespace)
    case.workload("predictive", case.trigger(query, leadTime="90s"))
    case.workload("reactive", case.trigger(query, mode="reactive"))
    case.workload("zero", case.trigger(query, mode="reactive", minReplicas="0", activationThreshold="100"),
                  minReplicaCount=0, cooldownPeriod=0, pollingInterval=5)
    case.settle(NEED, "predictive", "reactive", "zero")


def judge(case, since, to, words):
    for name in ("predictive", "reactive", "zero"):
        case.never_below(NEED, name, since, to, f"{name} {words}")


def let_go(case):
    """Replicas held because the source was away are released when the load falls."""
    loads.bend(case.namespace, value=240)
    took = case.try_until("5 replicas after the load fell", 240, lambda: all(
        case.now(name).spec == need(240) for name in ("reactive", "zero")))
    if took is not None:
        case.figure(f"followed a load that fell within {took:.0f} s")


def run(case):
    make(case)
    away = time.time()
    case.site.prometheus.kill()
    case.wait(AWAY)
    case.site.start_prometheus()
    back = time.time()
    case.wait(AFTER)
    judge(case, away, back, "while it was away")
    judge(case, back, time.time(), "after its return")
    let_go(case)
