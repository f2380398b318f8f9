"""Text for a page: whatever comes from an app, a model or a command is cleaned before it is escaped."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Any

from markupsafe import Markup

from alertengine.core.diagnosis.redaction import plain, shorten
from alertengine.core.language import Words

LINE_LIMIT = 400
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def say(words: Words, key: str, /, **values: Any) -> Markup:
    """A sentence of the catalogue, which is ours, with values that are not."""
    return _filled(words.texts[key], values)


def count(words: Words, key: str, n: int, /, **values: Any) -> Markup:
    """The same for a sentence that counts."""
    return say(words, f"{key}.{words.plural(n)}", n=n, **values)


def _filled(sentence: str, values: dict[str, Any]) -> Markup:
    shown = {name: v if isinstance(v, Markup) else line(v) for name, v in values.items()}
    return Markup(sentence).format(**shown)  # noqa: S704


def shown(value: Any) -> Markup:
    """A value that is not ours, alone."""
    return Markup("{}").format(line(value))


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
        form = f"%Y-%m-%d {form}"
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}">{} UTC</time>').format(stamp, at.strftime(form))


def ago(at: datetime, now: datetime, words: Words) -> str:
    seconds = round((now - at).total_seconds())
    return words("time.now") if seconds < 2 else words("time.ago", span=words.span(seconds))
