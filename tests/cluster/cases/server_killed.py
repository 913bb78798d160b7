"""Two servers behind one name. One is killed and comes back, then the other is terminated as in a rollout. At any
time one of them answers, and no answer is lower.

After an address has refused it, KEDA's gRPC client waits up to two minutes between its attempts at that address. A
headless Service drops the address of a dead pod, and a new pod has a new address, which is tried at once; here the
address stays the same. Nothing that a server does can reach a waiting client, so the second server is terminated only
once KEDA calls the first again.

A server that has just started knows a workload only once it is called for it. KEDA discards the number of GetMetrics
if IsActive fails, and its single retry makes the same two calls: in round-robin over two servers they meet the new
one again. So each start costs the HPA one sync without our metric, during which it holds."""
import time

from harness import kube, loads
from harness.case import need, rate

LOADS = [loads.Load("server-killed")]
SITE = {"servers": 2}
NEED = need(480)
# The HPA's sync, and one second of the record at both ends.
SYNC = 17


def is_asked(case, n):
    """Whether KEDA has called this process since it started."""
    lines = kube.fetch(f"{case.site.http(n)}/metrics").splitlines()
    asked = [line for line in lines if line.startswith("forescale_grpc_duration_seconds_count") and "GetMetrics" in line]
    return any(float(line.rsplit(" ", 1)[1]) > 0 for line in asked)


def run(case):
    case.workload("web", case.trigger(rate(case.namespace)))
    case.settle(NEED, "web")
    gone = time.time()
    case.site.servers[0].kill()
    case.try_until("an answer of the other", 30, lambda: case.now("web").numbers())
    case.wait(100)
    case.site.start_server(0)
    began = time.time()
    case.try_until("KEDA's call of the first", 150, lambda: is_asked(case, 0))
    case.figure(f"KEDA asks the first again {time.time() - began:.0f} s after its start")
    case.try_until("both answer", 60, lambda: len(case.now("web").numbers()) == 2)
    ended = time.time()
    case.site.servers[1].term()
    case.figure(f"SIGTERM to end {time.time() - ended:.1f} s")
    case.wait(60)
    case.site.start_server(1)
    case.try_until("both answer again", 150, lambda: len(case.now("web").numbers()) == 2)
    case.wait(30)
    seen = case.record.span(case.key("web"), gone + 5)
    blind = sum(not any(sample.metrics) for _, _, sample in seen)
    apart = sum(len(set(sample.numbers())) > 1 for _, _, sample in seen)
    fell_back = any(sample.conditions.get("Fallback") == "True" for _, _, sample in seen)
    case.never_below(NEED, "web", gone)
    case.expect(blind <= 2 * SYNC, f"the HPA was without our metric for {blind} s, two starts explain {2 * SYNC}")
    case.expect(not fell_back, "KEDA took its fallback")
    case.figure(f"the HPA without our metric for {blind} s; the servers differed for {apart} of {len(seen)} s; "
                f"fallback {'taken' if fell_back else 'not taken'}")
