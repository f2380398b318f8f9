"""The command `alertengine`. Nothing heavy is imported until a command needs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from alertengine import __version__
from alertengine.cli import (
    backup,
    contacts,
    decide,
    diagnose,
    dlq,
    doctor,
    grade,
    incidents,
    ledger,
    onboard,
    people,
    serve,
    services,
    setup,
    silence,
    status,
    tenants,
    verify,
)
from alertengine.cli.failure import failed
from alertengine.cli.place import AsJson, ConfigFile, DataDirectory, Place


class Root(TyperGroup):
    """Turns what a command raises into one line and an exit status."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")  # an old terminal gets a ?, not a traceback
        try:
            return super().main(*args, **kwargs)
        except Exception as error:
            debug = "--debug" in (kwargs.get("args") or sys.argv)
            sys.exit(failed(error, debug=debug))


app = typer.Typer(
    cls=Root,
    name="alertengine",
    help="Tells the engineer on call on the phone that a service fails, and runs the recovery they approve: "
    "once, verified, on the record.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"alertengine {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    config: ConfigFile = None,
    data_dir: DataDirectory = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    ctx.obj = Place(config=config, data_dir=data_dir, debug=debug)


def demo(
    yes: Annotated[
        bool, typer.Option("--yes", help="Approve by itself, through the link's own form.")
    ] = False,
    as_json: AsJson = False,
    port: Annotated[
        int, typer.Option(metavar="N", help="The daemon's port; another where it is busy.")
    ] = 9000,
) -> None:
    """See the whole product at work, in this terminal, in a minute. Leaves nothing behind."""
    from alertengine.cli import demo
    from alertengine.cli.output import talk_console

    raise typer.Exit(demo.run(talk_console(), yes=yes, as_json=as_json, port=port))


COMMANDS: dict[str, Callable[..., None]] = {
    "demo": demo,
    "init": setup.init,
    "check": setup.check,
    "doctor": doctor.doctor,
    "serve": serve.serve,
    "onboard": onboard.onboard,
    "test": onboard.rehearse,
    "verify": verify.verify,
    "status": status.status,
    "incidents": incidents.incidents,
    "diagnose": diagnose.diagnose,
    "grade": grade.grade,
    "audit": incidents.audit,
    "deliveries": incidents.deliveries,
    "preview": decide.preview,
    "approve": decide.approve,
    "reject": decide.reject,
    "close": decide.close,
    "backup": backup.backup,
    "restore": backup.restore,
}
for name, command in COMMANDS.items():
    app.command(name)(command)
# A command group: its module imports what is heavy inside its commands.
app.add_typer(ledger.app, name="ledger")
app.add_typer(dlq.app, name="dlq")
app.add_typer(tenants.app, name="tenants")
app.add_typer(services.app, name="services")
app.add_typer(contacts.app, name="contacts")
app.add_typer(silence.app, name="silence")
app.add_typer(people.app, name="people")


def main() -> None:
    app()
