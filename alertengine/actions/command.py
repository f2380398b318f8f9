"""A recovery that runs a command on the daemon's machine: an argument list, never a shell."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shlex
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from alertengine.core.diagnosis.redaction import redact
from alertengine.core.model import ActionSpec, Risk
from alertengine.core.said import Figure
from alertengine.ports import Outcome, Run
from alertengine.tools import Tools, ended

OUTPUT_LIMIT = 16 * 1024
CHUNK_BYTES = 64 * 1024
PIPE_BYTES = 1024 * 1024
"""No pipe holds more, as Linux comes."""
PREVIEW_TIMEOUT_S = 10.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Config(BaseModel):
    """`argv` runs as it stands; `preview_argv` shows what it would do and must change nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["command"]
    argv: Annotated[list[str], Field(min_length=1)]
    preview_argv: Annotated[list[str], Field(min_length=1)] | None = None
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    env: Annotated[dict[str, str], Field(repr=False)] = {}
    description: str = ""
    risk: Risk = Risk.LOW
    approvals: Annotated[int, Field(ge=1, le=10)] = 1

    @field_validator("argv", "preview_argv")
    @classmethod
    def absolute(cls, argv: list[str] | None) -> list[str] | None:
        if argv and not os.path.isabs(argv[0]):
            raise ValueError("the program must be an absolute path, e.g. /usr/bin/systemctl")
        return argv


EXAMPLE = """
[actions.restart-payments]
kind = "command"
argv = ["/usr/bin/systemctl", "restart", "payments"]
preview_argv = ["/usr/bin/systemctl", "status", "payments"]
timeout_s = 60
description = "restart the payments service"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a process ended. `exit_code` is None where it was stopped at its time limit."""

    exit_code: int | None
    output: str
    output_bytes: int
    output_sha256: str
    duration_s: float


class CommandAction:
    kind = "command"

    def __init__(self, configured: Mapping[str, Config], tools: Tools) -> None:
        self._configured = configured
        self._clock = tools.clock

    def describe(self, spec: ActionSpec) -> str:
        return shlex.join(spec.params["argv"])

    async def preview(self, spec: ActionSpec, run: Run) -> str | None:
        argv = spec.params.get("preview_argv")
        if not argv:
            return None
        try:
            ran = await self._run(argv, self._env(spec), run, PREVIEW_TIMEOUT_S)
        except OSError as error:
            return f"the preview could not run: {error.strerror}"
        return ran.output or f"the preview printed nothing (exit {ran.exit_code})"

    async def execute(self, spec: ActionSpec, run: Run) -> Outcome:
        limit = spec.params["timeout_s"]
        try:
            ran = await self._run(spec.params["argv"], self._env(spec), run, limit)
        except OSError as error:
            return ended("failed", "no_start", {"ran": False}, error=error.strerror)
        facts = {
            "ran": True,
            "exit_code": ran.exit_code,
            "output": ran.output,
            "output_bytes": ran.output_bytes,
            "output_sha256": ran.output_sha256,
            "duration_s": round(ran.duration_s, 3),
        }
        if ran.exit_code is None:
            return ended("failed", "stopped", {**facts, "timed_out": True}, span=Figure(limit, "s"))
        status, span = "succeeded" if ran.exit_code == 0 else "failed", Figure(ran.duration_s, "s")
        return ended(status, "exit", facts, code=ran.exit_code, span=span)

    def _env(self, spec: ActionSpec) -> Mapping[str, str]:
        """From the configuration alone: secrets may be in it, so that the record has names and a hash."""
        configured = self._configured.get(spec.name)
        return configured.env if configured else {}

    async def _run(self, argv: Sequence[str], env: Mapping[str, str], run: Run, limit_s: float) -> Ran:
        began = self._clock.monotonic()
        capture = Capture()
        with capture.open() as stdout:
            process = await asyncio.create_subprocess_exec(
                *argv,
                cwd="/",
                env=environment(env, run),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
            exit_code = await _ended(process, limit_s)
        return Ran(
            exit_code=exit_code,
            output=capture.text(),
            output_bytes=capture.total,
            output_sha256=capture.digest.hexdigest(),
            duration_s=self._clock.monotonic() - began,
        )


async def _ended(process: asyncio.subprocess.Process, limit_s: float) -> int | None:
    """The exit status; None where the limit came first, and then nothing of its group stays.

    What a command that ended well left running is its own business: a restart leaves a server behind.
    """
    try:
        async with asyncio.timeout(limit_s):
            return await process.wait()
    except TimeoutError:
        await _stop(process)
        return None
    except asyncio.CancelledError:
        await _stop(process)
        raise


async def _stop(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def environment(env: Mapping[str, str], run: Run) -> dict[str, str]:
    """Nothing of the daemon's own environment, which holds secrets."""
    return {
        "PATH": PATH,
        "LANG": "C.UTF-8",
        **env,
        "ALERTENGINE_EXECUTION_ID": run.execution_id,
        "ALERTENGINE_INCIDENT_ID": run.incident_id,
        "ALERTENGINE_TENANT_ID": run.tenant_id,
    }


class Capture:
    """The beginning and the end of an output of any length, and a hash of all of it."""

    def __init__(self) -> None:
        self.total = 0
        self.digest = hashlib.sha256()
        self._head = b""
        self._tail = b""

    @contextmanager
    def open(self) -> Iterator[int]:
        """A descriptor to write to. At the end of the block nobody who still holds it is waited for:
        a command may have left a process behind, and what counts is how the command itself ended."""
        loop = asyncio.get_running_loop()
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        loop.add_reader(reader, self._read, reader)
        try:
            yield writer
        finally:
            loop.remove_reader(reader)
            os.close(writer)
            for _ in range(PIPE_BYTES // CHUNK_BYTES):
                self._read(reader)
            os.close(reader)

    def _read(self, reader: int) -> None:
        with suppress(BlockingIOError):
            self.add(os.read(reader, CHUNK_BYTES))

    def add(self, chunk: bytes) -> None:
        self.total += len(chunk)
        self.digest.update(chunk)
        room = OUTPUT_LIMIT // 2 - len(self._head)
        self._head += chunk[:room]
        self._tail = (self._tail + chunk[room:])[-OUTPUT_LIMIT // 2 :]

    def text(self) -> str:
        cut = self.total - len(self._head) - len(self._tail)
        parts = [self._head, f"\n… {cut} bytes cut …\n".encode() if cut else b"", self._tail]
        raw = b"".join(parts).decode(errors="replace").strip()
        return redact("".join(c if c.isprintable() or c in "\n\t" else "�" for c in raw))
