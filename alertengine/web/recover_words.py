"""What each view of the link says first: a headline, and a sentence or two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from alertengine.core.account import span
from alertengine.core.approval import standing
from alertengine.core.detection import Watch
from alertengine.core.events import Event, EventType
from alertengine.core.incident import Execution, Incident
from alertengine.core.model import Actor, parse_time
from alertengine.core.policy import Policy
from alertengine.core.view import View
from alertengine.pipeline.approve import Opened
from alertengine.pipeline.preview import Preview
from alertengine.web.recover_text import clock_time, say


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a page about an opened link is drawn from."""

    view: View
    opened: Opened
    events: list[Event]
    runs: list[Event]
    """Earlier authorizations of the tenant and how they ended."""
    shown: Preview | None
    """What would run now; None where nothing is to be decided."""
    watch: Watch
    policy: Policy
    anchor: str | None
    now: datetime

    @property
    def incident(self) -> Incident:
        return self.opened.incident

    @property
    def action(self) -> str:
        """The name of what ran, else of what is proposed."""
        incident = self.incident
        if incident.execution is not None and self.shown is None:
            return incident.execution.action
        return incident.action.name if incident.action else "the recovery"


Words = tuple[Markup, list[Markup]]


def words(facts: Facts) -> Words:
    return _WORDS[facts.view](facts)


def since(facts: Facts) -> datetime:
    """When the trouble began, as its report said; else when it was noticed."""
    try:
        return parse_time(str(facts.incident.detected.get("since", "")))
    except ValueError:
        return facts.incident.opened_at


def who(facts: Facts, actor: Actor) -> str:
    return "You" if actor.id == facts.opened.contact.id else actor.name


def _run(facts: Facts) -> Execution:
    execution = facts.incident.execution
    if execution is None:
        raise ValueError(f"{facts.incident.id} has no execution to tell of")
    return execution


def _trouble(facts: Facts) -> Words:
    incident, began = facts.incident, since(facts)
    failing = say("{}.", _symptom(incident).rstrip("."))
    lasting = say("Since {}, for {}.", clock_time(began, facts.now, seconds=False), _age(began, facts.now))
    return say("{}", incident.title), [failing, lasting, *_before(facts)]


def _symptom(incident: Incident) -> str:
    """The worst alert's own sentence; the score that the reason adds is shown further down."""
    detected = incident.detected
    if detected.get("kind") == "degradation" and detected.get("snapshot"):
        return str(detected["snapshot"]["headline"])
    return str(detected.get("reason", ""))


def _age(began: datetime, now: datetime) -> str:
    """In whole minutes once it has lasted some."""
    seconds = round((now - began).total_seconds())
    return span(seconds if seconds < 120 else seconds - seconds % 60)


def _before(facts: Facts) -> list[Markup]:
    """An earlier round's run, for somebody who is asked again."""
    execution = facts.incident.execution
    if execution is None:
        return []
    at = clock_time(execution.authorized_at, facts.now)
    result = "failed" if execution.status == "failed" else "did not help"
    return [
        say(
            "{} was authorized by {} at {} and {}.",
            execution.action,
            execution.authorized_by.name,
            at,
            result,
        )
    ]


def _more_needed(facts: Facts) -> Words:
    headline, lines = _trouble(facts)
    given = " and ".join(a.name for a in facts.incident.approvals)
    verb = "has" if len(facts.incident.approvals) == 1 else "have"
    return headline, [*lines, say("{} {} approved. {}", given, verb, _missing(facts))]


def _missing(facts: Facts) -> str:
    missing = facts.incident.approvals_needed - len(facts.incident.approvals)
    return f"{missing} more {'approval is' if missing == 1 else 'approvals are'} needed before it runs."


def _test(facts: Facts) -> Words:
    return say("{}: this is a test", facts.incident.service), [
        say("Somebody asked for a test of the whole way. Nothing real runs."),
        say("Go on as you would at night: read what would run, then decide."),
    ]


def _approved(facts: Facts) -> Words:
    return say("You approved {}", facts.action), [
        say("{}", _missing(facts)),
        say("Nothing has run. This page shows it when it does."),
    ]


def _authorized(facts: Facts) -> Words:
    run = _run(facts)
    at = clock_time(run.authorized_at, facts.now)
    return say("{} authorized {}", who(facts, run.authorized_by), run.action), [
        say("At {}. It starts now.", at)
    ]


def _running(facts: Facts) -> Words:
    run = _run(facts)
    at = clock_time(run.authorized_at, facts.now)
    return say("{} is running", run.action), [
        say("{} authorized it at {}. It runs once.", who(facts, run.authorized_by), at)
    ]


def _verifying(facts: Facts) -> Words:
    run = _run(facts)
    until = (run.ended_at or facts.now) + timedelta(seconds=facts.policy.verify_window_s)
    return say("{} ran. Is {} healthy again?", run.action, facts.incident.service), [
        say("It reports success. Two healthy reports in a row end the incident."),
        say("They are awaited until {}.", clock_time(until, facts.now)),
    ]


def _recovered(facts: Facts) -> Words:
    incident, run = facts.incident, _run(facts)
    if incident.is_test:
        return say("The test is complete"), [say("The whole way works. Nothing real was run.")]
    closed = incident.closed_at or facts.now
    after = span((closed - (run.ended_at or closed)).total_seconds())
    return say("{} is healthy again", incident.service), [
        say("{} helped: verified by two healthy reports in a row, {} after it ended.", run.action, after),
        say(
            "{} authorized it. {} from first notice to the end.", who(facts, run.authorized_by), _total(facts)
        ),
    ]


