"""What each kind of message says: a title and lines, in a person's language. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from alertengine.core import experience
from alertengine.core.cost import Cost
from alertengine.core.diagnosis import told
from alertengine.core.diagnosis.harmless import unlinked
from alertengine.core.incident import DECIDABLE, Execution, Incident
from alertengine.core.language import Words
from alertengine.core.message import MessageKind
from alertengine.core.phrases import passed_on
from alertengine.core.said import spoken
from alertengine.core.trouble import measured, title


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """`parts` are the lines that have a place of their own where a channel's form has such places."""

    title: str
    lines: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)


def contents(kind: MessageKind, incident: Incident, cost: Cost | None, words: Words) -> Contents:
    """`cost` stands with the figures, where there are some."""
    told = _CONTENTS[kind](incident, words)
    if cost is None or "measured" not in told.parts:
        return told
    line = cost.by(words)
    at = told.lines.index(told.parts["measured"]) + 1
    parts = {"measured": told.parts["measured"], "cost": line, **told.parts}
    return replace(told, lines=(*told.lines[:at], line, *told.lines[at:]), parts=parts)


def _alert(incident: Incident, words: Words) -> Contents:
    quota = incident.detected.get("quota")
    said = title(incident, words)
    if incident.recurrence > 1:
        said = words("message.again", n=incident.recurrence, title=said)
    return _asking(said, incident, words, words("message.quota", **quota) if quota else "")


def _asking(said: str, incident: Incident, words: Words, *more: str) -> Contents:
    """All that a decision needs, in the order it is read with one eye open."""
    parts = {
        "measured": measured(incident, words),
        "cause": cause(incident, words),
        "evidence": evidence(incident, words),
        "model": told.of_model(incident.diagnosis or {}, words),
        "proposal": proposal(incident, words),
    }
    return _lines(said, parts, *more)


def _lines(said: str, parts: Mapping[str, str], *more: str) -> Contents:
    return Contents(title=said, lines=tuple(line for line in (*parts.values(), *more) if line), parts=parts)


def _escalation(incident: Incident, words: Words) -> Contents:
    """In one sentence why it is passed on and to whom, then what it is about."""
    return _asking(f"{passed_on(incident, words)} {title(incident, words)}", incident, words)


def _reminder(incident: Incident, words: Words) -> Contents:
    end = incident.told_at or incident.last_at
    span = words.span(round((end - incident.opened_at).total_seconds()))
    said = words("message.reminder", span=span, title=title(incident, words))
    advice = "" if incident.stage in DECIDABLE else words("message.reminder.link")
    return _asking(said, incident, words, advice)


def _link(incident: Incident, words: Words) -> Contents:
    parts = {"measured": measured(incident, words), "proposal": proposal(incident, words)}
    return _lines(words("message.link", title=title(incident, words)), parts)


def _diagnosis(incident: Incident, words: Words) -> Contents:
    """What came to light after people were asked; the question stays as it was."""
    diagnosis = incident.diagnosis or {}
    # What the rules say is known already, unless they looked again.
    own = {"cause": cause(incident, words), "evidence": evidence(incident, words)}
    if diagnosis.get("rules") and diagnosis.get("look", 1) == 1:
        own = {}
    still = words("message.diagnosis.nothing")
    if incident.action is not None:
        still = words("message.diagnosis.still", action=unlinked(incident.action.name))
    now = {"measured": measured(incident, words)} if incident.changes else {}
    parts = {**now, **own, "model": told.of_model(diagnosis, words), "proposal": still}
    return _lines(words("message.diagnosis", title=title(incident, words)), parts)


def _acknowledged(incident: Incident, words: Words) -> Contents:
    by = incident.acknowledged_by
    who = by.name if by else words("somebody")
    return Contents(title=words("message.acknowledged", who=who, title=title(incident, words)))


def _authorized(incident: Incident, words: Words) -> Contents:
    run = _execution(incident)
    at = f"{run.authorized_at:%H:%M:%S} UTC"
    said = words("message.authorized", who=run.authorized_by.name, action=unlinked(run.action), at=at)
    about = words("message.earlier", title=title(incident, words))
    if run.alone is None:
        return Contents(title=said, lines=(about,))
    alone = words("message.alone", required=incident.approvals_needed, reason=run.alone)
    return Contents(title=said, lines=(alone, about))


def _rejected(incident: Incident, words: Words) -> Contents:
    who = incident.rejected_by.name if incident.rejected_by else words("somebody")
    said = words("message.rejected", who=who, service=incident.service)
    return Contents(title=said, lines=(words("message.rejected.rest"),))


def _failed(incident: Incident, words: Words) -> Contents:
    run = _execution(incident)
    detail = str(spoken(run.detail or {}, words).get("detail") or words("message.failed.bare"))
    still = words("message.still", title=title(incident, words))
    parts = {"measured": still, "proposal": proposal(incident, words)}
    return _lines(words("message.failed", action=unlinked(run.action), detail=detail), parts)


