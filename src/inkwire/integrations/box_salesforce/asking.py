"""Work that a run asks for, gathered in slots, so that one call serves many files (DESIGN §10)."""

from datetime import datetime, timedelta

from inkwire.engine.contract import Run
from inkwire.engine.slots import slot_work
from inkwire.errors import LimitReached
from inkwire.integrations.box_salesforce.clients import salesforce
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.model.event import Origin
from inkwire.model.work import Work

#: Seconds that files wait to be compared, Tasks to be sent, and what has no record yet to be
#: started, together with others.
SETTLE_S, TASKS_S, WAKE_S = 10, 30, 60
#: Per cent of the daily calls from which Tasks are gathered for longer, and for how many seconds.
SAVING_PERCENT, SAVING_S = 70, 300
#: Seconds that everything but files waits at the share of the daily calls.
BUDGET_S = 300.0


def ask_settle(run: Run) -> None:
    """What was stored is compared soon."""
    _ask(run, "settle", SETTLE_S)


def ask_tasks(run: Run) -> None:
    """What was noted is sent soon; later, and more of it at once, when the day runs low (R77)."""
    _ask(run, "send_tasks", SAVING_S if _saving(run) else TASKS_S)


def ask_tasks_at(run: Run, batch_id: str, at: datetime) -> None:
    """A Bulk job is looked at then; asked for once, however many runs see it wait."""
    services = run.services
    workflow = "send_tasks"
    row = Work(
        id=services.ids.new("wrk"),
        integration_id=run.integration.id,
        key=f"{workflow}/{batch_id}/{at.timestamp():.0f}",
        workflow=workflow,
        entity_key=f"integration:{run.integration.id}:{workflow}",
        origin=Origin.RECONCILED,
        due_at=at,
        created_at=services.clock.now(),
    )
    services.store.works.add([row])


def ask_wake(run: Run) -> None:
    """What waits for a record starts soon, also what parks only after this."""
    _ask(run, "wake_waiting", WAKE_S)


def wake_work(integration_id: int, *, work_id: str, now: datetime) -> Work:
    """The row that `ask_wake` adds, for who is no run."""
    return slot_work(integration_id, "wake_waiting", WAKE_S, work_id=work_id, now=now)


def require_budget(run: Run) -> None:
    """Raises LimitReached while the day's calls are for files only (R77).

    What is known of them is asked again when it is older than the wait.
    """
    connection_id = run.integration.second_connection_id
    if connection_id is None:
        return
    usage = run.services.store.api_usages.get(connection_id)
    if usage is None:
        return
    used, most, share = usage.used, usage.most, chosen(run.integration).budget_percent
    if used * 100 < most * share:
        return
    if run.services.clock.now() - usage.at >= timedelta(seconds=BUDGET_S):
        fresh = salesforce(run).limits()
        used, most = fresh.used, fresh.most
        if used * 100 < most * share:
            return
    raise LimitReached(
        f"{used} of the organisation's {most} API calls of a day are used. From {share} % on only "
        "files are sent; this goes on when the window frees.",
        retry_after_s=BUDGET_S,
    )


def require_some(run: Run) -> None:
    """Raises LimitReached while the day's calls are known to be used up, so that none is wasted.

    Five minutes after the last answer said so, one call finds out anew.
    """
    connection_id = run.integration.second_connection_id
    usage = None
    if connection_id is not None:
        usage = run.services.store.api_usages.get(connection_id)
    if usage is None or usage.used < usage.most:
        return
    left = BUDGET_S - (run.services.clock.now() - usage.at).total_seconds()
    if left > 0:
        raise LimitReached(
            f"All {usage.most} API calls of the organisation's day are used. This goes on when the "
            "window frees.",
            retry_after_s=left,
        )


def _saving(run: Run) -> bool:
    """Whether the day's calls are to be spared, as far as is known."""
    connection_id = run.integration.second_connection_id
    if connection_id is None:
        return False
    usage = run.services.store.api_usages.get(connection_id)
    return usage is not None and usage.used * 100 >= usage.most * SAVING_PERCENT


def _ask(run: Run, workflow: str, every_s: int) -> None:
    """Adds the slot's row, due at its end; one that is there is left as it is."""
    services = run.services
    row = slot_work(
        run.integration.id,
        workflow,
        every_s,
        work_id=services.ids.new("wrk"),
        now=services.clock.now(),
    )
    services.store.works.add([row])
