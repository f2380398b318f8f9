"""Single decisions of the rules, each with the smallest report that shows it."""

from typing import Any

import pytest

from alertengine.core.diagnosis.model import CAUSES, FetchError
from alertengine.core.diagnosis.rules import RULES, diagnose
from alertengine.core.language import ENGLISH

FINE = {"count": 200, "fail_rate": 0.0, "p50_ms": 20.0, "p95_ms": 40.0, "wait_p95_ms": 0.0}


def dependency(kind: str, name: str, **now: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, "codes": {}, **FINE, **now, "usual": FINE}


def exception(**given: Any) -> dict[str, Any]:
    row = {"type": "KeyError", "message": "'total'", "location": "cart.py:total:9", "route": "POST /pay"}
    return {**row, "count": 40, "first_seen_s_ago": 5.0, "new": True, "errno": None, **given}


def route(name: str, **now: Any) -> dict[str, Any]:
    usual = {"sample_size": 200, "p50_ms": 30.0, "p95_ms": 60.0, "error_rate": 0.0, "client_error_rate": 0.0}
    return {"route": name, "status": {"200": 200}, **usual, **now, "usual": usual}


def told(**evidence: Any) -> dict[str, Any]:
    whole = {
        "window_s": 10.0,
        "exceptions": [],
        "dependencies": [],
        "runtime": {},
        "traffic": {},
        "routes": [],
        "marks": [],
    }
    return {"status": "critical", "evidence": {**whole, **evidence}}


def mark(version: str | None, age_s: float) -> dict[str, Any]:
    return {"kind": "startup", "version": version, "age_s": age_s}


FAILING = [route("POST /pay", error_rate=0.8, status={"200": 40, "500": 160})]


def test_every_cause_has_its_words() -> None:
    ruled = {rule.__name__ for rule in RULES}
    assert ruled | {"service_down", "unclear"} == set(CAUSES)
    assert all(ENGLISH.has(f"lead.{cause}") and ENGLISH.has(f"check.{cause}") for cause in ruled)


def test_waiting_for_a_connection_with_normal_queries_is_the_pool() -> None:
    found = diagnose(told(dependencies=[dependency("db", "orders", wait_p95_ms=3400.0)]))
    assert (found.cause, found.dependency) == ("pool_exhaustion", "db orders")
    assert "waiting for a connection of db orders: 3.4 s at P95 (usual 0 ms)" in found.summary
    assert "db orders answers in 40 ms at P95 (usual 40 ms)" in [item.text for item in found.evidence]


def test_waiting_that_is_timed_as_part_of_the_call_is_the_pool_too() -> None:
    slow = dependency("db", "orders", p50_ms=1900.0, p95_ms=3440.0, wait_p95_ms=3400.0)
    assert diagnose(told(dependencies=[slow])).cause == "pool_exhaustion"


def test_calls_that_waited_in_vain_are_the_pool_however_long_they_took() -> None:
    vain = dependency("db", "orders", p50_ms=1198.0, p95_ms=1198.0, wait_p95_ms=800.0, fail_rate=0.5)
    found = diagnose(told(dependencies=[{**vain, "codes": {"pool_timeout": 100}}]))
    assert found.cause == "pool_exhaustion"


def test_what_was_not_measured_is_not_shown_as_what_the_cause_rests_on() -> None:
    """An application that says that the pool's time is over, and not how long it waited."""
    vain = dependency("db", "orders", fail_rate=0.93, codes={"pool_timeout": 56}, wait_p95_ms=0.0)
    texts = [item.text for item in diagnose(told(dependencies=[vain])).evidence]
    assert texts[0].startswith("calls to db orders that fail: 93 %")
    assert not any("waiting" in text for text in texts)


def test_waiting_behind_slow_queries_is_the_database() -> None:
    slow = dependency("db", "orders", p50_ms=700.0, p95_ms=900.0, wait_p95_ms=1400.0)
    assert diagnose(told(dependencies=[slow])).cause == "db_slow"


