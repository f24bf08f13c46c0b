"""A run without effects: executes what only reads, and lists what the rest would do."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, cast

import structlog

from inkwire.engine import retry
from inkwire.engine.retry import Defect
from inkwire.engine.runs import Doing, Running, Workflow, plain
from inkwire.model.work import StepResult

T = TypeVar("T")

log = structlog.get_logger()


class DryRun(Running):
    """See `contract.Run`; never through the journal."""

    dry = True

    def __init__(self, doing: Doing) -> None:
        super().__init__(doing)
        self.plans: list[dict[str, str]] = []

    async def step(
        self, name: str, do: Callable[[], T], *, plan: str = "", pretend: Any = None
    ) -> T:
        """Notes a plan and goes on with `pretend`; runs `do` if there is no plan."""
        self._named.check(name)
        if plan:
            self.plans.append({"step": name, "plan": plan})
            return cast("T", pretend)
        return cast("T", plain(await asyncio.to_thread(do)))

    async def sleep(self, seconds: float) -> None:
        """Waits for nobody."""


async def tried_out(workflow: Workflow, run: DryRun) -> dict[str, Any]:
    """What a run would do: `{plans: [{step, plan}], state, note}`."""
    try:
        done = (await workflow(run)).ending
        state, note = done.state.value, done.note
    except Exception as error:
        outcome = retry.tried(error)
        if outcome.result is StepResult.INTERNAL and not isinstance(error, Defect):
            log.exception("run.dry_failed", work_id=run.work.id)
        state, note = outcome.result.value, outcome.detail
    return {"plans": run.plans, "state": state, "note": note}
