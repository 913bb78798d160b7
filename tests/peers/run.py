#!/usr/bin/env python3
"""Runs other people's forecasters beside Forescale under the scoring protocol, each with one fixed setting.

usage: run.py [--peers mstl,ets,prophet,lgbm] [--data DIR] [--out DIR] [--traces A,B] [--origins N]

mstl     statsforecast MSTL (day and week; day only below 14 days of history) with AutoETS(ZZN) as trend
ets      statsforecast AutoETS(ZZN)
prophet  Prophet's defaults, refitted once a day of test span, quantiles of 500 sampled paths
lgbm     LightGBM quantile regression per horizon and quantile, refitted once a day of test span

Traces of one minute are averaged in blocks of five that end at the origin for mstl, ets and prophet. Writes one folder
of forecasts per peer and scores each. `--origins` takes every n-th origin's worth of work only (the scorer then needs
the full set, so it is skipped): for a quick look. Needs requirements.txt; says so and ends with 0 where a package or
the traces are absent.
"""
import argparse, csv, datetime, gzip, json, os, pathlib, subprocess, sys, warnings

warnings.filterwarnings("ignore")
ROOT = pathlib.Path(__file__).resolve().parents[2]
DAY = 86_400
epoch = lambda text: int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())
iso = lambda t: datetime.datetime.fromtimestamp(t, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def history(np, y, origin, seconds, step):
    """Samples in (origin - seconds, origin], gaps as NaN, oldest first."""
    times = np.arange(origin - (seconds // step) * step + step, origin + 1, step)
    values = np.array([y.get(int(t), np.nan) for t in times])
    seen = np.flatnonzero(~np.isnan(values))
    return (times[seen[0]:], values[seen[0]:]) if len(seen) else (times[-1:], np.zeros(1))


def blocks(np, times, values, step):
    """Means of at most five minutes, ending at the origin; gaps filled linearly."""
    k = max(1, 300 // step)
    n = len(values) // k * k
    part = values[-n:].reshape(-1, k)
    with np.errstate(all="ignore"):
        mean = np.nanmean(part, axis=1)
    ok = ~np.isnan(mean)
    grid = np.arange(len(mean))
    return times[-n:][k - 1::k], np.interp(grid, grid[ok], mean[ok]), step * k


def statsforecast_peer(np, kind):
    from statsforecast.models import AutoETS, MSTL

    def predict(e, y, origin, state):
        times, values = history(np, y, origin, e["history_seconds"], e["step_seconds"])
        _, z, step = blocks(np, times, values, e["step_seconds"])
        day, week = DAY // step, 7 * DAY // step
        trend = AutoETS(model="ZZN")
        model = trend if kind == "ets" else MSTL([day, week] if len(z) >= 2 * week else [day], trend_forecaster=trend)
        ahead = [max(1, round(h / step)) for h in e["horizons_seconds"]]
        levels = [2 * q - 1 for q in e["quantiles"] if q > 0.5]
        out = model.forecast(y=z, h=max(ahead), level=[100 * l for l in levels])
        value = lambda q, i: out["mean"][i] if q == 0.5 else out[f"hi-{100 * (2 * q - 1):g}"][i] if f"hi-{100 * (2 * q - 1):g}" in out \
            else out[[k for k in out if k.startswith("hi-") and abs(float(k[3:]) - 100 * (2 * q - 1)) < 1e-6][0]][i]
        return [[value(q, a - 1) for q in e["quantiles"]] for a in ahead]

    return predict


def prophet_peer(np):
    import logging
    import pandas as pd
    from prophet import Prophet
    logging.getLogger("cmdstanpy").setLevel(logging.ERROR)

    def predict(e, y, origin, state):
        if origin - state.get("fitted", -10 * DAY) >= DAY:
            times, values = history(np, y, origin, e["history_seconds"], e["step_seconds"])
            k = max(1, 300 // e["step_seconds"])
            n = len(values) // k * k
            with np.errstate(all="ignore"):
                mean = np.nanmean(values[-n:].reshape(-1, k), axis=1)
            frame = pd.DataFrame({"ds": pd.to_datetime(times[-n:][k - 1::k], unit="s"), "y": mean}).dropna()
            state.update(fitted=origin, model=Prophet(uncertainty_samples=500).fit(frame))
        ahead = pd.DataFrame({"ds": pd.to_datetime([origin + h for h in e["horizons_seconds"]], unit="s")})
        paths = state["model"].predictive_samples(ahead)["yhat"]
        return np.quantile(paths, e["quantiles"], axis=1).T.tolist()

    return predict


def lgbm_peer(np):
    import lightgbm as lgb

    def features(e, series, first, t, h):
        step, day = e["step_seconds"], DAY // e["step_seconds"]
        at = lambda i: series[i] if 0 <= i < len(series) else np.nan
        i = (t - first) // step
        with np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            means = [np.nanmean(series[max(0, i - n + 1): i + 1]) for n in (2, 5, 15, 60, day)]
            around = [np.nanmean(series[max(0, j - 2): max(0, j + 3)] if j + 3 > 0 else [np.nan])
                      for j in (i + h // step - k * day for k in (1, 7, 14))]
        target = t + h
        return [at(i), at(i - 1), at(i - 2), *means, *around, target % DAY // 60, (target // DAY + 3) % 7]

    def predict(e, y, origin, state):
        times, values = history(np, y, origin, e["history_seconds"], e["step_seconds"])
        first = int(times[0])
        if origin - state.get("fitted", -10 * DAY) >= DAY:
            state.update(fitted=origin, models={})
            rows = times[:: max(1, len(times) // 10_000)]
            for h in e["horizons_seconds"]:
                pairs = [(int(t), y[int(t) + h]) for t in rows if int(t) + h in y and int(t) + h <= origin]
                x = np.array([features(e, values, first, t, h) for t, _ in pairs])
                for q in e["quantiles"]:
                    params = dict(objective="quantile", alpha=q, num_leaves=31, learning_rate=0.07, verbosity=-1, num_threads=1)
                    state["models"][h, q] = lgb.train(params, lgb.Dataset(x, [v for _, v in pairs]), 150)
        out = []
        for h in e["horizons_seconds"]:
            x = np.array([features(e, values, first, origin, h)])
            out.append([float(state["models"][h, q].predict(x)[0]) for q in e["quantiles"]])
        return out

    return predict


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("FORESCALE_DATA", ROOT.parent / "shared" / "data")
    p.add_argument("--data", type=pathlib.Path, default=pathlib.Path(data))
    p.add_argument("--peers", default="mstl,ets,prophet,lgbm")
    p.add_argument("--out", type=pathlib.Path, default=ROOT / "target" / "peers")
    p.add_argument("--traces")
    p.add_argument("--origins", type=int)
    args = p.parse_args()
    folder = args.data.parent / "peers"
    if not (folder / "protocol.json").exists():
        print(f"skipped: no traces at {args.data}")
        return 0
    try:
        import numpy as np
    except ImportError:
        print("skipped: pip install -r tests/peers/requirements.txt")
        return 0
    protocol = json.loads((folder / "protocol.json").read_text())
    entries = [dict(e, quantiles=protocol["quantiles"]) for e in protocol["traces"]
               if (args.data / f"{e['trace']}.csv.gz").exists() and (not args.traces or e["trace"] in args.traces.split(","))]
    makers = {"mstl": lambda: statsforecast_peer(np, "mstl"), "ets": lambda: statsforecast_peer(np, "ets"),
              "prophet": lambda: prophet_peer(np), "lgbm": lambda: lgbm_peer(np)}
    for name in args.peers.split(","):
        try:
            predict = makers[name]()
        except ImportError as missing:
            print(f"{name}: skipped, {missing.name} is not installed")
            continue
        out = args.out / name
        out.mkdir(parents=True, exist_ok=True)
        for e in entries:
            with gzip.open(args.data / f"{e['trace']}.csv.gz", "rt") as f:
                y = {epoch(r["timestamp"]): float(r["value"]) for r in csv.DictReader(f) if r["value"]}
            state, start = {}, epoch(e["from"])
            with open(out / f"{e['trace']}.csv", "w") as f:
                f.write("origin,horizon_seconds,quantile,value\n")
                for k in range(min(e["count"], args.origins or e["count"])):
                    origin = start + k * e["every_seconds"]
                    for h, values in zip(e["horizons_seconds"], predict(e, y, origin, state)):
                        for q, v in zip(e["quantiles"], sorted(max(0.0, float(v)) for v in values)):
                            f.write(f"{iso(origin)},{h},{q:g},{v}\n")
            print(f"{name}: {e['trace']}", file=sys.stderr)
        if not args.origins:
            subprocess.run([sys.executable, str(folder / "score.py"), str(args.data), str(folder / "protocol.json"),
                            str(out), "--brief", "--traces", ",".join(e["trace"] for e in entries)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
