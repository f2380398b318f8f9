"""What a model wrote, made fit to read: no markup, nothing to tap, nothing to dial, no secrets."""

from __future__ import annotations

import re
from typing import Final

from alertengine.core.diagnosis.redaction import clean, shorten

LINK: Final = "[link removed]"
NUMBER: Final = "[number removed]"
REMOVED: Final = (LINK, NUMBER, "[number]", "[e-mail]")
"""What nobody needs to explain a failure."""

_MARKUP: Final = re.compile(
    r"(\[(?:redacted|e-mail|number|link removed|number removed)\])"
    r"|<[^<>]{0,300}>?|&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8});|[*_`~|<>\\\[\]{}]",
    re.I,
)
_SCHEME: Final = re.compile(r"\b(?:[a-z][a-z0-9+.-]{1,20}:/|(?:mailto|tel|sms|data|javascript|tg):)\S*", re.I)
_SPOKEN: Final = re.compile(r"\bh[tx]{2}ps?\b\W{0,6}//?\S*|\bwww\b\S*", re.I)
_ADDRESS: Final = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b(?:[:/]\S*)?")
_DOT: Final = re.compile(r"(?<=[^\W_])[.\u3002\uff0e\uff61\u2024](?=[^\W\d_][^\W_])")
"""Between a letter or digit and a letter: chats make links of such names, whatever they are."""
_AT: Final = re.compile(r"(?<!\w)[@#/](?=\w)")
"""Chats make a tap of a mention, a tag and a command."""
_PHONE: Final = re.compile(r"(?<![\w.])\+?\(?\d(?:[ ().\-/\u2010-\u2015]{0,2}\d){6,}(?!\w)")
_SHORT_PHONE: Final = re.compile(r"\b\d{3}-\d{4}\b|(?<!\w)\+\d{5,}")


def harmless(value: object, limit: int) -> str:
    """`value` as one line that can be neither opened nor called nor taken for ours; empty unless it is text."""
    text = clean(value, 4 * limit)
    for pattern, replacement in _REPLACEMENTS:
        text = pattern.sub(replacement, text)
    return shorten(" ".join(text.split()), limit)


def unlinked(text: str) -> str:
    """Text of the monitored application without anything that a chat would turn into a link."""
    for pattern, replacement in _LINKS:
        text = pattern.sub(replacement, text)
    return text


_LINKS: Final = ((_SCHEME, LINK), (_SPOKEN, LINK), (_ADDRESS, LINK), (_DOT, "[.]"))
_REPLACEMENTS: Final = (
    (_SCHEME, LINK),
    (_SPOKEN, LINK),
    (_ADDRESS, LINK),
    (_PHONE, NUMBER),
    (_SHORT_PHONE, NUMBER),
    (_MARKUP, lambda found: found.group(1) or " "),
    (_AT, ""),
    (_DOT, "[.]"),
)
