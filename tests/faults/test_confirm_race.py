"""One link, tapped by everybody at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from json import loads
from pathlib import Path

import pytest
from harness import Admit, token_of
from recoveries import Scripts
from stage import CRITICAL

TAPS = int(os.environ.get("CONFIRM_TAPS", "300"))
PROCESSES = 4


@pytest.mark.slow
def test_many_taps_at_once_from_several_processes_run_it_once(admit: Admit, scripts: Scripts) -> None:
    patient = admit(CRITICAL, actions=["ok"])
    token = token_of(patient.phone.wait("alert"))
    tapper = Path(__file__).with_name("tapper.py")
    argv = [sys.executable, tapper, str(patient.daemon.port), str(TAPS // PROCESSES), token]
    tappers = [subprocess.Popen(argv, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
    answers = Counter(tuple(a) for tapper in tappers for a in loads(tapper.communicate(timeout=60)[0]))

    incident = patient.watched.wait_incident()
    patient.watched.wait_event(incident, "recovery_succeeded")
    assert answers == {(200, None, True): 1, (409, "TOKEN_USED", True): TAPS - 1}
    assert len(scripts.runs(incident)) == 1
    assert patient.watched.types(incident).count("recovery_authorized") == 1
    assert patient.watched.types(incident).count("authorization_refused") < 50
