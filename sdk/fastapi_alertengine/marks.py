"""Marks: what happened to the process itself, such as a start or a deploy."""

from __future__ import annotations

from collections import deque
from typing import Any

from .redaction import redact

FIELDS = 8
CUT = 100


class Marks:
    """The last 20 marks with their time; texts are cut and free of secrets."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, str, dict[str, Any]]] = deque(maxlen=20)
        self.version: str | None = None

    def add(self, at: float, kind: str, info: dict[str, Any]) -> None:
        self._kept.append((at, kind[:40], info))
        if info.get("version") is not None:
            self.version = str(info["version"])[:100]

    def told(self, now: float) -> list[dict[str, Any]]:
        """Newest last: kind, version, age in seconds and whatever else was said."""
        return [
            {"version": None, **_bounded(info), "kind": kind, "age_s": round(now - at, 1)}
            for at, kind, info in self._kept
        ]


def _bounded(info: dict[str, Any]) -> dict[str, Any]:
    return {str(key)[:40]: redact(str(value))[:CUT] for key, value in list(info.items())[:FIELDS]}
