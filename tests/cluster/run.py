"""Runs the cases against a real control plane and a real KEDA: run.py [CASE...]. It is the first process of its own
namespaces (see tests/full/cluster), and everything it starts ends with it. Exit status 0: every case holds.

The cases of a stage run in parallel, since each has its own servers, Prometheus and loads. A case that breaks KEDA,
which all cases share, is in a stage whose cases expect that."""
import importlib
import json
import os
import subprocess
import sys
import threading
import time
import traceback

from harness import control_plane, kube, loads
from harness.case import Case
from harness.processes import RUN, deserters, end_all, until
from harness.record import Record
from harness.site import Site

STAGES = [
    ["source_returns", "source_returns_restarted", "source_replaced", "counter_restarts", "server_killed", "ramp_ahead",
     "ramp_by_plain_rule", "asleep_and_woken", "metric_faults", "override", "tls", "headroom_held", "shipped_manifests"],
    ["crowd", "keda_restarts"],
]
# From the creation of the history to the ramp: the time that the servers and the first replicas need, and the minutes
# before the ramp in which nothing sees it yet.
RAMP_IN = 1110


def chosen(names):
    known = [name for stage in STAGES for name in stage]
    if wrong := [name for name in names if name not in known]:
        sys.exit(f"cluster: no case is called {', '.join(wrong)}; there are {', '.join(known)}")
    stages = [[name for name in stage if not names or name in names] for stage in STAGES]
    return [stage for stage in stages if stage]


def modules(stage):
    return {name: importlib.import_module(f"cases.{name}") for name in stage}


def sites(stages):
    """A site for each case, and the names of all servers in the run's own /etc/hosts."""
    made = {}
    names = ["127.0.0.1 localhost"]
    for number, name in enumerate((name for stage in stages for name in stage), 1):
        module = importlib.import_module(f"cases.{name}")
        made[name] = Site(name.replace("_", "-"), number, **getattr(module, "SITE", {}))
        names += made[name].names() + made[name].aliases(*getattr(module, "ALIASES", ([], [])))
    with open("/etc/hosts", "w") as hosts:
        hosts.write("\n".join(names) + "\n")
    return made


def clean(namespaces):
    """Deletes ScaledObjects first: their finalizers need KEDA."""
    for namespace in namespaces:
        kube.call("DELETE", f"/apis/keda.sh/v1alpha1/namespaces/{namespace}/scaledobjects")
    for namespace in namespaces:
        kube.call("DELETE", f"/api/v1/namespaces/{namespace}")


def attend(case, module):
    """Runs a case to its end, whatever happens."""
    begun = time.time()
    try:
        getattr(module, "prepare", lambda _: None)(case)
        case.site.start()
        case.record.follow(case.site)
        case.make_namespace()
        module.run(case)
    except TimeoutError as late:
        case.faults.append(str(late))
    except Exception:
        case.faults.append(traceback.format_exc())
    case.say_done()
    case.seconds = time.time() - begun
    print(report(case), flush=True)


def report(case):
    words = f"{case.name}: {'FALLS SHORT' if case.faults else 'holds'} ({case.seconds:.0f} s)"
    lines = [f"    {figure}" for figure in case.figures]
    lines += [f"    FAULT {fault.rstrip()}" for fault in case.faults if fault not in case.figures]
    return "\n".join([words, *lines])


def stage(names, made, record):
    """Runs the cases of one stage in parallel, over one history."""
    found = modules(names)
    wanted = [load for module in found.values() for load in module.LOADS]
    loads.make_history(wanted, RAMP_IN)
    exporter = control_plane.standin("exporter")
    exporter.start()
    until("the exporter", 30, lambda: kube.fetch("http://127.0.0.1:9500/truth"))
    began = time.time()
    said = {name: threading.Event() for name in names}
    cases = [Case(name, made[name], record, began, said) for name in names]
    threads = [threading.Thread(target=attend, args=(case, found[case.name])) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for case in cases:
        for server in (*case.site.servers, case.site.prometheus):
            server.kill()
    exporter.kill()
    clean([case.namespace for case in cases])
    return cases


def main():
    begun = time.time()
    stages = chosen(sys.argv[1:])
    made = sites(stages)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    control_plane.up()
    print(f"the control plane and KEDA are up after {time.time() - begun:.0f} s", flush=True)
    record = Record()
    record.start()
    cases = [case for names in stages for case in stage(names, made, record)]
    gone = deserters()
    end_all()
    with open(f"{RUN}/results.json", "w") as out:
        json.dump([{"case": case.name, "seconds": round(case.seconds), "figures": case.figures, "faults": case.faults}
                   for case in cases], out, indent=1)
    short = [case.name for case in cases if case.faults]
    left_out = [name for names in STAGES for name in names if name not in made]
    print(f"\n{len(cases)} cases in {time.time() - begun:.0f} s; fall short: {', '.join(short) or 'none'}; "
          f"skipped: {', '.join(left_out) or 'none'}")
    if gone:
        print(f"ended on their own: {', '.join(gone)}")
    return 1 if short or gone else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # threads that ask servers for the record never end
