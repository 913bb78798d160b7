"""A minimal Kubernetes client for the cases, the record and the stand-ins. It never retries; the caller decides.
CLUSTER_RUN names the folder of the run, which contains the keys."""
import json
import os
import ssl
import urllib.request

API = "https://127.0.0.1:16443"
RUN = os.environ["CLUSTER_RUN"]
_openers = {}


def _open():
    """Opens lazily: the client certificate is created after this module is first imported."""
    if "opener" not in _openers:
        tls = ssl.create_default_context(cafile=f"{RUN}/pki/ca.crt")
        tls.load_cert_chain(f"{RUN}/pki/admin.crt", f"{RUN}/pki/admin.key")
        _openers["opener"] = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)).open
    return _openers["opener"]


def fetch(url, method="GET", body=None, kind="application/json", timeout=10):
    """The answer of any URL as text; the caller handles `http.client` and `urllib` errors."""
    request = urllib.request.Request(url, body, {"Content-Type": kind}, method=method)
    opener = _open() if url.startswith(API) else urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    with opener(request, timeout=timeout) as answer:
        return answer.read().decode()


def call(method, path, body=None, kind="application/json", timeout=10):
    """Calls the API server; both bodies are JSON."""
    data = None if body is None else json.dumps(body).encode()
    return json.loads(fetch(API + path, method, data, kind, timeout))


def get(path):
    return call("GET", path)


def items(path):
    """A list from the API server's cache, which is what its own controllers see."""
    return get(path + ("&" if "?" in path else "?") + "resourceVersion=0")["items"]


def apply(path, body):
    """Server-side apply: creates the object, or updates it to what is given."""
    return call("PATCH", f"{path}?fieldManager=cluster-tests&force=true", body, "application/apply-patch+yaml")


def merge(path, body):
    return call("PATCH", path, body, "application/merge-patch+json")


def patch(path, operations):
    """Applies a JSON Patch, such as `forescale override` prints."""
    return call("PATCH", path, operations, "application/json-patch+json")
