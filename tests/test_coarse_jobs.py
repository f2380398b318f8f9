"""The coarse jobs go by the wall clock; where it is set they begin anew, and what runs is brought to its end."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from alertengine.scheduler import Coarse
from alertengine.testing import FakeClock


async def _nothing() -> None: ...


@pytest.fixture
async def jobs():  # type: ignore[no-untyped-def]
    clock = FakeClock()
    coarse = Coarse(clock)
    coarse.start([(3600.0, _nothing), (60.0, _nothing)])
    yield clock, coarse
    coarse.stop()


def _ids(coarse: Coarse) -> set[str]:
    return {job.id for job in coarse._scheduler.get_jobs()}


@pytest.mark.parametrize("jump", [timedelta(days=-1), timedelta(seconds=-3), timedelta(days=300)])
async def test_they_begin_anew_where_the_clock_was_set(jobs, jump: timedelta) -> None:  # type: ignore[no-untyped-def]
    clock, coarse = jobs
    before = _ids(coarse)
    clock.set_wall(clock.wall() + jump)
    await coarse.follow()
    assert len(_ids(coarse)) == 2
    assert not _ids(coarse) & before

    after = _ids(coarse)
    clock.advance(3000.0)
    await coarse.follow()
    assert _ids(coarse) == after


async def test_a_clock_that_only_goes_on_changes_nothing(jobs) -> None:  # type: ignore[no-untyped-def]
    clock, coarse = jobs
    before = _ids(coarse)
    for _ in range(5):
        clock.advance(2.0)
        await coarse.follow()
    assert _ids(coarse) == before


async def test_a_job_runs_again_and_again_and_two_never_at_once() -> None:
    coarse, runs, at_once = Coarse(FakeClock()), asyncio.Semaphore(0), [0, 0]

    async def work() -> None:
        at_once[0] += 1
        at_once[1] = max(at_once)
        await asyncio.sleep(0.03)
        at_once[0] -= 1
        runs.release()

    coarse.start([(0.01, work)])
    async with asyncio.timeout(20):
        for _ in range(3):
            await runs.acquire()
    coarse.stop()
    assert at_once[1] == 1
