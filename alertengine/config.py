"""Settings: defaults < TOML < environment < flags, all problems told at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tomllib
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from alertengine.approval_settings import ApprovalSection, OidcSection
from alertengine.core.cost import Value
from alertengine.core.language import DEFAULT, LANGUAGES
from alertengine.core.plans import PLANS, Plan
from alertengine.diagnosis_settings import DiagnosisSection
from alertengine.errors import ConfigError
from alertengine.lists import Networks, SecretTexts
from alertengine.plan_settings import PlanSection
from alertengine.policy_settings import PolicySection, prices_of
from alertengine.service_settings import ServiceSection
from alertengine.store_settings import StoreSection

Kinds = Mapping[str, Callable[[str], type[BaseModel] | None]]
"""For `channels`, `actions` and `diagnosis`: the settings model of a kind, or None where there is no such kind."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
M = TypeVar("M", bound=BaseModel)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(_Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9000
    base_url: str | None = None
    """How phones reach this daemon; `http://HOST:PORT` unless set."""
    allow_private: Networks = []
    trusted_proxies: Networks = []
    language: str = DEFAULT
    """Of messages and pages for people who have named none."""

    @field_validator("language")
    @classmethod
    def a_language(cls, value: str) -> str:
        if value not in LANGUAGES:
            raise ValueError(f"one of {', '.join(LANGUAGES)}")
        return value

    @field_validator("base_url")
    @classmethod
    def a_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/") if value else None


class Auth(_Section):
    secret: SecretStr | None = None
    admin_key: SecretStr | None = None
    previous_secrets: SecretTexts = []

    @field_validator("secret")
    @classmethod
    def long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (len(value.get_secret_value()) < 32 or _weak(value.get_secret_value())):
            raise ValueError("at least 32 unguessable characters; `alertengine init` writes a fresh one")
        return value

    @field_validator("admin_key")
    @classmethod
    def not_short(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 16:
            raise ValueError("at least 16 characters")
        return value


class Poll(_Section):
    interval_s: Annotated[float, Field(ge=0.2, le=3600)] = 5.0
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 4.0


class RetentionSection(_Section):
    days: Annotated[float, Field(gt=0, le=36500)] = 7.0
    """How long a closed incident stays in the store; what is pruned goes into the archive first."""
    archive_dir: str = "archive"
    """Where its bundle goes; a relative path lies in the data directory, and empty means: keep no bundle."""


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
    retention: RetentionSection
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
    "retention": RetentionSection,
}
_NAMED = ("channels", "actions")
_TABLES = (*_NAMED, "plans", "services")

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


def load(
    path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any], kinds: Kinds
) -> Settings:
    """Read and check everything. Raises `ConfigError` with every problem, each with its key and the remedy.

    `overrides`: what the command line says, as {"section.key": value} and "data_dir".
    """
    problems: list[str] = []
    found = _find(path, environ, problems)
    raw = _read(found, problems) if found else {}
    _apply_environment(raw, environ, problems)
    flags = dict(overrides)
    data_dir = data_directory(environ, flags.pop("data_dir", None))
    for key, value in flags.items():
        section, _, name = key.partition(".")
        if isinstance(raw.setdefault(section, {}), dict):
            raw[section][name] = value
    _inline_secret_files(raw, found.parent if found else Path.cwd(), problems)
    _apply_channel_environment(raw, environ)
    prices = prices_of(raw.get("channels"), problems)
    unknown = raw.keys() - _SECTIONS.keys() - set(_TABLES)
    problems += [f"{key}: there is no such table; known are {_known()}" for key in sorted(unknown)]
    models = {**_SECTIONS, "diagnosis": _diagnosis(raw.get("diagnosis"), kinds, problems)}
    sections: dict[str, Any] = {
        name: _section(name, model, raw.get(name, {}), problems) for name, model in models.items()
    }
    named: dict[str, Any] = {
        table: _named_tables(table, raw.get(table, {}), kinds[table], problems) for table in _NAMED
    }
    named["plans"] = _rows("plans", raw.get("plans", {}), PlanSection, problems)
    named["services"] = _rows("services", raw.get("services", {}), ServiceSection, problems)
    if not raw.get("channels"):
        model = kinds["channels"]("console")
        named["channels"] = {"console": model()} if model else {}
    problems += _unknown_channels(sections["policy"], named["channels"], kinds["channels"])
    if problems:
        raise ConfigError(problems)
    return Settings(**sections, **named, prices=prices, data_dir=data_dir, path=found)


