"""Workers: who does the work, whether their hearts beat, and what they have in hand."""

from collections import Counter
from dataclasses import dataclass

from starlette.responses import Response

from inkwire.console import setup_words
from inkwire.model.access import Scope
from inkwire.model.work import Executor, WorkState
from inkwire.pages.marks import Mark
from inkwire.pages.visit import Page, Visit
from inkwire.store.acting import WorkQuery
from inkwire.store.contract import MAX_PAGE


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerRow:
    """One worker."""

    executor: Executor
    mark: Mark
    in_hand: int


def worker_list(visit: Visit) -> Response:
    """GET /settings/workers."""
    running = visit.parts.work.page(
        visit.caller, WorkQuery(state=WorkState.RUNNING, limit=MAX_PAGE)
    )
    in_hand = Counter(work.executor_id for work in running)
    rows = [
        WorkerRow(
            executor=one,
            mark=setup_words.worker_mark(
                one, visit.now, dead_after_s=visit.parts.settings.executor_dead_after_s
            ),
            in_hand=in_hand[one.id],
        )
        for one in visit.parts.work.executors(visit.caller)
    ]
    return visit.render("workers.html", rows=rows, runs_url=visit.url("runs", state="running"))


PAGES = (Page(path="/settings/workers", handler=worker_list, scope=Scope.RUNS_READ),)
