"""Forescale and KEDA's operator are killed together; the operator is back after 3 s, Forescale after a minute. With
the setup that we recommend, one metric, the replicas stay. With a cpu trigger in addition to ours, KEDA gives the HPA
only the cpu metric, and replicas are removed. We cannot change that, but an alert and `doctor` report it, from what
Prometheus has and from what kubectl prints, and `doctor` prints a command that fixes it."""
import json
import os
import re
import subprocess
import time

from harness import control_plane, keys, loads
from harness.case import need, rate

LOADS = [loads.Load("keda-restarts")]
RULES = "deploy/prometheus/forescale-rules.yaml"
ALERT = "ForescaleMetricMissing"
NEED = need(480)
SITE = {"kube_state": True, "rules": [os.path.join(control_plane.RUN, "sites", "keda-restarts", "rules.json")]}


def prepare(case):
    """The alerts that we ship, as a rule file; JSON is valid YAML."""
    rules = [thing["spec"] for thing in control_plane.objects(RULES)]
    with open(f"{case.folder()}/rules.json", "w") as out:
        json.dump(rules[0], out)


def run(case):
    case.workload("one-metric", case.trigger(rate(case.namespace)))
    case.workload("cpu-beside", case.trigger(rate(case.namespace), metricName="beside"),
                  {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "70"}})
    case.settle(NEED, "one-metric", "cpu-beside")
    case.hear_done("crowd", 900)
    died = time.time()
    case.site.servers[0].kill()
    control_plane.operator.kill()
    case.wait(3)
    control_plane.operator.start()
    case.wait(57)
    case.site.start_server()
    case.heals("our metric again for one-metric", 120, "one-metric")
    case.wait(60)
    case.never_below(NEED, "one-metric", died)
    lost = case.now("cpu-beside").external == 0
    least = min(sample.spec for _, _, sample in case.record.span(case.key("cpu-beside"), died))
    case.figure(f"cpu-beside: lowest {least} of {NEED}, its HPA {'lost' if lost else 'kept'} our metric")
    case.expect(lost, "KEDA no longer loses the metric of a trigger beside cpu: the documented limit is gone")
    if lost:
        told(case)


def told(case):
    """The alert fires, `doctor` reports the problem and prints the fix, and the fix works."""
    fires = lambda: any(labels.get("alertstate") == "firing" and "cpu-beside" in str(labels)
                        for labels, _ in case.site.ask(f'ALERTS{{alertname="{ALERT}"}}'))
    took = case.try_until(f"the alert {ALERT}", 420, fires)
    case.figure(f"{ALERT} fires {took:.0f} s later" if took is not None else f"{ALERT} does not fire")
    wrong = [labels for labels, _ in case.site.ask(f'ALERTS{{alertname="{ALERT}",alertstate="firing"}}')
             if "cpu-beside" not in str(labels)]
    case.expect(not wrong, f"{ALERT} fires for others: {wrong}")
    doctor_on_print(case, {"cpu-beside": "fail", "one-metric": "ok"})
    code, printed = case.forescale("doctor", f"{case.namespace}/cpu-beside", "--server", case.site.http(),
                                   "--prometheus", case.site.url)
    cure = re.search(r"kubectl patch scaledobject [^']*'[^']*'", printed.replace("\n", " "))
    case.expect(code == 1 and cure, f"doctor ended with {code} and names no command:\n{printed}")
    if not cure:
        return
    case.figure(f"doctor's cure: {cure.group()}")
    environment = {**os.environ, "PATH": f"{control_plane.BIN}:{os.environ['PATH']}",
                   "KUBECONFIG": f"{keys.PKI}/admin.kubeconfig"}
    done = subprocess.run(cure.group(), shell=True, env=environment, capture_output=True, text=True, timeout=60)
    case.expect(done.returncode == 0, f"the cure was refused: {done.stderr}")
    took = case.try_until("our metric after the cure", 60, lambda: case.now("cpu-beside").external == 1)
    case.try_until("the replicas after the cure", 120, lambda: case.now("cpu-beside").spec >= NEED)
    if took is not None:
        case.figure(f"cured {took:.0f} s after the command")
    # Beside another trigger our metric is never alone, which is worth a word.
    doctor_on_print(case, {"cpu-beside": "warn", "one-metric": "ok"})


def doctor_on_print(case, wanted):
    """What `doctor` makes of the objects as kubectl prints them, all of the cluster's: whether each HPA sees us."""
    shown = control_plane.kubectl("get", "scaledobject,hpa", "-A", "-o", "yaml")
    code, printed = case.forescale("doctor", "--manifests", "-", "--format", "json", text=shown)
    rows = {(row["workload"], row["check"]): row for row in json.loads(printed)["checks"]}
    for name, status in wanted.items():
        row = rows.get((case.key(name), "hpa_sees"), {})
        case.expect(row.get("status") == status, f"doctor on kubectl's output: {name} should be {status}: {row}")
        case.figure(f"doctor on kubectl's output, {name}: hpa_sees is {row.get('status')}: {row.get('found')}")
    if "fail" in wanted.values():
        row = rows[case.key("cpu-beside"), "hpa_sees"]
        case.expect(code == 1 and "kubectl patch scaledobject cpu-beside" in row["do"], f"{code}, and no cure in {row}")
