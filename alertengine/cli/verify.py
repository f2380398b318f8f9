"""`alertengine verify`: a contact's address, proved by the code that was sent there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.failure import NotSo
from alertengine.cli.output import say, show_json
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from alertengine.cli.client import Client


def verify(
    ctx: typer.Context,
    contact: Annotated[str, typer.Argument(metavar="CONTACT", help="Name, address or id.")],
    code: Annotated[
        str | None,
        typer.Argument(metavar="[CODE]", help="What they were sent; without it, a new one is sent."),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Confirm a contact by the code that they were sent. Until then they are sent nothing else."""
    from alertengine.cli.client import run

    async def work(client: Client) -> dict[str, Any]:
        if code is not None:
            return await _confirm(client, contact, code)
        return await client.post("/local/contacts/code", {"contact": contact})

    done = run(place(ctx, config, data_dir).settings(), work)
    if done.get("problem"):
        raise NotSo(f"The code could not be sent: {done['problem']}")
    if as_json:
        show_json(done)
    else:
        say(_told(done, code))


def _told(done: dict[str, Any], code: str | None) -> str:
    if code:
        return f"{done['name']} is verified."
    link = f" Or {done['name']} opens this within ten minutes: {done['url']}" if done.get("url") else ""
    return f"A new code is on its way to {done['name']}.{link}"


async def _confirm(client: Client, contact: str, code: str) -> dict[str, Any]:
    from alertengine.cli.client import Problem

    try:
        return await client.post("/verify", {"phone": contact, "code": code})
    except Problem as problem:
        if problem.problem_code != "CODE_INVALID":
            raise
        known = await client.get("/local/contacts", who=contact)
        unknown = f"No contact {contact} waits for a code: alertengine contacts list."
        raise NotSo(str(problem) if known["waiting"] else unknown) from None
