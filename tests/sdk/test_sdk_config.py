"""Absolute limits, and settings that are wrong."""

import pytest
from fastapi import FastAPI
from sdk_asgi import Clock

from fastapi_alertengine import AlertConfig, Limits, Monitor, instrument
from fastapi_alertengine.config import coerce


def report(config, took=0.5, errors=0, n=100):
    clock = Clock()
    monitor = Monitor(now=clock, config=config)
    for i in range(n):
        clock.t += 0.05
        monitor.record("/pay", "POST", 500 if i < errors else 201, took)
    clock.t += 1
    return monitor.report()


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        (Limits(p95_warning_ms=400), "warning"),
        (Limits(p95_warning_ms=400, p95_critical_ms=450), "critical"),
        (Limits(p95_warning_ms=600, p95_critical_ms=900), "ok"),
    ],
)
def test_latency_limits(limits, status):
    for config in (AlertConfig(service=limits), AlertConfig(routes={"POST /pay": limits})):
        told = report(config)
        assert told["status"] == status
        assert [alert["triggered_by"] for alert in told["alerts"]] == ["absolute_threshold"] * (
            status != "ok"
        )


def test_an_alert_tells_value_and_threshold():
    (alert,) = report({"routes": {"POST /pay": {"p95_critical_ms": 450}}})["alerts"]
    assert (alert["route"], alert["threshold"]) == ("POST /pay", 450)
    assert alert["value"] == pytest.approx(500, rel=0.01)
    assert alert["message"] == "POST /pay: P95 504 ms, limit 450 ms" or "limit 450 ms" in alert["message"]


def test_error_limits():
    assert report({"service": {"error_rate_warning": 0.001}}, errors=1)["status"] == "warning"


def test_too_few_samples_are_no_breach():
    assert report({"service": {"p95_critical_ms": 1}}, n=19)["status"] == "ok"


@pytest.mark.parametrize("config", [{"p95": 1}, {"service": {"p95": 1}}, {"routes": {"GET /": {"x": 1}}}])
def test_unknown_settings_are_named(config):
    with pytest.raises(ValueError, match="unknown setting"):
        coerce(config)


def test_a_wrong_config_is_told_and_ignored():
    with pytest.warns(RuntimeWarning, match="unknown setting p95"):
        monitor = instrument(FastAPI(), config={"p95": 1})
    assert monitor.config == AlertConfig()


@pytest.mark.parametrize("secret", ["whsec_***", "whsec_", " "])
def test_a_secret_that_is_none_is_told_and_opens_nothing(secret):
    app = FastAPI()
    with pytest.warns(RuntimeWarning, match="whsec_"):
        instrument(app, secret=secret)
    *_, parts = app.user_middleware[0]
    assert parts["endpoint"]._signer is None
