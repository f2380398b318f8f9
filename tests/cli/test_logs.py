"""The daemon's log: plain lines, nothing forged, nothing secret."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest

from alertengine.cli.logs import PlainLines, set_up

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl"


def line(message: str, *args: Any, error: BaseException | None = None, trace: bool = False) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("x", logging.WARNING, "x.py", 1, message, args, info)
    return PlainLines(with_traceback=trace).format(record)


@pytest.mark.parametrize(
    "text",
    [
        f"GET /action/recover?token={TOKEN} failed",
        TOKEN,
        f"authorization: Bearer {TOKEN}",
        "signed with whsec_c2VjcmV0c2VjcmV0",
        "key aek_live_15NHw3QF_FuxNhaZ52jZnmBePaqqWEJpdu35",
        "?secret=c2VjcmV0c2VjcmV0&x=1",
    ],
)
def test_no_secret_is_logged(text: str) -> None:
    for said in (line("%s", text), line("x", error=ValueError(text), trace=True)):
        assert TOKEN not in said
        assert "c2VjcmV0" not in said
        assert "FuxNhaZ52" not in said


def test_nobody_forges_a_line_or_moves_the_cursor() -> None:
    said = line("%s failed", "payments\n2026-01-01 ERROR all is lost\x1b[2J\r\u202e")
    assert said.count("\n") == 0
    assert said.isprintable()
    assert r"\n2026-01-01 ERROR all is lost\x1b[2J\r\u202e failed" in said


def test_a_traceback_only_where_it_is_asked_for() -> None:
    with pytest.raises(ValueError, match="no") as caught:
        raise ValueError("no\nway")
    assert line("x", error=caught.value).endswith(r"WARNING x (ValueError: no\nway)")
    assert "test_logs.py" in line("x", error=caught.value, trace=True)


def test_foreign_loggers_are_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    names = ("uvicorn", "uvicorn.error", "httpx2", "httpcore2", "apscheduler", "asyncio", "aiosqlite")
    levels = {name: logging.getLogger(name).level for name in names}
    try:
        set_up(verbose=True, debug=False)
        assert root.level == logging.INFO
        assert [h.stream for h in root.handlers] == [sys.stderr]  # type: ignore[attr-defined]
        assert not any(logging.getLogger(name).isEnabledFor(logging.WARNING) for name in names)
    finally:
        root.handlers, root.level = before
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
