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
        """Never raises, whatever it is told."""
        told = {_text(name)[:40]: redact(_text(value))[:CUT] for name, value in list(info.items())[:FIELDS]}
        if info.get("version") is not None:
            self.version = told["version"] = _text(info["version"])[:CUT]  # every report tells it as it is
        self._kept.append((at, _text(kind)[:40], told))

    def told(self, now: float) -> list[dict[str, Any]]:
        """Newest last: kind, version, age in seconds and whatever else was said."""
        return [
            {"version": None, **told, "kind": kind, "age_s": round(now - at, 1)}
            for at, kind, told in self._kept
        ]


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return ""
