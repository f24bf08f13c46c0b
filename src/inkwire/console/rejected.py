"""Refused requests: why, and what to do about it."""

from collections.abc import Mapping

from starlette.responses import Response

from inkwire.console import words
from inkwire.console.views import RejectionRow
from inkwire.errors import InvalidInput
from inkwire.model.access import Scope
from inkwire.model.receipt import Rejection
from inkwire.model.source import Source
from inkwire.model.verdict import Reason
from inkwire.pages.inputs import PAGE
from inkwire.pages.views import Chip
from inkwire.pages.visit import Page, Visit
from inkwire.store.contract import RejectionQuery


def rejected_list(visit: Visit) -> Response:
    """GET /rejected: newest first, limited by source and reason."""
    source_id, reason, before = visit.query("source"), visit.query("reason"), visit.query("before")
    if reason and reason not in set(Reason):
        raise InvalidInput(fields={"reason": f"must be one of: {', '.join(Reason)}"})
    found = visit.parts.store.events.rejections(
        RejectionQuery(
            source_id=source_id or None,
            reason=Reason(reason) if reason else None,
            before=before or None,
            limit=PAGE + 1,
        )
    )
    sources = {source.id: source for source in visit.parts.desk.all(visit.caller)}
    return visit.render(
        "rejected.html",
        rows=[rejection_row(visit, item, sources) for item in found[:PAGE]],
        chips=_chips(visit, source_id, reason, sources),
        source_id=source_id,
        reason=reason,
        reasons=words.REASONS,
        sources=list(sources.values()),
        first_page=not before,
        newest_url=visit.url("rejected", source=source_id, reason=reason),
        older_url=visit.url("rejected", source=source_id, reason=reason, before=found[PAGE - 1].id)
        if len(found) > PAGE
        else "",
    )


def _chips(visit: Visit, source_id: str, reason: str, sources: Mapping[str, Source]) -> list[Chip]:
    chips = []
    if source_id:
        name = sources[source_id].name if source_id in sources else source_id
        url = visit.url("rejected", reason=reason)
        chips.append(Chip(label="Source", value=name, remove_url=url))
    if reason:
        url = visit.url("rejected", source=source_id)
        chips.append(Chip(label="Reason", value=words.reason_words(reason), remove_url=url))
    return chips


def rejection_row(
    visit: Visit, rejection: Rejection, sources: Mapping[str, Source]
) -> RejectionRow:
    """One line of a list of refusals."""
    known = rejection.source_id in sources
    return RejectionRow(
        rejection=rejection,
        reason=words.reason_words(rejection.reason.value),
        url=visit.url("rejected", rejection.id),
        source_url=visit.url("sources", rejection.source_id) if known else "",
    )


def rejected_page(visit: Visit) -> Response:
    """GET /rejected/{id}."""
    rejection = visit.parts.store.events.rejection(visit.path["rejection_id"])
    sources = {source.id: source for source in visit.parts.desk.all(visit.caller)}
    return visit.render(
        "rejection.html",
        row=rejection_row(visit, rejection, sources),
        rejection=rejection,
        provider=words.provider_title(visit.parts.registry, rejection.provider)
        if rejection.provider
        else "",
        alike_url=visit.url("rejected", source=rejection.source_id, reason=rejection.reason.value),
        show_headers=visit.may(Scope.EVENTS_BODY),
    )


PAGES = (
    Page(path="/rejected", handler=rejected_list, scope=Scope.EVENTS_READ),
    Page(path="/rejected/{rejection_id}", handler=rejected_page, scope=Scope.EVENTS_READ),
)
