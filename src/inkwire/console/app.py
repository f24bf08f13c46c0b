"""The console's ASGI app: one door for every page, and every error as a page in words."""

from collections.abc import Awaitable, Callable

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope as AsgiScope

from inkwire.console import (
    account,
    administration,
    door,
    event_page,
    events,
    live,
    new_source,
    overview,
    rejected,
    signin,
    sources,
)
from inkwire.console.form_body import read_form
from inkwire.console.headers import SafeHeaders
from inkwire.console.parts import Parts
from inkwire.console.templating import STATIC, Templates
from inkwire.console.visit import Form, Page, Visit
from inkwire.errors import Forbidden, InkwireError, InvalidInput, NotFound, Unauthenticated

__all__ = ["PAGES", "Parts", "console_app"]

PAGES: tuple[Page, ...] = (
    *signin.PAGES,
    *overview.PAGES,
    *live.PAGES,
    *events.PAGES,
    *event_page.PAGES,
    *rejected.PAGES,
    *sources.PAGES,
    *new_source.PAGES,
    *administration.PAGES,
    *account.PAGES,
)
#: A browser may keep a static file for good: its address changes with its content.
STATIC_CACHE = "public, max-age=31536000, immutable"

log = structlog.get_logger()


def console_app(parts: Parts) -> Starlette:
    """The app to mount at `/console`. It reads nothing and connects to nothing until asked."""
    keeper = _DoorKeeper(parts, Templates(clock=parts.clock))
    routes: list[BaseRoute] = [
        Mount("/static", _KeptFiles(directory=STATIC, check_dir=False)),
        *(Route(page.path, keeper.endpoint(page), methods=[page.method]) for page in PAGES),
        # Whatever else is asked for gets a page that says that there is none.
        Route("/{path:path}", keeper.endpoint(Page(path="", handler=_nothing_here))),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(SafeHeaders)],
        exception_handlers={HTTPException: keeper.router_refused},
    )


class _KeptFiles(StaticFiles):
    """Our own files and the vendored ones."""

    async def get_response(self, path: str, scope: AsgiScope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = STATIC_CACHE
        return response


def _nothing_here(_visit: Visit) -> Response:
    raise NotFound("There is no page at this address.")


class _DoorKeeper:
    """Lets a request in: session, form token and origin, scope; then the handler, on a thread."""

    def __init__(self, parts: Parts, templates: Templates) -> None:
        self._parts = parts
        self._templates = templates

    def endpoint(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        """What Starlette calls for `page`: any input gives an answer in words."""

        async def answer(request: Request) -> Response:
            visit = self._stranger(request)
            try:
                form = await read_form(request) if request.method == "POST" else Form()
                return await run_in_threadpool(self._serve, page, request, form)
            except InkwireError as error:
                return _error_page(visit, error)

        return answer

    async def router_refused(self, request: Request, error: Exception) -> Response:
        """What the router refuses by itself: a method that a page does not take, a missing file."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        refused = NotFound("This address is not there, or does not take that kind of request.")
        response = _error_page(self._stranger(request), refused)
        response.status_code = status
        return response

    def _serve(self, page: Page, request: Request, form: Form) -> Response:
        visit = self._stranger(request)
        try:
            visit = self._known(request, form)
            if visit.who is None and not page.public:
                return _to_sign_in(visit)
            if request.method == "POST":
                self._check_form(visit)
            if page.scope is not None:
                visit.caller.require(page.scope)
            return page.handler(visit)
        except Unauthenticated:
            return _to_sign_in(visit)
        except InkwireError as error:
            return _error_page(visit, error)
        except Exception:
            log.exception("console.failed", path=request.url.path, method=request.method)
            return _error_page(visit, InkwireError())

    def _known(self, request: Request, form: Form) -> Visit:
        who = self._parts.gate.signed_in(request.cookies.get(door.SESSION_COOKIE))
        return Visit(
            parts=self._parts,
            templates=self._templates,
            request=request,
            who=who,
            form=form,
            csrf=who.session.csrf if who else request.cookies.get(door.SIGN_IN_COOKIE, ""),
        )

    def _stranger(self, request: Request) -> Visit:
        """A visit without a user: for errors before it is known who calls."""
        return Visit(
            parts=self._parts,
            templates=self._templates,
            request=request,
            who=None,
            form=Form(),
            csrf="",
        )

    def _check_form(self, visit: Visit) -> None:
        if not door.is_own_origin(visit.request, self._parts.settings):
            raise Forbidden(
                "This form did not come from a page of this hub, so nothing was done. Behind a "
                "proxy, INKWIRE_PUBLIC_URL must be the address that you open the console at."
            )
        if not door.same_token(visit.field(door.CSRF_FIELD), visit.csrf):
            raise Forbidden("This form is out of date, so nothing was done. Load the page again.")


def _to_sign_in(visit: Visit) -> Response:
    request = visit.request
    if "text/event-stream" in request.headers.get("accept", ""):
        return Response(status_code=204)  # an EventSource then stops asking
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = visit.url("sign-in", next=asked if request.method == "GET" else "")
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"hx-redirect": target})
    return RedirectResponse(target, status_code=303)


def _error_page(visit: Visit, error: InkwireError) -> Response:
    fields = error.fields if isinstance(error, InvalidInput) else {}
    response = visit.render("error.html", status=error.status, error=error, fields=fields)
    retry_after = getattr(error, "retry_after_s", 5 if error.status == 503 else None)
    if retry_after is not None:
        response.headers["retry-after"] = str(retry_after)
    return response
