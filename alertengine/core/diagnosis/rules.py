"""From a health report to a finding: read the facts, measure the signs, weigh the cases, say it."""

from collections.abc import Mapping, Sequence

from alertengine.core.diagnosis import advice, facts, hints, signals, weighing
from alertengine.core.diagnosis import rules_application as application
from alertengine.core.diagnosis import rules_dependencies as dependencies
from alertengine.core.diagnosis import rules_process as process
from alertengine.core.diagnosis import rules_traffic as traffic
from alertengine.core.diagnosis.model import (
    CAUSES,
    EVIDENCE_LIMIT,
    SUMMARY_LIMIT,
    UNCLEAR,
    FetchError,
    Finding,
)
from alertengine.core.diagnosis.reachability import from_fetch_error, last_words
from alertengine.core.diagnosis.redaction import shorten
from alertengine.core.diagnosis.weighing import Case, Verdict
from alertengine.core.said import Said

RULES = (
    dependencies.db_slow,
    dependencies.pool_exhaustion,
    dependencies.upstream_5xx,
    dependencies.upstream_timeout,
    dependencies.upstream_throttle,
    dependencies.upstream_down,
    dependencies.certificate_or_dns,
    application.app_exception,
    application.bad_deploy,
    application.disk_full,
    application.auth_break,
    process.memory_leak,
    process.cpu_hog,
    process.loop_block,
    traffic.traffic_surge,
    traffic.scanner_4xx,
    traffic.no_traffic,
)


def diagnose(report: Mapping[str, object] | None, fetch_error: FetchError | None = None) -> Finding:
    """The likeliest cause by rules alone. Never raises, whatever the report holds.

    With a `fetch_error`, `report` is the last one that could be read, if any.
    """
    known = report if isinstance(report, Mapping) else {}
    if fetch_error is None:
        return _by_report(known)
    return last_words(fetch_error, _by_report(known)) if known else from_fetch_error(fetch_error)


def _by_report(report: Mapping[str, object]) -> Finding:
    found = facts.read(report)
    seen = signals.measure(found)
    cases = [*(rule(found, seen) for rule in RULES), *hints.without_evidence(found, seen)]
    verdict = weighing.weigh(_merged(cases), _completeness(found))
    return _named(verdict) if verdict.clear else _unclear(verdict, found)


def _merged(cases: list[Case]) -> list[Case]:
    """One case for each cause, the strongest."""
    return [weighing.strongest((case for case in cases if case.cause == cause), cause) for cause in CAUSES]


def _completeness(found: facts.Facts) -> float:
    return 1 - len(found.missing) / len(facts.SECTIONS)


def _named(verdict: Verdict) -> Finding:
    case = verdict.ranked[0]
    summary = _summary(case)
    check = advice.check_first(case.cause, case.route, case.dependency)
    return Finding(
        cause=case.cause,
        confidence=verdict.confidences[0],
        summary=shorten(summary.english, SUMMARY_LIMIT),
        evidence=case.items[:EVIDENCE_LIMIT],
        alternatives=_alternatives(verdict, 1),
        route=case.route,
        dependency=case.dependency,
        check_first=check.english,
        said={"summary": summary, "check_first": check},
    )


def _unclear(verdict: Verdict, found: facts.Facts) -> Finding:
    likely = verdict.ranked[:2]
    summary, check = _doubt(likely, found), advice.check_first(UNCLEAR, None, None)
    evidence = weighing.unique(item for case in likely for item in case.items[:3])
    return Finding(
        cause=UNCLEAR,
        confidence=max(verdict.confidences, default=0.0),
        summary=shorten(summary.english, SUMMARY_LIMIT),
        evidence=evidence[:EVIDENCE_LIMIT],
        alternatives=_alternatives(verdict, 0),
        route=likely[0].route if likely else None,
        dependency=None,
        check_first=check.english,
        said={"summary": summary, "check_first": check},
    )


def _doubt(likely: Sequence[Case], found: facts.Facts) -> Said:
    names = [Said(f"cause.{case.cause}") for case in likely]
    said = Said("summary.nothing")
    if names:
        said = Said("summary.likeliest", {"cause": names[0]})
    if len(names) > 1:
        said = Said("summary.either", {"cause": names[0], "other": names[1]})
    return said if found.has_evidence else Said("summary.figures_only", {"said": said})


def _alternatives(verdict: Verdict, skip: int) -> tuple[tuple[str, float], ...]:
    ranked = list(zip(verdict.ranked, verdict.confidences, strict=True))
    return tuple((case.cause, confidence) for case, confidence in ranked[skip : skip + 2])


def _summary(case: Case) -> Said:
    lead = advice.lead(case.cause, case.route, case.dependency)
    said = [item.said or item.text for item in case.items[:2]]
    if not said:
        return lead
    if len(said) == 1:
        return Said("summary.measured", {"lead": lead, "first": said[0]})
    return Said("summary.measured_both", {"lead": lead, "first": said[0], "second": said[1]})
