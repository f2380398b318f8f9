"""`alertengine onboard` and `test`: put a service under watch, and try the whole way to the phone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.failure import NotSo, WrongUse
from alertengine.cli.output import say, show, show_json, styled
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from alertengine.cli.client import Client


def onboard(
    ctx: typer.Context,
    service: Annotated[str | None, typer.Option(metavar="NAME", help="The service's name.")] = None,
    health_url: Annotated[str | None, typer.Option(metavar="URL", help="Its health report.")] = None,
    service_secret: Annotated[
        str | None,
        typer.Option(metavar="SECRET", help="The SDK's secret, for evidence and recoveries; @FILE reads it."),
    ] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="NAME", help="How its contacts are reached; the first configured.")
    ] = None,
    contact: Annotated[
        list[str] | None, typer.Option(metavar="NAME=ADDRESS", help="Who is told; may be repeated.")
    ] = None,
    plan: Annotated[str | None, typer.Option(metavar="PLAN", help="What was bought.")] = None,
    action: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A configured recovery; may be repeated. All where none is named."),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Put a service under watch; asks for what is missing. The API key is shown once."""
    asks = sys.stdin.isatty()
    missing = [flag for flag, given in (("--service", service), ("--health-url", health_url)) if not given]
    if missing and not asks:
        raise WrongUse(f"{' and '.join(missing)}: needed; stdin is no terminal, so nothing can be asked.")
    contacts = [_contact(given) for given in contact or ()]
    settings = place(ctx, config, data_dir).settings()
    given = {
        "service_name": service or _ask("Name of the service"),
        "health_url": health_url or _ask("Its health URL", "http://127.0.0.1:8000/health/alerts"),
        "service_secret": _secret(service_secret, ask=bool(missing)),
        "plan": plan,
        "actions": action or None,
    }

    from alertengine.cli.client import run

    async def work(client: Client) -> dict[str, Any]:
        by = await _channel(client, channel, ask=bool(missing))
        people = contacts or (_ask_contacts(by) if missing else [])
        body = {**given, "notification_channel": by, "contacts": [{**p, "channel": by} for p in people]}
        made = await client.post("/onboard", {key: value for key, value in body.items() if value is not None})
        return {**made, "daemon": client.has_daemon}

    _tell(run(settings, work), as_json)


def _tell(made: dict[str, Any], as_json: bool) -> None:
    running = made.pop("daemon")
    if as_json:
        show_json(made)
    else:
        for key in ("tenant_id", "api_key"):
            show(styled(f"{key:10} {made[key]}"))
    say("The API key is shown this once: keep it.")
    say(f"Next: {made['next_step']}" if running else f"Next: alertengine serve; then {made['next_step']}")


def _contact(given: str) -> dict[str, str]:
    name, separator, address = given.partition("=")
    if not separator or not name.strip():
        raise WrongUse(f"--contact {given}: give NAME=ADDRESS, e.g. Tariro=+263771234567 (console: Tariro=)")
    return {"name": name.strip(), "address": address.strip()}


def _secret(given: str | None, *, ask: bool) -> str | None:
    if given is None and ask:
        entered: str = typer.prompt(
            "Its SDK's secret (empty: none)", default="", show_default=False, hide_input=True, err=True
        )
        return entered or None
    if given is None or not given.startswith("@"):
        return given
    from pathlib import Path

    try:
        return Path(given[1:]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"--service-secret {given}: cannot be read: {error}") from error


async def _channel(client: Client, given: str | None, *, ask: bool) -> str:
    known = list((await client.get("/status"))["channels"])
    if given is not None or not ask:
        return given or known[0]
    return _ask(f"Channel ({', '.join(known)})", known[0])


def _ask(what: str, default: str | None = None) -> str:
    answer: str = typer.prompt(what, default=default, err=True)
    return answer.strip()


def _ask_contacts(channel: str) -> list[dict[str, str]]:
    """Nobody named: the API makes one contact of its own."""
    people = []
    while name := typer.prompt("Name of a contact (empty: done)", default="", show_default=False, err=True):
        address = typer.prompt(f"Address on {channel}", default="", show_default=False, err=True)
        people.append({"name": name.strip(), "address": address.strip()})
    return people


def rehearse(
    ctx: typer.Context,
    tenant: Annotated[
        str | None,
        typer.Argument(metavar="[TENANT]", help="Which tenant; may be left out where it is alone."),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Send a test incident through the real channels. Nothing real is run by it."""
    from alertengine.cli.client import run
    from alertengine.cli.incidents import segment

    async def work(client: Client) -> dict[str, Any]:
        chosen = tenant or await _only_tenant(client)
        made = await client.post(f"/tenant/{segment(chosen)}/test")
        return {"tenant_id": chosen, **made, "daemon": client.has_daemon}

    made = run(place(ctx, config, data_dir).settings(), work)
    running = made.pop("daemon")
    if as_json:
        show_json(made)
    else:
        show(styled(made["incident_id"]))
    if not running:
        say("Its link needs a running daemon: alertengine serve.")
    say(f"The message goes to the contacts. What became of it: alertengine audit {made['incident_id']}")


async def _only_tenant(client: Client) -> str:
    found = (await client.get("/local/tenants"))["tenants"]
    if not found:
        raise NotSo("There is no tenant yet: alertengine onboard.")
    if len(found) > 1:
        names = ", ".join(f"{t['tenant_id']} ({t['name']})" for t in found)
        raise WrongUse(f"There are several tenants; say which: {names}")
    only: str = found[0]["tenant_id"]
    return only
