"""The judgement under a simulated clock: what must be seen, and what must not alarm."""

import random

import pytest
from sdk_asgi import Clock

from fastapi_alertengine import Monitor
from fastapi_alertengine.finding import Finding


class Service:
    """Traffic on three routes at `rate` requests a second, lognormal around 30 ms."""

    def __init__(self, rate=10.0, seed=1, **options):
        self.random = random.Random(seed)
        self.clock = Clock(0.0)
        self.monitor = Monitor(now=self.clock, **options)
        self.rate = rate

    def run(self, seconds, errors=0.0, slow=1.0, refused=0.0, routes=("/a", "/b", "/c"), hit=None):
        """Returns the seconds after which the report was critical, or None."""
        end, began = self.clock.t + seconds, self.clock.t
        found, polled = None, self.clock.t
        while self.clock.t < end:
            self.clock.t += self.random.expovariate(self.rate)
            route = self.random.choice(routes)
            bad = hit is None or route == hit
            status = 200
            if bad and self.random.random() < errors:
                status = 500
            elif bad and self.random.random() < refused:
                status = 401
            took = self.random.lognormvariate(-3.5, 0.5) * (slow if bad else 1.0)
            self.monitor.record(route, "GET", status, took)
            if self.clock.t - polled >= 1:
                polled = self.clock.t
                if found is None and self.critical():
                    found = self.clock.t - began
        return found

    def critical(self):
        report = self.monitor.report()
        words = {"ok": "healthy", "warning": "degraded", "critical": "critical"}
        assert report["health_score"]["status"] == words[report["status"]]
        return report["status"] == "critical"


@pytest.fixture
def service():
    service = Service()
    assert service.run(300) is None
    return service


@pytest.mark.parametrize(
    ("fault", "within"),
    [
        ({"errors": 1.0}, 6),
        ({"errors": 0.05}, 30),
        ({"slow": 5}, 8),
        ({"errors": 1.0, "hit": "/b"}, 8),
        ({"slow": 8, "hit": "/c"}, 12),
        ({"refused": 1.0, "hit": "/a"}, 25),
    ],
)
def test_faults_are_found(service, fault, within):
    found = service.run(60, **fault)
    assert found is not None
    assert found <= within


def test_an_alert_says_what_where_how_much_and_since_when(service):
    service.run(20, errors=1.0, hit="/b")
    alert = service.monitor.report()["alerts"][0]
    assert (alert["type"], alert["route"], alert["severity"]) == ("error_anomaly", "GET /b", "critical")
    assert alert["triggered_by"] == "adaptive_threshold"
    assert alert["value"] == pytest.approx(1.0, abs=0.05)
    assert "usually 0." in alert["message"]
    assert alert["since"].endswith("Z")


def test_recovery_ends_the_alarm(service):
    service.run(30, errors=1.0)
    service.run(60)
    assert not service.critical()


def test_a_faint_fault_on_a_quiet_route_ends_although_evidence_is_slow_to_come():
    finding = Finding("latency_spike", "GET /x", 0.0, 0.0, usual=0.0008, level=0.016, hits=1.0, seen=60.0)
    finding.begin(0.0)
    for second in range(1, 302):
        finding.take(float(second), 0.0, 0.4)
        assert finding.over(float(second)) == (second > 300)


def test_silence_is_an_alarm_only_where_traffic_was_steady(service):
    service.run(900)
    for _ in range(15):
        service.clock.t += 1
    report = service.monitor.report()
    assert [alert["type"] for alert in report["alerts"]] == ["traffic_drop"]
    assert report["status"] == "critical"


def test_a_young_or_idle_service_is_ok_with_its_true_sample_size():
    service = Service()
    assert service.monitor.report()["metrics"]["sample_size"] == 0
    service.run(5)
    n = service.monitor.report()["metrics"]["sample_size"]
    assert n > 0
    service.clock.t += 20
    report = service.monitor.report()
    assert (report["status"], report["metrics"]["sample_size"]) == ("ok", n)
    service.clock.t += 60
    assert service.monitor.report()["metrics"]["sample_size"] == 0


def test_one_bad_second_is_no_alarm(service):
    for _ in range(30):
        service.monitor.record("/a", "GET", 500, 9.0)
    assert service.run(5) is None


def test_refusals_beside_the_usual_successes_are_no_alarm(service):
    for _ in range(3000):
        service.clock.t += 0.05
        service.monitor.record("/a", "GET", 401, 0.01)
        service.monitor.record(service.random.choice(["/a", "/b", "/c"]), "GET", 200, 0.03)
        if service.random.random() < 0.05:
            assert not service.critical()


def test_unmatched_requests_never_alarm(service):
    for _ in range(2000):
        service.clock.t += 0.02
        service.monitor.record("__unmatched__", "GET", 404, 0.001)
        service.monitor.record("/a", "GET", 200, 0.03)
    assert not service.critical()


def test_a_hang_is_found_before_it_ends(service):
    for _ in range(60):
        service.clock.t += 0.2
        service.monitor.begin("/b", "GET")
        if service.critical():
            break
    assert service.monitor.report()["alerts"][0]["type"] == "stalled_requests"
    assert service.monitor.report()["metrics"]["in_flight"] > 3


def test_a_flight_is_matched_by_its_duration():
    clock = Clock()
    monitor = Monitor(now=clock)
    monitor.begin("/x", "GET")
    clock.t += 5
    monitor.begin("/x", "GET")
    clock.t += 1
    monitor.record("/x", "GET", 200, 1.0)
    (left,) = monitor.live.values()
    assert left[0] == 1000.0


def test_heavy_tails_are_usual():
    service = Service(seed=4)
    stray = random.Random(5)
    for _ in range(12000):
        service.clock.t += 0.1
        service.monitor.record("/a", "GET", 200, 0.02 * stray.paretovariate(1.3))
    assert not service.critical()


def test_what_came_in_under_an_alarm_is_not_learnt(service):
    (cell,) = [cell for cell in service.monitor.cells if cell.label == "GET /a"]
    service.run(200, slow=20)
    assert cell.usual.hours.quantile(0.95) < 0.15


def test_a_restart_in_place_is_given_half_a_minute(service):
    service.clock.t += 5
    service.monitor.mark("startup", version="2")
    assert service.run(15, slow=6) is None
    assert service.run(60) is None


def test_a_bad_release_is_found_after_that(service):
    service.clock.t += 5
    service.monitor.mark("startup", version="2")
    assert 28 < service.run(90, slow=4) < 50


def test_reading_twice_changes_nothing(service):
    service.run(10, errors=0.1)
    assert service.monitor.report() == service.monitor.report()


def test_trend_follows_time_not_polls(service):
    service.run(8, errors=1.0)
    told = {service.monitor.report()["health_score"]["trend"] for _ in range(30)}
    assert told == {"degrading"}


def test_what_is_usual_for_all_routes_is_told_where_all_are_slow(service):
    service.run(20, slow=8.0)
    alerts = {(a["type"], a["route"]): a for a in service.monitor.report()["alerts"]}
    whole = alerts["latency_spike", None]
    assert 40 < whole["usual"] < 120
    assert whole["value"] > 3 * whole["usual"]
    assert f"usually {whole['usual']:.0f} ms" in whole["message"]
