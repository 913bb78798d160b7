"""300 ScaledObjects over 30 queries on one Forescale: all get their replicas. They keep them while Forescale is down
for a minute and starts again without state, and while KEDA's operator is restarted."""
import concurrent.futures
import time

from harness import loads
from harness.case import need, rate

LOADS = [loads.Load("crowd")]
COUNT, QUERIES = 300, 30


def share(n):
    """The factor on the load: queries that differ, each for 2 to 4 replicas."""
    return round(0.16 + 0.25 * (n % QUERIES) / QUERIES, 4)


def run(case):
    names = {f"crowd-{n:03}": n for n in range(COUNT)}
    wants = {name: need(480 * share(n)) for name, n in names.items()}

    def make(name):
        query = f"{rate(case.namespace)} * {share(names[name])}"
        case.workload(name, case.trigger(query, minReplicas="1"), minReplicaCount=1,
                      fallback={"failureThreshold": 3, "replicas": 1, "behavior": "currentReplicasIfHigher"})

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(make, names))
    made = time.time()
    case.figure(f"{COUNT} made within {made - case.began:.0f} s of the stage")

    def all_hold(check):
        return all(check(name, case.now(name)) for name in names)

    took = case.until("replicas of all", 420, lambda: all_hold(lambda n, s: s.spec >= wants[n] and s.answered()))
    case.figure(f"all have the replicas they need {took:.0f} s later")
    case.settle(1, *names)
    dead = time.time()
    case.site.servers[0].kill()
    case.wait(60)
    case.site.start_server()
    took = case.try_until("a number for all", 90, lambda: all_hold(lambda n, s: s.answered()))
    if took is not None:
        case.figure(f"all have a number {took:.0f} s after Forescale's return")
    took = case.try_until("a metric for all", 120, lambda: all_hold(lambda n, s: any(s.metrics)))
    if took is not None:
        case.figure(f"every HPA has it {took:.0f} s later")
    judge(case, wants, dead, "while Forescale was dead, and after")
    case.say_done()
    restarting = time.time()
    case.hear_done("keda_restarts", 900)
    judge(case, wants, restarting, "while KEDA was restarted, and after")


def judge(case, wants, since, words):
    """One line for all objects, and one for each that fell short."""
    judged = {name: case.record.judge(case.key(name), lambda _, wanted=wanted: wanted, since)
              for name, wanted in wants.items()}
    short = {name: j for name, j in judged.items() if not j.holds()}
    case.figure(f"{words}: {len(judged)} objects, {len(short)} of them short, "
                f"{sum(j.short for j in judged.values())} object-seconds, "
                f"unsafe {sum(j.unsafe for j in judged.values())}, "
                f"seconds recorded {min(j.seconds for j in judged.values())}")
    for name, j in list(short.items())[:5]:
        case.expect(False, f"{words}: {name}: {j}")
    case.expect(len(short) <= 5, f"{words}: {len(short)} of {len(judged)} fell short")
