"""What each event means, as a verb and a detail: the terminal's table of wordings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alertengine.core.diagnosis.model import CAUSES
from alertengine.core.events import EventType

SHOWN_EVIDENCE = 3
"""The strongest; `--json` has them all."""

Data = Mapping[str, Any]
Wording = tuple[str, Callable[[Data], str]]


def words(kind: str, data: Data) -> tuple[str, str]:
    """(verb, detail) of an event; the bare name of one that this version does not know."""
    verb, detail = WORDINGS.get(kind, (kind.replace("_", " "), _nothing))
    return verb, detail(data)


def _nothing(data: Data) -> str:
    return ""


def _reason(data: Data) -> str:
    return str(data.get("reason", ""))


def _noticed(data: Data) -> str:
    return f"a test: {_reason(data)}" if data.get("is_test") else _reason(data)


def _diagnosed(data: Data) -> str:
    cause = CAUSES.get(data.get("cause", ""), data.get("cause", "unknown"))
    lines = [f"{cause} ({100 * data.get('confidence', 0):.0f} % sure, {data.get('source', 'rules')})"]
    evidence = data.get("evidence", ())
    lines += [f"· {item.get('text', '')}" for item in evidence[:SHOWN_EVIDENCE]]
    if len(evidence) > SHOWN_EVIDENCE:
        lines.append(f"· and {len(evidence) - SHOWN_EVIDENCE} more")
    action = data.get("action")
    lines.append(f"proposes {_action(action)}" if action else "has no recovery to propose")
    return "\n".join([*lines, *_of_model(data)])


def _of_model(data: Data) -> list[str]:
    """Whether a model was asked, what came of it, and what it cost."""
    model = data.get("model")
    if not model:
        return []
    name = f"{model.get('provider')} {model.get('model')}"
    told = {"asked": f"{name} is asked", "answered": f"{name} has read it too"}
    lines = [told.get(model["state"], f"without {name}: {model.get('reason')}")]
    for call in model.get("calls", ()):
        spent = f"{call['tokens_in'] + call['tokens_out']} tokens, {call['cost_usd']:.4f} USD"
        at_most = "" if call["counted"] else " at most"
        lines.append(f"· {spent}{at_most}, prompt {call['prompt']}, input {call['input_sha256'][:12]}")
    return lines


def _action(action: Data) -> str:
    what = action.get("description")
    return f"{action['name']}: {what}" if what else str(action["name"])


def _queued(data: Data) -> str:
    people = [f"{d.get('contact')} by {d.get('channel')}" for d in data.get("deliveries", ())]
    what = f"a copy of {_message(data)}" if data.get("copies") else _message(data)
    return f"{what} for {', '.join(people) or 'nobody: no contact is verified'}"


def _passed_on(data: Data) -> str:
    people = ", ".join(str(name) for name in data.get("to", ())) or "nobody"
    by = f" by {', '.join(data['channels'])}" if data.get("channels") else ""
    return f"to {people}{by}: {_reason(data)}"


def _message(data: Data) -> str:
    return f"“{str(data.get('message', '')).replace('_', ' ')}”"


def _sent(data: Data) -> str:
    tries = data.get("attempt", 1)
    nth = f", at try {tries}" if tries > 1 else ""
    return f"{_message(data)} to {data.get('contact')} by {data.get('channel')}{nth}"


def _unsent(data: Data) -> str:
    return f"{_sent(data)}: {data.get('error')}"


def _how(data: Data) -> str:
    """By which way a person came, and what they said with it."""
    way = f"by {data['channel']}" if data.get("channel") else ""
    link = f"link {data['token']}" if data.get("token") else ""
    address = f"from {data['address']}" if data.get("address") else ""
    note = f"“{data['note']}”" if data.get("note") else ""
    return ", ".join(part for part in (way, link, address, note) if part)


def _previewed(data: Data) -> str:
    times = data.get("count", 1)
    seen = f"{times} times" if times > 1 else ""
    return ", ".join(part for part in (seen, _how(data)) if part)


def _approved(data: Data) -> str:
    count = data.get("approvals", {})
    return f"as {count.get('given')} of {count.get('required')}, {_how(data)}"


def _authorized(data: Data) -> str:
    count = data.get("approvals", {})
    together = f", as {count['given']} of {count['required']}" if count.get("required", 1) > 1 else ""
    alone = f", alone: “{data['break_glass']}”" if data.get("break_glass") else ""
    return f"{data.get('action', {}).get('name', 'the recovery')}{together}{alone}, {_how(data)}"


def _refused(data: Data) -> str:
    times = data.get("count", 1)
    code = str(data.get("code", "")).replace("_", " ").lower()
    return ", ".join(part for part in (code, f"{times} times" if times > 1 else "", _how(data)) if part)


def _ended(data: Data) -> str:
    """How a run ended; of what it printed, the last lines."""
    lines = [str(data.get("detail", ""))]
    output = [line for line in str(data.get("output") or "").splitlines() if line.strip()]
    return "\n".join(lines + [f"│ {line}" for line in output[-3:]])


def _resolved(data: Data) -> str:
    note = f" “{data['note']}”" if data.get("note") else ""
    return f"{_reason(data)}{note}"


def _started(data: Data) -> str:
    return f"{data.get('action', '')}"


WORDINGS: Mapping[str, Wording] = {
    EventType.INCIDENT_DETECTED: ("noticed", _noticed),
    EventType.DIAGNOSIS_COMPLETED: ("diagnosed", _diagnosed),
    EventType.ALERT_QUEUED: ("queued", _queued),
    EventType.ALERT_ACCEPTED: ("sent", _sent),
    "alert_delivered": ("delivered", _sent),
    "alert_read": ("saw it read:", _sent),
    EventType.ALERT_FAILED: ("could not send", _unsent),
    EventType.ALERT_DEAD: ("gave up sending", _unsent),
    "incident_acknowledged": ("took it on", _how),
    "incident_silenced": ("kept quiet:", _reason),
    EventType.INCIDENT_CHANGED: ("saw what is wrong change:", _reason),
    EventType.INCIDENT_ESCALATED: ("passed it on", _passed_on),
    EventType.RECOVERY_PREVIEWED: ("looked at the proposal", _previewed),
    EventType.RECOVERY_APPROVED: ("approved", _approved),
    EventType.RECOVERY_AUTHORIZED: ("authorized", _authorized),
    EventType.RECOVERY_REJECTED: ("decided not to run it", _how),
    EventType.AUTHORIZATION_REFUSED: ("was refused", _refused),
    EventType.RECOVERY_STARTED: ("started", _started),
    EventType.RECOVERY_SUCCEEDED: ("saw it succeed:", _ended),
    EventType.RECOVERY_FAILED: ("saw it fail:", _ended),
    EventType.RECOVERY_OUTCOME_UNKNOWN: ("does not know the outcome:", _ended),
    EventType.HEALTH_VERIFIED: ("verified health:", _reason),
    EventType.HEALTH_NOT_RECOVERED: ("saw no recovery:", _reason),
    EventType.INCIDENT_RESOLVED: ("closed it:", _resolved),
    EventType.INCIDENT_EXPIRED: ("stopped waiting:", _reason),
    EventType.LINK_REISSUED: ("asked for a fresh link", _how),
}
