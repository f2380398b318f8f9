"""The commented configuration that `alertengine init` writes; alertengine.toml.example is the same text."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from alertengine import registry
from alertengine.cli.meanings import MEANINGS, sections
from alertengine.settings.service import EXAMPLE

HEAD = """\
# AlertEngine's configuration. Every key has a default: a line that is commented out shows it.
# Order: defaults < this file < environment < flags. `alertengine check` shows what is in force.
# A secret `key` may stand in a file of its own instead: key_file = "PATH" (mode 0600).
# Any key may be given as ALERTENGINE_SECTION__KEY, e.g. ALERTENGINE_SERVER__PORT=9001.
"""
STEPS = """
# Whom messages reach, and when: docs/escalation.md. Without steps, everybody is told, and everybody again at every
# address after escalate_after_s.
#
# [[policy.steps]]
# after_s = 0
# who = ["Tariro"]
#
# [[policy.steps]]
# after_s = 180
# who = ["Tariro", "Rudo"]
# channels = ["voice_twilio"]
#
# [[policy.overrides]]
# service = "payments*"
# steps = [{after_s = 0, who = ["everyone"]}, {after_s = 60, who = ["admin"], channels = ["all"]}]
#
# [[policy.quiet]]
# who = ["Rudo"]
# begins = "22:00"
# ends = "06:00"
# zone = "Africa/Harare"
"""
CHANNELS = """
# Channels: how people are reached. Without any, messages go to the daemon's own terminal.
"""
ACTIONS = """
# Recoveries: what may be proposed and, once a person approved it, run.
# Those that an app offers with @monitor.recovery(...) need no entry.
"""
SERVICES = """
# Services: what one request is worth, so that messages say what a failure costs.
"""
INSTEAD: Mapping[str, object] = {
    "server.base_url": "https://alerts.example.com",
    "store.mark_file": "/var/lib/elsewhere/alertengine.mark",
    "auth.secret": "32 characters that nobody can guess",
    "auth.admin_key": "16 characters that nobody can guess",
    "policy.decision_timeout_s": 900.0,
    "policy.spend_cap": 50.0,
    "diagnosis.model": "claude-haiku-5-5",
    "diagnosis.base_url": "https://api.anthropic.com",
    "diagnosis.usd_per_million_in": 1.0,
    "diagnosis.usd_per_million_out": 5.0,
    "oidc.issuer": "https://id.example.com",
    "oidc.client_id": "alertengine",
    "oidc.client_secret": "what the provider gave",
    "oidc.tenant_claim": "tenants",
}
"""Shown where there is no default to show."""


def template(secret: str | None = None) -> str:
    """The file's text, with `secret` in force where it is given."""
    said = "".join(_section(name, model, secret) for name, model in sections().items())
    return (
        HEAD
        + said
        + CHANNELS
        + _examples(registry.CHANNELS)
        + ACTIONS
        + _examples(registry.ACTIONS)
        + SERVICES
        + f"\n{_commented(EXAMPLE.strip())}\n"
        + STEPS
    )


def _section(name: str, model: type[BaseModel], secret: str | None) -> str:
    lines = [f"\n[{name}]"]
    for key, field in model.model_fields.items():
        if isinstance(field.get_default(call_default_factory=True), list):
            continue  # tables of their own follow
        lines += _meaning(f"{name}.{key}")
        if secret and (name, key) == ("auth", "secret"):
            lines.append(f"secret = {json.dumps(secret)}")
        else:
            lines.append(f"# {key} = {json.dumps(_shown(f'{name}.{key}', field))}")
    return "\n".join(lines) + "\n"


def _meaning(key: str) -> Iterator[str]:
    for line in textwrap.wrap(MEANINGS.get(key, "").replace("`", ""), 100):
        yield f"#   {line}"


def _shown(key: str, field: FieldInfo) -> object:
    value = field.get_default(call_default_factory=True)
    if value is None:
        return INSTEAD.get(key, "...")
    return value if isinstance(value, (int, float, list)) else str(value)


def _examples(table: Mapping[str, str]) -> str:
    return "".join(f"\n{_commented(registry.example(table, kind))}\n" for kind in table)


def _commented(text: str) -> str:
    return "\n".join(f"# {line}" if line else "#" for line in text.split("\n"))
