"""The four shares under test: errors, slow, very slow and refused requests, each against its usual."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp, log
from typing import NamedTuple

from . import buckets
from .cusum import Weights, weights
from .usual import STEP, Memory, Usual

KNOWN = 20.0  # requests before a route's durations mean anything
ROUTE_PRIOR = 200.0  # requests that the service's own error rate counts for in a route's
ERROR_PRIOR = 0.005, 200.0  # share and weight while nothing is known of the service
REFUSED_PRIOR = 0.03, 50.0
LEAST_REFUSED = 0.03
SLOW_PRIOR = 0.02, 100.0
CRAWL_PRIOR = 0.004, 250.0
GRID = 0.04  # of the logarithm of a usual share


@dataclass(frozen=True, eq=False)
class Share:
    """A kind of test: alternatives are the larger of a floor and a multiple of the usual share.

    `place` is where a `Tally` has its hits and a cell its terms.
    """

    place: int
    name: str
    alert: str
    floors: tuple[float, ...]
    ratios: tuple[float, ...]

    def levels(self, p0: float) -> list[float]:
        return [
            min(0.9, max(floor, ratio * p0)) for floor, ratio in zip(self.floors, self.ratios, strict=True)
        ]

    def terms(self, p0: float) -> Terms:
        """Rounded to 4 %, so that routes share what is alike."""
        return _terms(self, round(log(min(p0, 0.5)) / GRID))


@lru_cache(maxsize=1024)
def _terms(share: Share, place: int) -> Terms:
    p0 = exp(place * GRID)
    return Terms(p0, weights(p0, share.levels(p0)))


class Terms:
    """A usual share and what single observations weigh against it."""

    __slots__ = ("p0", "weights")

    def __init__(self, p0: float, weights: Weights) -> None:
        self.p0 = p0
        self.weights = weights

    def gains(self, hits: float, n: float) -> list[float]:
        misses = n - hits
        return [hits * hit + misses * miss for hit, miss in self.weights]


ERRORS = Share(0, "errors", "error_anomaly", (0.012, 0.1, 0.5), (4.0, 8.0, 16.0))
SLOW = Share(1, "slow", "latency_spike", (0.06, 0.3), (4.0, 10.0))
CRAWL = Share(2, "crawl", "latency_spike", (0.016, 0.1, 0.5), (6.0, 12.0, 24.0))
REFUSED = Share(3, "refused", "client_error_anomaly", (0.5, 0.8), (3.0, 6.0))
LATENCY = (SLOW, CRAWL)
SHARES = (ERRORS, SLOW, CRAWL, REFUSED)


class Limits(NamedTuple):
    """Fine buckets over which a request of the route is slow, or crawls."""

    slow: int
    crawl: int


def limits(usual: Usual) -> Limits | None:
    """None while too little is known of the route."""
    if usual.weight < KNOWN:
        return None
    of_hours, far = usual.hours.quantiles((0.95, 1.0), (0.995, 0.0))
    q95 = max(of_hours, 0.8 * usual.day.quantile(0.95, 1.0), 0.9 * usual.peak)
    slow = max(1.5 * q95, q95 + 0.030)
    crawl = max(4.0 * q95, 1.3 * far, q95 + 0.150)
    return Limits(_edge(slow), _edge(max(crawl, 1.5 * slow)))


def _edge(seconds: float) -> int:
    """The last fine bucket of the coarse one that holds a duration."""
    return min(buckets.index(seconds) // STEP * STEP + STEP - 1, buckets.TOP)


def terms(usual: Usual, bounds: Limits | None, service: Memory) -> tuple[Terms | None, ...]:
    """What each share of a route is weighed against; `service` holds all routes together."""
    mean = _mixed(service.errors, service.weight, *ERROR_PRIOR)
    errors = max(_mixed(one.errors, one.weight, mean, ROUTE_PRIOR) for one in (usual.hours, usual.day))
    refused = max(LEAST_REFUSED, _mixed(usual.day.refused, usual.day.weight, *REFUSED_PRIOR))
    slow = crawl = None
    if bounds is not None:
        slow = SLOW.terms(_over(usual, bounds.slow, *SLOW_PRIOR))
        crawl = CRAWL.terms(_over(usual, bounds.crawl, *CRAWL_PRIOR))
    return ERRORS.terms(errors), slow, crawl, REFUSED.terms(refused)


def _over(usual: Usual, limit: int, mean: float, prior: float) -> float:
    return max(_mixed(one.over(limit), one.weight, mean, prior) for one in (usual.hours, usual.day))


def _mixed(hits: float, n: float, mean: float, prior: float) -> float:
    return (hits + mean * prior) / (n + prior)
