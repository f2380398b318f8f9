"""Commands: exactly the configured arguments and environment, never a shell, and an output that is bounded."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from alertengine.actions.command import OUTPUT_LIMIT, PATH, Capture, CommandAction, Config
from alertengine.clock import SystemClock
from alertengine.core.model import ActionSpec, Service
from alertengine.ports import Outcome, Run

SERVICE = Service(id="svc_1", tenant_id="ten_1", name="payments", health_url="http://127.0.0.1:1/")
RUN = Run(execution_id="exe_1", incident_id="inc_1", tenant_id="ten_1", service=SERVICE)
TELL = (
    "import json, os, sys; json.dump([sys.argv[1:], dict(os.environ), os.getcwd(), os.getsid(0)], sys.stdout)"
)
HOSTILE = ["; touch /tmp/x", "$(id)", "`id`", "a b", "*", "", "-n", "\n", "é"]


def built(**configured: Config) -> CommandAction:
    return CommandAction(configured, SimpleNamespace(clock=SystemClock()))


@pytest.fixture
def action() -> CommandAction:
    return built()


def spec(*argv: str, **more: Any) -> ActionSpec:
    config = Config(kind="command", argv=list(argv), **more)
    return ActionSpec(name="restart", kind="command", params=config.model_dump(mode="json"))


async def execute(action: CommandAction, *argv: str, **more: Any) -> Outcome:
    if "env" in more:  # values come from the configuration, never from what is recorded
        action = built(restart=Config(kind="command", argv=list(argv), **more))
    return await action.execute(spec(*argv, **more), RUN)


async def told(action: CommandAction, *arguments: str, **more: Any) -> list[Any]:
    outcome = await execute(action, sys.executable, "-ISc", TELL, *arguments, **more)
    assert outcome.status == "succeeded", outcome
    return json.loads(outcome.facts["output"])


async def test_the_arguments_arrive_as_they_stand(action: CommandAction) -> None:
    assert (await told(action, *HOSTILE))[0] == HOSTILE


async def test_the_environment_is_exactly_the_allow_list(
    action: CommandAction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERT_SECRET", "must not be seen")
    environ = (await told(action, env={"REGION": "eu-1"}))[1]
    environ.pop("LC_CTYPE", None)  # the interpreter's own

    assert environ == {
        "PATH": PATH,
        "LANG": "C.UTF-8",
        "REGION": "eu-1",
        "ALERTENGINE_EXECUTION_ID": "exe_1",
        "ALERTENGINE_INCIDENT_ID": "inc_1",
        "ALERTENGINE_TENANT_ID": "ten_1",
    }


async def test_the_ids_cannot_be_configured_away(action: CommandAction) -> None:
    environ = (await told(action, env={"ALERTENGINE_EXECUTION_ID": "forged"}))[1]

    assert environ["ALERTENGINE_EXECUTION_ID"] == "exe_1"


async def test_it_runs_in_the_root_and_in_a_session_of_its_own(action: CommandAction) -> None:
    _, _, folder, session = await told(action)

    assert folder == "/"
    assert session != os.getsid(0)


async def test_it_reads_nothing_and_inherits_no_descriptor(action: CommandAction, tmp_path: Path) -> None:
    with open(tmp_path / "secret", "w") as secret:
        os.set_inheritable(secret.fileno(), True)
        outcome = await execute(action, "/bin/sh", "-c", "cat; ls -l /proc/self/fd")

    assert "secret" not in outcome.facts["output"]


async def test_it_says_how_it_ended(action: CommandAction) -> None:
    assert (await execute(action, "/bin/true")).status == "succeeded"
    failed = await execute(action, "/bin/sh", "-c", "echo why >&2; exit 7")
    assert (failed.status, failed.facts["exit_code"], failed.facts["output"]) == ("failed", 7, "why")
    killed = await execute(action, "/bin/sh", "-c", "kill -9 $$")
    assert (killed.status, killed.facts["exit_code"]) == ("failed", -9)


@pytest.mark.parametrize("program", ["/nonexistent", "/etc/passwd", "/"])
async def test_what_cannot_start_has_not_run(program: str, action: CommandAction) -> None:
    outcome = await execute(action, program)

    assert (outcome.status, outcome.facts) == ("failed", {"ran": False})


async def test_an_output_of_any_length_is_cut_and_hashed(action: CommandAction) -> None:
    outcome = await execute(action, "/bin/sh", "-c", "echo begin; head -c 3000000 /dev/zero; echo end")
    whole = b"begin\n" + bytes(3_000_000) + b"end\n"

    assert outcome.facts["output_bytes"] == len(whole)
    assert outcome.facts["output_sha256"] == hashlib.sha256(whole).hexdigest()
    assert outcome.facts["output"].startswith("begin")
    assert outcome.facts["output"].endswith("end")
    assert len(outcome.facts["output"]) < OUTPUT_LIMIT + 100


async def test_the_last_words_are_kept(action: CommandAction) -> None:
    outcome = await execute(action, "/bin/sh", "-c", "printf 'last words'")

    assert outcome.facts["output"] == "last words"


async def test_its_output_is_harmless_and_without_secrets(action: CommandAction) -> None:
    script = r"printf '\033[31mred\033[0m \377 password=hunter22 Bearer abcdef123456789'"
    output = (await execute(action, "/bin/sh", "-c", script)).facts["output"]

    assert "\033" not in output
    assert "hunter22" not in output
    assert "abcdef123456789" not in output


async def test_at_its_limit_it_is_stopped_and_may_have_happened_in_part(action: CommandAction) -> None:
    began = time.monotonic()
    outcome = await execute(action, "/bin/sh", "-c", "echo half; sleep 60", timeout_s=0.3)

    assert (outcome.status, outcome.facts["timed_out"], outcome.facts["ran"]) == ("failed", True, True)
    assert outcome.facts["output"] == "half"
    assert time.monotonic() - began < 10


async def test_who_holds_its_output_open_is_not_waited_for(action: CommandAction) -> None:
    began = time.monotonic()
    outcome = await execute(action, "/bin/sh", "-c", "setsid sleep 15 & echo parent; exit 0", timeout_s=14)

    assert (outcome.status, outcome.facts["output"]) == ("succeeded", "parent")
    assert time.monotonic() - began < 10


async def test_a_preview_is_what_its_own_command_says(action: CommandAction) -> None:
    shown = spec("/bin/false", preview_argv=["/bin/echo", "would restart 3 workers"])

    assert await action.preview(shown, RUN) == "would restart 3 workers"
    assert await action.preview(spec("/bin/false"), RUN) is None
    assert action.describe(spec("/bin/echo", "a b")) == "/bin/echo 'a b'"
    missing = spec("/bin/false", preview_argv=["/nonexistent"])
    assert "could not run" in str(await action.preview(missing, RUN))


@pytest.mark.parametrize("argv", [[], ["systemctl"], ["./run"], "/bin/true"])
def test_a_program_is_a_list_that_begins_with_a_whole_path(argv: Any) -> None:
    with pytest.raises(ValidationError):
        Config(kind="command", argv=argv)


@pytest.mark.parametrize("size", [0, 1, OUTPUT_LIMIT // 2, OUTPUT_LIMIT, OUTPUT_LIMIT + 1, 100_000])
@pytest.mark.parametrize("step", [1000, 65536])
def test_a_capture_keeps_the_beginning_and_the_end(size: int, step: int) -> None:
    whole = bytes(97 + n % 26 for n in range(size))
    capture = Capture()
    for start in range(0, size, step):
        capture.add(whole[start : start + step])

    text = capture.text()
    assert capture.total == size
    assert text.startswith(whole[: min(size, OUTPUT_LIMIT // 2)].decode())
    assert text.endswith(whole[-min(size, OUTPUT_LIMIT // 2) :].decode() if size else "")
    assert ("bytes cut" in text) == (size > OUTPUT_LIMIT)
