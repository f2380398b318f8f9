"""Text for a page: whatever comes from an app, a model or a command is cleaned before it is escaped."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Any

from markupsafe import Markup

from alertengine.core.account import span
from alertengine.core.diagnosis.redaction import plain, shorten

LINE_LIMIT = 400
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def say(sentence: str, *values: Any) -> Markup:
    """`sentence`, which is ours, with values that are not."""
    return Markup(sentence).format(*(v if isinstance(v, Markup) else line(v) for v in values))  # noqa: S704


def line(value: Any, limit: int = LINE_LIMIT) -> str:
    return shorten(plain(str(value)), limit)


def block(text: str, lines: int, *, tail: bool = False) -> str:
    """The first or last `lines` lines of `text`, each made safe."""
    kept = [line(each) for each in text.strip().splitlines()]
    if len(kept) > lines:
        kept = ["…", *kept[-lines:]] if tail else [*kept[:lines], "…"]
    return "\n".join(kept)


def exact(text: str) -> str:
    """What runs, character by character: those that cannot be seen are spelt out, never dropped."""
    return "".join(rf"\u{{{ord(c):x}}}" if unicodedata.category(c) in _INVISIBLE else c for c in text)


def visible(value: Any) -> Any:
    """The last guard, on every value that a template puts out."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return "".join(c for c in value if c == "\n" or unicodedata.category(c) not in _INVISIBLE)


def clock_time(at: datetime, now: datetime, *, seconds: bool = True) -> Markup:
    """A moment in UTC, with its date where it is not today's; the page's script may show it in local time."""
    form = "%H:%M:%S" if seconds else "%H:%M"
    if at.date() != now.date():
        form = f"%d %b {form}"
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}">{} UTC</time>').format(stamp, at.strftime(form))


def share(rate: float) -> str:
    percent = 100 * rate
    return f"{percent:.0f}\u00a0%" if percent >= 10 or percent == 0 else f"{percent:.1f}\u00a0%"


def milliseconds(value: float) -> str:
    return f"{value / 1000:.1f}\u00a0s" if value >= 1000 else f"{value:.0f}\u00a0ms"


def ago(at: datetime, now: datetime) -> str:
    seconds = round((now - at).total_seconds())
    return "just now" if seconds < 2 else f"{span(seconds)} ago"
