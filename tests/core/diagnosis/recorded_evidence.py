"""Recorded evidence in a prototype's format, as a report in ours."""

from collections.abc import Mapping
from typing import Any

FIGURES = {"count": "n", "p50_ms": "p50", "p95_ms": "p95", "fail_rate": "fail", "wait_p95_ms": "wait_p95"}
ROUTE_FIGURES = {
    "sample_size": "n",
    "p50_ms": "p50",
    "p95_ms": "p95",
    "error_rate": "err5",
    "client_error_rate": "err4",
}
RUNTIME_FIGURES = {
    "loop_lag_p95_ms": "loop_lag_p95_ms",
    "loop_lag_max_ms": "loop_lag_max_ms",
    "cpu": "cpu",
    "rss_mb": "rss_last",
    "rss_slope_mb_s": "rss_slope_mb_s",
    "in_flight": "inflight_mean",
    "in_flight_max": "inflight_max",
    "fds": "fds",
}
TRAFFIC_FIGURES = ("rps", "rps_matched", "rps_unmatched", "clients", "top_client_share")


def to_report(evidence: Mapping[str, Any], window_s: float = 6.0) -> dict[str, Any]:
    """The report that the SDK would have given."""
    recent, baseline = evidence["recent"], evidence["baseline"]
    return {
        "status": "critical",
        "metrics": {
            "error_rate": recent["err5"],
            "client_error_rate": recent["err4"],
            "overall_p95_ms": recent["p95"],
        },
        "alerts": [],
        "evidence": {
            "window_s": window_s,
            "baseline_window_s": 7.0,
            "exceptions": [exception(row, baseline["exceptions"], window_s) for row in recent["exceptions"]],
            "dependencies": dependencies(recent["deps"], baseline["deps"]),
            "runtime": runtime(recent, evidence["disk_free_pct"]) | {"usual": runtime(baseline, None)},
            "traffic": figures_of(recent) | {"usual": figures_of(baseline)},
            "routes": routes(recent["routes"], baseline["routes"]),
            "marks": evidence["marks"],
        },
    }


def exception(row: Mapping[str, Any], before: list[Mapping[str, Any]], window_s: float) -> dict[str, Any]:
    return {
        "fingerprint": f"{row['type']}@{row['where']}",
        "type": row["type"],
        "message": row["msg"],
        "location": row["where"],
        "route": None,
        "count": row["count"],
        # The prototype did not keep it; the fault began a second into its window.
        "first_seen_s_ago": window_s - 1,
        "new": all(row["where"] != other["where"] for other in before),
        "errno": row["errno"],
    }


def dependencies(recent: Mapping[str, Any], baseline: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for key, row in recent.items():
        kind, _, name = key.partition(":")
        usual = renamed(baseline[key], FIGURES) if key in baseline else None
        rows.append(
            {"kind": kind, "name": name, "codes": row["codes"], "usual": usual, **renamed(row, FIGURES)}
        )
    return rows


def routes(recent: Mapping[str, Any], baseline: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for route, row in recent.items():
        usual = renamed(baseline[route], ROUTE_FIGURES) if route in baseline else None
        rows.append({"route": route, "status": row["status"], "usual": usual, **renamed(row, ROUTE_FIGURES)})
    return rows


def runtime(half: Mapping[str, Any], disk_free_pct: float | None) -> dict[str, Any]:
    gc = {"gc_ms_per_s": half["gc"]["ms_per_s"], "gc_max_ms": half["gc"]["max_ms"]}
    return renamed(half["runtime"], RUNTIME_FIGURES) | gc | {"disk_free_pct": disk_free_pct}


def figures_of(half: Mapping[str, Any]) -> dict[str, Any]:
    return {name: half[name] for name in TRAFFIC_FIGURES}


def renamed(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {ours: row[theirs] for ours, theirs in names.items()}
