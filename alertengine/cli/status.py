"""`alertengine status`: how everything is, at a glance."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.failure import NotSo
from alertengine.cli.incidents import listing
from alertengine.cli.output import data_console, say, show, show_json, styled, visible
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from alertengine.cli.client import Client

LOOK_AGAIN_S = 1.0
SPARKS = "▁▂▃▄▅▆▇█"
SHOWN_SCORES = 20
Json = dict[str, Any]


def status(
    ctx: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay, and show what changes.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Show how everything is. Services, open incidents, mode, queue and channels."""
    from alertengine.cli.client import run

    here = place(ctx, config, data_dir)
    settings = here.settings()
    idle = f"No daemon runs on {settings.data_dir}, so nothing is watched: {here.command('serve')}"
    if watch:
        run(settings, lambda client: _watch(client, idle, as_json))
        return
    seen = run(settings, _look)
    if not seen["daemon"]:
        say(idle)
    if as_json:
        show_json(seen)
    else:
        show(picture(seen))


async def _look(client: Client) -> Json:
    seen = await client.get("/status")
    return {"daemon": client.has_daemon, **seen, "incidents": await _open_incidents(client)}


async def _open_incidents(client: Client) -> list[Json]:
    """None where the store cannot be read: the mode says so, and is what must be seen then."""
    from alertengine.cli.client import Problem
    from alertengine.errors import StoreUnavailable

    try:
        found = await client.get("/local/incidents", open=True, limit=100)
    except Problem as problem:
        if problem.problem_code != StoreUnavailable.code:
            raise
        return []
    incidents: list[Json] = found["incidents"]
    return incidents


async def _watch(client: Client, idle: str, as_json: bool) -> None:
    """Paint when something that is shown has changed, and only then."""
    if not client.has_daemon:
        raise NotSo(idle)
    from contextlib import ExitStack, suppress

    with ExitStack() as stack:
        paint = _painter(stack, as_json)
        last = None
        stop = asyncio.Event()
        # An interrupt that comes as a cancellation can be lost inside a request that is just ending.
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
        while not stop.is_set():
            seen = await _look_or_say(client, last)
            if _shown(seen) != _shown(last):
                paint(seen)
            last = seen
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await stop.wait()


async def _look_or_say(client: Client, last: Json | None) -> Json:
    from alertengine.errors import DaemonUnreachable

    try:
        return await _look(client)
    except DaemonUnreachable:
        return {**(last or {}), "mode": "NO ANSWER", "reasons": ["the daemon does not answer any more"]}


def _painter(stack: Any, as_json: bool) -> Callable[[Json], None]:
    if as_json:
        return show_json
    if not sys.stdout.isatty():
        return lambda seen: show(picture(seen))
    from rich.live import Live

    live = stack.enter_context(Live(console=data_console(), auto_refresh=False, vertical_overflow="visible"))
    return lambda seen: live.update(picture(seen), refresh=True)


def _shown(seen: Json | None) -> Any:
    """What the picture is drawn from; ages and the times of polls are not."""
    if seen is None:
        return None
    services = [{**s, "polled_at": None, "scores": spark(s["scores"])} for s in seen.get("services", ())]
    return {**seen, "services": services, "loop": None}


def picture(seen: Json) -> Group:
    from rich.console import Group

    parts: list[Any] = [_mode(seen)]
    if seen.get("services"):
        parts += ["", _services(seen)]
    if seen.get("incidents"):
        parts += ["", listing(seen["incidents"])]
    return Group(*parts)


def _mode(seen: Json) -> Text:
    from rich.text import Text

    mode = seen["mode"] if seen.get("daemon", True) else "NOT RUNNING"
    styles = {"NORMAL": "bold green", "DEGRADED": "bold yellow"}
    said = Text.assemble((mode, styles.get(mode, "bold red")))
    said.append(f"  {_counts(seen)}")
    for reason in seen["reasons"]:
        said.append(f"\n  {visible(reason)}", "yellow")
    for one in seen.get("suspended", ()):
        said.append(
            f"\n  {visible(one['name'])} is suspended: nothing of it is polled, sent or run", "yellow"
        )
    said.append("\nchannels ", "dim").append(_channels(seen))
    if seen.get("model"):
        said.append("\nmodel    ", "dim").append(visible(_model(seen["model"])))
    return said


def _model(model: Json) -> str:
    """Who is asked beside the rules, and what it cost today."""
    today, budget = model["today"], model["budget"]
    spent = f"{today['usd']:.4f} USD in {_many(today['calls'], 'call')} today, {budget['usd']:g} USD a tenant at most"
    trouble = f", {model['reason']}" if model["reason"] else ""
    return f"{model['provider']} {model['model']} {model['state']}{trouble} · {spent}"


def _counts(seen: Json) -> str:
    counts = [
        _many(len(seen.get("services", ())), "service"),
        f"{_many(len(seen.get('incidents', ())), 'incident')} open",
        f"{seen.get('queue') or 'nothing'} in the queue",
    ]
    dead = seen.get("dlq_count", 0)
    quiet = len(seen.get("silences", ()))
    more = [(dead, "dead letter"), (quiet, "silence")]
    counts += [_many(number, what) for number, what in more if number]
    return " · ".join(counts + _postage(seen.get("postage", ())))


def _postage(rows: Sequence[Json]) -> list[str]:
    """What this month's messages cost; a cap that was reached is said for its tenant."""
    total = sum(row["spent"] for row in rows)
    capped = [
        f"spend cap of {row['cap']:g} reached ({visible(row['tenant_id'])})" for row in rows if row["capped"]
    ]
    return ([f"messages cost {total:.2f} this month"] if total else []) + capped


def _many(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _channels(seen: Json) -> str:
    rows = seen.get("channels", {}).items()
    return " · ".join(f"{visible(name)} {visible(row['state'])}" for name, row in rows)


def _services(seen: Json) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, max_width=24, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in seen["services"]:
        sign, style = _SIGNS.get(row["health"], ("?", ""))
        score = "–" if row["score"] is None else f"{row['score']:.0f}"
        headline = f"  {row['headline']}" if row["headline"] else ""
        table.add_row(
            styled(sign, style),
            styled(row["service"], "bold"),
            styled(score),
            styled(spark(row["scores"]), style),
            styled(f"{row['health']}{headline}"),
        )
    return table


_SIGNS = {
    "ok": ("●", "green"),
    "warning": ("▲", "yellow"),
    "critical": ("■", "bold red"),
    "unreachable": ("×", "bold red"),
    "unknown": ("○", "dim"),
}


def spark(scores: list[float | None]) -> str:
    """The last scores (0-100) as a small line; a gap where a poll had none."""
    return "".join(_level(score) for score in scores[-SHOWN_SCORES:]).rjust(SHOWN_SCORES)


def _level(score: float | None) -> str:
    if score is None:
        return "·"
    return SPARKS[min(int(max(score, 0) / 100 * len(SPARKS)), len(SPARKS) - 1)]
