"""`status`: one picture, and quiet while nothing changes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from rich.console import Console

from alertengine.cli import status
from alertengine.cli.status import picture, spark
from alertengine.errors import DaemonUnreachable


def service(**changes: Any) -> dict[str, Any]:
    return {
        "service": "payments",
        "health": "ok",
        "score": 97.0,
        "headline": "",
        "polled_at": "2026-01-02T03:04:05Z",
        "scores": [97.0, 97.0],
        **changes,
    }


def seen(**changes: Any) -> dict[str, Any]:
    return {
        "daemon": True,
        "mode": "NORMAL",
        "reasons": [],
        "services": [service()],
        "incidents": [],
        "queue": 0,
        "dlq_count": 0,
        "channels": {"console": {"state": "ok"}},
        "loop": {"last_tick_age_s": 0.1},
        **changes,
    }


def drawn(what: dict[str, Any]) -> str:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(picture(what))
    return capture.get()


def test_without_a_daemon_it_says_that_nothing_is_watched(cli: Any) -> None:
    cli.onboard()
    result = cli("status")

    assert "NOT RUNNING" in result.stdout
    assert "payments" in result.stdout
    assert "nothing is watched" in result.stderr
    assert cli.json("status")["daemon"] is False
    assert "nothing is watched" in cli("status", "--watch", code=1).stderr


def test_the_line_of_scores() -> None:
    assert spark([0, 50, 100, None]).strip() == "▁▅█·"
    assert len(spark([50] * 60)) == status.SHOWN_SCORES
    assert spark([-5, 1e9]).strip() == "▁█"


def test_everything_at_a_glance() -> None:
    said = drawn(
        seen(
            mode="DEGRADED",
            reasons=["channel ops: HTTP 500"],
            services=[
                service(),
                service(service="orders", health="critical", score=23.0, headline="61 % fail"),
            ],
            queue=2,
            dlq_count=1,
        )
    )
    for part in ("DEGRADED", "channel ops: HTTP 500", "2 services", "2 in the queue", "1 dead letter"):
        assert part in said
    assert "critical  61 % fail" in said


def test_foreign_text_is_shown_and_never_obeyed() -> None:
    nasty = "[/foo] \x1b[2J\u202e"
    said = drawn(seen(reasons=[nasty], services=[service(service=nasty, headline=nasty)]))
    assert "[/foo]" in said
    assert "\x1b[2J" not in said


class Daemon:
    """Answers one after another, then the watcher is interrupted."""

    has_daemon = True

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self._answers = list(answers)

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        if path != "/status":
            return {"incidents": []}
        if not self._answers:
            raise KeyboardInterrupt
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def painted(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any] | Exception) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    monkeypatch.setattr(status, "_painter", lambda stack, as_json: frames.append)
    monkeypatch.setattr(status, "LOOK_AGAIN_S", 0)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(status._watch(Daemon(*answers), "", False))  # type: ignore[arg-type]
    return frames


def test_watching_paints_only_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    later = service(polled_at="2026-01-02T03:04:10Z", scores=[97.1, 96.9])
    same = seen(services=[later], loop={"last_tick_age_s": 0.4})
    worse = seen(services=[service(health="critical", score=23.0)])

    frames = painted(monkeypatch, seen(), same, same, worse, worse)
    assert [frame["services"][0]["health"] for frame in frames] == ["ok", "critical"]


def test_watching_says_when_the_daemon_goes_and_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = painted(monkeypatch, seen(), DaemonUnreachable(), DaemonUnreachable(), seen())
    assert [frame["mode"] for frame in frames] == ["NORMAL", "NO ANSWER", "NORMAL"]
    assert "payments" in drawn(frames[1])
