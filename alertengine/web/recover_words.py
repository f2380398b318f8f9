"""What each view of the link says first: a headline, and a sentence or two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup

from alertengine.core.approval import standing
from alertengine.core.cost import Cost
from alertengine.core.detection import Watch
from alertengine.core.events import Event, EventType
from alertengine.core.incident import Execution, Incident
from alertengine.core.language import Words
from alertengine.core.model import Actor
from alertengine.core.policy import Policy
from alertengine.core.said import spoken
from alertengine.core.trouble import began as trouble_began
from alertengine.core.trouble import symptom, title
from alertengine.core.view import View
from alertengine.pipeline.approve import Opened
from alertengine.pipeline.preview import Preview
from alertengine.web import recover_text as text


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
    words: Words
    """The language of the link's holder."""
    cost: Cost | None = None

    @property
    def incident(self) -> Incident:
        return self.opened.incident

    @property
    def title(self) -> str:
        return title(self.incident, self.words)

    @property
    def action(self) -> str:
        """The name of what ran, else of what is proposed."""
        incident = self.incident
        if incident.execution is not None and self.shown is None:
            return incident.execution.action
        return incident.action.name if incident.action else self.words("page.the_recovery")

    def say(self, key: str, /, **values: Any) -> Markup:
        return text.say(self.words, key, **values)

    def time(self, at: datetime, *, seconds: bool = True) -> Markup:
        return text.clock_time(at, self.now, seconds=seconds)

    def span(self, start: datetime, end: datetime) -> str:
        return self.words.span(round((end - start).total_seconds()))


Lead = tuple[Markup, list[Markup]]


def lead(facts: Facts) -> Lead:
    return _LEADS[facts.view](facts)


def who(facts: Facts, actor: Actor) -> str:
    return facts.words("page.you") if actor.id == facts.opened.contact.id else actor.name


def _run(facts: Facts) -> Execution:
    execution = facts.incident.execution
    if execution is None:
        raise ValueError(f"{facts.incident.id} has no execution to tell of")
    return execution


def _trouble(facts: Facts) -> Lead:
    began = trouble_began(facts.incident)
    failing = facts.say("page.sentence", what=_symptom(facts).rstrip("."))
    lasting = facts.say(
        "page.lasting", at=facts.time(began, seconds=False), span=_age(began, facts.now, facts.words)
    )
    costs = [text.shown(facts.cost.by(facts.words))] if facts.cost else []
    return text.shown(facts.title), [failing, lasting, *costs, *_before(facts)]


def _symptom(facts: Facts) -> str:
    """The worst alert's own sentence; the score that the reason adds is shown further down."""
    detected = facts.incident.detected
    told = symptom(detected, facts.words)
    plainly = told == str(detected.get("reason", "")).rstrip(".")
    if plainly and detected.get("kind") == "degradation" and detected.get("snapshot"):
        return str(detected["snapshot"]["headline"])
    return told


def _age(began: datetime, now: datetime, words: Words) -> str:
    """In whole minutes once it has lasted some."""
    seconds = round((now - began).total_seconds())
    return words.span(seconds if seconds < 120 else seconds - seconds % 60)


def _before(facts: Facts) -> list[Markup]:
    """An earlier round's run, for somebody who is asked again."""
    execution = facts.incident.execution
    if execution is None:
        return []
    key = "page.before.failed" if execution.status == "failed" else "page.before.no_help"
    at = facts.time(execution.authorized_at)
    return [facts.say(key, action=execution.action, who=execution.authorized_by.name, at=at)]


def _more_needed(facts: Facts) -> Lead:
    headline, lines = _trouble(facts)
    names = [actor.name for actor in facts.incident.approvals]
    given = facts.say(f"page.has_approved.{facts.words.plural(len(names))}", who=facts.words.also(names))
    return headline, [*lines, given, _missing(facts)]


def _missing(facts: Facts) -> Markup:
    missing = facts.incident.approvals_needed - len(facts.incident.approvals)
    return text.count(facts.words, "page.missing", missing)


def _test(facts: Facts) -> Lead:
    lines = [facts.say("page.test.nothing"), facts.say("page.test.go_on")]
    return facts.say("page.test", service=facts.incident.service), lines


def _approved(facts: Facts) -> Lead:
    lines = [_missing(facts), facts.say("page.approved.rest")]
    return facts.say("page.approved", action=facts.action), lines


def _authorized(facts: Facts) -> Lead:
    run = _run(facts)
    headline = facts.say("page.authorized", who=who(facts, run.authorized_by), action=run.action)
    return headline, [facts.say("page.authorized.rest", at=facts.time(run.authorized_at))]


def _running(facts: Facts) -> Lead:
    run = _run(facts)
    by = facts.say("page.running.rest", who=who(facts, run.authorized_by), at=facts.time(run.authorized_at))
    return facts.say("page.running", action=run.action), [by]


def _verifying(facts: Facts) -> Lead:
    run = _run(facts)
    until = (run.ended_at or facts.now) + timedelta(seconds=facts.policy.verify_window_s)
    headline = facts.say("page.verifying", action=run.action, service=facts.incident.service)
    return headline, [
        facts.say("page.verifying.success"),
        facts.say("page.verifying.until", at=facts.time(until)),
    ]


