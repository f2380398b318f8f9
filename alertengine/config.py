"""Settings: defaults < TOML < environment < flags, all problems told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from alertengine.core.cost import Value
from alertengine.core.plans import PLANS, Plan
from alertengine.errors import ConfigError
from alertengine.settings.approval import ApprovalSection, OidcSection
from alertengine.settings.daemon import Auth, Poll, Retention, Server
from alertengine.settings.diagnosis import DiagnosisSection
from alertengine.settings.plan import PlanSection
from alertengine.settings.policy import PolicySection, prices_of
from alertengine.settings.raw import (
    apply_channel_environment,
    apply_environment,
    data_directory,
    find,
    inline_secret_files,
    read,
)
from alertengine.settings.service import ServiceSection
from alertengine.settings.store import StoreSection
from alertengine.settings.url import WEB

Kinds = Mapping[str, Callable[[str], type[BaseModel] | None]]
"""For `channels`, `actions` and `diagnosis`: the settings model of a kind, or None where there is no such kind."""

Known = Mapping[str, Sequence[str]]
"""The kinds there are, of each; `brought`: the kinds of channels that contacts bring themselves."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is in force. Channels and actions are the validated settings of their kinds, by name."""

    server: Server
    store: StoreSection
    auth: Auth
    poll: Poll
    policy: PolicySection
    approval: ApprovalSection
    oidc: OidcSection
    diagnosis: DiagnosisSection
    retention: Retention
    channels: Mapping[str, Any]
    actions: Mapping[str, Any]
    prices: Mapping[str, float]
    """What a message costs, by the name of the channel: `cost` in its table."""
    plans: Mapping[str, PlanSection]
    services: Mapping[str, ServiceSection]
    data_dir: Path
    path: Path | None
    """The file that was read; None where there was none."""

    def offered(self) -> dict[str, Plan]:
        """Every plan, as the operator changed it."""
        return {**PLANS, **{name: section.plan(name) for name, section in self.plans.items()}}

    def values(self) -> dict[str, dict[str, Value]]:
        """What requests are worth, by service and route."""
        return {
            name: {route: value.worth() for route, value in section.value.items()}
            for name, section in self.services.items()
        }

    @property
    def base_url(self) -> str:
        return self.server.base_url or f"http://{self.server.host}:{self.server.port}"

    @property
    def store_path(self) -> Path:
        return self.data_dir / self.store.url.removeprefix("sqlite:///")

    @property
    def mark_path(self) -> Path | None:
        """Where the second high-water mark is kept; None where there is none."""
        return Path(self.store.mark_file) if self.store.mark_file else None

    @property
    def archive_path(self) -> Path | None:
        """Where bundles of pruned incidents go; None where none are kept."""
        return self.data_dir / self.retention.archive_dir if self.retention.archive_dir else None


_SECTIONS: Mapping[str, type[BaseModel]] = {
    "server": Server,
    "store": StoreSection,
    "auth": Auth,
    "poll": Poll,
    "policy": PolicySection,
    "approval": ApprovalSection,
    "oidc": OidcSection,
    "diagnosis": DiagnosisSection,
    "retention": Retention,
}
_NAMED = ("channels", "actions")
_TABLES = (*_NAMED, "plans", "services")


def load(
    path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any], kinds: Kinds, known: Known
) -> Settings:
    """Read and check everything. Raises `ConfigError` with every problem, each with its key and the remedy.

    `overrides`: what the command line says, as {"section.key": value} and "data_dir".
    """
    problems: list[str] = []
    found = find(path, environ, problems)
    raw = read(found, problems) if found else {}
    given = apply_environment(raw, environ, problems)
    flags = dict(overrides)
    data_dir = data_directory(environ, flags.pop("data_dir", None))
    for key, value in flags.items():
        section, _, name = key.partition(".")
        if isinstance(raw.setdefault(section, {}), dict):
            raw[section][name] = value
    inline_secret_files(raw, found.parent if found else Path.cwd(), problems)
    apply_channel_environment(raw, environ)
    prices = prices_of(raw.get("channels"), problems)
    unknown = raw.keys() - _SECTIONS.keys() - set(_TABLES)
    problems += [f"{key}: there is no such table; known are {_known()}" for key in sorted(unknown)]
    models = {**_SECTIONS, "diagnosis": _diagnosis(raw.get("diagnosis"), kinds, known, problems)}
    sections: dict[str, Any] = {
        name: _section(name, model, raw.get(name, {}), problems) for name, model in models.items()
    }
    named: dict[str, Any] = {
        table: _named_tables(table, raw.get(table, {}), kinds[table], known[table], problems)
        for table in _NAMED
    }
    named["plans"] = _rows("plans", raw.get("plans", {}), PlanSection, problems)
    named["services"] = _rows("services", raw.get("services", {}), ServiceSection, problems)
    problems += [
        f"plans.{name}.channels: {kind!r} is not a kind of channels; there are {', '.join(known['channels'])}"
        for name, plan in named["plans"].items()
        for kind in (plan.channels or () if plan else ())
        if kind not in known["channels"]
    ]
    if not raw.get("channels"):
        model = kinds["channels"]("console")
        named["channels"] = {"console": model()} if model else {}
    problems += _unknown_channels(sections["policy"], named["channels"], known["brought"])
    if problems:
        raise ConfigError([_sourced(problem, given) for problem in problems])
    return Settings(**sections, **named, prices=prices, data_dir=data_dir, path=found)


