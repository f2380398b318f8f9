"""Sentences that are in no language yet, and how a record keeps them beside their English. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from alertengine.core.language import ENGLISH, Words


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value, written as each language writes it: `ms`, `s`, `mb`, a `share` (0-1) or a plain `n`."""

    value: float
    unit: str = "n"

    def by(self, words: Words) -> str:
        return _UNITS[self.unit](words, self.value)

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "unit": self.unit}


_UNITS: Mapping[str, Callable[[Words, float], str]] = {
    "ms": Words.milliseconds,
    "s": lambda words, value: words("time.s", n=round(value)) if value in range(10) else words.span(value),
    "mb": lambda words, value: words("number.mb", n=words.figure(value)),
    "share": Words.percent,
    "n": Words.figure,
}


_BEGINS = re.compile(r"\{(\w+)\}")
UNNAMED = frozenset({"some.database", "some.outside", "some.routes"})
"""What stands where the application gave no name."""


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence's key, and values that may be figures or such sentences themselves."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def by(self, words: Words) -> str:
        given = {n: v.by(words) if isinstance(v, Said | Figure) else v for n, v in self.values.items()}
        text = words(self.key, **given)
        begins = _BEGINS.match(words.texts[self.key])
        first = self.values.get(begins[1]) if begins else None
        # A name keeps its letters at the beginning of a sentence; a word of ours has a capital there.
        return text[:1].upper() + text[1:] if isinstance(first, Said) and first.key in UNNAMED else text

    @property
    def english(self) -> str:
        return self.by(ENGLISH)

    def to_json(self) -> dict[str, Any]:
        values = {n: v.to_json() if isinstance(v, Said | Figure) else v for n, v in self.values.items()}
        return {"key": self.key, "values": values}


def why(key: str, /, **values: object) -> Said:
    """Why a model says nothing."""
    return Said(f"model.why.{key}", values)


def recorded(**fields: Said) -> dict[str, Any]:
    """Each field in English, and under `said` what it takes to say it in any language."""
    return {
        **{name: said.english for name, said in fields.items()},
        "said": {name: said.to_json() for name, said in fields.items()},
    }


def spoken(data: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """`data` of a record with its fields in this language, as far as it keeps more than the English."""
    kept = data.get("said")
    if not isinstance(kept, Mapping) or words.code == ENGLISH.code:
        return dict(data)
    return {**data, **{name: _again(said, words) or data.get(name) for name, said in kept.items()}}


def _again(raw: Any, words: Words) -> str | None:
    """None where it is not readable: another release wrote it."""
    try:
        return str(_read(raw).by(words))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _read(raw: Any) -> Any:
    if not isinstance(raw, Mapping):
        return raw
    if "unit" in raw:
        return Figure(float(raw["value"]), raw["unit"])
    return Said(raw["key"], {name: _read(value) for name, value in raw["values"].items()})


def retold(error: Exception, words: Words) -> str:
    """What an error says, in this language as far as its sentence is a fixed one."""
    said = getattr(error, "said", None)
    if isinstance(said, Said):
        return said.by(words)
    own = str(error) != (type(error).__doc__ or "").strip()
    key = f"refused.{getattr(error, 'code', '')}"
    return str(error) if own or not words.has(key) else words(key)
