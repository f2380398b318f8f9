"""`alertengine onboard` and `test`: put a service under watch, and try the whole way to the phone."""

from __future__ import annotations

import getpass
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.failure import WrongUse
from alertengine.cli.look import look, tell
from alertengine.cli.output import ask, ask_for, can_ask, confirm, say, show, show_json, styled
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, Place, place

if TYPE_CHECKING:
    from alertengine.cli.client import Client

HEALTH_URL = "http://127.0.0.1:8000/health/alerts"
Json = dict[str, Any]


def onboard(
    ctx: typer.Context,
    service: Annotated[str | None, typer.Option(metavar="NAME", help="The service's name.")] = None,
    health_url: Annotated[str | None, typer.Option(metavar="URL", help="Where its health report is.")] = None,
    service_secret: Annotated[
        str | None,
        typer.Option(
            metavar="SECRET", help="Its SDK's secret: for evidence and recoveries. @FILE reads a file."
        ),
    ] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="NAME", help="How its contacts are reached; else the first one.")
    ] = None,
    contact: Annotated[
        list[str] | None, typer.Option(metavar="NAME=ADDRESS", help="Who is told. Repeatable.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(metavar="CODE", help="The contacts' language; else the daemon's.")
    ] = None,
    plan: Annotated[str | None, typer.Option(metavar="PLAN", help="What was bought.")] = None,
    action: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A configured recovery; all where none is named. Repeatable."),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Put a service under watch. Asks for what is missing; shows the tenant's API key this once."""
    here = place(ctx, config, data_dir)
    missing = [flag for flag, given in (("--service", service), ("--health-url", health_url)) if not given]
    if missing and not can_ask():
        raise WrongUse(f"{' and '.join(missing)}: needed. stdin is no terminal, so nothing can be asked.")
    form = _Form(
        service=service,
        health_url=health_url,
        secret=read_secret(service_secret),
        channel=channel,
        contacts=[read_contact(given) for given in contact or ()],
        language=language,
    )
    settings = here.settings()

    from alertengine.cli.client import run

    known, tenants = run(settings, _known, begins=True)
    if missing:
        form.ask(known)
    body = {**form.body(known[0]), "plan": plan, "actions": action or None}

    async def work(client: Client) -> Json:
        made = await client.post("/onboard", {key: value for key, value in body.items() if value is not None})
        return {**made, "seen": await look(client, made["service_id"]), "daemon": client.has_daemon}

    made = run(settings, work, begins=True)
    _tell(made, here, as_json)
    if tenants:
        _apart(made, form, tenants[0], here)


async def _known(client: Client) -> tuple[list[str], list[Json]]:
    """The channels by name, and the tenants that are watched already."""
    tenants = (await client.get("/tenants"))["tenants"]
    return list((await client.get("/status"))["channels"]), [t for t in tenants if t["status"] == "active"]


@dataclass(slots=True, kw_only=True)
class _Form:
    """What was given as flags; `ask` fills in the rest at the terminal."""

    service: str | None
    health_url: str | None
    secret: str | None
    channel: str | None
    contacts: list[dict[str, str]]
    language: str | None

    def ask(self, channels: list[str]) -> None:
        from alertengine.core.addresses import url_problem

        self.service = self.service or ask("Name of the service")
        self.health_url = self.health_url or ask_for("Its health URL", HEALTH_URL, url_problem)
        if self.secret is None:
            self.secret = ask("Its SDK's secret (empty: none)", "", hide=True) or None
        named = ", ".join(channels)
        self.channel = self.channel or ask_for(
            f"Channel ({named})", channels[0], lambda given: None if given in channels else f"one of {named}"
        )
        while not self.contacts or confirm("Another contact?"):
            name = ask("Name of a contact", "operator" if not self.contacts else None)
            self.contacts.append({"name": name, "address": ask(f"Address on {self.channel}", "")})

    def body(self, first_channel: str) -> Json:
        by = self.channel or first_channel
        told = {"language": self.language} if self.language else {}
        return {
            "service_name": self.service,
            "health_url": self.health_url,
            "service_secret": self.secret,
            "notification_channel": by,
            "contacts": [{**person, "channel": by, **told} for person in self.contacts],
        }


def read_contact(given: str, option: str = "--contact ") -> dict[str, str]:
    name, separator, address = given.partition("=")
    if not separator or not name.strip():
        raise WrongUse(f"{option}{given}: give NAME=ADDRESS, e.g. Tariro=+263771234567 (console: Tariro=)")
    return {"name": name.strip(), "address": address.strip()}


def read_secret(given: str | None) -> str | None:
    if given is None or not given.startswith("@"):
        return given
    from pathlib import Path

    try:
        return Path(given[1:]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"--service-secret {given}: cannot be read: {error}") from error


def _apart(made: Json, form: _Form, first: Json, here: Place) -> None:
    """There are other tenants, and whoever only wanted to watch one more service did not want this one."""
    own, service = made["tenant_id"], shlex.quote(form.service or "")
    secret = " --service-secret SECRET" if form.secret else ""
    where = f"--health-url {shlex.quote(form.health_url or '')}{secret} --tenant {first['tenant_id']}"
    add = f"services add {service} {where}"
    say(
        f"{own} is a new tenant, apart from {first['name']}: with its own key, contacts and plan. To watch {service} "
        f"for {first['name']} instead: {here.command(add)}; then {here.command('tenants suspend ' + own)}"
    )


def _tell(made: Json, here: Place, as_json: bool) -> None:
    running = made.pop("daemon")
    if as_json:
        show_json(made)
    else:
        show(styled(f"tenant_id  {made['tenant_id']}"))
        show(styled(f"api_key    {made['api_key']}"))
    say("The API key is shown this once: keep it.")
    tell(made["seen"])
    if made["contacts_pending"]:
        people = ", ".join(made["contacts_pending"])
        for name, url in made["contact_links"].items():
            say(f"{name} opens this within ten minutes: {url}")
        say(f"Next, with the code that was sent to {people}: {here.command('verify NAME CODE')}")
        return
    if not running:
        say(f"Next: {here.command('serve')}")
    say(f"{'Next' if running else 'Then'}: {here.command('test ' + made['tenant_id'])}")


def rehearse(
    ctx: typer.Context,
    tenant: Annotated[
        str | None, typer.Argument(metavar="[TENANT]", help="May be left out where there is one alone.")
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Send a test through the real channels. Nothing real is run by it."""
    from alertengine.cli.client import run
    from alertengine.cli.incidents import segment
    from alertengine.cli.tenants import meant

    here = place(ctx, config, data_dir)

    async def work(client: Client) -> Json:
        chosen = await meant(client, tenant)
        asked = {"operator": getpass.getuser()}
        made = await client.post(f"/local/tenants/{segment(chosen)}/test", asked)
        return {"tenant_id": chosen, **made, "daemon": client.has_daemon}

    made = run(here.settings(), work)
    running = made.pop("daemon")
    if as_json:
        show_json(made)
    else:
        show(styled(made["incident_id"]))
    if not running:
        say(f"Its link needs a running daemon: {here.command('serve')}")
    say(
        f"The message goes to the contacts. What becomes of it: {here.command('audit ' + made['incident_id'])}"
    )