def _unknown_channels(
    policy: PolicySection | None, configured: Mapping[str, Any], brought: Sequence[str]
) -> list[str]:
    """Steps may name a configured channel, or a kind that is configured or that contacts bring themselves."""
    named = policy.channels() if policy else {}
    kinds = {section.kind for section in configured.values() if section is not None}
    return [
        f"{where}: there is no channel {name!r}; configured are {', '.join(configured)}"
        for name, where in named.items()
        if name not in (*configured, *kinds, *brought)
    ]


def _sourced(problem: str, given: Mapping[str, str]) -> str:
    """With the environment variable that said it, where one did."""
    variable = given.get(problem.partition(": ")[0])
    return f"{problem} ({variable} in the environment)" if variable else problem


def _diagnosis(raw: Any, kinds: Kinds, known: Known, problems: list[str]) -> type[BaseModel]:
    """The settings that go with the provider that is named."""
    provider = raw.get("provider", "rules") if isinstance(raw, dict) else "rules"
    model = kinds["diagnosis"](provider) if isinstance(provider, str) and "diagnosis" in kinds else None
    if model is None and provider != "rules":
        problems.append(
            f"diagnosis.provider: {provider!r} is not a provider; there are {', '.join(known['diagnosis'])}"
        )
    return model or DiagnosisSection


def _section(name: str, model: type[BaseModel], raw: Any, problems: list[str]) -> BaseModel | None:
    if not isinstance(raw, dict):
        problems.append(f"{name}: must be a table: [{name}]")
        return None
    return _validated(name, model, raw, problems)


def _named_tables(
    table: str,
    raw: Any,
    model_of: Callable[[str], type[BaseModel] | None],
    known: Sequence[str],
    problems: list[str],
) -> dict[str, Any]:
    if not isinstance(raw, dict):
        problems.append(f"{table}: must be tables: [{table}.NAME]")
        return {}
    named = {}
    for name, row in raw.items():
        kind = row.get("kind") if isinstance(row, dict) else None
        model = model_of(kind) if isinstance(kind, str) else None
        if model is None:
            wrong = "is missing" if kind is None else f"{kind!r} is not a kind of {table}"
            problems.append(f"{table}.{name}.kind: {wrong}; there are {', '.join(known)}")
            continue
        named[name] = _validated(f"{table}.{name}", model, row, problems)
    return named


def _rows(table: str, raw: Any, model: type[BaseModel], problems: list[str]) -> dict[str, Any]:
    if not isinstance(raw, dict) or not all(isinstance(row, dict) for row in raw.values()):
        problems.append(f"{table}: must be tables: [{table}.NAME]")
        return {}
    return {name: _validated(f"{table}.{name}", model, row, problems) for name, row in raw.items()}


def _validated(where: str, model: type[M], raw: dict[str, Any], problems: list[str]) -> M | None:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        for one in error.errors(include_input=False, include_url=False):
            key = ".".join((where, *(str(part) for part in one["loc"])))
            problems.append(f"{key}: {_say(one, model)}")
        return None


def _say(error: Any, model: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        known = [field.alias or name for name, field in model.model_fields.items()]
        close = get_close_matches(str(error["loc"][-1]), known, 1)
        meant = f"did you mean {close[0]}? Known" if close else "known"
        return f"there is no such key; {meant} are {', '.join(sorted(known))}"
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "string_pattern_mismatch":
        return _FORMS.get(error["ctx"]["pattern"], "is not of the form that it has to be")
    message: str = error["msg"]
    return message.removeprefix("Value error, ").removeprefix("Input ")


_FORMS = {
    WEB: "must begin with http:// or https://",
    r"^[A-Z]{3}$": "three capital letters, e.g. USD",
}
"""Patterns in words."""


def _known() -> str:
    return ", ".join((*_SECTIONS, *_TABLES))
