"""`alertengine contacts`: who is told, and who may decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.failure import NotSo, WrongUse
from alertengine.cli.onboard import read_contact
from alertengine.cli.output import say, show, show_json
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory
from alertengine.cli.services import Tenant
from alertengine.cli.tenants import TenantName, ask, table

if TYPE_CHECKING:
    from alertengine.cli.client import Client

app = typer.Typer(help="Contacts: list, add, change, remove.", no_args_is_help=True, rich_markup_mode=None)

Json = dict[str, Any]
Who = Annotated[
    str, typer.Argument(metavar="CONTACT", help="The contact's id, or a name that one alone has.")
]
Channel = Annotated[str | None, typer.Option(metavar="NAME", help="How they are reached; else the tenant's.")]
Role = Annotated[str | None, typer.Option(metavar="ROLE", help="viewer, approver or admin.")]
Language = Annotated[
    str | None, typer.Option(metavar="CODE", help="The language they are told in: en, pt, fr, sw or sn.")
]


@app.command("list")
def listed(
    ctx: typer.Context,
    tenant: TenantName = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """List the contacts of a tenant, in the order in which they are told."""
    found = ask(ctx, config, data_dir, tenant, lambda client, path: client.get(f"{path}/contacts"))
    if as_json:
        show_json(found)
    elif found["contacts"]:
        rows = [{**c, "verified": "yes" if c["verified"] else "not yet"} for c in found["contacts"]]
        titles = ("contact", "by", "address", "role", "verified", "id")
        show(table(titles, rows, ("name", "channel", "address", "role", "verified", "contact_id")))
    else:
        say("This tenant has no contact, so nobody is told anything.")


@app.command("add")
def add(
    ctx: typer.Context,
    contact: Annotated[str, typer.Argument(metavar="NAME=ADDRESS", help="Who is told, and where.")],
    channel: Channel = None,
    role: Role = None,
    language: Language = None,
    tenant: Tenant = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Tell one more person, once they have verified their address."""
    told = {"role": role, "language": language}
    person = read_contact(contact, option="") | {key: value for key, value in told.items() if value}

    async def work(client: Client, path: str) -> Json:
        by = channel or (await client.get(path))["notification_channel"]
        return await client.post(f"{path}/contacts", {**person, "channel": by})

    _tell(ask(ctx, config, data_dir, tenant, work), as_json, "is on the list")


@app.command("change")
def change(
    ctx: typer.Context,
    contact: Who,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Their new name.")] = None,
    channel: Channel = None,
    address: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Their new address.")] = None,
    role: Role = None,
    language: Language = None,
    tenant: Tenant = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Change a contact: what is given, and nothing else. A new channel or address is verified anew."""
    given = {"name": name, "channel": channel, "address": address, "role": role, "language": language}
    body = {key: value for key, value in given.items() if value is not None}
    if not body:
        raise WrongUse("Say what is to be different, e.g. --role viewer.")

    async def work(client: Client, path: str) -> Json:
        return await client.patch(f"{path}/contacts/{await _id(client, path, contact)}", body)

    _tell(ask(ctx, config, data_dir, tenant, work), as_json, "is changed")


@app.command("remove")
def remove(
    ctx: typer.Context,
    contact: Who,
    tenant: Tenant = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Tell a person nothing any more. Their links decide nothing from now on."""

    async def work(client: Client, path: str) -> Json:
        return await client.delete(f"{path}/contacts/{await _id(client, path, contact)}")

    gone = {"name": contact, "verified": True, **ask(ctx, config, data_dir, tenant, work)}
    if as_json:
        show_json({key: gone[key] for key in ("removed", "tenant_id", "contact_id")})
    else:
        say(f"{contact} is told nothing any more.")


async def _id(client: Client, path: str, contact: str) -> str:
    known = (await client.get(f"{path}/contacts"))["contacts"]
    found = [c["contact_id"] for c in known if contact in (c["contact_id"], c["name"])]
    if not found:
        raise NotSo(f"This tenant has no contact {contact}: alertengine contacts list.")
    if len(found) > 1:
        raise WrongUse(f"{contact} has several addresses; give the id of one: {', '.join(found)}")
    only: str = found[0]
    return only


def _tell(answer: Json, as_json: bool, what: str) -> None:
    if as_json:
        show_json(answer)
        return
    say(f"{answer['name']} {what}.")
    if not answer["verified"]:
        say(f"With the code that was sent to them: alertengine verify {answer['contact_id']} CODE")
        say(
            f"A link that proves more, where their channel has one: alertengine verify {answer['contact_id']}"
        )
