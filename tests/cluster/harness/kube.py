"""A Kubernetes client of a few lines, for the cases, the record and the stand-ins. It never retries: who asks decides.
CLUSTER_RUN names the folder of the run, which holds the keys."""
import json
import os
import ssl
import urllib.request

API = "https://127.0.0.1:16443"
RUN = os.environ["CLUSTER_RUN"]
_openers = {}


def _open():
    """The client certificate is made after this module is first imported."""
    if "opener" not in _openers:
        tls = ssl.create_default_context(cafile=f"{RUN}/pki/ca.crt")
        tls.load_cert_chain(f"{RUN}/pki/admin.crt", f"{RUN}/pki/admin.key")
        _openers["opener"] = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)).open
    return _openers["opener"]


def fetch(url, method="GET", body=None, kind="application/json", timeout=10):
    """The answer of any URL as text; `http.client` and `urllib` errors are the caller's."""
    request = urllib.request.Request(url, body, {"Content-Type": kind}, method=method)
    opener = _open() if url.startswith(API) else urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    with opener(request, timeout=timeout) as answer:
        return answer.read().decode()


def call(method, path, body=None, kind="application/json", timeout=10):
    """Asks the API server; both bodies are JSON."""
    data = None if body is None else json.dumps(body).encode()
    return json.loads(fetch(API + path, method, data, kind, timeout))


def get(path):
    return call("GET", path)


def items(path):
    """A list as the API server's cache has it, which is what its own controllers see."""
    return get(path + ("&" if "?" in path else "?") + "resourceVersion=0")["items"]


def apply(path, body):
    """Server-side apply: creates the object, or brings it to what is written."""
    return call("PATCH", f"{path}?fieldManager=cluster-tests&force=true", body, "application/apply-patch+yaml")


def merge(path, body):
    return call("PATCH", path, body, "application/merge-patch+json")


def patch(path, operations):
    """A JSON Patch, such as `forescale override` prints."""
    return call("PATCH", path, operations, "application/json-patch+json")