def test_everything_slow_with_a_late_loop_is_not_the_database() -> None:
    slow = [dependency(kind, "x", p50_ms=90.0, p95_ms=200.0) for kind in ("db", "http")]
    lag = {"loop_lag_p95_ms": 90.0, "loop_lag_max_ms": 200.0, "cpu": 0.05}
    usual = {"loop_lag_p95_ms": 3.0, "loop_lag_max_ms": 9.0, "cpu": 0.05}
    assert diagnose(told(dependencies=slow, runtime={**lag, "usual": usual})).cause == "loop_block"
    busy = {**lag, "cpu": 0.6, "usual": usual}
    assert diagnose(told(dependencies=slow, runtime=busy)).cause == "cpu_hog"


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("503", "upstream_5xx"),
        ("504", "upstream_5xx"),
        ("timeout", "upstream_timeout"),
        ("ReadTimeout", "upstream_timeout"),
        ("429", "upstream_throttle"),
        ("connect", "upstream_down"),
        ("ConnectTimeout", "upstream_down"),
        ("ConnectionRefusedError", "upstream_down"),
        ("gaierror", "certificate_or_dns"),
        ("SSLCertVerificationError", "certificate_or_dns"),
        ("pool_timeout", "pool_exhaustion"),
        ("401", "auth_break"),
    ],
)
def test_the_code_of_failing_calls_tells_the_cause(code: str, cause: str) -> None:
    failing = dependency("http", "psp", fail_rate=0.6, codes={code: 120})
    found = diagnose(told(dependencies=[failing], routes=FAILING))
    assert (found.cause, found.dependency) == (cause, "http psp")


def test_a_failure_to_connect_whose_exception_names_the_certificate() -> None:
    failing = dependency("http", "psp", fail_rate=1.0, codes={"connect": 200})
    said = exception(type="ConnectError", message="[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired")
    assert diagnose(told(dependencies=[failing], exceptions=[said])).cause == "certificate_or_dns"


def test_an_answer_that_a_library_raised_is_the_outside_service() -> None:
    said = exception(
        type="HTTPStatusError", message="Client error '429 Too Many Requests' for url 'http://psp/x'"
    )
    marks = [mark("1.0.0", 4000.0), mark("1.1.0", 6.0)]
    failing = dependency("http", "psp", fail_rate=0.6, codes={"429": 120})
    found = diagnose(told(dependencies=[failing], exceptions=[said], routes=FAILING, marks=marks))
    assert found.cause == "upstream_throttle"


def test_failures_that_are_usual_are_no_cause() -> None:
    usual = {**FINE, "fail_rate": 0.3}
    failing = {**dependency("http", "psp", fail_rate=0.31, codes={"503": 60}), "usual": usual}
    assert diagnose(told(dependencies=[failing])).cause == "unclear"


def test_exceptions_after_a_new_version_are_the_version() -> None:
    marks = [mark("1.0.0", 4000.0), mark("1.1.0", 6.0)]
    found = diagnose(told(exceptions=[exception()], routes=FAILING, marks=marks))
    assert found.cause == "bad_deploy"
    assert "version 1.1.0 started 6 s ago" in found.summary


@pytest.mark.parametrize(
    "marks",
    [
        [mark("1.0.0", 4000.0), mark("1.1.0", 300.0)],
        [mark("1.0.0", 4000.0), mark("1.1.0", 40.0)],
        [mark("1.0.0", 4000.0), mark("1.1.0", 9.5)],
        [mark("1.0.0", 4000.0), mark("1.1.0", 1.0)],
        [mark("1.0.0", 4000.0), mark("1.1.0", 900.0), mark("1.1.0", 6.0)],
        [mark("1.0.0", 30.0)],
        [mark(None, 6.0)],
        [],
    ],
    ids=[
        "minutes before",
        "healthy since",
        "healthy for seconds",
        "after the first failure",
        "a restart",
        "the only one",
        "nameless",
        "none",
    ],
)
def test_exceptions_without_a_fitting_version_are_the_code(marks: list[dict[str, Any]]) -> None:
    assert diagnose(told(exceptions=[exception()], routes=FAILING, marks=marks)).cause == "app_exception"


def test_a_process_that_just_began_and_was_well_for_a_while_is_not_a_faulty_version() -> None:
    report = told(exceptions=[exception(count=7)], routes=FAILING, marks=[mark("1.0.0", 15.0)])
    assert diagnose({**report, "uptime_s": 15.2}).cause == "app_exception"


def test_a_rare_failure_gives_the_version_more_time() -> None:
    marks = [mark("1.0.0", 4000.0), mark("1.1.0", 40.0)]
    rare = exception(count=4, first_seen_s_ago=28.0)
    assert diagnose(told(exceptions=[rare], routes=FAILING, marks=marks)).cause == "bad_deploy"


def test_an_exception_stays_the_cause_when_the_incident_is_looked_at_later() -> None:
    report = told(exceptions=[exception(new=False, first_seen_s_ago=170.0)], routes=FAILING)
    report["timestamp"], since = "2026-11-24T09:44:00Z", "2026-11-24T09:41:12Z"
    report["alerts"] = [{"type": "error_anomaly", "route": "POST /pay", "since": since}]
    assert diagnose(report).cause == "app_exception"


def test_errors_that_nobody_raised_and_nothing_outside_explains_are_the_code() -> None:
    report = told(dependencies=[dependency("db", "main")], routes=FAILING)
    assert diagnose(report).cause == "app_exception"


