"""A workload with only a schedule, over a push trigger: asleep at zero, one replica within 2 s of the window's start,
zero again after its end. Prometheus is killed in the meantime, since a schedule does not need it."""
import time

LOADS = []


def cron(t):
    return time.strftime("%-M %-H * * *", time.gmtime(t))


def run(case):
    case.site.prometheus.kill()
    opens = (time.time() + 90) // 60 * 60 + 60
    closes = opens + 120
    case.workload("dev", case.trigger(None, kind="external-push", threshold=None, minReplicas=None, timezone="UTC",
                                      start=cron(opens), end=cron(closes), desiredReplicas="1", maxReplicas="3"),
                  minReplicaCount=0, maxReplicaCount=3, cooldownPeriod=0)
    case.until("asleep before the window", 85, lambda: case.now("dev").spec == 0 and case.now("dev").answered())
    case.wait(closes + 60 - time.time())
    seen = [(t, sample.spec) for t, _, sample in case.record.span(case.key("dev"), opens - 10)]
    early = max((spec for t, spec in seen if t < opens - 1), default=None)
    woke = next((t - opens for t, spec in seen if t >= opens - 1 and spec == 1), None)
    slept = next((t - closes for t, spec in seen if t >= closes and spec == 0), None)
    case.expect(early == 0, f"{early} replicas before the window")
    # The record has one row per second, so 2 s may appear as 3.
    case.expect(woke is not None and woke <= 3, f"awake {woke} s after the opening")
    case.expect(slept is not None, "not asleep again within a minute of the end")
    case.never_below(1, "dev", opens + 3, closes - 1, "within the window")
    case.figure(f"awake {woke and round(woke, 1)} s after opening, asleep {slept and round(slept, 1)} s after closing")
