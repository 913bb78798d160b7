"""Scheduler and kubelet: a pending pod is running and ready POD_START seconds after it was first seen. `nodeName`
stays empty, so that a deleted pod goes away at once: no kubelet has to confirm it."""
import os
import time

from harness import kube

DELAY = float(os.environ["POD_START"])


def status(pod):
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    conditions = [{"type": c, "status": "True", "lastTransitionTime": now}
                  for c in ("PodScheduled", "Initialized", "ContainersReady", "Ready")]
    containers = [{"name": c["name"], "image": c["image"], "imageID": "", "ready": True, "started": True,
                   "restartCount": 0, "state": {"running": {"startedAt": now}}} for c in pod["spec"]["containers"]]
    return {"status": {"phase": "Running", "startTime": now, "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}],
                       "conditions": conditions, "containerStatuses": containers}}


def turn(due):
    pending = kube.items("/api/v1/pods?fieldSelector=status.phase%3DPending")
    for pod in pending:
        meta = pod["metadata"]
        if meta.get("deletionTimestamp") or time.time() < due.setdefault(meta["uid"], time.time() + DELAY):
            continue
        try:
            kube.merge(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status", status(pod))
        except OSError as error:  # the pod is gone by now
            print(meta["name"], error, flush=True)
    for gone in due.keys() - {pod["metadata"]["uid"] for pod in pending}:
        del due[gone]


if __name__ == "__main__":
    known = {}
    while True:
        try:
            turn(known)
        except OSError as error:  # an API server that is busy
            print(error, flush=True)
        time.sleep(0.3)