@pytest.mark.parametrize("message", ["[Errno 28] No space left on device", "database or disk is full"])
def test_no_space_left_is_the_disk(message: str) -> None:
    said = exception(type="OperationalError", message=message)
    assert diagnose(told(exceptions=[said], routes=FAILING)).cause == "disk_full"


def test_words_alone_do_not_make_a_full_disk() -> None:
    said = exception(type="KeyError", message="'no space left'")
    assert diagnose(told(exceptions=[said], routes=FAILING)).cause == "app_exception"


def test_a_flood_explains_the_waiting() -> None:
    traffic = {"rps": 200.0, "rps_matched": 200.0, "rps_unmatched": 0.0, "top_client_share": 0.02}
    usual = {"rps": 20.0, "rps_matched": 20.0, "rps_unmatched": 0.0, "top_client_share": 0.02}
    waiting = dependency("db", "orders", wait_p95_ms=400.0, count=2000)
    assert (
        diagnose(told(dependencies=[waiting], traffic={**traffic, "usual": usual})).cause == "traffic_surge"
    )


def test_one_refused_client_is_no_broken_login() -> None:
    refused = [route("GET /me", client_error_rate=0.6, status={"200": 80, "401": 120})]
    many = {"rps": 20.0, "top_client_share": 0.03, "usual": {"rps": 20.0, "top_client_share": 0.03}}
    one = {**many, "top_client_share": 0.7}
    assert diagnose(told(routes=refused, traffic=many)).cause == "auth_break"
    assert diagnose(told(routes=refused, traffic=one)).cause == "unclear"


def test_silence_with_requests_stuck_inside_is_not_silence() -> None:
    usual = {"rps": 30.0, "rps_matched": 30.0}
    traffic = {"rps": 0.0, "rps_matched": 0.0, "usual": usual}
    idle = {"in_flight": 0, "in_flight_max": 0, "usual": {"in_flight": 1, "in_flight_max": 4}}
    stuck = {"in_flight": 40, "in_flight_max": 40, "usual": {"in_flight": 1, "in_flight_max": 4}}
    assert diagnose(told(traffic=traffic, runtime=idle)).cause == "no_traffic"
    assert diagnose(told(traffic=traffic, runtime=stuck)).cause != "no_traffic"


def test_a_pause_of_seconds_is_silence_though_the_window_still_counts_what_came_before() -> None:
    usual = {"rps": 23.0, "rps_matched": 23.0}
    traffic = {"rps": 12.8, "rps_matched": 12.8, "silent_s": 5.9, "usual": usual}
    assert diagnose(told(traffic=traffic)).cause == "no_traffic"
    assert diagnose(told(traffic={**traffic, "silent_s": 0.2})).cause != "no_traffic"
    seldom = {"rps": 0.4, "silent_s": 5.9, "usual": {"rps": 0.5}}
    assert diagnose(told(traffic=seldom)).cause != "no_traffic"


def test_queries_that_take_longer_by_more_than_the_loop_is_late_are_slow_themselves() -> None:
    """A busy machine makes every loop late by some milliseconds."""
    late = {"loop_lag_p95_ms": 46.0, "cpu": 0.06, "usual": {"loop_lag_p95_ms": 19.0, "cpu": 0.08}}
    usual = {"count": 200, "fail_rate": 0.0, "p50_ms": 35.0, "p95_ms": 90.0, "wait_p95_ms": 0.0}
    slow = {**dependency("db", "items", p50_ms=760.0, p95_ms=900.0), "usual": usual}
    assert diagnose(told(dependencies=[slow], runtime=late)).cause == "db_slow"
    by_the_loop = {**dependency("db", "items", p50_ms=90.0, p95_ms=180.0), "usual": usual}
    assert diagnose(told(dependencies=[by_the_loop], runtime=late)).cause == "loop_block"


def test_calls_that_were_never_made_have_no_usual_time() -> None:
    usual = {"count": 0, "fail_rate": 0.0, "p50_ms": 0.0, "p95_ms": 0.0, "wait_p95_ms": 0.0}
    fresh = {**dependency("http", "psp", p50_ms=120.0, p95_ms=160.0), "usual": usual}
    assert diagnose(told(dependencies=[fresh])).cause == "unclear"


def test_nothing_to_go_by_is_said() -> None:
    found = diagnose({})
    assert (found.cause, found.confidence, found.evidence, found.alternatives) == ("unclear", 0.0, (), ())
    assert "nothing stands out" in found.summary


def test_alerts_without_evidence_give_the_two_likeliest() -> None:
    alert = {
        "type": "error_anomaly",
        "severity": "critical",
        "route": "POST /pay",
        "value": 0.61,
        "threshold": 0.02,
    }
    found = diagnose({"status": "critical", "alerts": [alert], "metrics": {"error_rate": 0.61}})
    assert found.cause == "unclear"
    assert [cause for cause, _ in found.alternatives] == ["app_exception", "upstream_5xx"]
    assert found.route == "POST /pay"
    assert "Only the overall figures are known" in found.summary


