"""Streams of requests for sdk_judgement.py: services in trouble, and services that only look it.

A stream is drawn second by second from a seed, on a clock of its own. What happens in it is one
function that changes a `Moment`: one route in one second.
"""

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

MINUTE, HOUR = 60, 3600
FAULT = 40 * MINUTE  # faults begin here, a few seconds after it
AFTER = 20 * MINUTE


@dataclass
class Route:
    """`ms` is the median, `wide` the sigma of its logarithm, `tail` the share of far slower ones."""

    path: str
    method: str
    share: float
    ms: float
    wide: float = 0.5
    refused: float = 0.01
    tail: float = 0.002


@dataclass
class Moment:
    """One route in one second."""

    second: int
    route: Route
    rate: float
    errors: float
    refused: float
    slower: float = 1.0
    hit: float = 0.0  # share of requests to which `extra_ms` is added
    extra_ms: float = 0.0
    status: int = 500


@dataclass
class Stream:
    """`begins` and `ends` bound the fault; None: nothing is wrong from beginning to end."""

    name: str
    routes: list[Route]
    rate: Callable[[int], float]
    change: Callable[[Moment], None] = lambda moment: None
    begins: int | None = None
    ends: int | None = None
    within: int = 300  # seconds after which finding it is of no use
    seconds: int = 6 * HOUR
    errors: float = 0.0005
    pauses: Callable[[random.Random], list] = lambda draw: []  # (second, length): the process stands still
    starts: list[int] = field(default_factory=list)


def shop():
    """Twelve routes, most of the traffic on three."""
    return [
        Route("/catalog", "GET", 0.22, 28),
        Route("/catalog/{sku}", "GET", 0.27, 12, 0.6),
        Route("/images/{name}", "GET", 0.18, 4, 0.4),
        Route("/me", "GET", 0.09, 9),
        Route("/cart/{id}", "GET", 0.08, 16),
        Route("/cart/{id}/lines", "POST", 0.05, 45),
        Route("/session", "POST", 0.03, 110, 0.35, refused=0.08),
        Route("/checkout", "POST", 0.025, 240, 0.55),
        Route("/checkout/{id}", "GET", 0.03, 22),
        Route("/suggest", "GET", 0.015, 70, 0.8),
        Route("/hooks/{source}", "POST", 0.007, 35),
        Route("/statement/{month}", "GET", 0.003, 900, 0.7),
    ]


def bank():
    """Five routes, slower and wider."""
    return [
        Route("/transfers", "POST", 0.35, 320, 0.7, refused=0.04),
        Route("/transfers/{id}", "GET", 0.3, 40, 0.7),
        Route("/accounts/{id}", "GET", 0.25, 65, 0.6),
        Route("/fx", "GET", 0.08, 150, 0.9),
        Route("/closing", "POST", 0.02, 2500, 0.5),
    ]


def steady(rate):
    return lambda second: rate


def day(low, high):
    """A day in six hours."""
    return lambda second: low + (high - low) * (0.5 - 0.5 * math.cos(2 * math.pi * second / (6 * HOUR)))


def trouble(name, routes, rate, effect, begins=FAULT + 3, lasts=15 * MINUTE, **more):
    """`effect` changes the moments of the fault alone."""

    def change(moment):
        if begins <= moment.second < begins + lasts:
            effect(moment)

    ends = begins + lasts
    return Stream(name, routes, steady(rate), change, begins, ends, seconds=ends + AFTER, **more)


def set_to(path=None, **values):
    """The values, at all routes or at one."""

    def effect(moment):
        if path in (None, moment.route.path):
            for name, value in values.items():
                setattr(moment, name, value)

    return effect


def leak(moment):
    moment.slower = 1 + 4 * (moment.second - FAULT - 3) / HOUR


def saw(moment):
    if (moment.second - FAULT) % 80 < 25:
        moment.errors = 0.3


def blocked(draw):
    return [(FAULT + 3 + 2.2 * i, 1.4) for i in range(400)]


def troubles():
    return [
        trouble("every request fails", shop(), 7, set_to(errors=1.0, status=503)),
        trouble("6 % of requests fail", bank(), 9, set_to(errors=0.06)),
        trouble("one route of twelve fails", shop(), 20, set_to("/checkout", errors=1.0)),
        trouble("one route of twelve is 10 times slower", shop(), 25, set_to("/suggest", slower=10)),
        trouble("a rare route fails", shop(), 30, set_to("/statement/{month}", errors=1.0), within=900),
        trouble("everything takes 4 times as long", bank(), 5, set_to(slower=4)),
        trouble("one request in five waits 4 s more", shop(), 8, set_to(hit=0.2, extra_ms=4000)),
        trouble("one route hangs for 20 s", bank(), 4, set_to("/transfers", hit=0.9, extra_ms=20000, status=504)),
        trouble("no traffic arrives any more", shop(), 6, set_to(rate=0.0)),
        trouble("a slow leak, once and a half as long after 7 min", bank(), 6, leak, lasts=HOUR, within=1800),
        trouble("errors come and go", shop(), 8, saw),
        trouble("nobody can log in", shop(), 15, set_to("/session", refused=0.98)),
        trouble("one request a minute, all fail", bank(), 1 / 60, set_to(errors=1.0), 3 * HOUR, HOUR, within=900),
        trouble("the process stands still for 1.4 s of every 2.2 s", bank(), 7, set_to(), pauses=blocked),
        trouble("fails three minutes after it started", shop(), 6, set_to(errors=0.5), begins=3 * MINUTE),
        trouble("a new version, everything takes 3 times as long", shop(), 7, set_to(slower=3), starts=[FAULT]),
    ]  # fmt: skip


