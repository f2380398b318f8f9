"""The tables as they were given: by the file, the environment and files of secrets, not yet checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomllib

ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    "ALERTENGINE_BASE_URL": ("server", "base_url"),
    "ALERT_SECRET": ("auth", "secret"),
    "ALERTENGINE_ADMIN_KEY": ("auth", "admin_key"),
    "LOOP_INTERVAL_S": ("poll", "interval_s"),
    "POLICY_MIN_SCORE_TO_ALERT": ("policy", "min_score_to_alert"),
    "ANTHROPIC_API_KEY": ("diagnosis", "api_key"),
}
"""Variables with a name of their own. Any key can also be given as ALERTENGINE_SECTION__KEY, a channel's or an
action's as ALERTENGINE_CHANNELS__NAME__KEY."""

CHANNEL_ENVIRONMENT: Mapping[str, Mapping[str, str]] = {
    "whatsapp_twilio": {
        "TWILIO_ACCOUNT_SID": "account_sid",
        "TWILIO_AUTH_TOKEN": "auth_token",
        "TWILIO_WHATSAPP_FROM": "from",
    },
    "voice_twilio": {"TWILIO_ACCOUNT_SID": "account_sid", "TWILIO_AUTH_TOKEN": "auth_token"},
    "whatsapp_sent": {"SENT_API_KEY": "api_key", "SENT_PHONE_ID": "phone_id"},
}
"""Variables that every channel of a kind takes, under the names their providers gave them."""

_ENOUGH = {
    "whatsapp_twilio": {"TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_WHATSAPP_FROM"},
    "whatsapp_sent": {"SENT_API_KEY"},
}
"""With these set, a channel of the kind needs no table: it is there under the kind's name."""


def find(path: Path | None, environ: Mapping[str, str], problems: list[str]) -> Path | None:
    named = path or (Path(environ["ALERTENGINE_CONFIG"]) if environ.get("ALERTENGINE_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            problems.append(f"{named}: there is no such file; `alertengine init` writes one")
            return None
        return named
    default = Path("alertengine.toml")
    return default if default.is_file() else None


def read(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: not TOML: {error}")
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}")
    return {}


def data_directory(environ: Mapping[str, str], named: Path | str | None) -> Path:
    """Where the store and generated secrets live: named by a flag, else by the environment, else at home."""
    state = environ.get("XDG_STATE_HOME") or os.path.join(environ.get("HOME", "."), ".local", "state")
    return Path(named or environ.get("ALERTENGINE_DATA_DIR") or Path(state) / "alertengine")


def apply_environment(raw: dict[str, Any], environ: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """Answers which variable gave which key."""
    given = {}
    for variable, value in sorted(environ.items()):
        keys = ENVIRONMENT.get(variable)
        if keys is None and variable.startswith("ALERTENGINE_") and "__" in variable:
            keys = tuple(variable.removeprefix("ALERTENGINE_").lower().split("__"))
        if keys is None or not value:
            continue
        table = raw
        for key in keys[:-1]:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                problems.append(f"{variable}: {key} is not a table")
                break
        else:
            table.pop(f"{keys[-1]}_file", None)  # the environment goes before the file, whatever its form
            table[keys[-1]] = value
            given[".".join(keys)] = variable
    return given


def apply_channel_environment(raw: dict[str, Any], environ: Mapping[str, str]) -> None:
    tables = raw.get("channels", {})
    if not isinstance(tables, dict):
        return  # told as a problem later
    given = {name for name, value in environ.items() if value}
    if not tables and any(given >= enough for enough in _ENOUGH.values()):
        tables = raw["channels"] = {"console": {"kind": "console"}}
    for kind, variables in CHANNEL_ENVIRONMENT.items():
        own = [row for row in tables.values() if isinstance(row, dict) and row.get("kind") == kind]
        if not own and kind in _ENOUGH and given >= _ENOUGH[kind] and kind not in tables:
            own = [tables.setdefault(kind, {"kind": kind})]
        for row in own:
            row |= {key: environ[variable] for variable, key in variables.items() if variable in given}


def inline_secret_files(raw: dict[str, Any], folder: Path, problems: list[str]) -> None:
    """Every secret may stand in a file of its own: `key_file` names it, relative to the configuration."""
    tables = [(section, raw.get(section)) for section in ("auth", "oidc", "diagnosis")]
    for kind in ("channels", "actions"):
        rows = raw.get(kind)
        tables += [(f"{kind}.{name}", row) for name, row in rows.items()] if isinstance(rows, dict) else []
    for where, table in tables:
        if not isinstance(table, dict):
            continue
        for key in [k for k in table if k.endswith("_file")]:
            _inline(table, key, where, folder, problems)


def _inline(table: dict[str, Any], key: str, where: str, folder: Path, problems: list[str]) -> None:
    name = key.removesuffix("_file")
    value = table.pop(key)
    if name in table:
        problems.append(f"{where}.{key}: give {name} or {key}, not both")
        return
    file = folder / str(value)
    try:
        if file.stat().st_mode & 0o077:
            problems.append(f"{where}.{key}: {file} is readable by others; chmod 600 {file}")
        table[name] = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{where}.{key}: {file} cannot be read: {getattr(error, 'strerror', error)}")
        table[name] = "unreadable" * 8  # so that one missing file is one problem
