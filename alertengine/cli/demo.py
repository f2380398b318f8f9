"""`alertengine demo`: the whole product in one terminal."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from alertengine.cli.story import render
from alertengine.clock import SystemClock
from alertengine.core.events import Event
from alertengine.demo.story import Report, play


class Narrator:
    """Tells the demo on stderr, each step with the seconds since the start; live where there is a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._clock = SystemClock()
        self._began = self._clock.monotonic()
        self._status = console.status("") if console.is_terminal else None

    def step(self, text: str) -> None:
        self.pause()
        passed = f"{self._clock.monotonic() - self._began:5.1f} s "
        self._console.print(Text.assemble((passed, "dim"), text))
        self._live("working …")

    def message(self, message: Mapping[str, Any]) -> None:
        self.pause()
        title = f"{message['recipient']}'s phone"
        text = re.sub(r"(token=.{12})\S+", r"\1…", str(message["text"]))  # the whole link stands below
        body = Panel(Text(text), title=title, title_align="left", width=76)
        self._console.print(Padding(body, (1, 2)))

    def link(self, url: str) -> None:
        self._console.print(
            Text.assemble("Open this link to decide:\n", (url, "bold underline")), soft_wrap=True
        )
        self._live("waiting for the decision behind the link …")

    def trail(self, events: list[Event]) -> None:
        self.pause()
        self._console.print(render(events))

    def pause(self) -> None:
        if self._status:
            self._status.stop()

    def _live(self, text: str) -> None:
        if self._status:
            self._status.update(Text(text))
            self._status.start()


def run(console: Console, *, yes: bool, as_json: bool, port: int) -> int:
    """Answers the exit status: 0 resolved and the ledger verifies, 1 otherwise, 130 interrupted."""
    narrator = Narrator(console)
    try:
        report = asyncio.run(_interruptible(narrator, port, yes))
    except asyncio.CancelledError:
        narrator.pause()
        console.print("Stopped; nothing is left behind.")
        return 130
    finally:
        narrator.pause()
    if as_json:
        print(json.dumps(report.to_json()))  # noqa: T201 - the answer itself
    _conclude(console, report)
    return 0 if report.resolved and report.ledger["verified"] else 1


async def _interruptible(narrator: Narrator, port: int, yes: bool) -> Report:
    """Either signal unwinds the stage, so that no process or folder stays behind."""
    task = asyncio.ensure_future(play(narrator, port=port, approve=yes))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    return await task


def _conclude(console: Console, report: Report) -> None:
    if report.problem:
        console.print(Text(f"It did not end well: {report.problem}.", "bold red"))
        return
    seconds = report.durations
    alerted = (seconds["alerted_s"] or 0) - (seconds["critical_s"] or 0)
    ledger = report.ledger
    verdict = "verifies" if ledger["verified"] else "DOES NOT VERIFY"
    console.print(
        Text.assemble(
            ("Resolved. " if report.resolved else "Not resolved. ", "bold"),
            f"Critical {seconds['critical_s']:.1f} s after the fault began, the message {alerted:.1f} s later, ",
            f"healed at {seconds['resolved_s']:.1f} s; the demo took {timedelta(seconds=round(report.total_s))}. ",
            f"The ledger of {ledger['size']} events {verdict}.",
        )
    )
