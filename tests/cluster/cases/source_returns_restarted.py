"""Like source_returns, but Forescale is killed and restarted half-way: of the time before, it knows only what
Prometheus reports after its return."""
import time

from cases.source_returns import AFTER, AWAY, judge, make
from harness import loads

LOADS = [loads.Load("source-returns-restarted")]


def run(case):
    make(case)
    away = time.time()
    case.site.prometheus.kill()
    case.wait(AWAY / 2)
    case.site.servers[0].kill()
    case.site.start_server()
    case.wait(AWAY / 2)
    case.site.start_prometheus()
    back = time.time()
    case.wait(AFTER)
    judge(case, away, back, "while it was away")
    judge(case, back, time.time(), "after its return")
    case.heals("a number and a metric for reactive", 60, "reactive")
