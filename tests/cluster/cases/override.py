"""`forescale override` raises the replicas, then lowers them, then is lifted, each time by the patch that the command
prints."""
import json
import time

from harness import kube, loads
from harness.case import need, rate

LOADS = [loads.Load("override")]
NEED = need(480)


def run(case):
    case.workload("web", case.trigger(rate(case.namespace)))
    case.settle(NEED, "web")

    def command(*arguments):
        code, printed = case.forescale("override", f"{case.namespace}/web", "--format", "json", "--scaler-address",
                                       f"{case.site.host}:6000", *arguments)
        assert code == 0, printed
        kube.patch(case.path("web"), json.loads(printed))
        return time.time()

    def reaches(replicas, words):
        took = case.try_until(f"{replicas} replicas, {words}", 90, lambda: case.now("web").spec == replicas)
        if took is not None:
            case.figure(f"{words}: {replicas} replicas after {took:.0f} s")

    up = command("--replicas", "14", "--for", "10m", "--reason", "launch")
    reaches(14, "up")
    reached = time.time()
    case.wait(60)
    case.never_below(NEED, "web", up, words="on its way up")
    case.never_below(14, "web", reached, words="held up")
    command("--replicas", "4", "--for", "10m", "--reason", "maintenance")
    reaches(4, "down")
    down = time.time()
    case.wait(30)
    command("--lift")
    reaches(NEED, "lifted")
    lifted = time.time()
    case.wait(60)
    case.never_below(4, "web", down, lifted, "held down and lifted")
    case.never_below(NEED, "web", lifted, words="after lifting")
