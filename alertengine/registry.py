"""Every adapter, by kind. Adding one is a file and a line here; lists, checks and tests read this table.

An entry is imported when it is used: `alertengine --help` pays for none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import BaseModel

CHANNELS: Mapping[str, str] = {
    "console": "alertengine.channels.console:ConsoleChannel",
    "telegram": "alertengine.channels.telegram:TelegramChannel",
    "whatsapp_twilio": "alertengine.channels.whatsapp_twilio:TwilioWhatsAppChannel",
    "whatsapp_sent": "alertengine.channels.whatsapp_sent:SentWhatsAppChannel",
    "slack": "alertengine.channels.slack:SlackChannel",
    "voice_twilio": "alertengine.channels.voice_twilio:TwilioVoiceChannel",
    "webhook": "alertengine.channels.webhook:WebhookChannel",
    "apprise": "alertengine.channels.apprise:AppriseChannel",
}
BRING_YOUR_OWN = ("webhook", "telegram", "slack")
"""Kinds that need no table of their own: a contact may bring its URL or its bot's token."""
ACTIONS: Mapping[str, str] = {
    "command": "alertengine.actions.command:CommandAction",
    "http": "alertengine.actions.http:HttpAction",
    "app": "alertengine.actions.app:AppAction",
}
DIAGNOSERS: Mapping[str, str] = {
    "rules": "alertengine.diagnosers.rules:RulesDiagnoser",
    "claude": "alertengine.diagnosers.claude:ClaudeModel",
    "openai_compatible": "alertengine.diagnosers.openai_compatible:OpenAICompatibleModel",
}
SOURCES: Mapping[str, str] = {
    "health": "alertengine.sources.health:HealthSource",
}
STORES: Mapping[str, str] = {
    "sqlite": "alertengine.store.sqlite:SqliteStore",
}


def load(table: Mapping[str, str], kind: str) -> Any:
    """The adapter's class."""
    module, _, name = table[kind].partition(":")
    return getattr(import_module(module), name)


def config_model(table: Mapping[str, str], kind: str) -> type[BaseModel]:
    """The settings that an adapter of this kind takes."""
    module = import_module(table[kind].partition(":")[0])
    model: type[BaseModel] = module.Config
    return model


def example(table: Mapping[str, str], kind: str) -> str:
    """A commented piece of configuration for this kind."""
    text: str = import_module(table[kind].partition(":")[0]).EXAMPLE
    return text.strip()
