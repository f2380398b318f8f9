"""Relative error of P50, P95 and P99 against the exact order statistic, on streams that hurt.

    python sdk_accuracy.py [--seeds 20]

Beside ours: the last 200 values, as fastapi-alertengine 1.7.0 keeps them, and the default buckets
of a Prometheus histogram with linear interpolation, as histogram_quantile does it.
"""

import argparse
import math
import random

from fastapi_alertengine import buckets

N = 5000
QUANTILES = (0.5, 0.95, 0.99)
PROMETHEUS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
STREAMS = {
    "lognormal": lambda draw: draw.lognormvariate(math.log(0.03), 0.8),
    "bimodal 90/10": lambda draw: draw.gauss(0.002, 0.0002) if draw.random() < 0.9 else draw.gauss(0.3, 0.03),
    "edge of a mode": lambda draw: (
        draw.gauss(0.002, 0.0002) if draw.random() < 0.949 else draw.gauss(0.9, 0.05)
    ),
    "Pareto 1.2": lambda draw: 0.004 * draw.paretovariate(1.2),
    "constant": lambda draw: 0.0123,
}


def exact(values, q):
    return sorted(values)[max(0, math.ceil(q * len(values) - 1e-9) - 1)]


def ours(values, q):
    counts = buckets.empty()
    for value in values:
        counts[buckets.index(value)] += 1
    return buckets.quantiles(counts, (q,))[0]


def last_200(values, q):
    return exact(values[-200:], q)


def prometheus(values, q):
    rank, below, low = q * len(values), 0, 0.0
    for high in PROMETHEUS:
        upto = sum(value <= high for value in values)
        if upto >= rank:
            return low + (high - low) * (rank - below) / max(1, upto - below)
        below, low = upto, high
    return PROMETHEUS[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    seeds = parser.parse_args().seeds
    methods = {"ours": ours, "last 200": last_200, "Prometheus buckets": prometheus}
    print(
        "| stream | "
        + " | ".join(f"{name}, worst" for name in methods)
        + " |\n| --- |"
        + " --- |" * len(methods)
    )
    for stream, sample in STREAMS.items():
        worst = dict.fromkeys(methods, 0.0)
        for seed in range(seeds):
            draw = random.Random(seed)
            values = [max(2e-5, sample(draw)) for _ in range(N)]
            for q in QUANTILES:
                right = exact(values, q)
                for name, method in methods.items():
                    worst[name] = max(worst[name], abs(method(values, q) - right) / right)
        print(f"| {stream} | " + " | ".join(f"{100 * error:.2f} %" for error in worst.values()) + " |")


if __name__ == "__main__":
    main()
