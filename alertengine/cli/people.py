"""`alertengine people`: what is known of the people who decide, beside their addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.failure import WrongUse
from alertengine.cli.output import can_ask, say, show, show_json, styled
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(
    no_args_is_help=True, help="The people who decide: their PIN, and the mailbox they sign in with."
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="As their contact is called.")]
Tenant = Annotated[str | None, typer.Option("--tenant", metavar="TENANT_ID", help="Of this tenant.")]
Clear = Annotated[bool, typer.Option("--clear", help="Take it away.")]


@app.command("list")
def list_people(
    ctx: typer.Context,
    tenant: Tenant = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Show each person once, with all their addresses."""
    found = _ask(ctx, config, data_dir, "/local/people", {"tenant": tenant})
    if as_json:
        show_json(found)
    elif found["people"]:
        show(_table(found["people"]))
    else:
        say("There is nobody yet.")


@app.command()
def pin(
    ctx: typer.Context,
    name: Name,
    clear: Clear = False,
    tenant: Tenant = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Set somebody's PIN, which actions may ask for beside the link; or open a locked one. Asks for it, or reads
    stdin."""
    given = None if clear else _read_pin()
    body = {"tenant": tenant, "name": name, "pin": given}
    done = _ask(ctx, config, data_dir, "/local/people/pin", body)
    if as_json:
        show_json(done)
    else:
        say(f"{name} has no PIN any more." if clear else f"The PIN of {name} is set.")


@app.command()
def email(
    ctx: typer.Context,
    name: Name,
    address: Annotated[
        str | None, typer.Argument(metavar="[EMAIL]", help="As their provider knows it.")
    ] = None,
    clear: Clear = False,
    tenant: Tenant = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Say which mailbox somebody signs in with."""
    if (address is None) != clear:
        raise WrongUse("Give the mailbox, or --clear.")
    body = {"tenant": tenant, "name": name, "email": address}
    done = _ask(ctx, config, data_dir, "/local/people/email", body)
    if as_json:
        show_json(done)
    else:
        say(f"{name} signs in with {address}." if address else f"{name} does not sign in any more.")
        if address and not done["sign_in"]:
            say("There is no provider to sign in by yet: name one in [oidc].")


@app.command()
def shared(
    ctx: typer.Context,
    contact: Annotated[str, typer.Argument(metavar="CONTACT", help="The name or id of a contact.")],
    no: Annotated[bool, typer.Option("--no", help="It is one person's after all.")] = False,
    tenant: Tenant = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Mark an address that several people read: its links open, but a decision needs a sign-in."""
    body = {"tenant": tenant, "name": contact, "shared": not no}
    done = _ask(ctx, config, data_dir, "/local/people/shared", body)
    if as_json:
        show_json(done)
    else:
        say(f"{contact} is {'one person' if no else 'read by several'}.")
        if not no and not done["sign_in"]:
            say("Nothing can be decided from there: there is no provider to sign in by yet ([oidc]).")


def _read_pin() -> str:
    import getpass
    import sys

    if not can_ask():
        return sys.stdin.readline().strip()
    given = getpass.getpass("PIN (6 to 12 digits): ")
    if given != getpass.getpass("Once more: "):
        raise WrongUse("The two are not the same.")
    return given


def _ask(ctx: typer.Context, config: Any, data_dir: Any, path: str, body: dict[str, Any]) -> dict[str, Any]:
    from alertengine.cli.client import run

    return run(place(ctx, config, data_dir).settings(), lambda client: client.post(path, body))


def _table(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("name", "role", "by", "signs in with", "PIN"):
        table.add_column(title, no_wrap=True)
    for row in rows:
        table.add_row(
            styled(row["name"]),
            styled(row["role"]),
            styled(", ".join(row["by"])),
            styled(row["email"] or "", "dim"),
            styled(row["pin"], "red" if row["pin"] == "locked" else "dim"),
        )
    return table
