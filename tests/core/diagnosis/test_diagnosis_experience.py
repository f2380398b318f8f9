"""What helped before."""

import pytest

from alertengine.core.diagnosis.experience import Attempt, PastIncident, likeness, records

NOW = PastIncident(service="payments", cause="pool_exhaustion", route="POST /pay", dependency="db orders")


def before(action: str, *after_s: float | None, **given: str) -> PastIncident:
    told = {
        "service": "payments",
        "cause": "pool_exhaustion",
        "route": "POST /pay",
        "dependency": "db orders",
    } | given
    attempts = tuple(Attempt(action=action, recovered_after_s=one) for one in after_s)
    return PastIncident(**told, attempts=attempts)


def test_an_action_is_known_by_how_often_it_helped_and_how_fast() -> None:
    past = [before("restart-pool", 38.0, None), before("restart-pool", 41.0, 40.0, 300.0)]
    (found,) = records(NOW, past)
    assert str(found) == "restart-pool: helped 4 of 5 times, median 40 s"


def test_an_action_that_never_helped_says_so() -> None:
    (found,) = records(NOW, [before("clear-cache", None)])
    assert str(found) == "clear-cache: helped 0 of 1 time"


def test_the_more_trusted_action_comes_first() -> None:
    past = [before("lucky", 1.0), before("proven", *[40.0] * 9, None), before("useless", None, None)]
    assert [one.action for one in records(NOW, past)] == ["proven", "lucky", "useless"]


@pytest.mark.parametrize("other", [{"service": "orders"}, {"cause": "db_slow"}])
def test_other_services_and_causes_teach_nothing(other: dict[str, str]) -> None:
    assert records(NOW, [before("restart-pool", 38.0, **other)]) == ()


def test_the_same_place_is_more_alike_than_another() -> None:
    same, near, far = (
        before("x"),
        before("x", route="GET /report"),
        before("x", route="GET /report", dependency="db main"),
    )
    assert likeness(NOW, same) == 1.0 > likeness(NOW, near) > likeness(NOW, far) == 0.5


def test_unclear_incidents_are_alike_in_nothing() -> None:
    unclear = PastIncident(service="payments", cause="unclear")
    assert likeness(unclear, unclear) == 0.0
