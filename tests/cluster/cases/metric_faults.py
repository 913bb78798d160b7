"""The metric is NaN, vanishes, is returned as two series, and the trigger's metadata is broken: a minute each. No
replica is removed in the meantime, and within a minute of each repair the HPA has our metric again."""
import time

from harness import kube, loads
from harness.case import need

LOADS = [loads.Load("metric-faults", metric="load")]
NEED = need(480)
QUERY = 'load{job="metric-faults"}'


def run(case):
    def metadata(**changes):
        kube.merge(case.path("web"), {"spec": {"triggers": [case.trigger(QUERY, **changes)]}})

    def break_metadata():
        metadata(threshold="many")
        case.try_until("the fault is told", 50, lambda: any("faulty metadata" in str(a)
                                                            for a in case.now("web").answers.values()))

    faults = {
        "NaN": (lambda: loads.bend(case.namespace, mode="nan"), lambda: loads.bend(case.namespace)),
        "vanished": (lambda: loads.bend(case.namespace, mode="vanish"), lambda: loads.bend(case.namespace)),
        "two series": (lambda: loads.bend(case.namespace, mode="two"), lambda: loads.bend(case.namespace)),
        "bad metadata": (break_metadata, metadata),
    }
    case.workload("web", case.trigger(QUERY))
    case.settle(NEED, "web")
    for words, (breaks, repairs) in faults.items():
        begun = time.time()
        breaks()
        case.wait(begun + 60 - time.time())
        repairs()
        healed = case.heals(f"a metric again after {words}", 60, "web")
        case.never_below(NEED, "web", begun, time.time(), words)
        if healed is not None:
            case.figure(f"{words}: again after {healed:.0f} s")
