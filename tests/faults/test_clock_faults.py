"""The machine's clock is set while the real daemon runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import QUICK, Admit, Daemon, MakeDaemon
from recoveries import Scripts, command
from stage import CRITICAL, HEALTHY, wait_for

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not here")]


class Clock:
    """The daemon's clock: what is written to the file is its offset within a second."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set("+0")

    def set(self, offset: str) -> None:
        draft = self._file.with_suffix(".draft")
        draft.write_text(f"{offset}\n")
        draft.replace(self._file)  # it is never seen half written

    @property
    def env(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # to read the file at each call would double the daemon's work
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


def says(daemon: Daemon, word: str) -> bool:
    return any(word in reason for reason in daemon.status()["reasons"])


@pytest.mark.parametrize(("offset", "word"), [("+400d", "jumped ahead"), ("-1d", "behind the record")])
def test_with_the_clock_set_everything_goes_on(
    make_daemon: MakeDaemon, admit: Admit, scripts: Scripts, tmp_path: Path, offset: str, word: str
) -> None:
    clock = Clock(tmp_path / "offset")
    daemon = make_daemon(QUICK + command("ok"), env=clock.env).start()
    patient = admit(CRITICAL, daemon=daemon, actions=["ok"])
    alert = patient.phone.wait("alert", within_s=30)
    incident = patient.watched.wait_incident()
    clock.set(offset)
    wait_for(lambda: says(daemon, word), "it says so", 30)

    assert daemon.link("confirm", alert).status == 200
    patient.watched.wait_event(incident, "recovery_succeeded")
    assert len(scripts.runs(incident)) == 1
    patient.server.behave = HEALTHY
    patient.watched.wait_stage(incident, "RESOLVED")
    patient.server.behave = CRITICAL
    patient.watched.wait_event(patient.watched.wait_incident(2), "alert_queued")

    # The phone judges signatures by its own clock, so what left meanwhile was refused there.
    patient.phone.forged.clear()
    clock.set("+0")
    wait_for(lambda: not says(daemon, word), "it is over", 30)
    assert daemon.stop() == 0
    patient.phone.forged.clear()
