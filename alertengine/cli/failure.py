"""What is said on stderr when a command fails, and the exit status."""

from __future__ import annotations

import errno

from alertengine.cli.output import say
from alertengine.errors import AlertEngineError, ConfigError, DaemonUnreachable, DataDirectoryHeld, Invalid

NOT_SO = 1
"""The thing asked about is not so."""
WRONG_USE = 2
HELD = 75
"""Another daemon holds the data directory."""


class WrongUse(AlertEngineError):
    """The command was not used rightly."""


class NotSo(AlertEngineError):
    """What was asked for is not so."""


def failed(error: Exception, *, debug: bool) -> int:
    """Tell it in a line (a configuration's problems: one line each); answer the exit status."""
    if debug:
        import traceback

        say("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, ConfigError):
        say("The configuration cannot be used:\n" + "\n".join(f"  {line}" for line in error.problems))
    elif isinstance(error, AlertEngineError):
        say(" ".join(str(error).split()))
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
        say("The disk is full, so nothing was done. Make space, then start again.")
    else:
        name = type(error).__name__
        hint = "" if debug else " Run `alertengine --debug …` to see where."
        say(f"AlertEngine itself failed: {name}: {' '.join(str(error).split())}.{hint}")
    return status_of(error)


def status_of(error: Exception) -> int:
    if isinstance(error, (DataDirectoryHeld, DaemonUnreachable)):
        return HELD
    if isinstance(error, (ConfigError, WrongUse, Invalid)):
        return WRONG_USE
    return WRONG_USE if getattr(error, "http_status", None) in (400, 413, 422) else NOT_SO
