"""What people are told of a model's reading: marked as the model's, beside the rules' own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alertengine.core.diagnosis.harmless import harmless
from alertengine.core.diagnosis.model import UNCLEAR
from alertengine.core.language import Words
from alertengine.core.said import spoken

Data = Mapping[str, Any]


def by_rules(diagnosis: Data) -> Data:
    """The rules' part of a diagnosis, whoever made the last one."""
    rules: Data = diagnosis.get("rules") or diagnosis
    return rules


def of_model(diagnosis: Data, words: Words) -> str:
    """What the model adds, or that it adds nothing; empty where none is configured."""
    model = diagnosis.get("model")
    if not model:
        return ""
    name = harmless(model.get("model") or model["provider"], 60)
    if model["state"] == "asked":
        return words("model.asked", model=name)
    if model["state"] != "answered":
        return words("model.without", model=name, reason=spoken(model, words).get("reason", ""))
    said = (reading(diagnosis, words), *_doubt(diagnosis, words), *_rather(diagnosis, words))
    return " ".join(said)


def reading(diagnosis: Data, words: Words) -> str:
    """The model's reading in one line."""
    cites = len({ref for claim in diagnosis.get("claims", ()) for ref in claim["cites"]})
    key = "model.unclear" if diagnosis["cause"] == UNCLEAR else "model.reading"
    return words(
        key,
        model=harmless(diagnosis["source"], 60),
        cause=named_cause(diagnosis["cause"], words),
        sure=percent(diagnosis, words),
        cites=words.count("model.cites", cites),
        summary=diagnosis["summary"],
    )


def _doubt(diagnosis: Data, words: Words) -> tuple[str, ...]:
    """Where two readings disagree, the reader should know."""
    rules, other = diagnosis.get("rules") or {}, diagnosis.get("second_opinion") or {}
    against = []
    if rules.get("cause") not in (None, UNCLEAR, diagnosis["cause"]) and diagnosis["cause"] != UNCLEAR:
        against.append(words("model.disagrees"))
    if other.get("agrees"):
        against.append(words("model.second.agrees"))
    elif other.get("cause"):
        cause, sure = named_cause(other["cause"], words), percent(other, words)
        against.append(words("model.second.doubts", cause=cause, sure=sure))
    return tuple(against)


def _rather(diagnosis: Data, words: Words) -> tuple[str, ...]:
    """The model would propose something else than what is proposed."""
    wanted, action = diagnosis.get("recommended_action"), diagnosis.get("action") or {}
    if not wanted or wanted == action.get("name"):
        return ()
    return (words("model.rather", action=harmless(wanted, 64)),)


def named_cause(name: str, words: Words) -> str:
    return words(f"cause.{name}") if words.has(f"cause.{name}") else name


def percent(guess: Data, words: Words) -> str:
    return words("number.percent", n=round(100 * guess["confidence"]))
