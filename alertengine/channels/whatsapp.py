"""What WhatsApp asks of a message, whoever carries it: numbers, and the values of a template's variables."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from alertengine.core.fit import clip, flatten
from alertengine.core.message import Message
from alertengine.errors import DeliveryError, Fault

VALUE_LIMIT = 200
"""Five values and the template's own words stay within WhatsApp's 1,024 characters."""
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


def check_number(address: str) -> str:
    """The number as +263771234567. Raises `DeliveryError` for anything else."""
    if not _NUMBER.fullmatch(address):
        raise DeliveryError("the contact's number must be like +263771234567", fault=Fault.RECIPIENT)
    return address


def number_complaint(address: str) -> str | None:
    try:
        check_number(address)
    except DeliveryError as error:
        return str(error)
    return None


def typed(message: Message) -> str:
    """How to answer without a page; for channels that hear answers."""
    return message.words("chat.code", code=message.code) if message.code else ""


def template_values(message: Message, *, answers: bool = False) -> dict[str, str]:
    """The variables of the template for messages with a link, or of the one for those without.

    `answers`: somebody hears what is replied. With: what, measured, cause, proposal, link. Without: what, details.
    None is ever empty or has a line break: WhatsApp refuses the whole message for it.
    """
    if message.url is None:
        return {
            "what": _value(message.title),
            "details": _value(" ".join(message.body)) or _value(message.footer),
        }
    words, parts = message.words, message.parts
    bad = " ".join(parts[name] for name in ("measured", "cost") if parts.get(name))
    why = " ".join(parts[name] for name in ("cause", "evidence") if parts.get(name))
    return {
        "what": _value(message.title),
        "measured": _value(bad) or words("template.measured"),
        "cause": _value(why) or words("template.cause"),
        "proposal": _proposal(message, typed(message) if answers else ""),
        "link": link_suffix(message.url),
    }


def _proposal(message: Message, how: str) -> str:
    said = flatten(message.parts.get("proposal", "")) or message.words("template.proposal")
    return f"{clip(said, VALUE_LIMIT - len(how) - 1)} {how}".strip()


def link_suffix(url: str) -> str:
    """What follows the host: the host itself is part of the approved template."""
    parts = urlsplit(url)
    return parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")


def _value(text: str) -> str:
    return clip(flatten(text), VALUE_LIMIT)