def quiet_times():
    def bursts(moment):
        if moment.second % 2400 < 120:
            moment.rate *= 8
            moment.slower = 1.2

    def mix(moment):
        if moment.second % 7000 > 5500 and moment.route.path == "/closing":
            moment.rate *= 20

    def cron(moment):
        moment.rate = moment.rate * 25 if moment.second % 300 < 12 else 0.0

    def stuffing(moment):
        if 9000 < moment.second < 10200 and moment.route.path == "/session":
            moment.rate, moment.refused = moment.rate * 30, 0.98

    def broken_client(moment):
        if 12000 < moment.second < 14400 and moment.route.path == "/cart/{id}/lines":
            moment.rate, moment.refused = moment.rate * 6, 0.85

    def closing(moment):
        moment.rate *= max(0.0, min(1.0, (5 * HOUR - moment.second) / 900, moment.second / 900))

    def deploys(moment):
        age = moment.second % 5000
        moment.rate *= age >= 5
        moment.slower = max(1.0, 6 - age / 4)

    def pauses(draw):
        return [
            (second + draw.random() * 200, 0.2 + draw.random() * 0.7) for second in range(60, 6 * HOUR, 240)
        ]

    starts = list(range(5000, 6 * HOUR, 5000))
    heavy = [Route(one.path, one.method, one.share, one.ms, 1.25, tail=0.01) for one in bank()]
    slow = [*shop(), Route("/export", "GET", 0.06, 5000, 0.5)]
    return [
        Stream("steady", shop(), steady(6)),
        Stream("a day and a night", bank(), day(0.1, 9)),
        Stream("heavy tails", heavy, steady(4)),
        Stream("one request a minute, one in 100 fails", bank(), steady(1 / 60), errors=0.01, seconds=24 * HOUR),
        Stream("one in 80 fails, always has", shop(), steady(5), errors=0.0125),
        Stream("bursts of eight times the traffic", bank(), steady(2), bursts),
        Stream("the mix shifts to the slow route", bank(), steady(4), mix),
        Stream("slow by design", slow, steady(4)),
        Stream("a burst every five minutes, else nothing", bank(), steady(0.5), cron),
        Stream("stuffed logins and a broken client", shop(), steady(8), lambda m: (stuffing(m), broken_client(m))),
        Stream("closing time", shop(), steady(5), closing),
        Stream("short pauses of the process", bank(), steady(5), pauses=pauses),
        Stream("four new versions, cold for 20 s each", shop(), steady(5), deploys, starts=starts),
        Stream("single requests of 12 s", shop(), steady(6), set_to(hit=0.002, extra_ms=12000)),
    ]  # fmt: skip


def drawn(stream, seed):
    """(arrival, end, route, status) in order of arrival, seconds; endless streams are drawn lazily."""
    draw = random.Random(f"{stream.name} {seed}")
    pauses = sorted(stream.pauses(draw))
    burst = 1.0
    for second in range(stream.seconds):
        if second % 10 == 0:
            burst = draw.gammavariate(25, 1 / 25)
        requests = []
        for route in stream.routes:
            moment = Moment(second, route, stream.rate(second) * route.share, stream.errors, route.refused)
            stream.change(moment)
            requests += [request(draw, moment) for _ in range(poisson(draw, moment.rate * burst))]
        requests.sort(key=lambda one: one[0])
        for arrival, took, status, route in requests:
            yield arrival, arrival + took + waited(pauses, arrival, took), route, status


def request(draw, moment):
    route = moment.route
    took = draw.lognormvariate(math.log(route.ms), route.wide)
    if draw.random() < route.tail:
        took *= 3 * draw.paretovariate(1.6)
    took = min(took, 30_000) * moment.slower
    late = draw.random() < moment.hit
    if late:
        took += moment.extra_ms * (0.8 + 0.4 * draw.random())
    fate, status = draw.random(), 200 if route.method == "GET" else 201
    if fate < moment.errors or (late and moment.status == 504):
        status = moment.status
    elif fate < moment.errors + moment.refused:
        status = 401 if route.path == "/session" else 422
    return moment.second + draw.random(), took / 1000, status, route


def waited(pauses, arrival, took):
    """What standing still adds; pauses that are over are dropped on the way."""
    while pauses and pauses[0][0] + pauses[0][1] < arrival - 60:
        pauses.pop(0)
    more = 0.0
    for begin, length in pauses:
        if begin > arrival + took + more:
            break
        if begin + length > arrival:
            more += begin + length - max(begin, arrival)
    return more


def poisson(draw, mean):
    if mean > 50:
        return max(0, round(draw.gauss(mean, math.sqrt(mean))))
    n, left = 0, draw.random()
    chance = math.exp(-mean)
    while left > chance:
        left *= draw.random()
        n += 1
    return n


def events(stream, seed):
    """(time, begun or ended, route, status, duration) in order of time."""
    open_ = []
    for arrival, end, route, status in drawn(stream, seed):
        while open_ and open_[0][0] <= arrival:
            yield ended(heapq.heappop(open_))
        yield arrival, True, route, 0, 0.0
        heapq.heappush(open_, (end, arrival, id(route), route, status))
    while open_ and open_[0][0] < stream.seconds:
        yield ended(heapq.heappop(open_))


def ended(entry):
    end, arrival, _, route, status = entry
    return end, False, route, status, end - arrival
