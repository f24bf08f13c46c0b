"""Runs a workflow straight on, without an engine: what it decides, not how it is kept."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from inkwire.engine.contract import Services
from inkwire.model.work import Integration, Work


@dataclass
class StraightRun:
    """See `engine.contract.Run`; each step's value goes through JSON as in the engine."""

    work: Work
    integration: Integration
    services: Services
    dry: bool = False
    steps: list[str] = field(default_factory=list)
    plans: list[str] = field(default_factory=list)

    async def step(
        self, name: str, do: Callable[[], Any], *, plan: str = "", pretend: Any = None
    ) -> Any:
        assert name not in self.steps, f"{name} is not unique within the run"
        self.steps.append(name)
        if self.dry and plan:
            self.plans.append(plan)
            return pretend
        return json.loads(json.dumps(do()))

    async def sleep(self, seconds: float) -> None:
        assert 0 <= seconds <= 60
