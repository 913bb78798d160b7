"""TLS, and TLS with a client certificate, both through KEDA's TriggerAuthentication. A client that does not trust the
server, or has no certificate for it, gets no answer, and its replicas stay."""
import base64
import time

from harness import keys, kube, loads
from harness.case import need, rate

LOADS = [loads.Load("tls")]
SITE = {"servers": 2}
NEED = need(480)
HOSTS = ("server-1.tls", "server-2.tls")


def prepare(case):
    """The first server requires no client certificate, the second one from our authority."""
    for name in ("forescale-ca", "strange-ca"):
        keys.authority(name)
    keys.leaf("keda-client", "forescale-ca", "/CN=keda", "clientAuth")
    for n, host in enumerate(HOSTS):
        keys.leaf(host, "forescale-ca", f"/CN={host}", "serverAuth", f"DNS:{host}")
        asks = f"    clientCa: {keys.PKI}/forescale-ca.crt\n" if n == 1 else ""
        case.site.configure(n, f"grpc:\n  tls:\n    cert: {keys.PKI}/{host}.crt\n    key: {keys.PKI}/{host}.key\n{asks}")


def authentication(case, name, **files):
    """A Secret, and the TriggerAuthentication that passes its parts on under KEDA's names."""
    data = {parameter: base64.b64encode(keys.text(file).encode()).decode() for parameter, file in files.items()}
    core, keda = f"/api/v1/namespaces/{case.namespace}", f"/apis/keda.sh/v1alpha1/namespaces/{case.namespace}"
    kube.apply(f"{core}/secrets/{name}", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})
    kube.apply(f"{keda}/triggerauthentications/{name}", {
        "apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": {"name": name},
        "spec": {"secretTargetRef": [{"parameter": key, "name": name, "key": key} for key in files]}})


def run(case):
    ours = {"caCert": "forescale-ca.crt"}
    shows = {"tlsClientCert": "keda-client.crt", "tlsClientKey": "keda-client.key"}

    def workload(name, host, **files):
        authentication(case, name, **files)
        trigger = case.trigger(rate(case.namespace), scalerAddress=f"{host}:6000")
        case.workload(name, {**trigger, "authenticationRef": {"name": name}}, replicas=3, minReplicaCount=1)

    workload("tls", HOSTS[0], **ours)
    workload("mtls", HOSTS[1], **ours, **shows)
    workload("misled", HOSTS[0], caCert="strange-ca.crt")
    workload("no-certificate", HOSTS[1], **ours)
    case.settle(NEED, "tls", "mtls")
    settled = time.time()
    case.wait(60)
    for name in ("tls", "mtls"):
        case.never_below(NEED, name, settled)
        case.expect(case.now(name).numbers() and any(case.now(name).metrics), f"{name}: no answer by TLS")
    for name in ("misled", "no-certificate"):
        case.never_below(3, name, case.began, words=f"{name}, refused")
        case.expect(not case.now(name).answers, f"{name} was answered: {case.now(name).answers}")
        ready = case.now(name).conditions.get("Ready")
        case.expect(ready == "False", f"{name}: KEDA says Ready={ready}")
