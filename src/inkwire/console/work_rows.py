"""Lines of lists of work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from inkwire.console import acting_words, words
from inkwire.errors import NotFound
from inkwire.model.access import Scope
from inkwire.model.work import Integration, ParkCause, Work, WorkState
from inkwire.pages.marks import Mark
from inkwire.pages.visit import Visit


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkRow:
    """One work row as a list shows it."""

    work: Work
    #: What is to be done, in words.
    title: str
    mark: Mark
    url: str
    #: What it is about: ("sign request", "5f0c…"); empty texts for the clock's work.
    about: tuple[str, str]
    #: The list, limited to that.
    about_url: str
    integration: str
    integration_url: str
    #: When it starts, while it waits.
    due_at: datetime | None


def work_rows(
    visit: Visit, works: Sequence[Work], integrations: Mapping[int, Integration]
) -> list[WorkRow]:
    """The lines; `integrations` by number."""
    numbers = order_numbers(visit, works)
    return [work_row(visit, work, integrations.get(work.integration_id), numbers) for work in works]


def order_numbers(visit: Visit, works: Sequence[Work]) -> Mapping[str, str]:
    """Numbers of the orders that work names, by their ids."""
    wanted = {work.subject["order_id"] for work in works if "order_id" in work.subject}
    if not wanted or not visit.may(Scope.ORDERS_READ):
        return {}
    return visit.parts.store.orders.numbers(wanted)


def work_row(
    visit: Visit, work: Work, integration: Integration | None, numbers: Mapping[str, str]
) -> WorkRow:
    """One line; `integration` None if nobody may see it, `numbers` of orders by id."""
    label = f"int_{work.integration_id}"
    return WorkRow(
        work=work,
        title=acting_words.workflow_title(work.workflow, _titles(visit, integration)),
        mark=acting_words.work_mark(work),
        url=visit.url("runs", work.id),
        about=about(work, numbers),
        about_url=visit.url("runs", entity=work.entity_key),
        integration=integration.name if integration else label,
        integration_url=visit.url("integrations", label),
        due_at=_due_at(visit, work),
    )


def _due_at(visit: Visit, work: Work) -> datetime | None:
    """When it starts by itself, while that is still to come."""
    waits = work.state in (WorkState.NEW, WorkState.PARKED)
    alone = waits and work.park_cause not in (ParkCause.PERSON, ParkCause.MAPPING)
    return work.due_at if alone and work.due_at > visit.now else None


def _titles(visit: Visit, integration: Integration | None) -> Mapping[str, str]:
    if integration is None:
        return {}
    try:
        return acting_words.titles_of(visit.parts.integrations.kind(visit.caller, integration.kind))
    except NotFound:
        return {}


def about(work: Work, numbers: Mapping[str, str]) -> tuple[str, str]:
    """What work is about, in words; nothing for what the clock makes."""
    if (number := numbers.get(work.subject.get("order_id", ""))) is not None:
        return "order", number
    if work.entity_key.startswith(acting_words.UPKEEP):
        return "", ""
    kind, separator, rest = work.entity_key.partition(":")
    if separator and ":" not in rest:
        return kind.replace("_", " "), rest
    return words.entity_words(work.entity_key)


def integrations_by_number(visit: Visit) -> dict[int, Integration]:
    """Every integration, by its number."""
    return {one.id: one for one in visit.parts.store.integrations.all()}
