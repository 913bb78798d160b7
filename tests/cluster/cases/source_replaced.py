"""The data source fails over to a neighbour without any samples, and 200 s later back again. Neither the missing
history nor the too low rates of either source may lower an answer."""
import time

from cases.source_returns import AFTER, judge, make
from harness import loads

LOADS = [loads.Load("source-replaced")]


def run(case):
    make(case)
    replaced, former = time.time(), case.site.prometheus
    former.kill()
    case.site.replace_prometheus()
    case.wait(AFTER)
    back, neighbour = time.time(), case.site.prometheus
    neighbour.kill()
    case.site.prometheus = former
    case.site.start_prometheus()
    case.wait(150)
    judge(case, replaced, back, "with the empty neighbour")
    judge(case, back, time.time(), "after the return")
