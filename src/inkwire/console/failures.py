"""Failures grouped by cause: what goes wrong with deliveries, how often, and what helps."""

from dataclasses import dataclass

from starlette.responses import Response

from inkwire.errors import InvalidInput
from inkwire.model.access import Scope
from inkwire.pages.inputs import RANGES
from inkwire.pages.outgoing import words
from inkwire.pages.outgoing.rows import application_names
from inkwire.pages.visit import Page, Visit

DEFAULT_RANGE = "24h"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """Deliveries that fail alike."""

    words: str
    advice: str
    count: int
    #: Share of the most frequent cause, 1 to 100.
    share: int
    #: The deliveries whose last attempt ended that way.
    url: str


def failures(visit: Visit) -> Response:
    """GET /failures: given-up and failing deliveries of a time, most frequent cause first."""
    within = visit.query("range") or DEFAULT_RANGE
    if within not in RANGES:
        raise InvalidInput(fields={"range": f"must be one of: {', '.join(RANGES)}"})
    application = visit.query("application")
    names = application_names(visit)
    counted = visit.parts.store.outbox.failures(
        since=visit.now - RANGES[within][1], application_id=application or None
    )
    most = max((count for _, _, count in counted), default=1)
    causes = [
        Cause(
            words=f"HTTP {status}" if status is not None else words.RESULTS[result],
            advice=words.ADVICE[result],
            count=count,
            share=max(1, round(100 * count / most)),
            url=visit.url("deliveries", result=result, range=within, application=application),
        )
        for result, status, count in sorted(counted, key=lambda one: -one[2])
    ]
    return visit.render(
        "failures.html",
        causes=causes,
        total=sum(cause.count for cause in causes),
        within=within,
        ranges={name: text for name, (text, _) in RANGES.items()},
        application=application,
        applications=names,
    )


PAGES = (Page(path="/failures", handler=failures, scope=Scope.MESSAGES_READ),)
