"""Which recovery to propose, and what it would be today."""

from __future__ import annotations

import re
from collections.abc import Sequence

from alertengine.core.diagnosis.model import Finding
from alertengine.core.incident import Incident
from alertengine.core.model import ActionSpec, Service
from alertengine.pipeline.engine import Engine

TEST_ACTION = ActionSpec(name="test", kind="test", description="a test: nothing real runs")

_WORDS = {
    "pool_exhaustion": {"pool", "connection", "connections", "recycle", "database", "db"},
    "db_slow": {"database", "db", "query", "replica"},
    "bad_deploy": {"rollback", "revert", "deploy", "release", "previous"},
    "memory_leak": {"restart", "memory", "recycle", "worker", "workers"},
    "cpu_hog": {"restart", "kill", "worker", "workers"},
    "loop_block": {"restart", "worker", "workers"},
    "disk_full": {"disk", "clean", "cleanup", "rotate", "logs", "space"},
    "traffic_surge": {"scale", "throttle", "limit", "capacity"},
    "scanner_4xx": {"block", "ban", "firewall"},
    "service_down": {"restart", "start"},
    "upstream_5xx": {"failover", "fallback", "switch"},
    "upstream_down": {"failover", "fallback", "switch"},
    "upstream_timeout": {"failover", "fallback", "switch"},
    "upstream_throttle": {"throttle", "limit", "backoff"},
}


def recommend(actions: Sequence[ActionSpec], finding: Finding) -> ActionSpec | None:
    """The recovery whose name and description fit the cause best; the first listed where none stands out."""
    wanted = _WORDS.get(finding.cause, set())
    return max(actions, key=lambda a: len(wanted & words(a)), default=None)


def fits(action: ActionSpec, cause: str) -> bool:
    """Its name or description speaks of this cause."""
    return bool(_WORDS.get(cause, set()) & words(action))


def words(action: ActionSpec) -> set[str]:
    return set(re.findall(r"[a-z]+", f"{action.name} {action.description}".lower()))


def today(engine: Engine, incident: Incident, service: Service | None) -> ActionSpec | None:
    """The incident's proposed action as it is configured now; None where it is gone."""
    proposed = incident.action
    if proposed is None or incident.is_test:
        return proposed
    if service is None:
        return None
    known = engine.recoveries(service)
    if not known and service.actions is None and proposed.kind == "app":
        return proposed  # offered by the app, which may be too broken to be asked right now
    return next((a for a in known if a.name == proposed.name), None)
