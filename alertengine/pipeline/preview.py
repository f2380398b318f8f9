"""What a recovery would do, told without doing it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from alertengine.core.incident import Incident
from alertengine.core.model import ActionSpec, Service
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.execute import about

DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """`would_run` is exactly what runs; `text` what the action itself says it would do, where it can."""

    action: ActionSpec
    would_run: str
    text: str | None

    def to_json(self) -> dict[str, Any]:
        spec = self.action
        return {
            "action": {
                "name": spec.name,
                "kind": spec.kind,
                "description": spec.description,
                "risk": str(spec.risk),
                "would_run": self.would_run,
            },
            "preview": self.text or f"would run: {self.would_run}",
        }


async def preview(engine: Engine, incident: Incident, service: Service | None) -> Preview | None:
    """None where no recovery is proposed. Never raises: a page must not fail for a preview."""
    spec = incident.action
    if spec is None:
        return None
    action = engine.actions.get(spec.kind)
    if incident.is_test or action is None or service is None:
        return Preview(action=spec, would_run="nothing real: this is a test", text=None)
    text: str | None
    try:
        async with asyncio.timeout(DEADLINE_S):
            text = await action.preview(spec, about(incident, service, f"preview-{incident.id}"))
    except TimeoutError:
        text = f"the preview did not answer within {DEADLINE_S:g} s"
    except Exception as error:
        text = f"the preview could not be had ({type(error).__name__})"
    return Preview(action=spec, would_run=action.describe(spec), text=text)
