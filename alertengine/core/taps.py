"""What people answer in chats: buttons that name a link, and short codes for phones that open no page. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    ACKNOWLEDGE = "ack"
    SEE = "see"
    """Show what would run: the first of the two steps."""
    RUN = "run"
    REJECT = "no"
    NEW_LINK = "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`reference` names the link, or `code` does, which is short enough to type; neither where the message that
    was answered says it. `proof`: what was seen."""

    verb: Verb
    reference: str | None = None
    code: str | None = None
    proof: str | None = None


_BUTTON = re.compile(r"(ack|see|run|no|new):([A-Za-z0-9_]{1,40})(?::([0-9a-f]{12}))?")
_TYPED = re.compile(r"([0-9]{4})(?:\s+(yes|no|ok|new))?", re.IGNORECASE)
_FIXED = ("ack", "see")
"""Quick replies of an approved template are the same in every message."""
_WORDS = {"yes": Verb.RUN, "no": Verb.REJECT, "ok": Verb.ACKNOWLEDGE, "new": Verb.NEW_LINK}


def parse(text: str) -> Command | None:
    """None for anything that is not meant for us."""
    pressed = _BUTTON.fullmatch(text)
    if pressed:
        return Command(verb=Verb(pressed[1]), reference=pressed[2], proof=pressed[3])
    if text in _FIXED:
        return Command(verb=Verb(text))
    typed = _TYPED.fullmatch(text.strip())
    if typed:
        return Command(verb=_WORDS.get((typed[2] or "").lower(), Verb.SEE), code=typed[1])
    return None


def button(verb: Verb, reference: str, proof: str | None = None) -> str:
    """The data of a button; short enough for every chat."""
    return f"{verb}:{reference}" + (f":{proof}" if proof else "")
