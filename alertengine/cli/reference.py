"""The texts drawn from the code: `python -m alertengine.cli.reference` in the repository writes them anew.

docs/cli.md from the commands, docs/configuration.md from the settings models, alertengine.toml.example from
the same text that `alertengine init` writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

HEAD = """\
# The command line

Data goes to stdout, talk to stderr. Commands that show something take `--json`.
`--config` and `--data-dir` stand before or after the command; `ALERTENGINE_CONFIG` and `ALERTENGINE_DATA_DIR`
say the same. `alertengine --debug …` shows tracebacks.

| exit status | |
|---|---|
| 0 | done |
| 1 | the thing asked about is not so: an unknown incident, a refused decision |
| 2 | wrong use or configuration, every problem with its key |
| 75 | another daemon holds the data directory, or holds it and does not answer |

Where a daemon runs on the data directory, commands go through its local socket; where none does, they work on
the store themselves, and what they cause is advanced and delivered before they end.
"""
EVERYWHERE = ("--config", "--data-dir", "--json")


def cli() -> str:
    """docs/cli.md."""
    from alertengine.cli.main import app

    parts = [HEAD]
    for words, command in _commands(typer.main.get_command(app), "alertengine"):
        parts.append(_command(words, command))
    return "\n".join(parts)


def _commands(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    for name, inner in getattr(command, "commands", {}).items():
        if hasattr(inner, "commands"):
            yield from _commands(inner, f"{words} {name}")
        else:
            yield f"{words} {name}", inner


def _command(words: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = " ".join([words, *(p.metavar or p.name.upper() for p in arguments)])
    lines = [f"## `{usage}`", "", " ".join(command.help.split()), ""]
    own = [p for p in options if p.opts[0] not in (*EVERYWHERE, "--help")]
    rows = [(p.metavar or p.name.upper(), p.help) for p in arguments if p.help]
    rows += [(_option(p), p.help) for p in own]
    if rows:
        lines += ["| | |", "|---|---|"]
        lines += [f"| `{name}` | {meaning or ''} |" for name, meaning in rows]
        lines.append("")
    shared = [name for name in EVERYWHERE if any(name in p.opts for p in options)]
    lines += [f"Also: {', '.join(f'`{name}`' for name in shared)}.", ""] if shared else []
    return "\n".join(lines)


def _option(option: Any) -> str:
    names = ", ".join(option.opts)
    return names if option.is_flag else f"{names} {option.metavar or option.name.upper()}"


def write(root: Path) -> list[Path]:
    """Bring the files in the repository up to the code; answer those that changed."""
    changed = []
    for file, text in texts().items():
        path = root / file
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def texts() -> dict[str, str]:
    from alertengine.cli.settings_reference import configuration
    from alertengine.cli.template import template

    return {
        "docs/cli.md": cli(),
        "docs/configuration.md": configuration(),
        "alertengine.toml.example": template(),
    }


if __name__ == "__main__":
    for path in write(Path.cwd()):
        typer.echo(path)
