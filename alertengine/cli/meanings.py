"""What each setting means, in a sentence: for docs/configuration.md and the commented configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import get_type_hints

from pydantic import BaseModel

from alertengine.config import Settings

MEANINGS: Mapping[str, str] = {
    "server.host": "The address to listen on.",
    "server.port": "The port; 0 takes any free one.",
    "server.base_url": "How phones reach this daemon, the beginning of every link. `http://HOST:PORT` unless set.",
    "server.language": "The language of messages and pages for people who have named none, by its code.",
    "server.allow_private": "Private networks that URLs given with a tenant's key may lead to, e.g. "
    '`["10.20.0.0/16"]`. The operator\'s own URLs need no entry.',
    "server.trusted_proxies": "Networks of the reverse proxies in front of this daemon: whoever asks through them is "
    "counted and recorded by `X-Forwarded-For`. Nobody else's headers are believed.",
    "store.url": "A path after `sqlite:///`; a relative one lies in the data directory.",
    "store.mark_file": "A second high-water mark outside the data directory, best on another disk: it tells where the "
    "whole directory was put back to an older state.",
    "auth.secret": "At least 32 unguessable characters: signs links, seals stored secrets. Generated in the data "
    "directory unless set. To change it, list the old one in `previous_secrets`.",
    "auth.previous_secrets": "Secrets before this one: links signed and settings sealed with them still read, and what "
    "is stored is sealed anew when the daemon starts; an hour later they can go. `previous_secrets_file` lists one a "
    "line.",
    "auth.admin_key": "At least 16 characters: the operator's key for the HTTP API. Generated unless set.",
    "poll.interval_s": "Pause between two polls of a service.",
    "poll.timeout_s": "How long a health report may take; later is a failed poll.",
    "policy.min_score_to_alert": "A critical report opens an incident when its score (0-100) is at most this.",
    "policy.confirmations": "Critical polls in a row that open an incident.",
    "policy.approval_timeout_s": "Life of a recovery link, from when it was sent.",
    "policy.decision_timeout_s": "How long an incident waits for a decision before it expires; three link lives unless "
    "set, and one more after the last step.",
    "policy.escalate_after_s": "Unanswered for this long, everybody is told again, where no steps are given.",
    "policy.ack_timeout_s": "For so long an acknowledgement stops the steps and the others' reminders.",
    "policy.remind_after_s": "Still broken after this long without a word, the people are reminded, each time after "
    "twice as long; 0 is never.",
    "policy.remind_at_most_s": "The longest pause between two reminders.",
    "policy.spend_cap": "What a tenant's messages may cost in a month (UTC). At it each person is told at their "
    "cheapest address, and where they have no cheaper one all the same.",
    "policy.group_s": "Messages of one kind about several services of a tenant wait so long for each other, and leave "
    "as one; 0 sends each by itself.",
    "policy.cooldown_s": "This soon after its last resolution, a service must fail one poll more.",
    "policy.steps": "Who is told, by which channel, after how long without an answer: see `[[policy.steps]]`.",
    "policy.overrides": "Steps of their own for some services: see `[[policy.overrides]]`.",
    "policy.quiet": "When people are left alone: see `[[policy.quiet]]`.",
    "policy.verify_window_s": "How long after a recovery healthy reports are awaited.",
    "approval.pin": "Which actions ask for a PIN beside the link: `never`, `high` (those of high risk) or `always`.",
    "approval.self_approval": "Whether who asked for a test may approve it.",
    "approval.break_glass": "Whether an admin may authorize alone what needs several, with a reason that everybody is "
    "told.",
    "oidc.issuer": "The provider that people sign in with, just as it calls itself; without it nobody signs in.",
    "oidc.client_id": "How it knows this daemon. Its redirect address there: `BASE_URL/signin/callback`.",
    "oidc.client_secret": "Unless it knows this daemon as a public client.",
    "oidc.scope": "What it is asked for.",
    "oidc.email_claim": "Which claim is the mailbox; it must have verified it.",
    "oidc.tenant_claim": "Which claim names the tenants somebody may act for; without it their mailbox alone decides.",
    "oidc.session_s": "How long somebody stays signed in.",
    "retention.days": "How long a closed incident stays in the store; it goes into the archive first.",
    "retention.archive_dir": "Where the bundles of pruned incidents go, in the data directory; empty keeps none.",
    "diagnosis.provider": "Who is asked beside the rules, which always diagnose, at once: `rules` alone, `claude` or "
    "`openai_compatible`.",
    "diagnosis.model": "Which model. A fast one answers within the deadline.",
    "diagnosis.api_key": "The provider's key.",
    "diagnosis.base_url": "Where the provider's API is.",
    "diagnosis.deadline_s": "How long the first message waits for the model at most; later its reading follows.",
    "diagnosis.limit_s": "After this its answer is given up.",
    "diagnosis.max_tokens": "How long its answer may be.",
    "diagnosis.second_opinion": "Ask twice, the second time to doubt; people see where the two disagree. Costs twice.",
    "diagnosis.tokens_per_day": "What a tenant's questions may use on a day (UTC), in tokens.",
    "diagnosis.usd_per_day": "The same in dollars. Past either the rules go on alone, and messages say so.",
    "diagnosis.usd_per_million_in": "The price of a million tokens asked; the provider's usual one unless set.",
    "diagnosis.usd_per_million_out": "The price of a million tokens answered.",
}
LISTED: Mapping[str, str] = {
    "policy.steps.after_s": "Seconds since the first message without an acknowledgement, an approval or a rejection; 0 "
    "in the first step.",
    "policy.steps.who": "Names of contacts, roles (`viewer`, `approver`, `admin`), or `everyone`.",
    "policy.steps.channels": "Names or kinds of channels; none is each person's first address, `all` every address.",
    "policy.steps.repeats": "How often the step comes again.",
    "policy.steps.repeat_every_s": "And after how long each time.",
    "policy.overrides.service": "The service's name, `*` for any part of it.",
    "policy.overrides.tenant": "Of this tenant alone.",
    "policy.overrides.steps": "As in `[[policy.steps]]`.",
    "policy.quiet.who": "As in `[[policy.steps]]`.",
    "policy.quiet.begins": "`HH:MM` by the clock on the wall.",
    "policy.quiet.ends": "`HH:MM`; on the next day where it is not later.",
    "policy.quiet.zone": "The time zone of that wall, such as `Africa/Harare`.",
    "policy.quiet.days": "Days on which they begin.",
    "policy.quiet.lets_through": "`critical` incidents, or `nothing`. Somebody always hears of a critical one: where "
    "all are quiet, the most senior.",
    "policy.quiet.tenant": "Of this tenant alone.",
}
"""Of the tables of which there may be many."""

KEYS: Mapping[str, str] = {
    "noun": "What several failures are called, as it stands in the message.",
    "amount": "The money in one request.",
    "currency": "Its currency, by its three letters.",
    "kind": "Which kind it is.",
    "description": "What people read about it.",
    "risk": "How careful people should be with it.",
    "approvals": "How many different people must approve it.",
    "timeout_s": "How long it may take.",
    "argv": "What runs: an argument list, never a shell. The program is an absolute path.",
    "preview_argv": "Shows what would happen; must change nothing.",
    "env": "Its environment, beside `ALERTENGINE_EXECUTION_ID`, `ALERTENGINE_INCIDENT_ID`, `ALERTENGINE_TENANT_ID`.",
    "url": "Where the signed POST goes.",
    "preview_url": "Answers what it would do; must change nothing.",
    "secret": "Signs it (Standard Webhooks): `whsec_` and base64.",
    "name": "The name given to `@monitor.recovery(name)` in the app.",
    "base_url": "Where the provider's API is.",
    "form": "The shape of the message.",
    "services": 'How many services a tenant has; `"unlimited"` is no limit.',
    "incidents": "How many incidents in 30 days; past it all are recorded and one a day is sent.",
    "channels": "Kinds of channels that people can be told by; the console always is.",
    "features": "Of `model_diagnosis`, `team_approvals`, `dead_letters`, `custom_thresholds`, `compliance_export`, "
    "`sso`.",
}


def sections() -> dict[str, type[BaseModel]]:
    """The tables with a name of their own, in the order of the settings."""
    hints = get_type_hints(Settings)
    return {
        field.name: hints[field.name]
        for field in fields(Settings)
        if isinstance(hints[field.name], type) and issubclass(hints[field.name], BaseModel)
    }
