"""`alertengine ledger`: prove the record, take evidence out of it, look after its keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zipfile import is_zipfile

import typer

from alertengine.cli.failure import NotSo, WrongUse
from alertengine.cli.output import say, show_json, visible
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alertengine.config import Settings
    from alertengine.ledger.note import Checkpoint
    from alertengine.ledger.verify import Report

app = typer.Typer(
    help="The tamper-evident record: verify it, prove parts of it to others, keep its keys.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--vkey", metavar="KEY", help="Trust this public key only, not the one kept here. Repeatable."
    ),
]


@app.command()
def verify(
    ctx: typer.Context,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="Checkpoints seen earlier: prove that today's log extends them. Repeatable."),
    ] = None,
    seen: Annotated[
        list[str] | None,
        typer.Option(metavar="'TENANT SIZE ROOT'", help="The same, as the last line of a message shows it."),
    ] = None,
    vkey: Keys = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Verify everything that is recorded; name the first bad entry. Works beside a running daemon."""
    settings = place(ctx, config, data_dir).settings()
    from alertengine.ledger.verify import verify_file

    store = _store(settings)
    keys = vkey or _kept_keys(settings)
    anchors = [head for file in checkpoint or () for head in _read_checkpoints(file, keys)]
    anchors += [_read_seen(text) for text in seen or ()]
    report = verify_file(store, keys[:1] if vkey is None else keys, anchors)
    if as_json:
        show_json(report.to_json())
    else:
        _tell(report, len(anchors))
    raise typer.Exit(0 if report.verified else 1)


def _tell(report: Report, anchors: int) -> None:
    if not report.verified:
        say("The ledger does NOT verify:")
        for problem in report.problems:
            say(f"  {visible(problem)}")
        return
    pruned = sum(tree.pruned for tree in report.trees)
    typer.echo(f"verified: {report.size} entries in {len(report.trees)} logs, {pruned} of them pruned")
    if anchors:
        typer.echo(f"{anchors} earlier checkpoint{' fits' if anchors == 1 else 's fit'}")
    else:
        say(
            "That nothing was cut off at the end is proved only against a checkpoint kept elsewhere: --checkpoint."
        )


