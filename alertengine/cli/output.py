"""Data on stdout, talk on stderr; what others wrote is shown and never obeyed."""

from __future__ import annotations

import contextlib
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Column
    from rich.text import Text

WIDEST = 110
"""Wider lines are hard to read."""
UNFOLDED = 100_000
"""Where nobody sits at it, no line ends before what it says."""
GAP = 2
"""Between two columns."""


def data_console() -> Console:
    return _console(sys.stdout)


def talk_console() -> Console:
    return _console(sys.stderr)


def _console(stream: Any) -> Console:
    from rich.console import Console

    console = Console(file=stream, markup=False, highlight=False, emoji=False)
    console.width = min(console.width, WIDEST)
    return console


def show(what: RenderableType) -> None:
    """An answer for people, on stdout. Prose is folded where somebody sits at it; an id, a URL or a path never is."""
    from rich.text import Text

    console = data_console()
    console.width = max(console.width, least(console, what)) if console.is_terminal else UNFOLDED
    with console.capture() as drawn:
        console.print(what, soft_wrap=isinstance(what, (str, Text)))
    sys.stdout.write("\n".join(line.rstrip() for line in drawn.get().split("\n")))
    sys.stdout.flush()


def least(console: Console, what: RenderableType) -> int:
    """The width at which nothing breaks but prose, between its words."""
    from rich.console import Group
    from rich.table import Table

    if isinstance(what, Group):
        return max((least(console, part) for part in what.renderables), default=0)
    if not isinstance(what, Table):
        return 0
    wide = console.options.update(max_width=UNFOLDED)
    return sum(_least_column(console, wide, column) + GAP for column in what.columns)


def _least_column(console: Console, wide: ConsoleOptions, column: Column) -> int:
    from rich.measure import Measurement

    cells = [Measurement.get(console, wide, cell) for cell in (column.header, *column.cells)]
    widths = [cell.maximum if column.no_wrap else cell.minimum for cell in cells]
    return min(max(widths), column.max_width or UNFOLDED)


def show_json(value: Any) -> None:
    """An answer for programs, on stdout. Escaped to ASCII, so that no character can act on a terminal."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
    sys.stdout.flush()


def say(message: str) -> None:
    """A line of talk, on stderr."""
    sys.stderr.write("\n".join(visible(line) for line in message.split("\n")) + "\n")
    sys.stderr.flush()


def can_ask() -> bool:
    """Somebody sits at the terminal."""
    return sys.stdin.isatty()


def ask(what: str, default: str | None = None, *, hide: bool = False) -> str:
    """A question at the terminal; stdout stays free of it."""
    with contextlib.redirect_stdout(sys.stderr):
        answer: str = typer.prompt(what, default=default, show_default=bool(default), hide_input=hide)
    return answer.strip()


def ask_for(what: str, default: str, problem: Callable[[str], str | None]) -> str:
    """Asked again until `problem` finds none."""
    while wrong := problem(given := ask(what, default)):
        say(f"{wrong[:1].upper()}{wrong[1:]}.")
    return given


def confirm(what: str) -> bool:
    with contextlib.redirect_stdout(sys.stderr):
        return bool(typer.confirm(what))


def visible(value: Any) -> str:
    """`value` as one line without anything that acts on a terminal or cannot be seen."""
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() else " " if c.isspace() else "�" for c in text)


def styled(value: Any, style: str = "") -> Text:
    """`visible`, for a table."""
    from rich.text import Text

    return Text(visible(value), style)


def moment(stamp: str | None) -> str:
    """A time from the API, as the clock on the wall shows it."""
    return f"{local(stamp):%d %b %H:%M:%S}" if stamp else ""


def local(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp).astimezone()
