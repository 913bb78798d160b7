"""Everything in deploy/ is really applied, through KEDA's admission webhook: the rendered chart, Kustomize's bases,
the ScaledObjects of OctoLLM, extras, migration, rules. Each ScaledObject becomes an HPA with our metric, Forescale
reports no fault, and every workload that has a load gets the replicas it needs."""
import os
import time

from harness import control_plane, kube
from harness.control_plane import kubectl
from harness.loads import Load
from harness.processes import until

OCTOLLM = 'namespace="octollm"'
COMPONENTS = ("coder", "executor", "guardian", "judge", "orchestrator", "planner", "reflex-layer", "retriever")


def live(job, level, metric="http_requests_total", labels=""):
    """A load without a history: this case tests that what we ship runs, not that it forecasts."""
    return Load(job, "flat", level, metric, labels, past=False)


def cpu(component, level):
    return live(f"{component}-cpu", level, "container_cpu_usage_seconds_total", f'{OCTOLLM},container="{component}"')


# For each workload: what its query measures, a level for it, and the replicas that its manifest needs at that level.
LEVELS = {
    "octollm/coder-arm": (4, live("coder", 20, "octollm_coder_queue_depth", OCTOLLM)),
    "octollm/executor-arm": (5, live("executor", 36, "octollm_executor_queue_depth", OCTOLLM)),
    "octollm/guardian-arm": (5, live("guardian", 450, "octollm_guardian_pii_checks_per_second", OCTOLLM)),
    "octollm/judge-arm": (4, cpu("judge", 0.25)),
    "octollm/orchestrator": (5, live("orchestrator", 45, "octollm_task_queue_depth", OCTOLLM)),
    "octollm/planner-arm": (3, live("planner", 12, "octollm_planner_queue_depth", OCTOLLM)),
    "octollm/reflex-layer": (5, live("reflex", 2200, "octollm_reflex_http_requests_total", OCTOLLM)),
    "octollm/retriever-arm": (5, cpu("retriever", 0.34)),
    "octollm/postgresql-replica": (2, live("postgresql", 70, "pg_stat_activity_count",
                                           f'{OCTOLLM},pod="postgresql-replica-0",state="active"')),
    "shop/api": (5, live("api", 900)),
    "shop/checkout": (5, live("checkout", 450, labels='app="checkout"')),
    "shop/web": (10, live("web", 480)),
    "shop/worker": (5, live("worker", 110, "jobs_total")),
}
# The further signals of their policies, CPU and memory: small, so that their own query decides.
IDLE = [cpu(component, 0.01) for component in COMPONENTS if component not in ("judge", "retriever")]
IDLE += [live(f"{c}-memory", 8e6, "container_memory_working_set_bytes", f'{OCTOLLM},container="{c}"') for c in COMPONENTS]
# Latencies well below their thresholds.
IDLE += [live(f"{what}-latency", 0.05, f"octollm_{what}_latency_p95_seconds", OCTOLLM) for what in ("api", "retriever")]
LOADS = [load for _, load in LEVELS.values()] + IDLE
SITE = {"kube_state": True, "config": f"policies: {os.getcwd()}/models\n"}
ALIASES = (["forescale.forescale"], ["prometheus-operated.monitoring"])
INSTALLS = ("-k deploy/kustomize/base", "-k deploy/kustomize/dev", "-f tests/deploy/default.snapshot.yaml",
            "-f tests/deploy/full.snapshot.yaml")
SCALED = ("-k deploy/octollm", "-k deploy/octollm/dev", "-k deploy/extras") + tuple(
    f"-f deploy/migration/{name}" for name in sorted(os.listdir("deploy/migration")) if name.endswith(".after.yaml"))
RULES = "-f deploy/prometheus -n monitoring"


def run(case):
    for namespace in ("octollm", "octollm-dev", "shop", "monitoring", "headroom"):
        case.make_namespace(namespace)
    found = [thing for arguments in SCALED for thing in described(arguments)]
    scaled = [thing for thing in found if thing["kind"] == "ScaledObject"]
    for thing in scaled:
        make_target(case, thing, {thing["metadata"]["name"] for thing in found if thing["kind"] == "Deployment"})
    for arguments in (*SCALED, RULES):
        kubectl("apply", "--server-side", "--force-conflicts", *arguments.split())
    case.figure(f"admitted: {len(scaled)} ScaledObjects, and all else of {len(SCALED)} manifests")
    refused(case)
    mutual_tls(case)
    for arguments in INSTALLS:
        install(case, arguments)
    followed(case, scaled)
    leave(case)


