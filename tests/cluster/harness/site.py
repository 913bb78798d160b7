"""What one case may break: its own Prometheus and one or two Forescale servers, on their own addresses. So cases can
run in parallel although each kills servers. All cases share KEDA and the control plane."""
import json
import os
import shutil
import time
import urllib.parse

from . import kube
from .processes import RUN, Process, until

FORESCALE = os.environ["FORESCALE"]
SCRAPE = """global: {{scrape_interval: 5s, evaluation_interval: 15s}}
rule_files: [{rules}]
scrape_configs:
- {{job_name: loads, honor_labels: true, static_configs: [{{targets: ["127.0.0.1:9500"]}}]}}
- job_name: forescale
  honor_labels: true
  static_configs: [{{targets: [{servers}]}}]
"""
STATE = """- job_name: kube-state-metrics
  honor_labels: true
  scrape_interval: 15s
  static_configs: [{targets: ["127.0.0.1:9501"]}]
"""
ADDRESS = "127.0.{site}.{host}"
PROMETHEUS_HOST = 9


class Site:
    """Server n of a site listens on host n of its network; `forescale.CASE` resolves to all of them, as the name of a
    headless Service would. Unlike a headless Service, it keeps the address of a dead server."""

    def __init__(self, case, number, servers=1, kube_state=False, rules=(), config=""):
        self.case, self.number, self.kube_state, self.rules, self.config = case, number, kube_state, rules, config
        self.host = f"forescale.{case}"
        self.url = f"http://{self._at(PROMETHEUS_HOST)}:9090"
        self.addresses = [self._at(n + 1) for n in range(servers)]
        self.servers = [self._server(address, n + 1) for n, address in enumerate(self.addresses)]
        self.prometheus = self._prometheus("tsdb")
        self.began = None  # when its Prometheus first scraped

    def names(self):
        """Lines of /etc/hosts: all servers under one name, and each under its own."""
        both = [f"{address} {self.host}" for address in self.addresses]
        return both + [f"{address} server-{n}.{self.case}" for n, address in enumerate(self.addresses, 1)]

    def aliases(self, servers, prometheus):
        """The names by which our manifests refer to the same servers."""
        return [f"{self.addresses[0]} {name}" for name in servers] + [f"{self._at(PROMETHEUS_HOST)} {name}"
                                                                      for name in prometheus]

    def start(self):
        """Starts Prometheus with the history of the stage, then the servers."""
        shutil.copytree(f"{RUN}/history", f"{self._folder()}/tsdb", copy_function=os.link)
        self.start_prometheus()
        self.began = time.time()
        for n in range(len(self.servers)):
            self.start_server(n)

    def configure(self, n, text):
        """Extends the configuration of a server that has not been started yet."""
        with open(self._config(n + 1), "a") as out:
            out.write(text)

    def start_prometheus(self):
        self.prometheus.start()
        until(f"Prometheus of {self.case}", 60, lambda: kube.fetch(f"{self.url}/-/ready"))

    def replace_prometheus(self):
        """Starts another Prometheus at the same address, without any samples."""
        self.prometheus = self._prometheus(f"empty-{int(time.time())}")
        self.start_prometheus()

    def start_server(self, n=0):
        self.servers[n].start()
        until(f"Forescale of {self.case}", 90, lambda: kube.fetch(f"{self.http(n)}/healthz"))

    def http(self, n=0):
        return f"http://{self.addresses[n]}:8080"

    def ask(self, query):
        """The samples of an instant query: a list of (labels, value)."""
        answer = json.loads(kube.fetch(f"{self.url}/api/v1/query?query={urllib.parse.quote(query)}"))
        return [(sample["metric"], float(sample["value"][1])) for sample in answer["data"]["result"]]

    def _at(self, host):
        return ADDRESS.format(site=self.number, host=host)

    def _folder(self):
        folder = f"{RUN}/sites/{self.case}"
        os.makedirs(folder, exist_ok=True)
        return folder

    def _config(self, n):
        return f"{self._folder()}/forescale-{n}.yaml"

    def _server(self, address, n):
        config = self._config(n)
        with open(config, "w") as out:
            out.write(f'listen: {{grpc: "{address}:6000", http: "{address}:8080"}}\n'
                      f'datasources: {{default: {{url: "{self.url}"}}}}\n' + self.config)
        return Process(f"{self.case}-forescale-{n}", [FORESCALE, "serve", "--config", config])

    def _prometheus(self, data):
        config = f"{self._folder()}/prometheus.yml"
        with open(config, "w") as out:
            servers = ", ".join(f'"{address}:8080"' for address in self.addresses)
            out.write(SCRAPE.format(rules=", ".join(self.rules), servers=servers))
            out.write(STATE if self.kube_state else "")
        return Process(f"{self.case}-{data}", [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self._folder()}/{data}",
            "--storage.tsdb.retention.time=60d", f"--web.listen-address={self._at(PROMETHEUS_HOST)}:9090"])
