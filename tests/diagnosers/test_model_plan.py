"""The model is asked where the plan has it, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_benches import diagnoses, modelled, opened, queued_after


@pytest.mark.parametrize(("plan", "asked"), [("hobby", False), ("developer", True)])
async def test_no_word_goes_to_the_model_on_a_plan_without_it(plan: str, asked: bool, tmp_path: Path) -> None:
    async with modelled(tmp_path, "openai_compatible") as (world, server):
        await world.engine.store.transact(lambda tx: tx.execute("UPDATE tenant SET plan = ?", plan))
        incident = await opened(world)
        await queued_after(world, incident)
        await world.settle()
        found = await diagnoses(world, incident)

        assert bool(server.requests) is asked
        if not asked:
            assert [d["source"] for d in found] == ["rules"]
            assert "the plan hobby does not include it" in str(found[0]["model"])
