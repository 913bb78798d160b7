#!/usr/bin/env python3
"""Runs `forescale forecast` over the scoring protocol, and the scorer on what it wrote.

usage: protocol.py [--data DIR] [--peers DIR] [--binary FILE] [--out DIR] [--traces A,B] [--brief]

DIR defaults to $FORESCALE_DATA or ../shared/data beside the project, and to the `peers` folder next to it (protocol
and scorer). Where they are absent it says so and ends with 0: the traces are other people's and not in this project.
Two traces are forecast at a time, each by one process. Ends with the scorer's exit code.
"""
import argparse, concurrent.futures, json, os, pathlib, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def span(seconds):
    return f"{int(seconds)}s"


def command(binary, data, out, entry):
    """The command of one trace, as the protocol fixes it."""
    return [
        binary, "forecast", "--trace", str(data / f"{entry['trace']}.csv.gz"), "--from", entry["from"],
        "--every", span(entry["every_seconds"]), "--count", str(entry["count"]),
        "--horizons", ",".join(map(span, entry["horizons_seconds"])),
        "--quantiles", ",".join(f"{q:g}" for q in entry["quantiles"]),
        "--history", span(entry["history_seconds"]), "--out", str(out / f"{entry['trace']}.csv"),
    ]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("FORESCALE_DATA", ROOT.parent / "shared" / "data")
    p.add_argument("--data", type=pathlib.Path, default=pathlib.Path(data))
    p.add_argument("--peers", type=pathlib.Path)
    p.add_argument("--binary", default=str(ROOT / "target" / "release" / "forescale"))
    p.add_argument("--out", type=pathlib.Path, default=ROOT / "target" / "protocol")
    p.add_argument("--traces")
    p.add_argument("--brief", action="store_true")
    args = p.parse_args()
    peers = args.peers or args.data.parent / "peers"
    if not (peers / "protocol.json").exists() or not args.data.is_dir():
        print(f"skipped: no traces at {args.data} or no protocol at {peers}")
        return 0
    protocol = json.loads((peers / "protocol.json").read_text())
    entries = [dict(e, quantiles=protocol["quantiles"]) for e in protocol["traces"]]
    entries = [e for e in entries if (args.data / f"{e['trace']}.csv.gz").exists()]
    if args.traces:
        entries = [e for e in entries if e["trace"] in args.traces.split(",")]
    args.out.mkdir(parents=True, exist_ok=True)
    for old in args.out.glob("*.csv"):
        old.unlink()
    begun = time.monotonic()
    run = lambda e: subprocess.run(command(args.binary, args.data, args.out, e), capture_output=True, text=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = list(pool.map(run, entries))
    took = time.monotonic() - begun
    failed = [(e["trace"], d.stderr.strip()) for e, d in zip(entries, done) if d.returncode]
    for trace, error in failed:
        print(f"{trace}: {error}", file=sys.stderr)
    if failed:
        return 1
    score = [sys.executable, str(peers / "score.py"), str(args.data), str(peers / "protocol.json"), str(args.out)]
    score += ["--traces", ",".join(e["trace"] for e in entries), "--json", str(args.out / "score.json")]
    code = subprocess.run(score + (["--brief"] if args.brief else [])).returncode
    print(f"\nforecasts of {len(entries)} traces in {took:.1f} s of wall time")
    return code


if __name__ == "__main__":
    sys.exit(main())
