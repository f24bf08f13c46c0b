"""The console's ASGI app: its pages, and who may open them."""

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from inkwire.console import (
    account,
    administration,
    applications,
    arrivals,
    connection_form,
    connections,
    crm_words,
    event_page,
    events,
    failures,
    field_map,
    integration_form,
    integrations,
    jobs,
    live,
    new_source,
    order_edit,
    order_files,
    order_page,
    orders,
    overview,
    record_fields,
    record_folders,
    record_waiting,
    records,
    rejected,
    run_page,
    runs,
    setup_words,
    sign_ins,
    signin,
    sources,
    statuses,
    templates_page,
    topics,
    words,
    workers,
)
from inkwire.console.attention import DeadLetterCount
from inkwire.errors import Forbidden
from inkwire.pages import door, look
from inkwire.pages.headers import NOBODY, SAFE
from inkwire.pages.outgoing.pages import PAGES as PAGES_OF_BOTH
from inkwire.pages.outgoing.webhooks import BULK_PAGES
from inkwire.pages.shell import pages_app
from inkwire.pages.templating import Templates
from inkwire.pages.visit import Page, Visit, Who
from inkwire.parts import Parts

__all__ = ["PAGES", "Parts", "console_app"]

PAGES: tuple[Page, ...] = (
    *signin.PAGES,
    *look.PAGES,
    *overview.PAGES,
    *live.PAGES,
    *events.PAGES,
    *event_page.PAGES,
    *rejected.PAGES,
    *orders.PAGES,
    *order_page.PAGES,
    *order_edit.PAGES,
    *order_files.PAGES,
    *statuses.PAGES,
    *templates_page.PAGES,
    *runs.PAGES,
    *run_page.PAGES,
    *records.PAGES,
    *record_fields.PAGES,
    *field_map.PAGES,
    *record_folders.PAGES,
    *arrivals.PAGES,
    *record_waiting.PAGES,
    # Before the page of a connection, whose address would match.
    *sign_ins.PAGES,
    *connections.PAGES,
    *connection_form.PAGES,
    *integrations.PAGES,
    *integration_form.PAGES,
    *workers.PAGES,
    *sources.PAGES,
    *new_source.PAGES,
    *PAGES_OF_BOTH,
    *BULK_PAGES,
    *failures.PAGES,
    *jobs.PAGES,
    *applications.PAGES,
    *topics.PAGES,
    *administration.PAGES,
    *account.PAGES,
)


def console_app(parts: Parts) -> Starlette:
    """The app to mount at `/console`. It reads nothing and connects to nothing until asked."""
    return pages_app(parts, ConsoleHouse(parts), PAGES)


class ConsoleHouse:
    """Pages for people who sign in with a name and a password."""

    name = "console"
    elsewhere = False
    safe = SAFE

    def __init__(self, parts: Parts) -> None:
        """`parts`: the gate and the settings are asked."""
        self._parts = parts
        self.templates = Templates("inkwire.console", clock=parts.clock)
        self.said: Mapping[str, str] = {
            **words.SAID,
            **setup_words.SAID,
            **crm_words.SAID,
        }
        #: Stands in the rail of every page.
        self.dead_letters = DeadLetterCount()

    def who(self, request: Request) -> Who | None:
        """The person that the session cookie names."""
        if request.method == "POST":
            self.dead_letters.forget()
        return self._parts.gate.signed_in(request.cookies.get(door.SESSION_COOKIE))

    def token(self, request: Request) -> str:
        """The token of the sign-in form."""
        return request.cookies.get(door.SIGN_IN_COOKIE, "")

    def check_origin(self, request: Request) -> None:
        """Raises Forbidden if a form did not come from a page of this hub."""
        if not door.is_own_origin(request, self._parts.settings):
            raise Forbidden(
                "This form did not come from a page of this hub, so nothing was done. Behind a "
                "proxy, INKWIRE_PUBLIC_URL must be the address that you open the console at."
            )

    def turn_away(self, visit: Visit) -> Response:
        """Sends a stranger to the sign-in form, and back to where they wanted afterwards."""
        request = visit.request
        if "text/event-stream" in request.headers.get("accept", ""):
            return Response(status_code=204)  # an EventSource then stops asking
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        target = visit.url("sign-in", next=asked if request.method == "GET" else "")
        if "hx-request" in request.headers:
            return Response(status_code=401, headers={"hx-redirect": target})
        return RedirectResponse(target, status_code=303)

    def ancestors(self, who: Who | None) -> str:
        """Nobody."""
        return NOBODY