def test_a_traffic_drop_needs_no_evidence() -> None:
    alert = {"type": "traffic_drop", "severity": "critical", "value": 0.0, "threshold": 12.0}
    assert diagnose({"alerts": [alert], "metrics": {"requests_per_s": 0.0}}).cause == "no_traffic"


def test_a_report_in_the_other_wire_format() -> None:
    report = {
        "status": "critical",
        "service_name": "orders",
        "instance_id": "a1",
        "metrics": {"overall_p95_ms": 2847.3, "webhook_p95_ms": 0.0, "api_p95_ms": 2847.3, "error_rate": 0.19,
                    "anomaly_score": 1.4, "sample_size": 200},
        "alerts": [
            {"type": "latency_spike", "message": "P95", "severity": "critical", "reason_for_trigger": "over",
             "trend_direction": "degrading", "triggered_by": "absolute_threshold"},
            {"type": "error_anomaly", "message": "errors", "severity": "critical", "reason_for_trigger": "over",
             "triggered_by": "absolute_threshold", "baseline_comparison": {"baseline_value": 0.5}},
        ],
        "health_score": {"score": 45.4, "status": "degraded", "components": {}, "trend": "stable"},
        "adaptive_thresholds": None,
        "rate_of_change": [],
        "timestamp": 1795513311,
    }  # fmt: skip
    found = diagnose(report)
    assert found.cause == "unclear"
    assert len(found.alternatives) == 2
    assert found.evidence


def test_a_service_that_no_longer_answers_is_known_by_its_last_report() -> None:
    waiting = told(dependencies=[dependency("db", "orders", wait_p95_ms=3400.0)])
    silent = diagnose(waiting, FetchError(kind="timeout", detail="no answer in 3 s"))
    assert silent.cause == "pool_exhaustion"
    assert silent.confidence < diagnose(waiting).confidence
    assert silent.summary.startswith("The service no longer answers.")
    assert [item.id for item in silent.evidence][:2] == ["health-address", "dependency-1.wait"]
    assert diagnose(waiting, FetchError(kind="refused")).cause == "service_down"


@pytest.mark.parametrize(
    ("kind", "status", "cause"),
    [
        ("refused", None, "service_down"),
        ("timeout", None, "service_down"),
        ("dns", None, "certificate_or_dns"),
        ("tls", None, "certificate_or_dns"),
        ("status", 502, "service_down"),
        ("status", 500, "service_down"),
        ("status", 404, "unclear"),
        ("status", 401, "unclear"),
        ("status", None, "unclear"),
        ("not_json", None, "unclear"),
        ("wrong_shape", None, "unclear"),
        ("too_large", None, "unclear"),
        ("something new", None, "unclear"),
    ],
)
def test_a_health_address_that_cannot_be_read(kind: str, status: int | None, cause: str) -> None:
    found = diagnose(None, FetchError(kind=kind, detail="connect to 10.0.0.7 failed", status=status))
    assert found.cause == cause
    assert "10.0.0.7" in found.evidence[0].text
    assert found.check_first


def test_unmatched_requests_among_the_routes_are_a_scan_without_evidence() -> None:
    rows = [
        {
            "route": "__unmatched__",
            "sample_size": 300,
            "p95_ms": 1.0,
            "error_rate": 0.0,
            "client_error_rate": 1.0,
        },
        {
            "route": "GET /items",
            "sample_size": 90,
            "p95_ms": 40.0,
            "error_rate": 0.0,
            "client_error_rate": 0.0,
        },
    ]
    found = diagnose({"status": "critical", "alerts": [{"type": "client_error_anomaly"}], "routes": rows})
    assert (found.cause, found.route) == ("scanner_4xx", None)


def test_a_late_loop_is_blamed_on_a_route_only_where_it_is_slow_alone() -> None:
    lag = {"loop_lag_p95_ms": 90.0, "loop_lag_max_ms": 200.0, "cpu": 0.05}
    usual = {"loop_lag_p95_ms": 3.0, "loop_lag_max_ms": 9.0, "cpu": 0.05}
    slow = {"p50_ms": 300.0, "p95_ms": 600.0}
    alone = told(runtime={**lag, "usual": usual}, routes=[route("POST /pay", **slow), route("GET /me")])
    both = told(
        runtime={**lag, "usual": usual}, routes=[route("POST /pay", **slow), route("GET /me", **slow)]
    )
    assert diagnose(alone).route == "POST /pay"
    assert diagnose(both).route is None