def _tested(incident: Incident) -> str:
    """The way to the phone was not tried to its end where somebody decided at the terminal."""
    there = _execution(incident).authorized_by.kind == "operator"
    return "message.tested.there" if there else "message.tested"


def _recovered(incident: Incident, words: Words) -> Contents:
    if incident.is_test:
        return Contents(title=words(_tested(incident)), lines=(words("message.tested.rest"),))
    run = _execution(incident)
    said = words("message.recovered", service=incident.service)
    if run.ended_at and incident.closed_at:
        span = words.span(round((incident.closed_at - run.ended_at).total_seconds()))
        said = words(
            "message.recovered.after", service=incident.service, span=span, action=unlinked(run.action)
        )
    return Contents(title=said, lines=(_total(incident, words),))


def _not_recovered(incident: Incident, words: Words) -> Contents:
    said = words(
        "message.not_recovered", action=unlinked(_execution(incident).action), service=incident.service
    )
    return _lines(said, {"measured": measured(incident, words), "proposal": proposal(incident, words)})


def _unknown(incident: Incident, words: Words) -> Contents:
    run = _execution(incident)
    command = f"alertengine close {incident.id}"
    lines = (
        str(spoken(run.detail or {}, words).get("detail") or words("message.unknown.bare")),
        words("message.unknown.check", service=incident.service),
        words("message.unknown.tell", command=command),
    )
    return Contents(title=words("message.unknown", action=unlinked(run.action)), lines=lines)


def _healed(incident: Incident, words: Words) -> Contents:
    key = "message.healed" if incident.execution is None else "message.healed.more"
    rest = f"{words('message.healed.link')} {_total(incident, words)}"
    return Contents(title=words(key, service=incident.service), lines=(rest,))


def _expired(incident: Incident, words: Words) -> Contents:
    said = words("message.expired", title=title(incident, words))
    return Contents(title=said, lines=(words("message.expired.rest"),))


def _closed(incident: Incident, words: Words) -> Contents:
    said = words("message.closed", title=title(incident, words))
    return Contents(title=said, lines=(_total(incident, words),))


def cause(incident: Incident, words: Words) -> str:
    """Why by the rules, and how sure; empty before there is a diagnosis."""
    if incident.diagnosis is None:
        return ""
    rules = told.by_rules(incident.diagnosis)
    if rules["cause"] == "unclear":
        return words("why.unclear", summary=unlinked(spoken(rules, words)["summary"]))
    source = words("why.rules") if rules["source"] == "rules" else rules["source"]
    named, sure = told.named_cause(rules["cause"], words), told.percent(rules, words)
    return words("why.likely", cause=named, sure=sure, source=source)


def evidence(incident: Incident, words: Words) -> str:
    """The strongest measurement behind it, as it was measured."""
    found = told.by_rules(incident.diagnosis or {}).get("evidence", ())
    return words("why.measured", evidence=unlinked(spoken(found[0], words)["text"])) if found else ""


def proposal(incident: Incident, words: Words) -> str:
    action = incident.action
    if action is None:
        key = f"propose.{(incident.diagnosis or {}).get('blind')}"
        return words(key if words.has(key) else "propose.none")
    key = "propose.described" if action.description else "propose.action"
    description = action.description
    if action.kind == "app":  # it says this itself
        description = unlinked(description)
    said = words(key, action=unlinked(action.name), description=description)
    known = (incident.diagnosis or {}).get("experience")
    return f"{said} {experience.told(known, words)}" if known else said


def _execution(incident: Incident) -> Execution:
    if incident.execution is None:
        raise ValueError(f"{incident.id} has no execution to tell of")
    return incident.execution


def _total(incident: Incident, words: Words) -> str:
    end = incident.closed_at or incident.last_at
    return words("message.total", span=words.span(round((end - incident.opened_at).total_seconds())))


_CONTENTS: Mapping[MessageKind, Callable[[Incident, Words], Contents]] = {
    MessageKind.ALERT: _alert,
    MessageKind.ESCALATION: _escalation,
    MessageKind.REMINDER: _reminder,
    MessageKind.LINK: _link,
    MessageKind.DIAGNOSIS: _diagnosis,
    MessageKind.ACKNOWLEDGED: _acknowledged,
    MessageKind.AUTHORIZED: _authorized,
    MessageKind.REJECTED: _rejected,
    MessageKind.FAILED: _failed,
    MessageKind.RECOVERED: _recovered,
    MessageKind.NOT_RECOVERED: _not_recovered,
    MessageKind.UNKNOWN: _unknown,
    MessageKind.HEALED: _healed,
    MessageKind.EXPIRED: _expired,
    MessageKind.CLOSED: _closed,
}
