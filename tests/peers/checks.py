#!/usr/bin/env python3
"""Two checks beside the protocol: window peaks, and forecasts 6 to 24 hours ahead.

usage: checks.py [peaks|long] [--data DIR] [--binary FILE] [--out DIR] [--traces A,B]

peaks: coverage of the 0.95 quantile of the largest sample within 5 and 15 minutes, traces with steps up to 5 minutes,
       at the protocol's origins. A window counts if at least half of its samples, and the last, are there.
long:  the protocol with horizons of 6, 12, 18 and 24 hours on traces of 21 days and more, scored by its own scorer.

Where the traces are absent it says so and ends with 0.
"""
import argparse, concurrent.futures, csv, datetime, gzip, json, math, os, pathlib, subprocess, sys

from protocol import ROOT, command

DAY = 86_400
epoch = lambda text: int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())
iso = lambda t: datetime.datetime.fromtimestamp(t, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def forecast_all(args, entries, extra=()):
    args.out.mkdir(parents=True, exist_ok=True)
    for old in args.out.glob("*.csv"):
        old.unlink()
    run = lambda e: subprocess.run(command(args.binary, args.data, args.out, e) + list(extra), capture_output=True, text=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for e, d in zip(entries, pool.map(run, entries)):
            if d.returncode:
                sys.exit(f"{e['trace']}: {d.stderr.strip()}")


def peaks(args, protocol):
    horizons = [300, 900]
    entries = [dict(e, quantiles=[0.5, 0.8, 0.95, 0.99], horizons_seconds=horizons)
               for e in protocol["traces"] if e["step_seconds"] <= 300 and (args.data / f"{e['trace']}.csv.gz").exists()]
    if args.traces:
        entries = [e for e in entries if e["trace"] in args.traces.split(",")]
    forecast_all(args, entries, ["--peak"])
    total = {h: [] for h in horizons}
    for e in entries:
        with gzip.open(args.data / f"{e['trace']}.csv.gz", "rt") as f:
            y = {epoch(r["timestamp"]): float(r["value"]) for r in csv.DictReader(f) if r["value"]}
        hit = {}
        for r in csv.DictReader(open(args.out / f"{e['trace']}.csv")):
            o, h, step = epoch(r["origin"]), int(r["horizon_seconds"]), e["step_seconds"]
            window = [y[t] for t in range(o + step, o + h + 1, step) if t in y]
            if len(window) * step * 2 >= h and o + h in y:
                hit.setdefault((h, r["quantile"]), []).append(max(window) <= float(r["value"]) * (1 + 1e-9) + 1e-12)
        share = {k: sum(v) / len(v) for k, v in hit.items()}
        print(f"{e['trace']:42} " + "  ".join(
            f"{h // 60:2d}m: " + " ".join(f"{share[h, q]:.3f}" for q in ("0.5", "0.8", "0.95", "0.99")) for h in horizons))
        for h in horizons:
            total[h].append([share[h, q] for q in ("0.5", "0.8", "0.95", "0.99")])
    for h, rows in total.items():
        mean = [sum(c) / len(c) for c in zip(*rows)]
        inside = sum(0.90 <= r[2] <= 0.99 for r in rows)
        print(f"{h // 60:2d}-minute peaks, {len(rows)} traces: mean coverage of .5 .8 .95 .99 = "
              + " ".join(f"{m:.3f}" for m in mean) + f"; 0.95 within 0.90-0.99 on {inside}")


def long(args, protocol, peers):
    horizons = [6 * 3600, 12 * 3600, 18 * 3600, 24 * 3600]
    entries = []
    for e in protocol["traces"]:
        step, first, last = e["step_seconds"], epoch(e["first"]), epoch(e["last"])
        if last - first + step < 21 * DAY or not (args.data / f"{e['trace']}.csv.gz").exists():
            continue
        begin = epoch(e["from"])
        every = (last - horizons[-1] - begin) // 55 // step
        while every > 1 and math.gcd(every, max(1, 3600 // step)) > 1:
            every -= 1
        entries.append(dict(e, horizons_seconds=horizons, every_seconds=every * step, quantiles=protocol["quantiles"]))
    if args.traces:
        entries = [e for e in entries if e["trace"] in args.traces.split(",")]
    forecast_all(args, entries)
    path = args.out / "protocol.json"
    path.write_text(json.dumps(dict(protocol, traces=entries)))
    return subprocess.run([sys.executable, str(peers / "score.py"), str(args.data), str(path), str(args.out)]).returncode


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("which", nargs="?", choices=["peaks", "long"])
    data = os.environ.get("FORESCALE_DATA", ROOT.parent / "shared" / "data")
    p.add_argument("--data", type=pathlib.Path, default=pathlib.Path(data))
    p.add_argument("--binary", default=str(ROOT / "target" / "release" / "forescale"))
    p.add_argument("--out", type=pathlib.Path, default=ROOT / "target" / "checks")
    p.add_argument("--traces")
    args = p.parse_args()
    peers = args.data.parent / "peers"
    if not (peers / "protocol.json").exists():
        print(f"skipped: no traces at {args.data}")
        return 0
    protocol = json.loads((peers / "protocol.json").read_text())
    if args.which != "long":
        peaks(args, protocol)
    return long(args, protocol, peers) if args.which != "peaks" else 0


if __name__ == "__main__":
    sys.exit(main())
