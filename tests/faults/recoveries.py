"""Recoveries that a test can approve: one script with many ways to go wrong, and URLs that do."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """\
note="$2/$ALERTENGINE_INCIDENT_ID"
echo "$ALERTENGINE_EXECUTION_ID" >> "$note.runs"
echo $$ >> "$note.pids"
case $1 in
    ok) echo "restarted" ;;
    fail) echo "Unit payments.service not found."; exit 3 ;;
    slow) sleep 2; echo "done slowly" ;;
    hang) sleep 600 ;;
    deaf) trap '' TERM HUP INT; while :; do sleep 600; done ;;
    flood) head -c 10000000 /dev/zero | tr '\\0' x ;;
    child) sleep 600 & echo $! >> "$note.pids"; echo "parent is done" ;;
    escape) setsid sleep 20 & echo $! >> "$note.pids"; echo "parent is done" ;;
esac
"""

_COMMAND = """
[actions.{name}]
kind = "command"
argv = ["/bin/sh", "{{scripts}}/recover.sh", "{mode}", "{{scripts}}"]
timeout_s = {timeout_s}
"""
_HTTP = """
[actions.{name}]
kind = "http"
url = "{{{name}}}"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
timeout_s = 1
"""


def command(mode: str, timeout_s: float = 30) -> str:
    return _COMMAND.format(name=mode, mode=mode, timeout_s=timeout_s)


ACTIONS = (
    "".join(command(mode) for mode in ("ok", "fail", "slow", "flood", "child", "escape"))
    + "".join(command(mode, timeout_s=1) for mode in ("hang", "deaf"))
    + "".join(_HTTP.format(name=name) for name in ("refused", "hangs", "drops", "moved"))
    + '\n[actions.missing]\nkind = "command"\nargv = ["/nonexistent/program"]\n'
)
"""Tables for all of them; to be formatted with `scripts` and a URL for each of the http ones."""


@dataclass(frozen=True)
class Scripts:
    """Where the script lies and leaves its notes."""

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "recover.sh").write_text(_SCRIPT)

    def runs(self, incident: str) -> list[str]:
        """The execution ids of every run for this incident."""
        return self._lines(f"{incident}.runs")

    def alive(self, incident: str) -> list[str]:
        """Processes that a run left behind."""
        return [pid for pid in self._lines(f"{incident}.pids") if _running(pid)]

    def _lines(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().split() if file.exists() else []


def _running(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z" and os.getpid() != int(pid)
