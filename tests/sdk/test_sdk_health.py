"""The score is monotone in each signal, and its words always agree."""

from hypothesis import given
from hypothesis import strategies as st

from fastapi_alertengine.absolute import Breach
from fastapi_alertengine.detection import Judge
from fastapi_alertengine.finding import Finding
from fastapi_alertengine.health import Health, alarmed, breached, suspected

shares = st.floats(0, 1)


@given(shares, shares)
def test_more_evidence_or_more_damage_is_never_healthier(one, other):
    low, high = sorted((one, other))
    assert suspected(high) <= suspected(low)
    assert alarmed(high) <= alarmed(low)
    assert alarmed(low) < 70 <= suspected(high)


@given(st.sampled_from(["warning", "critical"]), st.floats(1.01, 100), st.floats(1.01, 100))
def test_further_over_a_limit_is_never_healthier(severity, one, other):
    low, high = (Breach("latency_spike", None, severity, value, 1.0, 0) for value in sorted((one, other)))
    assert breached(high) <= breached(low)
    assert (breached(low) < 70) == (severity == "critical")


@given(
    st.sampled_from(["latency_spike", "stalled_requests", "error_anomaly", "client_error_anomaly"]), shares
)
def test_any_one_signal_alone_is_critical(kind, share):
    judge, health = Judge(), Health()
    judge.findings["x", None] = Finding(kind, None, 0, 0, 0.01, 0.1, hits=share, seen=1)
    health.step(judge, [])
    assert (health.status, health.told) == ("critical", "critical")
    assert sum(part == 100 for part in health.components.values()) == 2
