"""What the daemon says while it runs: plain lines on stderr, without control characters and without secrets."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SECRETS = (
    (re.compile(r"\beyJ[\w-]+(?:\.[\w=-]*)*"), "[token]"),
    (re.compile(r"(?i)(\b(?:token|secret|key|password)=)[^\s&\"']+"), r"\1[hidden]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), r"\1 [hidden]"),
    (re.compile(r"\b(whsec_|aek_live_)[\w+/=-]+"), r"\1[hidden]"),
)
_QUIET = ("uvicorn", "uvicorn.error", "httpx2", "httpcore2", "apscheduler", "asyncio", "aiosqlite")


@contextmanager
def plain_lines() -> Iterator[None]:
    """For a command that runs the engine itself: warnings in the same form, as long as it does."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainLines(with_traceback=False))
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def set_up(*, verbose: bool, debug: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainLines(with_traceback=debug))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO if verbose else logging.WARNING)
    for name in _QUIET:
        # Whole URLs, tokens and all, are in their lines; what matters of them is told by our own.
        logging.getLogger(name).setLevel(logging.CRITICAL)


class PlainLines(logging.Formatter):
    """`2026-01-02 03:04:05+00:00 WARNING what happened`: one line a record, unless tracebacks are asked for."""

    def __init__(self, *, with_traceback: bool) -> None:
        super().__init__()
        self._with_traceback = with_traceback

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            text = f"{text} ({type(error).__name__}: {error})"
        line = f"{self._stamp(record)} {record.levelname} {one_line(hidden(text))}"
        if record.exc_info and self._with_traceback:
            trace = hidden(self.formatException(record.exc_info)).split("\n")
            return "\n".join((line, *(one_line(row) for row in trace)))
        return line

    def _stamp(self, record: logging.LogRecord) -> str:
        from datetime import UTC, datetime

        return datetime.fromtimestamp(record.created, UTC).astimezone().isoformat(" ", "seconds")


def hidden(text: str) -> str:
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def one_line(text: str) -> str:
    """Control and invisible characters as escapes: nobody forges a second line or moves the cursor."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
