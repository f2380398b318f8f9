"""docs/configuration.md, drawn from the settings models and the adapters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from alertengine import registry
from alertengine.cli.meanings import KEYS, LISTED, MEANINGS, sections
from alertengine.core.plans import PLANS
from alertengine.core.postage import COSTS
from alertengine.settings.plan import PlanSection
from alertengine.settings.policy import OverrideSection, QuietSection, StepSection
from alertengine.settings.raw import CHANNEL_ENVIRONMENT, ENVIRONMENT
from alertengine.settings.service import EXAMPLE, ValueSection

HEAD = """\
# Configuration

`alertengine serve` needs no file: every key has a default. `alertengine init` writes a commented
`alertengine.toml`; `alertengine check` shows what is in force and where each value comes from.

The file is found by `--config PATH`, else `ALERTENGINE_CONFIG`, else `./alertengine.toml`.
Defaults < file < environment < flags. An unknown key, a wrong type or a missing secret is refused before anything
starts: all problems in one list, each with its key, exit status 2.

The data directory holds the store, the socket and generated secrets, and belongs to one daemon at a time:
`--data-dir`, else `ALERTENGINE_DATA_DIR`, else `$XDG_STATE_HOME/alertengine`, else `~/.local/state/alertengine`.

- **Secrets in files.** In `[auth]`, `[diagnosis]`, channels and actions, `key_file = "PATH"` stands for `key`. The
  path is relative to the configuration; a file that others can read is refused.
- **Environment.** Any key is `ALERTENGINE_SECTION__KEY`, a channel's or an action's
  `ALERTENGINE_CHANNELS__NAME__KEY`. Some have a name of their own:
"""


PLANS_HEAD = """\
What a tenant may have. Only the operator onboards tenants, names their plan and changes this table: what is given
changes the plan of that name, and another name makes a plan of its own, without limits but those given. Past the
number of incidents nothing is lost: each is still opened and recorded, and one a day is sent, as "quota reached".
"""


SERVICES_HEAD = """\
What a request of a service is worth, by route: messages and the page then say what the trouble costs ("About 41
failed payments so far, about 620 USD an hour."). It is counted from what the service reports, never guessed: failures
since this incident began, and nothing of a route that does not fail now, nor of a service that cannot be reached.
`NAME` is the service's name; `value` at onboarding says the same for one tenant's service, and goes before.
"""


def configuration() -> str:
    parts = [HEAD, *_variables(), ""]
    for name, model in sections().items():
        parts += [f"## `[{name}]`", "", *_table(f"{name}.", model), ""]
        if name == "policy":
            parts += _lists()
        parts += list(_providers()) if name == "diagnosis" else []
    parts += ["## Channels: `[channels.NAME]`", "", "How people are reached. Without any, the console.", ""]
    costs = ", ".join(f"{cost:g} by `{kind}`" for kind, cost in COSTS.items())
    parts += [
        f"Each takes `cost`, what a message costs, for `policy.spend_cap`; unless given {costs}, else 0.",
        "",
    ]
    parts += _kinds(registry.CHANNELS)
    parts += ["## Recoveries: `[actions.NAME]`", ""]
    parts += ["What may be proposed and, once a person approved it, run: once.", ""]
    parts += _kinds(registry.ACTIONS)
    parts += ["## Services: `[services.NAME]`", "", SERVICES_HEAD, "```toml", EXAMPLE.strip(), "```", ""]
    parts += [*_table("services.value.", ValueSection), ""]
    parts += ["## Plans: `[plans.NAME]`", "", PLANS_HEAD, *_plans(), ""]
    parts += [*_table("", PlanSection), ""]
    return "\n".join(parts).rstrip() + "\n"


def _lists() -> list[str]:
    """The tables of which there may be many."""
    lines = []
    for name, model in LISTS.items():
        about = " ".join((model.__doc__ or "").split())
        lines += [f"### `[[policy.{name}]]`", "", about, "", *_table(f"policy.{name}.", model), ""]
    return lines


LISTS: Mapping[str, type[BaseModel]] = {
    "steps": StepSection,
    "overrides": OverrideSection,
    "quiet": QuietSection,
}


def _plans() -> Iterator[str]:
    yield "| plan | services | incidents in 30 days | channels | features |"
    yield "|---|---|---|---|---|"
    for plan in PLANS.values():
        numbers = [str(number or "no limit") for number in (plan.services, plan.incidents)]
        words = ["all" if plan.channels is None else ", ".join(sorted(plan.channels))]
        words.append(", ".join(sorted(plan.features)) or "none")
        yield f"| `{plan.name}` | {' | '.join([*numbers, *words])} |"


def _variables() -> Iterator[str]:
    yield "| variable | key |"
    yield "|---|---|"
    for variable, path in ENVIRONMENT.items():
        yield f"| `{variable}` | `{'.'.join(path)}` |"
    for kind, names in CHANNEL_ENVIRONMENT.items():
        for variable, key in names.items():
            yield f"| `{variable}` | `{key}` of every channel of kind `{kind}` |"


def _kinds(table: Mapping[str, str]) -> list[str]:
    lines = []
    for kind in table:
        model = registry.config_model(table, kind)
        about = " ".join((model.__doc__ or "").split())
        example = registry.example(table, kind)
        lines += [f"### `{kind}`", "", about, "", *_table("", model), "", "```toml", example, "```", ""]
    return lines


def _providers() -> Iterator[str]:
    """Whoever can be asked for a diagnosis: the same keys, with other defaults."""
    for kind in registry.DIAGNOSERS:
        model = registry.config_model(registry.DIAGNOSERS, kind)
        own = {name: f.default for name, f in model.model_fields.items() if name in ("model", "base_url")}
        usual = [
            f"`{name}` is `{value}` unless set." for name, value in own.items() if isinstance(value, str)
        ]
        about = " ".join([*(model.__doc__ or "").split(), *usual])
        example = registry.example(registry.DIAGNOSERS, kind)
        yield from (f"### provider `{kind}`", "", about, "", "```toml", example, "```", "")


def _table(prefix: str, model: type[BaseModel]) -> Iterator[str]:
    schema = model.model_json_schema(by_alias=True)
    yield "| key | value | default | |"
    yield "|---|---|---|---|"
    for name, field in schema["properties"].items():
        default = _default(name, field, schema)
        meaning = MEANINGS.get(prefix + name) or LISTED.get(prefix + name) or KEYS.get(name, "")
        yield f"| `{name}` | {_kind(field, schema)} | {default} | {meaning} |"


def _default(name: str, field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if name in schema.get("required", ()):
        return "needed"
    value = field.get("default")
    shown = str(value).lower() if isinstance(value, bool) else value
    return "" if value in (None, "", {}, []) else f"`{shown}`"


def _kind(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What may stand there, in words."""
    options = [o for o in field.get("anyOf", ()) if o.get("type") != "null"]
    field = {**field, **options[0]} if options else field
    if "$ref" in field:
        field = schema["$defs"][field["$ref"].rpartition("/")[2]]
    if "const" in field or "enum" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if field.get("writeOnly") or field.get("format") == "password":
        return "secret"
    return _TYPES.get(field.get("type", ""), "value") + _range(field)


_TYPES = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "array": "list",
    "object": "table of texts",
    "boolean": "`true` or `false`",
}


def _range(field: Mapping[str, Any]) -> str:
    least = field.get("minimum", field.get("exclusiveMinimum"))
    most = field.get("maximum")
    above = "above" if "exclusiveMinimum" in field else "from"
    if least is None:
        return ""
    return f", {above} {_plain(least)}" + (f" to {_plain(most)}" if most is not None else "")


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)