def _recovered(facts: Facts) -> Lead:
    incident, run = facts.incident, _run(facts)
    if incident.is_test:
        return facts.say("page.tested"), [facts.say("page.tested.rest")]
    closed = incident.closed_at or facts.now
    after = facts.words.span((closed - (run.ended_at or closed)).total_seconds())
    return facts.say("page.recovered", service=incident.service), [
        facts.say("page.recovered.helped", action=run.action, span=after),
        facts.say("page.recovered.total", who=who(facts, run.authorized_by), span=_total(facts)),
    ]


def _total(facts: Facts) -> str:
    return facts.span(facts.incident.opened_at, facts.incident.closed_at or facts.now)


def _not_recovered(facts: Facts) -> Lead:
    service = facts.incident.service
    window = facts.words.span(round(facts.policy.verify_window_s))
    return facts.say("page.not_recovered", action=_run(facts).action, service=service), [
        facts.say("page.not_recovered.rest", span=window, service=service),
        facts.say("page.next_link"),
    ]


def _failed(facts: Facts) -> Lead:
    return facts.say("page.failed", action=_run(facts).action), [
        _detail(facts, "page.failed.bare"),
        Markup(" ").join(
            (facts.say("page.failed.help", service=facts.incident.service), facts.say("page.next_link"))
        ),
    ]


def _detail(facts: Facts, otherwise: str) -> Markup:
    """What is known of the run's end, as a sentence."""
    kept = spoken(_run(facts).detail or {}, facts.words)
    detail = str(kept.get("detail") or facts.words(otherwise)).rstrip(".")
    return facts.say("page.sentence", what=detail[:1].upper() + detail[1:])


def _unknown(facts: Facts) -> Lead:
    incident = facts.incident
    ran, did_not = (
        _command(incident, facts.words(f"page.unknown.{found}"), whole=found == "ran")
        for found in ("ran", "did_not")
    )
    lines = [
        _detail(facts, "page.unknown.bare"),
        facts.say("page.unknown.check", service=incident.service),
        facts.say("page.unknown.tell", ran=ran, did_not=did_not),
    ]
    if incident.healthy:
        lines.insert(1, facts.say("page.healthy_again", service=incident.service))
    return facts.say("page.unknown", action=_run(facts).action), lines


def _command(incident: Incident, note: str, *, whole: bool) -> Markup:
    """What the operator types to close it; with `whole` false, only what is different in it."""
    typed = f'alertengine close {incident.id} --note "{note}"' if whole else f'"{note}"'
    return Markup("<code>{}</code>").format(typed)


def _rejected(facts: Facts) -> Lead:
    rejected = facts.incident.rejected_by
    name = who(facts, rejected) if rejected else facts.words("somebody")
    rest = facts.say("page.rejected.rest", service=facts.incident.service)
    return facts.say("page.rejected", who=name), [rest]


def _expired_open(facts: Facts) -> Lead:
    life = facts.words.span(round(facts.policy.approval_timeout_s))
    return facts.say("page.link_over"), [
        facts.say("page.link_over.life", span=life),
        facts.say("page.link_over.waits", title=facts.title),
    ]


def _expired_over(facts: Facts) -> Lead:
    stands = standing(facts.incident, facts.words)
    return facts.say("page.link_over"), [facts.say("page.link_over.nothing", standing=stands)]


def _healed(facts: Facts) -> Lead:
    incident = facts.incident
    at = facts.time(incident.closed_at or facts.now)
    nothing = facts.say("page.nothing_run" if incident.execution is None else "page.nothing_more")
    healthy = facts.say("page.healed.rest", at=at, span=_total(facts))
    lines = [Markup(" ").join((healthy, nothing)), facts.say("page.link_closed")]
    return facts.say("page.healed", service=incident.service), lines


def _closed(facts: Facts) -> Lead:
    resolved = [e for e in facts.events if e.type is EventType.INCIDENT_RESOLVED][-1]
    note = resolved.data.get("note")
    said = [facts.say("page.closed.note", note=note)] if note else []
    at = facts.say("page.closed.rest", at=facts.time(resolved.at))
    return facts.say("page.closed", who=who(facts, resolved.actor)), [at, *said]


def _earlier(facts: Facts) -> Lead:
    use = facts.say("page.earlier.use", service=facts.incident.service)
    return facts.say("page.earlier"), [facts.say("page.earlier.nothing"), use]


def _changed(facts: Facts) -> Lead:
    return facts.say("page.changed", action=facts.action), [
        facts.say("page.changed.nothing"),
        facts.say("page.changed.below"),
        Markup("<code>alertengine close {}</code>").format(facts.incident.id),
        facts.say("page.changed.then", service=facts.incident.service),
    ]


def _unrecordable(facts: Facts) -> Lead:
    headline, lines = unrecordable(facts.words)
    return headline, [*lines, facts.say("page.unrecordable.by_hand", service=facts.incident.service)]


def unrecordable(words: Words) -> Lead:
    """What can be said where not even the incident could be read."""
    lines = [text.say(words, f"page.unrecordable.{line}") for line in ("why", "again")]
    return text.say(words, "page.unrecordable"), lines


def invalid(words: Words) -> Lead:
    lines = [text.say(words, key) for key in ("page.invalid.copy", "page.nothing_run")]
    return text.say(words, "page.invalid"), lines


def suspended(words: Words) -> Lead:
    lines = [text.say(words, key) for key in ("page.suspended.why", "page.suspended.by_hand")]
    return text.say(words, "page.suspended"), lines


_LEADS: Mapping[View, Callable[[Facts], Lead]] = {
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
