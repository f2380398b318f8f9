"""`alertengine tenants`: who is served, on which plan, with which keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alertengine.cli.failure import NotSo, WrongUse
from alertengine.cli.output import moment, say, show, show_json, styled
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from rich.table import Table

    from alertengine.cli.client import Client

app = typer.Typer(help="Tenants: list, suspend, plan, keys.", no_args_is_help=True, rich_markup_mode=None)

Json = dict[str, Any]
TenantName = Annotated[
    str | None,
    typer.Argument(metavar="[TENANT]", help="Its id or its name. May be left out where there is one alone."),
]


@app.command("list")
def listed(
    ctx: typer.Context, as_json: AsJson = False, config: ConfigFile = None, data_dir: DataDirectory = None
) -> None:
    """List the tenants."""
    from alertengine.cli.client import run

    found = run(place(ctx, config, data_dir).settings(), lambda client: client.get("/tenants"))
    if as_json:
        show_json(found)
    elif found["tenants"]:
        keys = ("tenant_id", "name", "plan", "status", "created_at")
        rows = [{**t, "created_at": moment(t["created_at"])[:-3]} for t in found["tenants"]]
        show(table(("tenant", "name", "plan", "status", "since"), rows, keys))
    else:
        say("There is no tenant yet: alertengine onboard.")


@app.command("show")
def shown(
    ctx: typer.Context,
    tenant: TenantName = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Show a tenant: its services, contacts, keys, what is used of its plan, and what was decided about it."""

    async def work(client: Client, path: str) -> Json:
        record = await client.get(path)
        for part in ("contacts", "keys"):
            record |= await client.get(f"{path}/{part}")
        return {**record, "history": (await client.get(f"{path}/history"))["events"]}

    found = ask(ctx, config, data_dir, tenant, work)
    if as_json:
        show_json(found)
        return
    from rich.console import Group

    show(Group(_record(found), *_parts(found)))


