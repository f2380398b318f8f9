"""The daemon is killed, stopped or doubled: what is acknowledged stays, and nothing runs twice."""

from __future__ import annotations

import asyncio
import signal
import socket
import stat
import time
from pathlib import Path

import pytest
from harness import QUICK, Admit, Daemon, MakeDaemon, Patient, token_of
from recoveries import Scripts, command
from stage import CRITICAL, HEALTHY, Server, Stage, drop, say, wait_for

from alertengine.app import load_settings, open_engine
from alertengine.pipeline import approve as decisions

pytestmark = pytest.mark.slow


def sick(admit: Admit, daemon: Daemon, action: str) -> tuple[Patient, str]:
    patient = admit(CRITICAL, daemon=daemon, actions=[action])
    patient.phone.wait("alert")
    return patient, patient.watched.wait_incident()


def test_killed_while_a_recovery_runs_it_is_unknown_and_never_repeated(
    admit: Admit, make_daemon: MakeDaemon, scripts: Scripts
) -> None:
    daemon = make_daemon(QUICK + command("slow")).start()
    patient, incident = sick(admit, daemon, "slow")
    alert = patient.phone.wait("alert")
    assert daemon.link("confirm", alert).status == 200
    wait_for(lambda: scripts.runs(incident), "it runs")
    daemon.restart()

    told = patient.phone.wait("unknown")
    unknown = patient.watched.wait_event(incident, "recovery_outcome_unknown")
    again = daemon.link("confirm", alert)
    assert "may or may not have run" in told["text"]
    assert (again.status, again.code) == (409, "TOKEN_USED")
    assert scripts.runs(incident) == [unknown["data"]["execution_id"]]
    wait_for(lambda: not scripts.alive(incident), "what it had started is over")
    patient.server.behave = HEALTHY
    patient.watched.wait_event(incident, "health_verified")
    assert patient.watched.audit(incident)["stage"] == "UNKNOWN"
    assert len(scripts.runs(incident)) == 1


def test_killed_between_the_approval_and_the_start_nothing_runs(
    admit: Admit, make_daemon: MakeDaemon, scripts: Scripts
) -> None:
    daemon = make_daemon(QUICK + command("ok")).start()
    patient, incident = sick(admit, daemon, "ok")
    alert = patient.phone.wait("alert")
    daemon.kill()
    asyncio.run(only_authorize(daemon, token_of(alert)))
    daemon.start()

    failed = patient.watched.wait_event(incident, "recovery_failed")
    again = daemon.link("confirm", alert)
    assert failed["data"]["ran"] is False
    assert (again.status, again.code) == (409, "TOKEN_USED")
    assert "nothing was run" in patient.phone.wait("failed")["title"]
    assert scripts.runs(incident) == []
    assert "recovery_started" not in patient.watched.types(incident)


async def only_authorize(daemon: Daemon, token: str) -> None:
    """What a daemon has done that dies right after the approval was recorded."""
    flags = {"data_dir": daemon.data, "server.port": daemon.port}
    async with open_engine(load_settings(daemon.folder / "alertengine.toml", {}, flags)) as engine:
        await decisions.confirm(engine, token, {"address": "127.0.0.1"})


def test_killed_with_messages_queued_they_arrive_with_the_ids_they_had(
    admit: Admit, make_daemon: MakeDaemon
) -> None:
    daemon = make_daemon().start()
    patient = admit(HEALTHY, daemon=daemon)
    patient.phone.script = [say(503), drop]
    patient.server.behave = CRITICAL
    incident = patient.watched.wait_incident()
    tried = wait_for(lambda: patient.phone.requests, "a first try")[0].headers["webhook-id"]
    patient.watched.wait_event(incident, "alert_failed")
    daemon.kill()
    daemon.start()
    patient.watched.wait_event(incident, "alert_accepted", within_s=30)

    taken = [m for m in patient.phone.messages if m["type"] == "incident.alert"]
    assert {m["id"] for m in taken} == {tried}
    assert {r.headers["webhook-id"] for r in patient.phone.requests} == {tried}
    assert len(patient.watched.incidents()) == 1


