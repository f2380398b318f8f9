"""For each cause: what to say first, and what to look at first."""

from typing import Final

from alertengine.core.language import ENGLISH, placeholders
from alertengine.core.said import Said

_UNNAMED: Final = {"db_slow": "some.database", "pool_exhaustion": "some.database"}


def lead(cause: str, route: str | None, dependency: str | None) -> Said:
    """Said after the cause's label, so it adds to it and does not repeat it."""
    return _about(f"lead.{cause}", cause, route, dependency)


def check_first(cause: str, route: str | None, dependency: str | None) -> Said:
    return _about(f"check.{cause}", cause, route, dependency)


def _about(key: str, cause: str, route: str | None, dependency: str | None) -> Said:
    named = {
        "dependency": dependency or Said(_UNNAMED.get(cause, "some.outside")),
        "route": route or Said("some.routes"),
    }
    wanted = placeholders(ENGLISH.texts[key])
    return Said(key, {name: value for name, value in named.items() if name in wanted})
