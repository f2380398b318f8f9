"""`alertengine services`: what is watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.failure import NotSo, WrongUse
from alertengine.cli.look import look, tell
from alertengine.cli.onboard import read_secret
from alertengine.cli.output import say, show, show_json
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory
from alertengine.cli.tenants import TenantName, ask, table

if TYPE_CHECKING:
    from alertengine.cli.client import Client

app = typer.Typer(help="Services: list, add, change, remove.", no_args_is_help=True, rich_markup_mode=None)

Json = dict[str, Any]
Tenant = Annotated[
    str | None, typer.Option("--tenant", metavar="TENANT", help="Needed where there are several.")
]
ServiceName = Annotated[str, typer.Argument(metavar="SERVICE", help="Its name or its id.")]
HealthUrl = Annotated[str | None, typer.Option(metavar="URL", help="Where its health report is.")]
Secret = Annotated[
    str | None,
    typer.Option(metavar="SECRET", help="Its SDK's secret. @FILE reads a file; empty takes it away."),
]
MinScore = Annotated[
    float | None,
    typer.Option(
        metavar="SCORE", min=0, max=100, help="Alert at this score at most, instead of the policy's."
    ),
]
Confirmations = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=100, help="Critical polls that open an incident, likewise."),
]


@app.command("list")
def listed(
    ctx: typer.Context,
    tenant: TenantName = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """List the services of a tenant."""
    found = ask(ctx, config, data_dir, tenant, lambda client, path: client.get(f"{path}/services"))
    if as_json:
        show_json(found)
    elif found["services"]:
        rows = [{**s, "actions": ", ".join(s["actions"])} for s in found["services"]]
        keys = ("service", "health_url", "actions", "service_id")
        show(table(("service", "health URL", "recoveries", "id"), rows, keys))
    else:
        say("This tenant has no service.")


@app.command("add")
def add(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(metavar="NAME", help="The service's name.")],
    health_url: Annotated[str, typer.Option(metavar="URL", help="Where its health report is.")],
    service_secret: Secret = None,
    action: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A configured recovery; all where none is named. Repeatable."),
    ] = None,
    min_score: MinScore = None,
    confirmations: Confirmations = None,
    tenant: Tenant = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Watch one more service of a tenant."""
    given = _given(service, health_url, service_secret, min_score, confirmations)
    body = given | ({"actions": action} if action else {})

    async def work(client: Client, path: str) -> Json:
        made = await client.post(f"{path}/services", body)
        return {**made, "seen": await look(client, made["service_id"])}

    made = ask(ctx, config, data_dir, tenant, work)
    _tell(made, as_json, "is watched")
    tell(made["seen"])


@app.command("change")
def change(
    ctx: typer.Context,
    service: ServiceName,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Its new name.")] = None,
    health_url: HealthUrl = None,
    service_secret: Secret = None,
    min_score: MinScore = None,
    confirmations: Confirmations = None,
    tenant: Tenant = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Change a service: what is given, and nothing else."""
    body = _given(name, health_url, service_secret, min_score, confirmations)
    if not body:
        raise WrongUse("Say what is to be different, e.g. --health-url URL.")

    async def work(client: Client, path: str) -> Json:
        after = await client.patch(f"{path}/services/{await _id(client, path, service)}", body)
        moved = body.keys() & {"health_url", "service_secret"}
        return {**after, "seen": await look(client, after["service_id"])} if moved else after

    after = ask(ctx, config, data_dir, tenant, work)
    _tell(after, as_json, "is changed")
    tell(after.get("seen"))


@app.command("remove")
def remove(
    ctx: typer.Context,
    service: ServiceName,
    tenant: Tenant = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Watch a service no more. What happened to it stays on record."""

    async def work(client: Client, path: str) -> Json:
        return await client.delete(f"{path}/services/{await _id(client, path, service)}")

    _tell({"service": service, **ask(ctx, config, data_dir, tenant, work)}, as_json, "is watched no more")


def _given(
    name: str | None,
    health_url: str | None,
    secret: str | None,
    min_score: float | None,
    confirmations: int | None,
) -> Json:
    thresholds = {"min_score_to_alert": min_score, "confirmations": confirmations}
    own = {key: value for key, value in thresholds.items() if value is not None}
    body = {"service_name": name, "health_url": health_url, "service_secret": read_secret(secret)}
    given: Json = {**body, "thresholds": own or None}
    return {key: value for key, value in given.items() if value is not None}


async def _id(client: Client, path: str, service: str) -> str:
    known = (await client.get(f"{path}/services"))["services"]
    for one in known:
        if service in (one["service_id"], one["service"]):
            found: str = one["service_id"]
            return found
    raise NotSo(f"This tenant has no service {service}: alertengine services list.")


def _tell(answer: Json, as_json: bool, what: str) -> None:
    if as_json:
        show_json(answer)
    else:
        say(f"{answer['service']} {what}.")
