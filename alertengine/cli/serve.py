"""`alertengine serve`: the daemon."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from alertengine.cli.onboard import HEALTH_URL
from alertengine.cli.output import say
from alertengine.cli.place import ConfigFile, DataDirectory, Place, place

if TYPE_CHECKING:
    from alertengine.daemon import Running


def serve(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(metavar="N", help="The port; 0 takes any free one.")] = None,
    interval: Annotated[float | None, typer.Option(metavar="SECONDS", help="Pause between polls.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Run the daemon. It polls, alerts, serves the approval pages, recovers and verifies; SIGTERM ends it."""
    here = place(ctx, config, data_dir)
    flags = {"server.host": host, "server.port": port, "poll.interval_s": interval}
    settings = here.settings(flags)

    import asyncio

    from alertengine.cli import logs
    from alertengine.daemon import serve as run_daemon

    logs.set_up(verbose=verbose, debug=here.debug)
    asyncio.run(run_daemon(settings, lambda daemon: _ready(daemon, here)))
    say("AlertEngine stopped. What is open goes on when it starts again.")


def _ready(daemon: Running, here: Place) -> None:
    daemon.engine.spawn(_announce(daemon, here))


async def _announce(daemon: Running, here: Place) -> None:
    from alertengine.store import directory

    services = await daemon.engine.store.fetch(directory.services())
    say("\n".join(_announcement(daemon, len(services)) + _next_step(here, len(services))))


def _announcement(daemon: Running, services: int) -> list[str]:
    settings = daemon.settings
    rows = {
        "listens on": daemon.url,
        "links lead to": settings.base_url,
        "data": str(settings.data_dir.absolute()),
        "configuration": str(settings.path.absolute())
        if settings.path
        else "none: defaults (alertengine init)",
        "channels": ", ".join(f"{c.name} ({c.kind})" for c in daemon.engine.channels.values()),
        "services": str(services) if services else "none yet",
        "admin key": "as configured"
        if settings.auth.admin_key
        else f"in {settings.data_dir.absolute() / 'admin_key'}",
    }
    if settings.base_url == daemon.url:
        del rows["links lead to"]
    return [
        f"AlertEngine runs, process {os.getpid()}.",
        *(f"  {name:14} {value}" for name, value in rows.items()),
    ]


def _next_step(here: Place, services: int) -> list[str]:
    if services:
        return ["Look at them:", f"  {here.command('status --watch')}"]
    onboard = here.command(f"onboard --service NAME --health-url {HEALTH_URL}")
    return ["Put a service under watch:", f"  {onboard}"]
