#!/usr/bin/env python3
"""Writes the golden numbers of the forecast engine, from implementations that share no code with it.

usage: make.py            (needs numpy, pandas and scipy; writes experts.csv, ridge.csv, quantiles.csv beside itself)

experts.csv    what each plain expert expects, computed sample by sample with pandas' exponentially weighted means and a
               plain restatement of the profiles, from a series that both sides generate by the same integer recipe
ridge.csv      penalised weighted least squares by numpy.linalg.solve
quantiles.csv  weighted quantiles by definition: the smallest value whose cumulated weight reaches the level
"""
import pathlib
import numpy as np, pandas as pd

HERE = pathlib.Path(__file__).parent
STEP, DAY, START, SLOTS, OFFSET = 600, 86_400, 1_767_571_200, 3_000, 0.1875**2


def noise(seed):
    """The generator the Rust test uses too."""
    state = seed
    while True:
        state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**64
        yield (state >> 33) / 2**31


def load():
    """Three weeks of ten-minute samples: a daily square-and-slope shape, quieter weekends, noise."""
    rng, out = noise(7), []
    for i in range(SLOTS):
        of_day, day = i % 144, i // 144
        shape = 40 + of_day if 48 <= of_day < 120 else 30
        out.append(float(round(shape * (0.5 if day % 7 >= 5 else 1.0) * (0.8 + 0.4 * next(rng)))))
    return np.array(out)


def experts():
    y = load()
    z = np.sqrt(np.float32(y / y.mean()).astype(float) + OFFSET)
    t = START + STEP * np.arange(SLOTS)
    bins = DAY // STEP
    week_bin = ((t + 3 * DAY) % (7 * DAY)) // STEP          # the epoch was a Thursday
    # slow level: six days' half-life, started with the first three days at a weight of a quarter
    keep = 0.5 ** (STEP / (6 * DAY))
    num, den, level = 0.25 * z[: 3 * bins].mean(), 0.25, np.empty(SLOTS)
    for i in range(SLOTS):
        num, den = num * keep + (1 - keep) * z[i], den * keep + (1 - keep)
        level[i] = num / den
    # profiles: (week, day type, day) learn the deviation of the bin just ended from the level of the slot after it
    gains, shapes = (0.3, 0.15, 0.15), [{}, {}, {}]
    spread = weight = 0.0
    kind_of = lambda wb: (max(wb // bins - 4, 0) if wb // bins >= 4 else 0, wb % bins)
    keys = lambda wb: (wb, kind_of(wb), wb % bins)

    def word(wb):
        # what was seen n times counts n, the coarser profile's word a half (kind of day) or one (week)
        d = shapes[2].get(wb % bins, (0, 0.0))[1]
        own = lambda n, value, coarser, prior: coarser + n / (n + prior) * (value - coarser)
        k = own(*shapes[1].get(kind_of(wb), (0, 0.0)), d, 0.5)
        w = own(*shapes[0].get(wb, (0, 0.0)), k, 1.0)
        return w, k, d

    seen = np.zeros((SLOTS, 3))
    for i in range(SLOTS):
        seen[i] = word(week_bin[i])                         # as known when the sample comes in
        if i == 0:
            continue
        wb, deviation = week_bin[i - 1], z[i - 1] - level[i]
        before = word(wb)
        limit = 5 * spread / weight if weight > 50 else np.inf
        for table, key, gain in zip(shapes, keys(wb), gains):
            n, old = table.get(key, (0, before[0]))
            step = np.clip(deviation - old, -limit, limit)
            table[key] = (n + 1, old + (1.0 if n == 0 else max(1 / (n + 1), gain)) * step)
        spread, weight = spread * 0.999 + min(abs(deviation - before[0]), limit), weight * 0.999 + 1
    lag = lambda slots: np.array([z[i - slots] if i >= slots else level[i] + seen[i, 0] for i in range(SLOTS)])
    signal = {"z": z, "week": seen[:, 0], "kind": seen[:, 1], "day": seen[:, 2], "ago": lag(bins), "wago": lag(7 * bins)}
    half = [max(n, s / STEP) for n, s in ((1, 0), (2.5, 180), (6, 900), (12, 3_600), (24, 14_400), (48, 86_400))]
    mean = lambda name, m: pd.Series(signal[name]).ewm(halflife=half[m], adjust=True).mean().iloc[-1]
    rows = []
    for ahead in (1, 6, 30):
        to = SLOTS - 1 + ahead
        w, k, d = word((week_bin[-1] + ahead) % (7 * bins))
        at = lambda slots: z[to - slots]
        rows += [
            ("last value", ahead, z[-1]),
            ("mean of the last few", ahead, mean("z", 0)),
            ("running mean, minutes", ahead, mean("z", 1)),
            ("running mean, an hour", ahead, mean("z", 2)),
            ("daily profile and level (Holt-Winters)", ahead, d + mean("z", 1) - mean("day", 1)),
            ("yesterday, moved to the level", ahead, at(bins) + mean("z", 2) - mean("ago", 2)),
            ("last week, moved to the level", ahead, at(7 * bins) + mean("z", 2) - mean("wago", 2)),
            ("weekly profile and last value", ahead, w + mean("z", 0) - mean("week", 0)),
            ("same time a day ago", ahead, at(bins)),
        ]
    with open(HERE / "experts.csv", "w") as f:
        f.write("# expectations on the even-noise scale; absolute tolerance 2e-5 (bins and profiles are kept in single precision)\n")
        f.write("expert;steps_ahead;expected\n")
        for name, ahead, value in rows:
            f.write(f"{name};{ahead};{value:.9f}\n")


def ridge():
    rng = noise(11)
    x = np.array([[1.0] + [round(2 * next(rng) - 1, 4) for _ in range(3)] for _ in range(40)])
    w = np.array([round(0.5 + next(rng), 4) for _ in range(40)])
    y = np.array([round(1 + 2 * r[1] - r[3] + 0.2 * next(rng), 4) for r in x])
    gram = (x * w[:, None]).T @ x
    penalised = gram + np.diag([0.0] + [0.05 * gram[i, i] for i in (1, 2, 3)])
    beta = np.linalg.solve(penalised, (x * w[:, None]).T @ y)
    with open(HERE / "ridge.csv", "w") as f:
        f.write("# rows: weight;x1;x2;x3;target (x0 is 1); then the coefficients; penalty 0.05; absolute tolerance 1e-5\n")
        f.write("weight;x1;x2;x3;target\n")
        for r, wi, yi in zip(x, w, y):
            f.write(f"{wi};{r[1]};{r[2]};{r[3]};{yi}\n")
        f.write("coefficients;" + ";".join(f"{b:.9f}" for b in beta) + "\n")


def quantiles():
    rng = noise(13)
    v = np.array([round(10 * next(rng) - 5, 3) for _ in range(60)])
    w = np.array([round(next(rng) + 0.01, 3) for _ in range(60)])
    order = np.argsort(v, kind="stable")
    cumulated = np.cumsum(w[order])
    with open(HERE / "quantiles.csv", "w") as f:
        f.write("# rows: value;weight; then level;quantile after the line 'levels'; absolute tolerance 1e-6\n")
        f.write("value;weight\n")
        for a, b in zip(v, w):
            f.write(f"{a};{b}\n")
        f.write("levels;\n")
        for level in (0.25, 0.5, 0.8, 0.9, 0.95, 0.99):
            f.write(f"{level};{v[order][np.argmax(cumulated >= level * w.sum())]}\n")


experts(), ridge(), quantiles()
