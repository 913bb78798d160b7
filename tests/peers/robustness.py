#!/usr/bin/env python3
"""How the forecast engine stands up to what averages hide: young workloads, shifts of level, spikes, sparse loads.

usage: robustness.py [--data DIR] [--binary FILE] [--out DIR] [--only cliff,shift,spike,sparse] [--json FILE]

cliff    history cut to 23-26 h, 30 h, 3 d and 166-170 h: loss by that of the full history, and by the last value's
shift    a step of x3 and of /3: loss by the last value's in the six hours after it, and coverage of 0.95
spike    a textbook daily load with one false reading, a spike of four minutes, or both: replicas expected in the three
         hours after it, by those without it (the larger of the load now and the 0.95 peak of the next three minutes)
sparse   loads of which over 90 % are zeros: loss at 0.99 by the last value's

DIR defaults to $FORESCALE_DATA or ../shared/data beside the project. Where it is absent, the rows that need recorded
traces say so; `spike` and `sparse` are made of generated loads. Standard library only.
"""
import argparse, csv, gzip, json, math, os, pathlib, random, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUANTILES = (0.5, 0.8, 0.9, 0.95, 0.99)
HOUR, DAY = 3_600, 86_400
CLIFF = ["gen_azure_v2_cpu_5min", "llm_servegen_client_large_142_10min", "llm_servegen_client_mid_66_10min",
         "llm_servegen_m_large_10min", "queue_azure_vm_requests_5min", "queue_azure_vm_batches_5min",
         "queue_nasa_ipsc_jobs_5min", "web_nab_twitter_amzn_5min", "web_nasa_http_1min", "web_worldcup98_1min"]
SHIFT = ["gen_azure_v2_cpu_5min", "llm_servegen_client_mid_66_10min", "llm_servegen_client_mid_101_10min",
         "queue_azure_vm_requests_5min", "queue_ms_ingress01_1min", "queue_ms_ingress03_1min",
         "web_ms_mongo_app01_1min", "web_ms_mongo_app03_1min", "web_nab_elb_request_count_5min",
         "web_nab_twitter_amzn_5min", "web_nasa_http_1min", "web_worldcup98_1min"]
# Hours of age, and from which on a workload counts as grown.
AGES = (23, 24, 25, 26, 30, 48, 72, 166, 168, 169, 170, 192)
START = 1_767_571_200            # a Monday


