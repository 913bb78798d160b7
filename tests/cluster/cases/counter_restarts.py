"""The application under load is restarted, so its counter starts again at zero: first after 45 s without a sample,
then between two scrapes. The load stays the same."""
import time

from cases.source_returns import judge, make
from harness import loads

LOADS = [loads.Load("counter-restarts")]


def run(case):
    make(case)
    away = time.time()
    loads.bend(case.namespace, mode="vanish")
    case.wait(45)
    loads.bend(case.namespace, restarts=1)
    case.wait(200)
    judge(case, away, time.time(), "with 45 s between")
    at_once = time.time()
    loads.bend(case.namespace, restarts=2)
    case.wait(150)
    judge(case, at_once, time.time(), "at once")
