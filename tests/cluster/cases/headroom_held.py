"""deploy/extras/headroom.yaml keeps headroom by a formula over two triggers. Forescale is down for 4 minutes, and the
headroom stays. The manifest is the one we ship; only its load, its address and its cooldown (so that its end is seen)
are replaced."""
import time

from harness import control_plane, kube, loads

LOADS = [loads.Load("headroom-held", "flat", 14, metric="load")]
MANIFEST = "deploy/extras/headroom.yaml"
AHEAD, ALREADY = 'sum(load{job="headroom-held"})', "vector(2)"
ROOM = 12
DEAD = 240
PATHS = {"Deployment": "apis/apps/v1", "ScaledObject": "apis/keda.sh/v1alpha1"}


def shipped(case):
    """The objects of the manifest in the case's namespace, with the case's load."""
    for thing in control_plane.objects(MANIFEST):
        kind, meta = thing["kind"], thing["metadata"]
        if kind == "PriorityClass":
            kube.apply(f"/apis/scheduling.k8s.io/v1/priorityclasses/{meta['name']}", thing)
        if kind not in PATHS:
            continue
        if kind == "ScaledObject":
            thing["spec"]["cooldownPeriod"] = 60
            for trigger in thing["spec"]["triggers"]:
                ours = trigger["type"].startswith("external")
                address = ({"scalerAddress": f"{case.site.host}:6000"} if ours else {"serverAddress": case.site.url})
                trigger["metadata"] |= {**address, "query": AHEAD if ours else ALREADY}
        meta["namespace"] = case.namespace
        kube.apply(f"/{PATHS[kind]}/namespaces/{case.namespace}/{kind.lower()}s/{meta['name']}", thing)


def run(case):
    shipped(case)
    case.until(f"room for {ROOM} at first", 240, lambda: case.now("headroom").ready >= ROOM)
    case.wait(30)
    held = case.now("headroom").spec
    died = time.time()
    case.site.servers[0].kill()
    case.wait(DEAD)
    case.never_below(held, "headroom", died, words=f"{held} held while Forescale was dead")
    most = max(sample.spec for _, _, sample in case.record.span(case.key("headroom"), died))
    case.expect(most <= held, f"room grew to {most} without a forecast")
    case.site.start_server()
    # By then KEDA's gRPC client waits up to two minutes between its attempts.
    case.heals("the metric again", 150, "headroom")
    case.never_below(held, "headroom", died, words="and after its return")