def _total(facts: Facts) -> str:
    end = facts.incident.closed_at or facts.now
    return span(round((end - facts.incident.opened_at).total_seconds()))


def _not_recovered(facts: Facts) -> Words:
    run = _run(facts)
    window = span(round(facts.policy.verify_window_s))
    return say("{} ran, but {} still fails", run.action, facts.incident.service), [
        say("It reported success, yet {} later {} was not healthy.", window, facts.incident.service),
        _next_link(),
    ]


def _failed(facts: Facts) -> Words:
    return say("{} failed", _run(facts).action), [
        _detail(facts, "It gave no reason."),
        say("{} still needs help. {}", facts.incident.service, _next_link()),
    ]


def _detail(facts: Facts, otherwise: str) -> Markup:
    """What is known of the run's end, as a sentence."""
    detail = str((_run(facts).detail or {}).get("detail") or otherwise).rstrip(".")
    return say("{}.", detail[:1].upper() + detail[1:])


def _next_link() -> Markup:
    return say("It is not run again by itself. A new message with a new link asks what to do next.")


def _unknown(facts: Facts) -> Words:
    run, incident = _run(facts), facts.incident
    lines = [
        _detail(facts, "AlertEngine lost sight of it."),
        say(
            "It is never run a second time by itself. Check {}, then close the incident with what you found:",
            incident.service,
        ),
        say(
            '<code>alertengine close {} --note "it ran"</code> or <code>"it did not run"</code>', incident.id
        ),
    ]
    if incident.healthy:
        lines.insert(1, say("{} is healthy again.", incident.service))
    return say("It is not known whether {} ran", run.action), lines


def _rejected(facts: Facts) -> Words:
    rejected = facts.incident.rejected_by
    name = who(facts, rejected) if rejected else "Somebody"
    return say("{} decided not to run it", name), [
        say(
            "Nothing was run. {} is still watched, and you are told when it recovers.", facts.incident.service
        )
    ]


def _expired_open(facts: Facts) -> Words:
    life = span(round(facts.policy.approval_timeout_s))
    return say("This link’s time is over"), [
        say("A link lives {}, so that an old message cannot act. Nothing was run by it.", life),
        say("{}. It still waits for a decision.", facts.incident.title),
    ]


def _expired_over(facts: Facts) -> Words:
    return say("This link’s time is over"), [
        say("And there is nothing left to decide. {}", standing(facts.incident))
    ]


def _healed(facts: Facts) -> Words:
    incident = facts.incident
    at = clock_time(incident.closed_at or facts.now, facts.now)
    ran = incident.execution is not None
    nothing = "Nothing more was run." if ran else "Nothing was run."
    return say("{} healed by itself", incident.service), [
        say("Healthy again at {}, after {}. {}", at, _total(facts), nothing),
        say("This link is closed."),
    ]


def _closed(facts: Facts) -> Words:
    resolved = [e for e in facts.events if e.type is EventType.INCIDENT_RESOLVED][-1]
    at = clock_time(resolved.at, facts.now)
    note = resolved.data.get("note")
    said = [say("Their note: “{}”", note)] if note else []
    return say("{} closed this incident", who(facts, resolved.actor)), [
        say("At {}. This link is closed.", at),
        *said,
    ]


def _earlier(facts: Facts) -> Words:
    return say("There is a newer message"), [
        say("This link belongs to an earlier proposal, and nothing runs by it."),
        say("Use the link in the newest message about {}.", facts.incident.service),
    ]


def _changed(facts: Facts) -> Words:
    return say("{} changed since your link was made", facts.action), [
        say("What your message proposed is not what would run now, so your link runs nothing."),
        say("Below is what it would be now. To have that proposed, the operator closes this incident:"),
        say("<code>alertengine close {}</code>", facts.incident.id),
        say("If {} still fails, a new message with a new link follows.", facts.incident.service),
    ]


def _unrecordable(facts: Facts) -> Words:
    return UNRECORDABLE_HEADLINE, [
        *UNRECORDABLE_LINES,
        say("If {} cannot wait, recover it by hand.", facts.incident.service),
    ]


UNRECORDABLE_HEADLINE = Markup("Nothing can be recorded now, so nothing runs")
UNRECORDABLE_LINES = [
    Markup("AlertEngine cannot write its log at the moment, and without a record it runs nothing."),
    Markup("It goes on trying; look again in a moment."),
]

INVALID_WORDS: Words = (
    Markup("This link is not valid"),
    [
        Markup("Perhaps it was cut off when it was copied. Open the link in the newest message instead."),
        Markup("Nothing was run."),
    ],
)

_WORDS: Mapping[View, Callable[[Facts], Words]] = {
    View.AWAITING: _trouble,
    View.MORE_NEEDED: _more_needed,
    View.TEST: _test,
    View.APPROVED: _approved,
    View.AUTHORIZED: _authorized,
    View.RUNNING: _running,
    View.VERIFYING: _verifying,
    View.RECOVERED: _recovered,
    View.NOT_RECOVERED: _not_recovered,
    View.FAILED: _failed,
    View.UNKNOWN: _unknown,
    View.REJECTED: _rejected,
    View.EXPIRED_OPEN: _expired_open,
    View.EXPIRED_OVER: _expired_over,
    View.HEALED: _healed,
    View.CLOSED: _closed,
    View.EARLIER: _earlier,
    View.CHANGED: _changed,
    View.UNRECORDABLE: _unrecordable,
}