def epoch(text):
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def iso(t):
    return datetime.fromtimestamp(t, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def pinball(q, y, f):
    return max(q * (y - f), (q - 1) * (y - f))


def mean(x):
    return sum(x) / len(x) if x else math.nan


def geo(x):
    return math.exp(mean([math.log(min(max(v, 0.01), 100)) for v in x])) if x else math.nan


def read(path):
    with (gzip.open(path, "rt") if path.suffix == ".gz" else open(path)) as f:
        return {epoch(r["timestamp"]): float(r["value"]) for r in csv.DictReader(f) if r["value"]}


def write(path, y):
    with open(path, "w") as f:
        f.write("timestamp,value\n")
        f.writelines(f"{iso(t)},{v:.10g}\n" for t, v in sorted(y.items()))


def forecast(args, trace, first, every, count, horizons, history, peak=False):
    """{(origin, horizon): [value of each quantile]}"""
    out = args.out / f"{trace.name.split('.')[0]}-{first}-{history}-{'p' if peak else 'q'}.csv"
    command = [args.binary, "forecast", "--trace", str(trace), "--from", iso(first), "--every", f"{every}s",
               "--count", str(count), "--horizons", ",".join(f"{h}s" for h in horizons),
               "--quantiles", ",".join(f"{q:g}" for q in QUANTILES), "--history", f"{history}s", "--out", str(out)]
    done = subprocess.run(command + ["--peak"] * peak, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    got = {}
    with open(out) as f:
        for r in csv.DictReader(f):
            got.setdefault((epoch(r["origin"]), int(r["horizon_seconds"])), []).append(float(r["value"]))
    out.unlink()
    return got


def last_value(y, step, origins, horizons, history):
    """The last value with the quantiles of its own errors in the history, at most 2,000 of them."""
    grid, got = sorted(y), {}
    for o in origins:
        seen = [t for t in (o - k * step for k in range(int(history / step))) if t in y]
        last = y[seen[0]] if seen else 0.0
        every = max(1, len(seen) // 2_000)
        for h in horizons:
            misses = sorted(y[t] - y[t - h] for t in seen[::every] if t - h in y and t - h > o - history)
            at = lambda q: misses[min(len(misses) - 1, int(q * len(misses)))] if misses else 0.0
            got[o, h] = [max(0.0, last + at(q)) for q in QUANTILES]
    return got


def losses(y, got, only=None, places=range(len(QUANTILES))):
    return mean([pinball(QUANTILES[k], y[o + h], f[k]) for (o, h), f in got.items()
                 if o + h in y and (only is None or only(o)) for k in places])


def horizons_for(step):
    return [h for h in ((300, 900, 1800, 3600) if step <= 300 else (600, 1200, 1800, 3600))]


def steps_of(y):
    t = sorted(y)[:2_000]
    return min(b - a for a, b in zip(t, t[1:]))


def cliff(args):
    """By age: geometric means of the loss by that of 28 days, and by the last value's."""
    def one(name):
        path = args.data / f"{name}.csv.gz"
        y = read(path)
        step, end = steps_of(y), max(y)
        h = horizons_for(step)
        count, every = 16, (7 * DAY - 2 * HOUR) // 16 // step * step
        first = end - 7 * DAY
        origins = [first + k * every for k in range(count)]
        full = losses(y, forecast(args, path, first, every, count, h, 28 * DAY))
        row = {}
        for age in AGES:
            own = losses(y, forecast(args, path, first, every, count, h, age * HOUR))
            row[age] = (own / full, own / losses(y, last_value(y, step, origins, h, age * HOUR)))
        return row
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(one, CLIFF))
    print("age (h)  by 28 days  by the last value")
    out = {}
    for age in AGES:
        out[age] = [geo([r[age][k] for r in rows]) for k in (0, 1)]
        worst = max(r[age][0] for r in rows)
        print(f"{age:7} {out[age][0]:11.3f} {out[age][1]:18.3f}   worst trace {worst:.2f}")
    return out


def shift(args):
    """Two steps a trace and direction, in its last ten days."""
    def one(job):
        name, factor = job
        y = read(args.data / f"{name}.csv.gz")
        step, end = steps_of(y), max(y)
        h = horizons_for(step)
        rows = []
        for back in (2 * DAY + 5 * HOUR, DAY - 3 * HOUR):
            at = (end - back) // step * step
            moved = {t: v * factor if t >= at else v for t, v in y.items() if t <= at + 8 * HOUR}
            path = args.out / f"{name}_{factor:.2f}_{back}.csv"
            write(path, moved)
            every = max(step, 300)
            first, count = at + max(step, 60), 6 * HOUR // every
            origins = [first + k * every for k in range(count)]
            own = forecast(args, path, first, every, count, h, 28 * DAY)
            last = last_value(moved, step, origins, h, 28 * DAY)
            path.unlink()
            early = lambda o: o < at + HOUR
            late = lambda o: o >= at + HOUR
            cover = lambda only: mean([float(moved[o + x] <= f[3] * (1 + 1e-9)) for (o, x), f in own.items()
                                       if o + x in moved and only(o)])
            rows.append((losses(moved, own) / losses(moved, last),
                         losses(moved, own, early) / losses(moved, last, early), cover(early), cover(late)))
        return rows
    out = {}
    for factor in (3.0, 1 / 3):
        with ThreadPoolExecutor(2) as pool:
            rows = [r for rows in pool.map(one, [(n, factor) for n in SHIFT]) for r in rows]
        out[f"{factor:.2f}"] = row = [geo([r[0] for r in rows]), geo([r[1] for r in rows]),
                                      mean([r[2] for r in rows]), mean([r[3] for r in rows])]
        print(f"x{factor:.2f}: loss by the last value's {row[0]:.3f} (first hour {row[1]:.3f}, worst "
              f"{max(r[0] for r in rows):.2f}); coverage of 0.95 {row[2]:.3f} in the first hour, {row[3]:.3f} from 1 to 6 h")
    return out


def daily(rng, days, growth=0.0):
    """Requests a second of a textbook daily load."""
    out = {}
    for i in range(days * 1_440):
        shape = 100 - 60 * math.cos(math.tau * i / 1_440)
        out[START + 60 * i] = max(0.0, shape * (1 + rng.gauss(0, 0.05)))
    return out


def spike(args):
    """At four times of day: the sum of replicas over three hours, by that without the disturbance."""
    rng = random.Random(1)
    base = daily(rng, 23)
    threshold, out = 10.0, {}
    path = args.out / "spike.csv"

    def replicas(y, since):
        write(path, y)
        got = forecast(args, path, since, 60, 180, [180], 28 * DAY, peak=True)
        return sum(max(math.ceil(y[o] / threshold), math.ceil(f[3] / threshold)) for (o, _), f in got.items())

    kinds = {"one reading x40": [(0, 1, 40)], "one reading x1000": [(0, 1, 1000)], "four minutes x8": [(0, 4, 8)],
             "x40 and four minutes x8": [(-10, 1, 40), (0, 4, 8)], "twenty minutes x4": [(0, 20, 4)]}
    for name, parts in kinds.items():
        ratios = []
        for hour in (2, 7, 12, 19):
            at = START + 22 * DAY + hour * HOUR + 7 * 60
            y = {t: v for t, v in base.items() if t <= at + 4 * HOUR}
            end = at
            for offset, minutes, factor in parts:
                for m in range(minutes):
                    y[at + 60 * (offset + m)] = base[at + 60 * (offset + m)] * factor
                end = max(end, at + 60 * (offset + minutes))
            ratios.append(replicas(y, end) / replicas(base, end))
        out[name] = [mean(ratios), max(ratios)]
        print(f"{name:26} {mean(ratios):.3f}, at the worst time of day {max(ratios):.3f}")
    path.unlink()
    return out


def sparse_loads():
    """Loads of over nine tenths zeros, each of another kind."""
    out = {}
    for seed in range(2):
        rng = random.Random(seed + 5)
        minutes = range(21 * 1_440)
        day = lambda i: 1 + math.sin(math.tau * i / 1_440)
        out[f"rare events {seed}"] = [float(rng.random() < 0.03 * day(i)) for i in minutes]
        state, y = 0, []
        for i in minutes:
            state = int(rng.random() < (0.85 if state else 0.01))
            y.append(float(state and 5 + rng.randrange(20)))
        out[f"on and off {seed}"] = y
        out[f"every hour {seed}"] = [20.0 + rng.randrange(8) if (i + seed) % 60 == 7 else 0.0 for i in minutes]
        out[f"nightly {seed}"] = [50.0 + rng.randrange(20) if 120 <= i % 1_440 < 150 else float(rng.random() < 0.01)
                                  for i in minutes]
        out[f"heavy tail {seed}"] = [float(int(rng.paretovariate(1.3))) if rng.random() < 0.05 else 0.0 for i in minutes]
    return out


def sparse(args):
    """The loss at 0.99 by the last value's, one to sixty minutes ahead."""
    loads = {name: {START + 60 * i: v for i, v in enumerate(y)} for name, y in sparse_loads().items()}
    real = args.data / "serverless_azure2021_func110_1min.csv.gz"
    if real.exists():
        loads["func110"] = read(real)
    ratios, all_levels = [], []

    def one(item):
        name, y = item
        path = args.out / f"{name.replace(' ', '_')}.csv"
        write(path, y)
        end = max(y)
        first, every, count, h = end - 3 * DAY // 2, 1_020, 120, [60, 300, 900, 1_800, 3_600]
        first = min(t for t in y if t >= first)
        own = forecast(args, path, first, every, count, h, 28 * DAY)
        last = last_value(y, 60, [first + k * every for k in range(count)], h, 28 * DAY)
        path.unlink()
        at = lambda got, places: losses(y, got, places=places)
        return (name, (at(own, [4]) + 1e-9) / (at(last, [4]) + 1e-9), (at(own, range(5)) + 1e-9) / (at(last, range(5)) + 1e-9))
    with ThreadPoolExecutor(2) as pool:
        for name, at_99, at_all in pool.map(one, sorted(loads.items())):
            print(f"{name:16} 0.99: {at_99:.3f}   all quantiles: {at_all:.3f}")
            ratios.append(at_99)
            all_levels.append(at_all)
    print(f"geometric mean   0.99: {geo(ratios):.3f}   all quantiles: {geo(all_levels):.3f}")
    return {"q99": geo(ratios), "worst": max(ratios), "all": geo(all_levels)}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("FORESCALE_DATA", ROOT.parent / "shared" / "data")
    p.add_argument("--data", type=pathlib.Path, default=pathlib.Path(data))
    p.add_argument("--binary", default=str(ROOT / "target" / "release" / "forescale"))
    p.add_argument("--out", type=pathlib.Path, default=ROOT / "target" / "robustness")
    p.add_argument("--only", default="cliff,shift,spike,sparse")
    p.add_argument("--json", type=pathlib.Path)
    args = p.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    figures = {}
    for name in args.only.split(","):
        print(f"== {name}")
        if name in ("cliff", "shift") and not args.data.is_dir():
            print(f"skipped: no traces at {args.data}")
            continue
        figures[name] = {"cliff": cliff, "shift": shift, "spike": spike, "sparse": sparse}[name](args)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