def test_sigterm_ends_in_time_and_records_a_recovery_that_runs(
    admit: Admit, make_daemon: MakeDaemon, scripts: Scripts
) -> None:
    daemon = make_daemon(QUICK + command("slow")).start()
    patient, incident = sick(admit, daemon, "slow")
    assert daemon.link("confirm", patient.phone.wait("alert")).status == 200
    wait_for(lambda: scripts.runs(incident), "it runs")
    began = time.monotonic()
    assert daemon.stop(within_s=10) == 0
    assert time.monotonic() - began < 10
    daemon.start()

    types = patient.watched.types(incident)
    assert "recovery_succeeded" in types
    assert "recovery_outcome_unknown" not in types
    assert len(scripts.runs(incident)) == 1
    assert "Traceback" not in daemon.output


def test_sigterm_does_not_wait_for_ever_and_says_that_the_outcome_is_unknown(
    admit: Admit, make_daemon: MakeDaemon, scripts: Scripts
) -> None:
    """A recovery that is still running when the time is up."""
    config = QUICK + command("hang", timeout_s=300)
    daemon = make_daemon(config).start()
    patient, incident = sick(admit, daemon, "hang")
    assert daemon.link("confirm", patient.phone.wait("alert")).status == 200
    wait_for(lambda: scripts.runs(incident), "it runs")
    assert daemon.stop(within_s=10) == 0
    assert scripts.alive(incident) == []
    daemon.start()

    patient.watched.wait_event(incident, "recovery_outcome_unknown")
    patient.phone.wait("unknown")
    assert "Traceback" not in daemon.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_with_clients_and_targets_that_hang_is_clean(
    number: signal.Signals, admit: Admit, make_daemon: MakeDaemon
) -> None:
    daemon = make_daemon().start()
    patient = admit(HEALTHY, daemon=daemon)
    patient.watched.wait_health("ok")
    with socket.create_connection(("127.0.0.1", daemon.port)) as half_open:
        half_open.sendall(b"POST /onboard HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        assert daemon.stop(number, within_s=10) == 0
    assert "Traceback" not in daemon.output
    assert not (daemon.data / "daemon.sock").exists()


def test_a_second_daemon_on_the_same_data_is_refused_by_name(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon().start()
    assert daemon.process is not None
    first = daemon.process
    began = time.monotonic()
    second = daemon.begin()
    status = second.wait(10)
    took = time.monotonic() - began

    said = (daemon.folder / "life-2.log").read_text()
    assert status == 75
    assert took < 4
    assert str(first.pid) in said
    assert "Traceback" not in said
    assert daemon.get("/health").status == 200
    daemon.process = first


def refused(daemon: Daemon, *extra: str) -> str:
    """What a daemon says that does not start, as its configuration is wrong."""
    assert daemon.begin(*extra).wait(15) == 2
    assert "Traceback" not in daemon.output
    return daemon.output


def test_a_port_that_is_taken_is_told_with_the_way_out(make_daemon: MakeDaemon, serve: object) -> None:
    taken: Server = serve()
    said = refused(make_daemon(port=taken.port))

    assert str(taken.port) in said
    assert "--port" in said


WRONG = """
[server]
prot = 9000
[poll]
interval_s = "often"
[auth]
secret = "short"
[channels.hook]
kind = "pigeon"
[actions.restart]
kind = "command"
argv = ["systemctl", "restart", "payments"]
[telemetry]
on = true
"""


def test_a_wrong_configuration_is_told_whole(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(WRONG, env={"LOOP_INTERVAL_S": ""})
    said = refused(daemon)

    for key in ("server.prot", "poll.interval_s", "auth.secret", "channels.hook", "actions.restart.argv"):
        assert key in said
    assert "telemetry" in said
    assert not daemon.data.exists()


def test_a_data_directory_that_cannot_be_made(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon()
    daemon.data.write_text("a file is in the way")

    assert "--data-dir" in refused(daemon)


def test_a_data_directory_that_cannot_be_written(
    make_daemon: MakeDaemon, read_only: Path, stage: Stage
) -> None:
    daemon = make_daemon()
    said = refused(daemon, "--data-dir", str(read_only))

    assert str(read_only) in said


def test_what_lies_in_the_data_directory_is_for_its_owner_alone(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon().start()

    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in daemon.data.iterdir()}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
    assert stat.S_IMODE(daemon.data.stat().st_mode) == 0o700
