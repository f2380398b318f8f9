"""What each event says in the account of a bundle.

These words are part of the bundle's form: the account of a bundle is checked by drawing it again. They are nobody
else's, so that a better word on a page leaves every bundle that was ever made as true as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Data = Mapping[str, Any]

SENTENCES: Mapping[str, tuple[str, ...]] = {
    "incident_detected": ("Noticed: {title}.", "{reason}.", "This is a test{requested_by}."),
    "incident_changed": ("By now: {title}.", "{reason}."),
    "diagnosis_completed": (
        "Diagnosed: {diagnosed}.",
        "{summary}.",
        "Measured: {evidence}.",
        "Proposed: {action}.",
        "Look at first: {check_first}.",
    ),
    "alert_queued": ("The message “{message}” is to go out to {people}.",),
    "alert_accepted": ("The message “{message}” to {contact} was taken by {channel}.",),
    "alert_delivered": ("The message “{message}” reached {contact} by {channel}.",),
    "alert_read": ("{contact} read the message “{message}” by {channel}.",),
    "alert_failed": (
        "The message “{message}” to {contact} by {channel} failed and is tried again.",
        "{error}.",
    ),
    "alert_dead": ("The message “{message}” to {contact} by {channel} is given up.", "{error}."),
    "incident_acknowledged": ("{who} took it on, by {channel}.",),
    "incident_escalated": ("It was passed on to {to}.", "{reason}."),
    "incident_silenced": ("It was kept quiet.", "{reason}."),
    "recovery_previewed": ("{who} looked at what would run, by {channel}.",),
    "recovery_approved": ("{who} approved, by {channel}: {given} of {required}.", "Their note: “{note}”."),
    "recovery_authorized": (
        "{who} authorized {action}, by {channel}.",
        "Approvals: {given} of {required}.",
        "Authorized alone, for this reason: “{break_glass}”.",
        "Their note: “{note}”.",
    ),
    "recovery_rejected": ("{who} decided not to run it, by {channel}.", "Their note: “{note}”."),
    "authorization_refused": ("A link was refused: {code}.", "Seen so often: {count}."),
    "recovery_started": ("The recovery was started: {action}.",),
    "recovery_succeeded": ("The recovery reported success.", "{detail}.", "Its output: {output}"),
    "recovery_failed": ("The recovery failed.", "{detail}.", "Its output: {output}"),
    "recovery_outcome_unknown": ("It is not known whether the recovery ran.", "{detail}."),
    "health_verified": ("Health was verified.", "{reason}."),
    "health_not_recovered": ("The service did not recover.", "{reason}."),
    "incident_resolved": ("The incident is over.", "{reason}.", "Their note: “{note}”."),
    "incident_expired": ("The time to decide was over.", "{reason}."),
    "link_reissued": ("{who} asked for a fresh link.",),
}


def sentences(event: Data) -> Iterator[str]:
    """What the event says, the first sentence first. One whose facts the event lacks is left out."""
    kind = str(event.get("type", ""))
    known = _facts(event)
    told = [part for part in SENTENCES.get(kind, ()) if _named(part) <= known.keys()]
    if not told or told[0] != SENTENCES[kind][0]:
        yield f"{kind.replace('_', ' ').capitalize()}."
    for part in told:
        said = part.format_map({name: _fitting(part, name, known[name]) for name in _named(part)})
        yield said[:1].upper() + said[1:]


def _named(part: str) -> set[str]:
    return {piece.partition("}")[0] for piece in part.split("{")[1:]}


def _fitting(part: str, name: str, value: str) -> str:
    """A sentence brings its own full stop."""
    return value.rstrip(".") if f"{{{name}}}." in part else value


def _facts(event: Data) -> dict[str, str]:
    """What can stand in a sentence: texts and numbers, and of what is put together its names."""
    data = _mapping(event.get("data"))
    plain = {name: _plain(value) for name, value in data.items()}
    approvals, action = _mapping(data.get("approvals")), _mapping(data.get("action"))
    made = {
        "who": _plain(_mapping(event.get("actor")).get("name")) or "Somebody",
        "message": plain.get("message", "").replace("_", " "),
        "code": plain.get("code", "").replace("_", " ").lower(),
        "channel": plain.get("channel") or "link",
        "diagnosed": _diagnosed(plain.get("cause", ""), data.get("confidence"), plain.get("source", "")),
        "action": _plain(action.get("name")) or plain.get("action", ""),
        "given": _plain(approvals.get("given")),
        "required": _plain(approvals.get("required")),
        "people": _people(data.get("deliveries")) or "nobody",
        "to": ", ".join(map(_plain, _list(data.get("to")))) or "nobody",
        "evidence": "; ".join(_plain(_mapping(item).get("text")) for item in _list(data.get("evidence"))),
    }
    known = {name: text for name, text in {**plain, **made}.items() if text}
    if data.get("is_test") is True:
        asked = _plain(data.get("requested_by"))
        known["requested_by"] = f", asked for by {asked}" if asked else ""
    else:
        known.pop("requested_by", None)
    return known


def _people(deliveries: object) -> str:
    rows = map(_mapping, _list(deliveries))
    return ", ".join(f"{_plain(row.get('contact'))} by {_plain(row.get('channel'))}" for row in rows)


def _diagnosed(cause: str, sure: object, source: str) -> str:
    if cause == "unclear":
        return "the cause is not clear"
    known = isinstance(sure, int | float) and 0 <= sure <= 1
    how = [f"{100 * sure:.0f} % sure"] if known else []  # type: ignore[operator]
    how += [f"by {source}"] if source else []
    said = cause.replace("_", " ")
    return f"likely {said} ({', '.join(how)})" if said and how else said


def _plain(value: object) -> str:
    return str(value) if type(value) in (str, int, float) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> Data:
    return value if isinstance(value, dict) else {}
