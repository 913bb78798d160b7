"""metrics-server: every pod uses 10m CPU and 32Mi. The HPA reads this for a cpu trigger, which therefore asks for few
replicas whatever the load."""
import http.server
import json
import ssl
import time
import urllib.parse

from harness import kube

GROUP = "metrics.k8s.io/v1beta1"


def pods(namespace, query):
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for pod in kube.items(f"/api/v1/namespaces/{namespace}/pods?{query}"):
        meta = {"name": pod["metadata"]["name"], "namespace": namespace, "creationTimestamp": now,
                "labels": pod["metadata"].get("labels", {})}
        yield {"metadata": meta, "timestamp": now, "window": "30s",
               "containers": [{"name": c["name"], "usage": {"cpu": "10m", "memory": "32Mi"}}
                              for c in pod["spec"]["containers"]]}


def answer(path):
    url = urllib.parse.urlparse(path)
    parts = url.path.strip("/").split("/")
    if len(parts) >= 6 and parts[5] == "pods":  # apis/metrics.k8s.io/v1beta1/namespaces/NS/pods
        return {"kind": "PodMetricsList", "apiVersion": GROUP, "metadata": {}, "items": list(pods(parts[4], url.query))}
    if len(parts) == 3:
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP, "resources": [
            {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]}]}
    return {"kind": "Status", "status": "Success"}


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        body = json.dumps(answer(self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 16445), Handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{kube.RUN}/pki/apiserver.crt", f"{kube.RUN}/pki/apiserver.key")
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
