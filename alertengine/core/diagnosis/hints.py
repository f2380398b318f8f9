"""What the overall figures alone hint at, when no evidence or only a part of it came along.

None of these hints is enough to name a cause: they order the likeliest.
"""

from alertengine.core.diagnosis import items
from alertengine.core.diagnosis.facts import AlertFact, Facts
from alertengine.core.diagnosis.signals import Signals
from alertengine.core.diagnosis.weighing import Case

_BY_ALERT = {
    "latency_spike": (("db_slow", 1.6), ("upstream_timeout", 1.2), ("loop_block", 1.0)),
    "stalled_requests": (("pool_exhaustion", 1.6), ("upstream_timeout", 1.4), ("loop_block", 1.0)),
    "error_anomaly": (("app_exception", 1.6), ("upstream_5xx", 1.4), ("bad_deploy", 0.8)),
    "client_error_anomaly": (("auth_break", 1.6), ("scanner_4xx", 1.5), ("upstream_throttle", 0.8)),
}
_BY_STATUS = {
    "504": (("upstream_timeout", 2.4),),
    "502": (("upstream_5xx", 2.0), ("upstream_down", 1.9)),
    "503": (("upstream_5xx", 1.7), ("pool_exhaustion", 1.3)),
    "507": (("disk_full", 2.6),),
    "429": (("upstream_throttle", 2.4), ("traffic_surge", 1.4)),
    "500": (("app_exception", 1.9),),
    "404": (("scanner_4xx", 1.6),),
}


def without_evidence(facts: Facts, seen: Signals) -> list[Case]:
    """Weak cases from alerts, status codes and overall figures."""
    cases = [case for alert in facts.alerts for case in _from_alert(alert)]
    cases += _from_status(facts)
    if seen.everywhere:
        cases += [Case(cause="loop_block", points=2.2 * seen.everywhere)]
        cases += [Case(cause="cpu_hog", points=2.1 * seen.everywhere)]
    if not facts.alerts and not cases:
        cases += _from_figures(facts, seen)
    return cases


def _from_alert(alert: AlertFact) -> list[Case]:
    said = (items.alerted(alert),)
    found = _BY_ALERT.get(alert.type, ())
    return [Case(cause=cause, points=points, items=said, route=alert.route) for cause, points in found]


def _from_status(facts: Facts) -> list[Case]:
    cases = []
    for route in facts.routes:
        total = sum(route.status.values())
        for code, likely in _BY_STATUS.items():
            if total and route.status.get(code, 0.0) >= max(3.0, 0.1 * total):
                said = (items.refusing(route) if code.startswith("4") else items.erring(route),)
                cases += [
                    Case(cause=cause, points=points, items=said, route=route.route)
                    for cause, points in likely
                ]
    return cases


def _from_figures(facts: Facts, seen: Signals) -> list[Case]:
    kinds = []
    if seen.errors > 0.2:
        kinds.append("error_anomaly")
    if seen.refusals > 0.2:
        kinds.append("client_error_anomaly")
    if (facts.p95_ms or 0.0) >= 1000 or seen.slowness > 0.5:
        kinds.append("latency_spike")
    return [Case(cause=cause, points=points) for kind in kinds for cause, points in _BY_ALERT[kind]]
