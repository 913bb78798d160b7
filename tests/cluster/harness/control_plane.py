"""A real control plane and a real KEDA on the loopback interface: etcd, kube-apiserver, kube-controller-manager, and
KEDA's operator, metrics adapter and admission webhooks. Stand-ins replace what would need nodes. There is no node."""
import base64
import json
import os
import re
import subprocess
import sys

from . import keys, kube
from .processes import RUN, Process, until

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.path.join(os.environ["CLUSTER_CACHE"], "bin")
MANIFESTS = os.path.join(os.environ["CLUSTER_CACHE"], "manifests")
ETCD, PEER = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
CONTROLLERS = ("namespace serviceaccount serviceaccount-token garbage-collector root-ca-certificate-publisher deployment "
               "replicaset statefulset job horizontal-pod-autoscaler clusterrole-aggregation").split()
# The HPA's default is 5 minutes, which would hide an answer that is too low for a shorter time.
DOWNSCALE_STABILIZATION = "10s"
# With the default of 20 per second, 300 objects would wait for the client and not for what is tested.
QPS = ("--kube-api-qps=200", "--kube-api-burst=400")
# The time from a pod's creation to its readiness, as in the stand-in kubelet.
POD_START = 15


def _kubeconfigs(user):
    file = f"{keys.PKI}/{user}.kubeconfig"
    return [f"--kubeconfig={file}", f"--authentication-kubeconfig={file}", f"--authorization-kubeconfig={file}"]


def _etcd():
    return Process("etcd", [
        f"{BIN}/lab-etcd", "--data-dir", f"{RUN}/etcd", "--unsafe-no-fsync", "--log-level=error",
        f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}", f"--listen-peer-urls={PEER}",
        f"--initial-advertise-peer-urls={PEER}", f"--initial-cluster=default={PEER}"])


def _apiserver():
    pki, proxy = keys.PKI, "--requestheader"
    return Process("apiserver", [
        f"{BIN}/kube-apiserver", f"--etcd-servers={ETCD}", "--bind-address=127.0.0.1", "--secure-port=16443",
        "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/24",
        "--authorization-mode=Node,RBAC", "--profiling=false", f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
        "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key", f"{proxy}-client-ca-file={pki}/front-proxy-ca.crt",
        f"{proxy}-allowed-names=front-proxy-client", f"{proxy}-extra-headers-prefix=X-Remote-Extra-",
        f"{proxy}-group-headers=X-Remote-Group", f"{proxy}-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
        f"--proxy-client-key-file={pki}/front-proxy-client.key"])


def _controllers():
    return Process("kcm", [
        f"{BIN}/kube-controller-manager", *_kubeconfigs("kcm"), *QPS, "--bind-address=127.0.0.1", "--secure-port=10257",
        "--leader-elect=false", "--use-service-account-credentials=true", f"--root-ca-file={keys.PKI}/ca.crt",
        f"--service-account-private-key-file={keys.PKI}/sa.key",
        "--controllers=" + ",".join(f"{name}-controller" for name in CONTROLLERS),
        "--horizontal-pod-autoscaler-sync-period=15s",
        f"--horizontal-pod-autoscaler-downscale-stabilization={DOWNSCALE_STABILIZATION}"])


def _keda(part, *arguments):
    environment = {"KUBECONFIG": f"{keys.PKI}/keda.kubeconfig", "WATCH_NAMESPACE": "", "POD_NAMESPACE": "keda",
                   "KEDA_CLUSTER_OBJECT_NAMESPACE": "keda"}
    return Process(f"keda-{part}", [f"{BIN}/keda-{part}", f"--cert-dir={keys.PKI}/keda", *arguments], environment)


operator = _keda("operator", *QPS, "--zap-encoder=console", "--zap-time-encoding=rfc3339",
                 "--metrics-bind-address=127.0.0.1:18080", "--health-probe-bind-address=127.0.0.1:18081",
                 "--metrics-service-bind-address=127.0.0.1:9666")
adapter = _keda("adapter", *_kubeconfigs("keda"), "--bind-address=127.0.0.1", "--secure-port=16444", "--port=18082",
                f"--lister-kubeconfig={keys.PKI}/keda.kubeconfig", "--metrics-service-address=127.0.0.1:9666",
                f"--client-ca-file={keys.PKI}/ca.crt", f"--tls-cert-file={keys.PKI}/keda/tls.crt",
                f"--tls-private-key-file={keys.PKI}/keda/tls.key")
webhooks = _keda("webhooks", "--metrics-bind-address=127.0.0.1:18083", "--health-probe-bind-address=127.0.0.1:18084",
                 "--port=9443")


def standin(name, **environment):
    return Process(name, [sys.executable, f"{HERE}/standins/{name}.py"], {"PYTHONPATH": HERE, **environment})


class Refused(Exception):
    """The error output of kubectl."""


def kubectl(*arguments, text=None):
    """The output of kubectl. Raises Refused if it fails."""
    done = subprocess.run([f"{BIN}/kubectl", f"--kubeconfig={keys.PKI}/admin.kubeconfig", *arguments], input=text,
                          capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Refused(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def objects(path, kustomize=False):
    """The objects of a manifest as JSON, since Python's standard library cannot parse YAML. Nothing is sent."""
    source = ["-k", path] if kustomize else ["-f", path]
    text = kubectl("create", *source, "--dry-run=client", "--validate=false", "-o", "json")
    reader, found, at = json.JSONDecoder(), [], 0
    while at < len(text.rstrip()):
        document, at = reader.raw_decode(text, at)
        found += document["items"] if document["kind"] == "List" else [document]
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def _webhook_registration():
    """KEDA's registration names a Service. Here it is a URL, and an unreachable webhook refuses, so that no call is
    skipped."""
    with open(f"{MANIFESTS}/validation_webhooks.yaml") as file:
        text = file.read()
    bundle = base64.b64encode(keys.text("keda-ca.crt").encode()).decode()
    text = re.sub(r"(?m)^    service:\n|^      (?:name|namespace): .*\n", "", text)
    text = re.sub(r"(?m)^      path: (.*)$", rf"    url: https://127.0.0.1:9443\1\n    caBundle: {bundle}", text)
    return text.replace("Ignore", "Fail")


def up():
    """Starts a cluster that admits ScaledObjects, serves their metrics and makes their pods ready."""
    keys.make()
    etcd, apiserver = _etcd(), _apiserver()
    etcd.start()
    until("etcd", 60, lambda: kube.fetch(f"{ETCD}/health"))
    apiserver.start()
    until("the API server", 180, lambda: kube.fetch(f"{kube.API}/readyz") == "ok")
    for folder in ("crd", "others"):
        kubectl("apply", "--server-side", "-f", f"{MANIFESTS}/{folder}")
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    kubectl("create", "namespace", "keda")
    kubectl("apply", "-f", f"{HERE}/objects/metrics.yaml")
    for process in (_controllers(), standin("kubelet", POD_START=str(POD_START)), standin("metrics_server"),
                    standin("kube_state_metrics"), operator):
        process.start()
    until("KEDA's operator", 120, lambda: kube.fetch("http://127.0.0.1:18081/readyz"))
    adapter.start()
    webhooks.start()
    for group in ("external.metrics", "metrics"):
        kubectl("wait", "--for=condition=Available", "--timeout=120s", f"apiservice/v1beta1.{group}.k8s.io")
    until("KEDA's webhooks", 120, lambda: kube.fetch("http://127.0.0.1:18084/readyz"))
    kubectl("apply", "-f", "-", text=_webhook_registration())