def described(arguments):
    kind, path = arguments.split()
    return control_plane.objects(path, kustomize=kind == "-k")


def make_target(case, thing, shipped):
    """The target, unless it is shipped with the manifest. KEDA's webhook checks the requests of its containers."""
    target, namespace = thing["spec"]["scaleTargetRef"], thing["metadata"]["namespace"]
    name = target["name"]
    if name in shipped:
        return
    if target.get("kind", "Deployment") == "Deployment":
        case.deployment(name, namespace=namespace, containers=(name.removesuffix("-arm"),))
        return
    pod = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app", "image": "none.invalid/none"}]}}
    kube.apply(f"/apis/apps/v1/namespaces/{namespace}/statefulsets/{name}", {
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name},
        "spec": {"serviceName": name, "selector": {"matchLabels": {"app": name}}, "template": pod}})


def refused(case):
    """That everything was admitted means something only if the webhook refuses what is wrong."""
    second = kube.get("/apis/keda.sh/v1alpha1/namespaces/octollm/scaledobjects/coder-arm")
    second["metadata"] = {"name": "second", "namespace": "octollm"}
    second.pop("status", None)
    try:
        kube.call("POST", "/apis/keda.sh/v1alpha1/namespaces/octollm/scaledobjects", second)
        case.expect(False, "KEDA's webhook admitted a second ScaledObject over one Deployment")
    except OSError as error:
        case.expect("400" in str(error) or "403" in str(error), f"refused for another reason: {error}")


def mutual_tls(case):
    """The component that requires a client certificate from KEDA, applied to OctoLLM's objects."""
    folder = f"{case.folder()}/mtls"
    os.makedirs(folder)
    up = os.path.relpath("deploy/octollm", folder)
    with open(f"{folder}/kustomization.yaml", "w") as out:
        out.write(f"resources: [{up}]\ncomponents: [{up}/mtls]\n")
    text = kubectl("kustomize", folder, "--load-restrictor=LoadRestrictionsNone")
    kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", text=text)
    case.figure("octollm/mtls: admitted as a dry run")


def install(case, arguments):
    """Forescale itself is admitted, by Pod Security as well, and its pods are ready. These pods run nothing."""
    case.make_namespace("forescale")
    kubectl("apply", *arguments.split())
    try:
        took = case.try_until(f"pods of {arguments}", 90, lambda: all_ready("forescale"))
        case.figure(f"{arguments}: pods ready after {took:.0f} s" if took is not None else f"{arguments}: pods not ready")
    finally:
        kubectl("delete", *arguments.split(), "--ignore-not-found", "--wait=true", "--timeout=60s")


def all_ready(namespace):
    found = kube.items(f"/apis/apps/v1/namespaces/{namespace}/deployments")
    return found and all(d["status"].get("readyReplicas", 0) == d["spec"]["replicas"] for d in found)


def followed(case, scaled):
    """A workload without a load here has no number, but no fault either."""
    keys = [f'{thing["metadata"]["namespace"]}/{thing["metadata"]["name"]}' for thing in scaled]
    for key in keys:
        case.try_until(f"{key} with our metric in its HPA", 60, lambda: case.record.latest(key).external >= 1)
        answers = case.record.latest(key).answers
        case.expect(answers, f"{key}: KEDA does not ask Forescale")
        case.expect(not any("faulty" in str(a) for a in answers.values()), f"{key}: {answers}")
    for key, (wanted, _) in LEVELS.items():
        case.try_until(f"{wanted} replicas of {key}", 150, lambda: case.now(key).spec >= wanted
                       and case.now(key).conditions.get("Ready") == "True")
    reached = time.time()
    case.wait(60)
    for key, (wanted, _) in LEVELS.items():
        case.never_below(wanted, key, reached)
    case.figure(f"{len(keys)} HPAs have our metric")


def leave(case):
    for arguments in SCALED:
        kubectl("delete", *arguments.split(), "--ignore-not-found", "--wait=false")
    try:
        until("the ScaledObjects' end", 60, lambda: not [
            thing for thing in kube.items("/apis/keda.sh/v1alpha1/scaledobjects")
            if thing["metadata"]["namespace"] in ("octollm", "octollm-dev", "shop", "headroom")])
    except TimeoutError as late:
        case.faults.append(str(late))
