"""The commented configuration that `alertengine init` writes; alertengine.toml.example is the same text."""

from __future__ import annotations

from collections.abc import Mapping

from alertengine import registry

HEAD = """\
# AlertEngine's configuration. Every key has a default: a line that is commented out shows it.
# Order: defaults < this file < environment < flags. `alertengine check` shows what is in force.
# Every secret `key` may stand in a file of its own instead: key_file = "/path" (mode 0600).
# Every key may be given as ALERTENGINE_SECTION__KEY, e.g. ALERTENGINE_SERVER__PORT.

[server]
# host = "127.0.0.1"
# port = 9000
# base_url = "https://alerts.example.com"   # how phones reach this daemon; http://HOST:PORT unless set

[store]
# url = "sqlite:///alertengine.db"           # a relative path lies in the data directory

[auth]
{secret}
# admin_key = "at-least-16-characters"       # generated in the data directory unless set

[poll]
# interval_s = 5.0
# timeout_s = 4.0

[policy]
# min_score_to_alert = 70.0                  # a critical report opens an incident at this score or less
# confirmations = 1                          # critical polls in a row that open an incident
# approval_timeout_s = 300.0                 # life of a recovery link
# decision_timeout_s = 900.0                 # how long a decision is waited for; three link lives unless set
# escalate_after_s = 180.0                   # unanswered for this long, everybody is told again
# cooldown_s = 300.0                         # this soon after a resolution, one poll more is needed
# verify_window_s = 120.0                    # how long after a recovery healthy reports are awaited

[diagnosis]
# provider = "rules"
"""
CHANNELS = """
# Channels: how people are reached. Without any, messages go to the daemon's own terminal.
"""
ACTIONS = """
# Recoveries: what may be proposed and, once a person approved it, run.
# An app's own, given with @monitor.recovery(...), need no entry.
"""
KEPT_ELSEWHERE = (
    '# secret = "at-least-32-unguessable-characters"  # generated in the data directory unless set'
)


def template(secret: str | None = None) -> str:
    """The file's text, with `secret` in force where it is given."""
    head = HEAD.format(secret=f'secret = "{secret}"' if secret else KEPT_ELSEWHERE)
    return head + CHANNELS + _examples(registry.CHANNELS) + ACTIONS + _examples(registry.ACTIONS)


def _examples(table: Mapping[str, str]) -> str:
    return "".join(f"\n{_commented(registry.example(table, kind))}\n" for kind in table)


def _commented(text: str) -> str:
    return "\n".join(f"# {line}" if line else "#" for line in text.split("\n"))
