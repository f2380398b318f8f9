"""The trail as a story: local times, people standing out, foreign text harmless."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from alertengine.cli.story import Story, heading, render
from alertengine.core.events import Event, EventType, NewEvent
from alertengine.testing import TARIRO, detected, diagnosed, make_events

NASTY = "[/foo] [bold]x[/bold] \x1b[31mred\x07 \u202e :smile: \n next"


def drawn(events: list[Event], *, width: int = 80, terminal: bool = False) -> str:
    colours: Any = "standard" if terminal else None
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=colours)
    console.print(render(events))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def rejection(note: str = "") -> NewEvent:
    return NewEvent(type=EventType.RECOVERY_REJECTED, actor=TARIRO, data={"channel": "ops", "note": note})


@pytest.fixture
def harare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CAT-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_time_is_the_reader_s_own(harare: None) -> None:
    assert "05:04:05+02:00 AlertEngine" in drawn(make_events(detected()))


def test_a_new_day_is_said(harare: None) -> None:
    events = make_events(detected(), rejection(), at=datetime(2026, 1, 2, 21, 59, 59, tzinfo=UTC))
    assert "— Saturday 03 January 2026 —" in drawn(events)


def test_the_time_since_the_line_before_is_at_the_right() -> None:
    first, second = drawn(make_events(detected(), rejection())).splitlines()[-2:]
    assert second.endswith("+1.0 s")
    assert len(second) == 80
    assert "+" not in first[16:]


def test_what_people_did_stands_out_with_and_without_colour() -> None:
    events = make_events(detected(), diagnosed(), rejection())
    plain = drawn(events).splitlines()

    assert [line.startswith("▶") for line in plain if line[2:4].isdigit()] == [False, False, True]
    human = next(line for line in drawn(events, terminal=True).splitlines() if "▶" in line)
    assert "\x1b[1;36mdecided not to run it\x1b[0m" in human


@pytest.mark.parametrize("width", [40, 80, 200])
def test_foreign_text_is_shown_and_never_obeyed(width: int) -> None:
    events = make_events(detected(reason=NASTY), diagnosed(summary=NASTY), rejection(NASTY))
    told = drawn(events, width=width)

    assert "\x1b" not in told
    assert "\x07" not in told
    assert "\u202e" not in told
    assert "[/foo] [bold]x[/bold]" in " ".join(told.split()) or width == 40
    assert max(map(len, told.splitlines())) <= min(width, 110)


def test_the_heading_says_what_where_and_how_long() -> None:
    said = heading(make_events(detected(title=NASTY), rejection()), "REJECTED").plain
    assert "[/foo]" in said
    assert "\x1b" not in said
    assert "inc_1  REJECTED" in said
    assert "1.0 s in all" in said


def test_a_story_goes_on_where_it_was_left() -> None:
    events = make_events(detected(), rejection())
    console = Console(file=io.StringIO(), width=80)
    console.print(Story(events[1:], before=events[0]))
    assert "+1.0 s" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", EventType)
def test_every_event_can_be_drawn(kind: EventType) -> None:
    assert drawn(make_events(detected(), NewEvent(type=kind)))