@app.command()
def checkpoint(
    ctx: typer.Context,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's log.")] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Print the newest signed checkpoints. Keep them elsewhere: `verify --checkpoint` holds the log to them."""
    settings = place(ctx, config, data_dir).settings()
    from alertengine.ledger.export import checkpoints, read_head

    notes = checkpoints(_store(settings), tenant)
    if not notes:
        raise NotSo(f"There is no log of {tenant}." if tenant else "Nothing was recorded yet.")
    if as_json:
        heads = [read_head(note) for note in notes]
        show_json(
            [
                {"origin": head.origin, "size": head.size, "root": head.root.hex(), "note": note.decode()}
                for head, note in zip(heads, notes, strict=True)
            ]
        )
    else:
        typer.echo(b"".join(notes).decode(), nl=False)


@app.command()
def export(
    ctx: typer.Context,
    incident: Annotated[str, typer.Argument(metavar="ID")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the bundle goes.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Write one incident's evidence bundle: readable, printable, and verifiable without this program."""
    settings = place(ctx, config, data_dir).settings()
    from alertengine.ledger.bundle import render
    from alertengine.ledger.export import export_file
    from alertengine.ledger.keys import replace_durably

    bundle = export_file(_store(settings), incident, _kept_keys(settings)[:1])
    try:
        replace_durably(output, render(bundle))
    except OSError as error:
        raise NotSo(f"{output} cannot be written ({error.strerror}).") from error
    if as_json:
        show_json({"file": str(output), "incident_id": incident, "events": len(bundle.entries)})
    else:
        say(
            f"{output}: {len(bundle.entries)} events. Check it with: alertengine ledger verify-bundle {output}"
        )


@app.command("verify-bundle")
def verify_bundle(
    file: Annotated[Path, typer.Argument(metavar="FILE")], vkey: Keys = None, as_json: AsJson = False
) -> None:
    """Verify an evidence bundle, or a ZIP of them. Needs neither the daemon nor the database."""
    from alertengine.ledger.bundle import BundleError, check
    from alertengine.ledger.note import NoteError, VerifierKey

    try:
        for key in vkey or ():
            VerifierKey.parse(key)
    except NoteError as error:
        raise WrongUse(f"--vkey: {error}") from None
    try:
        if is_zipfile(file):
            _verify_archive(file, vkey or (), as_json)
            return
        evidence = check(file.read_bytes(), vkey or ())
    except OSError as error:
        raise NotSo(f"{file} cannot be read ({error.strerror}).") from error
    except BundleError as error:
        if as_json:
            show_json({"verified": False, "reason": str(error)})
        else:
            say(f"The bundle does NOT verify: {visible(error)}")
        raise typer.Exit(1) from None
    if as_json:
        show_json(
            {
                "verified": True,
                "key_trusted": evidence.trusted,
                "vkeys": list(evidence.vkeys),
                "tenant_id": evidence.tenant_id,
                "incident_id": evidence.incident_id,
                "size": evidence.checkpoint.size,
                "root": evidence.checkpoint.root.hex(),
                "events": list(evidence.events),
            }
        )
        return
    for event in evidence.events:
        actor = event["actor"]["name"] if isinstance(event.get("actor"), dict) else ""
        typer.echo(visible(f"{event.get('at')}  {event.get('type')}  {actor}"))
    typer.echo(visible(f"verified: {len(evidence.events)} events of {evidence.incident_id}"))
    if not evidence.trusted:
        say(
            f"by the key that the bundle itself names; compare it with the operator's: {visible(evidence.vkeys[0])}"
        )


def _verify_archive(file: Path, vkeys: Sequence[str], as_json: bool) -> None:
    from alertengine.ledger.archive import check_archive

    found = check_archive(file, vkeys)
    if as_json:
        show_json(
            {
                "verified": True,
                "key_trusted": found.trusted,
                "vkeys": list(found.vkeys),
                "tenant_id": found.tenant_id,
                "incidents": list(found.incidents),
            }
        )
        return
    for row in found.incidents:
        typer.echo(visible(f"{row.get('opened_at')}  {row['incident_id']}  {row.get('title')}"))
    typer.echo(visible(f"verified: {len(found.incidents)} incidents of {found.tenant_id}"))
    if not found.trusted and found.vkeys:
        keys = ", ".join(found.vkeys)
        say(f"by the keys that the bundles themselves name; compare with the operator's: {visible(keys)}")


@app.command("rotate-key")
def rotate_key(ctx: typer.Context, config: ConfigFile = None, data_dir: DataDirectory = None) -> None:
    """Sign with a fresh key from now on, and say so in every log. Stop the daemon first."""
    settings = place(ctx, config, data_dir).settings()
    from alertengine.clock import SystemClock
    from alertengine.datadir import DataDir
    from alertengine.store.offline import rotate

    data = DataDir(settings.data_dir)
    store = _store(settings)
    with data.held():
        vkey = rotate(store, data.ledger_key, SystemClock().now(), settings.mark_path)
    typer.echo(vkey)
    say(
        "Give this public key to those who check your evidence. Older bundles go on verifying with the old one."
    )


@app.command()
def accept(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option(help="Why this copy of the store is the right one; it is recorded.")],
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
) -> None:
    """Go on with a store that is older than what was acknowledged. No link sent before works any more."""
    settings = place(ctx, config, data_dir).settings()
    from alertengine.app import signer
    from alertengine.clock import SystemClock
    from alertengine.datadir import DataDir
    from alertengine.store import offline

    store = _store(settings)
    with DataDir(settings.data_dir).held():
        offline.accept(store, signer(settings), reason, SystemClock().now(), settings.mark_path)
    say("Accepted and recorded. Start the daemon again.")


def _store(settings: Settings) -> Path:
    if not settings.store_path.exists():
        raise NotSo(f"There is no store at {settings.store_path}: nothing was recorded there yet.")
    return settings.store_path


def _kept_keys(settings: Settings) -> list[str]:
    from alertengine.datadir import DataDir
    from alertengine.ledger.keys import public_keys

    keys = public_keys(DataDir(settings.data_dir).ledger_key)
    if not keys:
        raise NotSo(f"There is no ledger key in {settings.data_dir}; name the public key with --vkey.")
    return keys


def _read_checkpoints(file: Path, keys: list[str]) -> list[Checkpoint]:
    from alertengine.ledger.note import NoteError, open_checkpoint, split_all

    try:
        return [open_checkpoint(note, keys) for note in split_all(_notes_in(file.read_bytes()))]
    except OSError as error:
        raise NotSo(f"{file} cannot be read ({error.strerror}).") from error
    except NoteError as error:
        raise NotSo(f"{file} holds no checkpoint of this log: {error}") from error


def _notes_in(data: bytes) -> bytes:
    """The checkpoints in a file that `ledger checkpoint` wrote, or in the body of a webhook as it came."""
    if not data.lstrip().startswith(b"{"):
        return data
    from alertengine.ledger.note import NoteError

    try:
        body = json.loads(data)
        text: str = body.get("checkpoints") or body["log_checkpoint"]
        return text.encode()
    except (ValueError, KeyError, AttributeError) as error:
        raise NoteError(f"this JSON carries no checkpoints ({error!r})") from None


def _read_seen(text: str) -> Checkpoint:
    from alertengine.cli.failure import WrongUse
    from alertengine.ledger.note import Checkpoint, NoteError, decode

    parts: list[Any] = text.split()
    try:
        tenant, size, root = parts
        return Checkpoint(f"/log/{tenant}", int(size), decode(root, "root hash"))
    except (ValueError, NoteError) as error:
        raise WrongUse(
            f"--seen {text!r}: write the tenant, the size and the root as the message has them"
        ) from error
