"""Settings of one instrumented app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Limits:
    """Absolute limits over the last minute; None leaves the judgement to what is usual.

    p95 in ms, error rates as shares (0-1).
    """

    p95_warning_ms: float | None = None
    p95_critical_ms: float | None = None
    error_rate_warning: float | None = None
    error_rate_critical: float | None = None


@dataclass(frozen=True)
class AlertConfig:
    """`service` applies to all requests together, `routes` by label such as "POST /pay".

    `min_samples` requests in the last minute are needed before an absolute limit is looked at.
    `max_routes` bounds memory: further routes share one entry.
    """

    service: Limits = field(default_factory=Limits)
    routes: Mapping[str, Limits] = field(default_factory=dict)
    min_samples: int = 20
    max_routes: int = 1000


def coerce(config: AlertConfig | Mapping[str, Any] | None) -> AlertConfig:
    """Accept a mapping of the same shape too. Raises ValueError naming what it does not know."""
    if config is None or isinstance(config, AlertConfig):
        return config or AlertConfig()
    plain = dict(config)
    _refuse_unknown(plain, AlertConfig)
    if isinstance(plain.get("service"), Mapping):
        plain["service"] = _limits(plain["service"])
    plain["routes"] = {
        label: one if isinstance(one, Limits) else _limits(one)
        for label, one in dict(plain.get("routes", {})).items()
    }
    return AlertConfig(**plain)


def _limits(plain: Mapping[str, Any]) -> Limits:
    _refuse_unknown(plain, Limits)
    return Limits(**plain)


def _refuse_unknown(plain: Mapping[str, Any], kind: type[AlertConfig] | type[Limits]) -> None:
    known = {one.name for one in fields(kind)}
    unknown = sorted(set(plain) - known)
    if unknown:
        raise ValueError(f"unknown setting {', '.join(unknown)}; known are {', '.join(sorted(known))}")
