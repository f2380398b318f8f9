"""Every event has its words, whatever its data lack."""

from __future__ import annotations

import pytest

from alertengine.cli.wording import WORDINGS, words
from alertengine.core.events import EventType
from alertengine.ledger.sentences import SENTENCES


def test_every_event_type_has_its_words() -> None:
    assert {str(kind) for kind in EventType} - WORDINGS.keys() == set()
    assert {str(kind) for kind in EventType} == SENTENCES.keys()


def test_no_two_events_read_alike() -> None:
    verbs = [verb for verb, _ in WORDINGS.values()]
    assert len(set(verbs)) == len(verbs)


@pytest.mark.parametrize("kind", EventType)
def test_missing_data_is_no_error(kind: EventType) -> None:
    verb, _ = words(kind, {})
    assert verb


def test_an_event_of_a_newer_version_keeps_its_name() -> None:
    assert words("incident_moved", {"x": 1}) == ("incident moved", "")


def test_what_a_person_did_is_told_with_the_way() -> None:
    data = {"channel": "ops", "token": "3f2a", "note": "go", "approvals": {"required": 2, "given": 2}}
    told = words(EventType.RECOVERY_AUTHORIZED, {**data, "action": {"name": "restart-pool"}})
    assert told == ("authorized", "restart-pool, as 2 of 2, by ops, link 3f2a, “go”")


def test_the_last_lines_of_an_output_are_told() -> None:
    _, detail = words(EventType.RECOVERY_FAILED, {"detail": "exit 1", "output": "a\nb\n\nc\nd"})
    assert detail == "exit 1\n│ b\n│ c\n│ d"


def test_of_much_evidence_the_strongest_is_told() -> None:
    _, detail = words(EventType.DIAGNOSIS_COMPLETED, {"evidence": [{"text": f"fact {n}"} for n in range(5)]})
    assert detail.split("\n")[1:] == [
        "· fact 0",
        "· fact 1",
        "· fact 2",
        "· and 2 more",
        "has no recovery to propose",
    ]
