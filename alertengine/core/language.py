"""The fixed sentences that people read, in their language. Pure.

A language is one module in `alertengine/core/languages`, named by its code. What is measured, named by the operator
or printed by a command is not translated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from alertengine.core import languages

LANGUAGES = tuple(sorted(module.name for module in iter_modules(languages.__path__)))
"""The codes of all languages there are."""
DEFAULT = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One language. Call it with a key of its catalogue and the values of the sentence's placeholders."""

    code: str
    name: str
    texts: Mapping[str, str] = field(repr=False)
    plural: Callable[[int], str] = field(repr=False)
    """The form that a number asks for: the end of the keys of a sentence that counts."""
    decimal: str = field(repr=False)
    voice: str | None = field(repr=False)
    """The code of the voice on the telephone; None where no provider speaks it."""

    def __call__(self, key: str, /, **values: object) -> str:
        return self.texts[key].format(**values)

    def has(self, key: str) -> bool:
        return key in self.texts

    def count(self, key: str, n: int, /, **values: object) -> str:
        """A sentence whose form depends on `n`, which it may also name."""
        return self(f"{key}.{self.plural(n)}", n=n, **values)

    def number(self, value: float) -> str:
        """Two significant digits below ten, whole numbers above, in groups of three; what is small is not nothing."""
        if abs(value) >= 10:
            return f"{value:,.0f}".replace(",", "\u00a0" if self.decimal == "," else ",")
        return self.figure(value)

    def figure(self, value: float) -> str:
        """The same without groups: a measurement, which somebody may want to find again."""
        if abs(value) >= 10:
            return f"{value:.0f}"
        digits = 2 if 0.005 <= abs(value) < 0.095 else 1
        return f"{value:.{digits}f}".removesuffix(".0").replace(".", self.decimal)

    def percent(self, share: float) -> str:
        return self("number.percent", n=self.figure(100 * share))

    def span(self, seconds: float) -> str:
        """A duration as people say it."""
        if 0 < seconds < 10:
            return self("time.s", n=f"{seconds:.1f}".replace(".", self.decimal))
        minutes, rest = divmod(round(max(seconds, 0)), 60)
        hours, minutes = divmod(minutes, 60)
        smallest = ("time.min", minutes) if hours else ("time.s", rest)
        parts = [("time.h", hours), ("time.min", 0 if hours else minutes), smallest]
        said = [self(key, n=n) for key, n in parts if n]
        return " ".join(said) or self("time.s", n=0)

    def milliseconds(self, value: float) -> str:
        if value >= 995:
            return self("time.s", n=self.number(value / 1000))
        return self("time.ms", n=self.number(value))

    def also(self, things: list[str]) -> str:
        """A, B and C."""
        *most, last = things
        return self("list.and", most=", ".join(most), last=last) if most else last


@cache
def words(code: str | None) -> Words:
    """The language of this code; English where there is none, which says more than nothing."""
    if code not in LANGUAGES:
        code = DEFAULT
    module = import_module(f"{languages.__name__}.{code}")
    return Words(
        code=code,
        name=module.NAME,
        # A sentence that a language lacks is said in English: half a message helps more than none.
        texts={**import_module(f"{languages.__name__}.{DEFAULT}").TEXTS, **module.TEXTS},
        plural=module.plural,
        decimal=module.DECIMAL,
        voice=module.VOICE,
    )


ENGLISH = words(DEFAULT)


_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def placeholders(text: str) -> frozenset[str]:
    return frozenset(_PLACEHOLDER.findall(text))