@app.command("suspend")
def suspend(
    ctx: typer.Context,
    tenant: TenantName = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Recorded.")] = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Suspend a tenant: nothing of it is polled, sent or run, and its keys open nothing, until it is resumed."""
    body = {"reason": reason}
    after = ask(ctx, config, data_dir, tenant, lambda client, path: client.post(f"{path}/suspend", body))
    _done(after, as_json, f"{after['name']} is suspended. alertengine tenants resume {after['tenant_id']}")


@app.command("resume")
def resume(
    ctx: typer.Context,
    tenant: TenantName = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Go on with a suspended tenant."""
    after = ask(
        ctx, config, data_dir, tenant, lambda client, path: client.post(f"{path}/resume"), "suspended"
    )
    _done(after, as_json, f"{after['name']} is watched again.")


@app.command("plan")
def plan(
    ctx: typer.Context,
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Its id or its name.")],
    name: Annotated[str, typer.Argument(metavar="PLAN", help="The plan from now on.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Put a tenant on another plan."""
    body = {"plan": name}
    after = ask(ctx, config, data_dir, tenant, lambda client, path: client.post(f"{path}/plan", body))
    _done(after, as_json, f"{after['name']} is on the plan {after['plan']}.")


@app.command("export")
def export(
    ctx: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the ZIP goes.")],
    tenant: TenantName = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="What was opened from then on (2026-01-31T06:00); else all."
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="What was opened before then; else up to now."),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Write a tenant's incidents as evidence bundles in one ZIP, for auditors."""
    from alertengine.cli.silence import given_time
    from alertengine.ledger.archive import read_manifest
    from alertengine.ledger.bundle import BundleError

    begin, end = given_time("--since", since), given_time("--until", until)
    part = output.with_name(f"{output.name}.part")

    async def work(client: Client, path: str) -> Json:
        await client.save(f"{path}/export", file, since=begin, until=end)
        return {}

    try:
        with open(part, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            ask(ctx, config, data_dir, tenant, work)
        made = read_manifest(part)
        part.replace(output)
    except OSError as error:
        raise NotSo(f"{output} cannot be written ({error.strerror}).") from error
    except BundleError as error:
        raise NotSo(f"The answer was cut off: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    answer = {"file": str(output), "tenant_id": made["tenant_id"], "incidents": len(made["incidents"])}
    check = f"Check it with: alertengine ledger verify-bundle {output}"
    _done(answer, as_json, f"{output}: {answer['incidents']} incidents of {made['tenant_id']}. {check}")


@app.command("rotate-key")
def rotate_key(
    ctx: typer.Context,
    tenant: TenantName = None,
    overlap: Annotated[
        float,
        typer.Option("--overlap", metavar="SECONDS", min=0, help="How long its keys so far stay valid."),
    ] = 86400.0,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Make a new API key, shown this once. The ones before it stay valid for a day, so that nothing is interrupted."""
    body = {"overlap_s": overlap}
    made = ask(ctx, config, data_dir, tenant, lambda client, path: client.post(f"{path}/keys", body))
    if as_json:
        show_json(made)
    else:
        show(styled(made["api_key"]))
    say(
        f"It is shown this once: keep it. The keys before it are valid until {moment(made['others_valid_until'])}."
    )


@app.command("revoke-key")
def revoke_key(
    ctx: typer.Context,
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Its id or its name.")],
    key: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `tenants show` lists it.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Revoke an API key, from this moment on."""
    from alertengine.cli.incidents import segment

    done = ask(
        ctx, config, data_dir, tenant, lambda client, path: client.delete(f"{path}/keys/{segment(key)}")
    )
    _done(done, as_json, f"The key {key} opens nothing any more.")


@app.command("webhook-secret")
def webhook_secret(
    ctx: typer.Context,
    tenant: TenantName = None,
    recovery: Annotated[bool, typer.Option("--recovery", help="The one of http actions.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Show the secret that signs calls of the tenant's own URLs, for whoever receives them. It changes with the
    daemon's secret; calls are signed with both while that is in `previous_secrets`. `--recovery` shows the one that
    signs http actions without a secret of their own: not for the tenant, who could run them with it."""
    found = ask(
        ctx, config, data_dir, tenant, lambda client, path: client.post(f"/local{path}/webhook-secret", {})
    )
    if as_json:
        show_json(found)
    else:
        show(styled(found["recovery_secret" if recovery else "webhook_secret"]))


@app.command("refusals")
def refusals(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="At most this many.")] = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """List the newest requests that were refused: unknown keys, forged links, others' things. Floods as a count."""
    from alertengine.cli.client import run

    settings = place(ctx, config, data_dir).settings()
    found = run(settings, lambda client: client.get("/refusals", limit=limit))
    if as_json:
        show_json(found)
    elif found["refusals"]:
        rows = [{"at": moment(r["at"]), "who": r["actor"]["name"], **r["data"]} for r in found["refusals"]]
        titles = ("at", "code", "times", "who", "address", "asked")
        show(table(titles, rows, ("at", "code", "count", "who", "address", "operation")))
    else:
        say("Nothing was refused yet.")


def ask(
    ctx: typer.Context,
    config: ConfigFile,
    data_dir: DataDirectory,
    tenant: str | None,
    work: Callable[[Client, str], Coroutine[Any, Any, Json]],
    status: str = "active",
) -> Json:
    """`work` with a client and the path of the tenant that was meant."""
    from alertengine.cli.client import run
    from alertengine.cli.incidents import segment

    async def whole(client: Client) -> Json:
        return await work(client, f"/tenant/{segment(await meant(client, tenant, status))}")

    return run(place(ctx, config, data_dir).settings(), whole)


async def meant(client: Client, tenant: str | None, status: str = "active") -> str:
    """The id of the tenant with this id or name; of the only one of this status where none is named."""
    known = (await client.get("/tenants"))["tenants"]
    if not known:
        raise NotSo("There is no tenant yet: alertengine onboard.")
    found = [t for t in known if tenant in (None, t["tenant_id"], t["name"])]
    if (
        tenant is None
    ):  # of several, the only one that is not suspended (or, to resume it, the only one that is)
        found = [t for t in found if t["status"] == status] or found
    if not found:
        raise NotSo(f"There is no tenant {tenant}: alertengine tenants list.")
    if len(found) > 1:
        names = ", ".join(f"{t['tenant_id']} ({t['name']})" for t in found)
        raise WrongUse(f"There are several tenants{' of this name' if tenant else ''}; say which: {names}")
    only: str = found[0]["tenant_id"]
    return only


def table(titles: tuple[str, ...], rows: list[Json], keys: tuple[str, ...]) -> Table:
    """A line a row, whatever the terminal's width: what stands in it is there to be copied."""
    from rich.table import Table

    drawn = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in titles:
        drawn.add_column(title, no_wrap=True)
    for row in rows:
        drawn.add_row(*(styled(row.get(key, "")) for key in keys))
    return drawn


def _done(answer: Json, as_json: bool, what: str) -> None:
    if as_json:
        show_json(answer)
    else:
        say(what)


def _record(found: Json) -> Table:
    from rich.table import Table

    quota = found["quota"]
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name in ("tenant_id", "name", "status", "plan"):
        grid.add_row(styled(name.removesuffix("_id"), "dim"), styled(found[name]))
    for name in ("services", "incidents"):
        limit = quota[name]["limit"]
        of = f"of {limit}" if limit is not None else "(no limit)"
        grid.add_row(styled(f"{name} used", "dim"), styled(f"{quota[name]['used']} {of}"))
    return grid


def _parts(found: Json) -> list[Table]:
    keys = [{**k, "last_used_at": moment(k["last_used_at"]) or "never"} for k in found["keys"]]
    history = [{"at": moment(e["at"]), "by": e["actor"]["name"], "type": e["type"]} for e in found["history"]]
    contacts = [{**c, "verified": "yes" if c["verified"] else "not yet"} for c in found["contacts"]]
    return [
        table(("service", "health URL", "id"), found["services"], ("service", "health_url", "service_id")),
        table(
            ("contact", "by", "role", "verified", "id"),
            contacts,
            ("name", "channel", "role", "verified", "contact_id"),
        ),
        table(("key", "state", "last used"), keys, ("key_id", "state", "last_used_at")),
        table(("at", "what", "who"), history, ("at", "type", "by")),
    ]
