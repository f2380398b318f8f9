"""What may be cited, and which claims may be read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_faults import MAKERS, scenario

from alertengine.core.diagnosis.catalogue import catalogue
from alertengine.core.diagnosis.claims import CLAIMS_LIMIT, Claim, sift
from alertengine.core.diagnosis.model import EvidenceItem
from alertengine.core.diagnosis.question import ask
from alertengine.core.diagnosis.rules import diagnose

KNOWN = (
    EvidenceItem(
        id="dependency-1.wait", text="waiting for a connection of db orders: 3.4 s at P95 (usual 0 ms)"
    ),
    EvidenceItem(id="route-2.errors", text="POST /v1/pay fails: 61 % (usual 0.2 %)"),
)


@pytest.mark.parametrize("cause", sorted(MAKERS))
def test_what_the_rules_cite_is_in_the_catalogue(cause: str) -> None:
    report = scenario(cause, 7)
    known = {item.id: item.text for item in catalogue(report)}
    for item in diagnose(report).evidence:
        assert known.get(item.id) == item.text


@pytest.mark.parametrize("cause", sorted(MAKERS))
def test_the_catalogue_is_bounded_and_names_each_measurement_once(cause: str) -> None:
    found = catalogue(scenario(cause, 3))
    assert len({item.id for item in found}) == len(found) <= 130
    assert all(len(item.text) <= 160 for item in found)


def test_the_catalogue_of_nothing_is_empty() -> None:
    assert catalogue({}) == ()


@pytest.mark.parametrize(
    ("text", "cites", "reason"),
    [
        ("Requests wait 3.4 s for a connection.", ["dependency-1.wait"], None),
        ("Requests wait 3,40 s for a connection.", ["dependency-1.wait"], None),
        ("61 % of POST /v1/pay fail.", ["route-2.errors"], None),
        ("The pool is used up.", ["dependency-1.wait", "route-2.errors"], None),
        ("Requests wait 34 s for a connection.", ["dependency-1.wait"], "its number 34"),
        ("61 % of payments fail.", ["dependency-1.wait"], "its number 61"),
        ("The pool is used up.", [], "it cites no measurement"),
        ("The pool is used up.", ["dependency-9.wait"], "does not exist"),
        ("\x1b[2J\u202e", ["dependency-1.wait"], "it says nothing"),
    ],
)
def test_a_claim_stands_on_what_it_cites(text: str, cites: list[str], reason: str | None) -> None:
    kept, dropped = sift([Claim(text=text, cites=tuple(cites))], KNOWN)
    assert bool(kept) == (reason is None)
    assert reason is None or reason in dropped[0].reason


def test_a_claim_is_cleaned_before_it_is_read() -> None:
    text = "\x1b[1mThe **pool** of `db orders`\u202e is <b>used up</b>, see app.orders.take"
    kept, _ = sift([Claim(text=text, cites=("route-2.errors",))], KNOWN)
    assert kept[0].text == "The pool of db orders is used up , see app[.]orders[.]take"


@pytest.mark.parametrize(
    "bait", ["https://evil.example/x", "tariro@example.com", "+263 77 123 4567", "www.evil.example"]
)
def test_a_claim_with_something_to_tap_is_dropped(bait: str) -> None:
    kept, dropped = sift([Claim(text=f"The pool is used up, see {bait}", cites=("route-2.errors",))], KNOWN)
    assert (kept, dropped[0].reason) == ((), "it holds something to open, to dial or to write to")


def test_more_claims_than_anybody_reads_are_dropped() -> None:
    kept, dropped = sift([Claim(text="Fails.", cites=("route-2.errors",))] * 20, KNOWN)
    assert (len(kept), len(dropped)) == (CLAIMS_LIMIT, 20 - CLAIMS_LIMIT)


@settings(max_examples=80, deadline=None)
@given(
    st.text(max_size=200),
    st.lists(st.text(max_size=20) | st.sampled_from([item.id for item in KNOWN]), max_size=3),
)
def test_no_claim_survives_with_a_number_of_its_own(text: str, cites: list[str]) -> None:
    kept, _ = sift([Claim(text=text + " 987654", cites=tuple(cites))], KNOWN)
    assert not any("987654" in claim.text for claim in kept)


def test_a_model_that_is_graded_is_not_told_what_the_rules_say() -> None:
    report = scenario("db_slow", 3)
    alone, beside = (ask({}, report, finding, (), ()) for finding in (None, diagnose(report)))
    assert '"rules"' in beside.text
    assert '"rules"' not in alone.text
