"""An incident's trail as a story: when, who, what, and how long after the line before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from alertengine.cli.output import UNFOLDED, WIDEST, visible
from alertengine.cli.wording import words
from alertengine.core.account import span
from alertengine.core.events import Event, EventType

WIDEST_ACTOR = 14
NOTABLE_S = 0.05
"""What follows sooner than this follows at once."""
_HUMAN = "bold cyan"
WHOLE = (_HUMAN, "dim")
"""Styles of a whole line; the others colour its verb alone."""
_STYLES: Mapping[str, str] = {
    EventType.ALERT_QUEUED: "dim",
    EventType.ALERT_ACCEPTED: "dim",
    EventType.INCIDENT_DETECTED: "red",
    EventType.ALERT_FAILED: "yellow",
    EventType.ALERT_DEAD: "red",
    EventType.RECOVERY_FAILED: "red",
    EventType.RECOVERY_OUTCOME_UNKNOWN: "red",
    EventType.HEALTH_NOT_RECOVERED: "red",
    EventType.HEALTH_VERIFIED: "green",
    EventType.RECOVERY_SUCCEEDED: "green",
    EventType.INCIDENT_RESOLVED: "green",
}


class Story:
    """Draws `events` at any width. `before`: the event that went before the first, where there is one."""

    def __init__(self, events: Iterable[Event], before: Event | None = None) -> None:
        self._events = list(events)
        self._before = before

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table.grid(padding=(0, 1))
        table.width = min(options.max_width, WIDEST) if options.max_width < UNFOLDED else None
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, max_width=WIDEST_ACTOR, overflow="ellipsis")
        table.add_column(ratio=1, overflow="fold")
        table.add_column(justify="right", no_wrap=True, min_width=7)
        before = self._before
        for event in self._events:
            if before is not None and _day(event) != _day(before):
                table.add_row("", "", "", Text(f"— {_day(event):%A %d %B %Y} —", "dim"), "")
            table.add_row(*_row(event, before))
            before = event
        yield table


def render(events: Sequence[Event]) -> Story:
    return Story(events)


def heading(events: Sequence[Event], stage: str) -> Text:
    """What it was about, where it stands, when it began."""
    first, last = events[0], events[-1]
    title = visible(first.data.get("title", first.incident_id))
    lasted = f", {span((last.at - first.at).total_seconds())} in all" if len(events) > 1 else ""
    began = f"{first.at.astimezone():%A %d %B %Y}"
    return Text.assemble((title, "bold"), f"\n{first.incident_id}  ", (stage, "bold"), f"  {began}{lasted}\n")


def _row(event: Event, before: Event | None) -> tuple[Text, Text, Text, Text, Text]:
    human = event.actor.human
    style = _HUMAN if human else _STYLES.get(event.type, "")
    verb, detail = words(event.type, event.data)
    told = Text.assemble((verb, style or "bold"), " ", (_lines(detail), style if style in WHOLE else ""))
    return (
        Text("▶", style) if human else Text(),
        _clock(event.at),
        Text(visible(event.actor.name), _HUMAN if human else "dim"),
        told,
        _passed(event, before),
    )


def _passed(event: Event, before: Event | None) -> Text:
    seconds = (event.at - before.at).total_seconds() if before else 0.0
    return Text(f"+{span(seconds)}", "dim") if seconds >= NOTABLE_S else Text()


def _lines(detail: str) -> str:
    return "\n".join(visible(line) for line in detail.split("\n"))


def _clock(at: datetime) -> Text:
    here = at.astimezone()
    offset = here.isoformat()[-6:]
    return Text.assemble(f"{here:%H:%M:%S}", (offset, "dim"))


def _day(event: Event) -> datetime:
    return event.at.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
