"""What is in force, key by key, with where it comes from; secrets masked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tomllib
from pydantic import BaseModel, SecretStr

from alertengine.cli.meanings import sections
from alertengine.config import Settings
from alertengine.core.diagnosis.redaction import redact
from alertengine.settings.raw import ENVIRONMENT

NAMED = ("channels", "actions", "plans")
HIDDEN = "[hidden]"


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """One key. `source`: default, file, environment, flag or generated."""

    key: str
    value: Any
    source: str

    @property
    def shown(self) -> str:
        return (
            ""
            if self.value is None
            else self.value
            if isinstance(self.value, str)
            else json.dumps(self.value)
        )

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "value": self.value, "source": self.source}


def in_force(settings: Settings, environ: Mapping[str, str], flags: Mapping[str, Any]) -> list[InForce]:
    said = tomllib.loads(settings.path.read_text(encoding="utf-8")) if settings.path else {}
    rows = [_data_dir(settings, environ, flags)]
    for key, value in _values(settings):
        source = _source(key, said, environ, flags)
        if key.startswith("auth.") and value is None:
            name = key.partition(".")[2]
            rows.append(InForce(key=key, value=str(settings.data_dir.absolute() / name), source="generated"))
        elif key == "server.base_url" and value is None:
            rows.append(InForce(key=key, value=settings.base_url, source=source))
        else:
            rows.append(InForce(key=key, value=_masked(key, value), source=source))
    return rows


def _data_dir(settings: Settings, environ: Mapping[str, str], flags: Mapping[str, Any]) -> InForce:
    source = "environment" if environ.get("ALERTENGINE_DATA_DIR") else "default"
    if flags.get("data_dir"):
        source = "flag"
    return InForce(key="data_dir", value=str(settings.data_dir.absolute()), source=source)


def _values(settings: Settings) -> Iterator[tuple[str, Any]]:
    for name in sections():
        yield from _fields(name, getattr(settings, name))
    for table in NAMED:
        for name, section in getattr(settings, table).items():
            yield from _fields(f"{table}.{name}", section)
    for name, price in settings.prices.items():
        yield f"channels.{name}.cost", price


def _fields(where: str, section: BaseModel) -> Iterator[tuple[str, Any]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, list):
            value = [_plain(item) for item in value]
        yield f"{where}.{field.alias or name}", value


def _plain(item: Any) -> Any:
    return item.model_dump(mode="json", exclude_unset=True) if isinstance(item, BaseModel) else item


def _masked(key: str, value: Any) -> Any:
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, dict):  # a command's environment
        return dict.fromkeys(value, HIDDEN)
    if isinstance(value, list):
        return [redact(str(item)) for item in value]
    return redact(value) if isinstance(value, str) and key.startswith(NAMED) else value


def _source(key: str, said: Mapping[str, Any], environ: Mapping[str, str], flags: Mapping[str, Any]) -> str:
    if key in flags:
        return "flag"
    if any(environ.get(name) for name in _variables(key)):
        return "environment"
    table: Any = said
    *path, last = key.split(".") if not key.startswith(NAMED) else _split_named(key)
    for part in path:
        table = table.get(part, {})
    return "file" if last in table or f"{last}_file" in table else "default"


def _split_named(key: str) -> list[str]:
    """A name may have dots of its own: [channels."ops.night"]."""
    table, _, rest = key.partition(".")
    name, _, last = rest.rpartition(".")
    return [table, name, last]


def _variables(key: str) -> list[str]:
    named = [name for name, path in ENVIRONMENT.items() if ".".join(path) == key]
    spelt = "ALERTENGINE_" + "__".join(part.upper() for part in key.split("."))
    return [*named, spelt, spelt + "_FILE"]
