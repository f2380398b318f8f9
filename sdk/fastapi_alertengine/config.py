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
    """Accept a mapping of the same shape too. Raises ValueError naming what it does not know or take."""
    if config is None:
        return AlertConfig()
    if isinstance(config, AlertConfig):
        config = {one.name: getattr(config, one.name) for one in fields(config)}
    if not isinstance(config, Mapping):
        raise ValueError("it is neither an AlertConfig nor a mapping")
    plain = dict(config)
    _refuse_unknown(plain, AlertConfig)
    plain["service"] = _limits(plain.get("service", {}))
    routes = plain.get("routes", {})
    if not isinstance(routes, Mapping):
        raise ValueError("routes is no mapping")
    plain["routes"] = {label: _limits(one) for label, one in routes.items()}
    return _checked(AlertConfig(**plain))


def _limits(plain: Any) -> Limits:
    if isinstance(plain, Limits):
        return plain
    if not isinstance(plain, Mapping):
        raise ValueError("limits are no mapping")
    _refuse_unknown(plain, Limits)
    return Limits(**plain)


def _checked(config: AlertConfig) -> AlertConfig:
    for limits in (config.service, *config.routes.values()):
        for one in fields(limits):
            value = getattr(limits, one.name)
            if value is not None and not _positive(value, int | float):
                raise ValueError(f"{one.name} is no number over 0: {value!r}")
    for name in ("min_samples", "max_routes"):
        if not _positive(getattr(config, name), int):
            raise ValueError(f"{name} is no whole number over 0: {getattr(config, name)!r}")
    return config


def _positive(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and value > 0


def _refuse_unknown(plain: Mapping[str, Any], kind: type[AlertConfig] | type[Limits]) -> None:
    known = {one.name for one in fields(kind)}
    unknown = sorted(set(plain) - known)
    if unknown:
        raise ValueError(f"unknown setting {', '.join(unknown)}; known are {', '.join(sorted(known))}")
