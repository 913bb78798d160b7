// KEDA's calls as virtual users: k6 run -e ADDRESS=host:port -e PROFILE=basic|stress [-e SPEED=20] scaler.js
//
// The profiles of the OctoLLM guide: `basic` climbs to 100 and 200 users within 16 minutes, `stress` to 500, 1,000 and
// 2,000 within 22. SPEED shortens the time, not the users. Each user is one ScaledObject that asks about once a second,
// thirty times as often as KEDA does.
import grpc from "k6/net/grpc";
import { check, sleep } from "k6";

const profiles = {
  basic: [[2, 100], [5, 100], [2, 200], [5, 200], [2, 0]],
  stress: [[2, 500], [5, 500], [2, 1000], [5, 1000], [2, 2000], [4, 2000], [2, 0]],
};
const slack = Number(__ENV.SLACK || 1);
const speed = Number(__ENV.SPEED || 1);
const profile = __ENV.PROFILE || "basic";
export const options = {
  scenarios: {
    keda: {
      executor: "ramping-vus",
      startVUs: 0,
      stages: profiles[profile].map(([minutes, target]) => ({ duration: `${(minutes * 60) / speed}s`, target })),
      gracefulRampDown: "5s",
    },
  },
  thresholds: {
    // The guide's latencies for its services, times the slack of a machine that runs the users as well.
    grpc_req_duration: [`p(95)<${500 * slack}`, `p(99)<${2000 * slack}`],
    checks: [profile === "basic" ? "rate>0.99" : "rate>0.95"],
  },
};

const client = new grpc.Client();
client.load(["../../proto"], "externalscaler.proto");
let connected = false;

export default () => {
  if (!connected) {
    client.connect(__ENV.ADDRESS, { plaintext: true });
    connected = true;
  }
  const scaledObjectRef = {
    name: `web-${__VU}`,
    namespace: "load",
    scalerMetadata: { query: "vector(50)", threshold: "10", maxReplicas: "40", historyTimeWindow: "1d" },
  };
  const spec = client.invoke("externalscaler.ExternalScaler/GetMetricSpec", scaledObjectRef);
  check(spec, { "a spec": (r) => r.status === grpc.StatusOK && r.message.metricSpecs.length === 1 });
  const metrics = client.invoke("externalscaler.ExternalScaler/GetMetrics", { scaledObjectRef, metricName: "forescale" });
  // Warming up is an answer: KEDA holds, and asks again.
  const isWarming = metrics.status === grpc.StatusUnavailable && metrics.error.message.includes("warming up");
  check(metrics, { "replicas": (r) => isWarming || (r.status === grpc.StatusOK && Number(r.message.metricValues[0].metricValue) >= 5) });
  sleep(1);
};