def _unknown_channels(
    policy: PolicySection | None,
    configured: Mapping[str, Any],
    model_of: Callable[[str], type[BaseModel] | None],
) -> list[str]:
    """Steps may name a configured channel, or a kind: contacts bring some kinds themselves."""
    named = policy.channels() if policy else {}
    return [
        f"{where}: there is no channel {name!r}; configured are {', '.join(configured)}"
        for name, where in named.items()
        if name not in configured and model_of(name) is None
    ]


def _find(path: Path | None, environ: Mapping[str, str], problems: list[str]) -> Path | None:
    named = path or (Path(environ["ALERTENGINE_CONFIG"]) if environ.get("ALERTENGINE_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            problems.append(f"{named}: there is no such file; `alertengine init` writes one")
            return None
        return named
    default = Path("alertengine.toml")
    return default if default.is_file() else None


def _read(path: Path, problems: list[str]) -> dict[str, Any]:
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


def _apply_environment(raw: dict[str, Any], environ: Mapping[str, str], problems: list[str]) -> None:
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


def _apply_channel_environment(raw: dict[str, Any], environ: Mapping[str, str]) -> None:
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


def _inline_secret_files(raw: dict[str, Any], folder: Path, problems: list[str]) -> None:
    """Every secret may stand in a file of its own: `key_file` names it, relative to the configuration."""
    tables = [(section, raw.get(section)) for section in ("auth", "oidc", "diagnosis")]
    for kind in _NAMED:
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


def _diagnosis(raw: Any, kinds: Kinds, problems: list[str]) -> type[BaseModel]:
    """The settings that go with the provider that is named."""
    provider = raw.get("provider", "rules") if isinstance(raw, dict) else "rules"
    model = kinds["diagnosis"](provider) if isinstance(provider, str) and "diagnosis" in kinds else None
    if model is None and provider != "rules":
        problems.append(f"diagnosis.provider: {provider!r} is not a provider of diagnoses")
    return model or DiagnosisSection


def _section(name: str, model: type[BaseModel], raw: Any, problems: list[str]) -> BaseModel | None:
    if not isinstance(raw, dict):
        problems.append(f"{name}: must be a table: [{name}]")
        return None
    return _validated(name, model, raw, problems)


def _named_tables(
    table: str, raw: Any, model_of: Callable[[str], type[BaseModel] | None], problems: list[str]
) -> dict[str, Any]:
    if not isinstance(raw, dict):
        problems.append(f"{table}: must be tables: [{table}.NAME]")
        return {}
    named = {}
    for name, row in raw.items():
        kind = row.get("kind") if isinstance(row, dict) else None
        model = model_of(kind) if isinstance(kind, str) else None
        if model is None:
            problems.append(f"{table}.{name}.kind: {kind!r} is not a kind of {table}")
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
        known = (field.alias or name for name, field in model.model_fields.items())
        return f"there is no such key; known are {', '.join(sorted(known))}"
    if error["type"] == "missing":
        return "is missing"
    message: str = error["msg"]
    return message.removeprefix("Value error, ").removeprefix("Input ")


def _known() -> str:
    return ", ".join((*_SECTIONS, *_TABLES))


def _weak(secret: str) -> bool:
    return len(set(secret)) < 10 or "change" in secret.lower()
