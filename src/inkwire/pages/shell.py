"""The ASGI app around a set of pages: one door for all, and every error as a page in words."""

from collections.abc import Awaitable, Callable, Sequence

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope as AsgiScope

from inkwire.errors import Forbidden, InkwireError, InvalidInput, NotFound, Unauthenticated
from inkwire.pages import door
from inkwire.pages.form_body import read_form
from inkwire.pages.headers import SafeHeaders, page_policy
from inkwire.pages.templating import STATIC
from inkwire.pages.visit import Form, House, Page, Visit, Who
from inkwire.parts import Parts

#: A browser may keep a static file for good: its address changes with its content.
STATIC_CACHE = "public, max-age=31536000, immutable"

log = structlog.get_logger()


def pages_app(parts: Parts, house: House, pages: Sequence[Page]) -> Starlette:
    """The app to mount. It reads nothing and connects to nothing until asked."""
    keeper = _DoorKeeper(parts, house)
    routes: list[BaseRoute] = [
        Mount("/static", _KeptFiles(directory=STATIC, check_dir=False)),
        *(Route(page.path, keeper.endpoint(page), methods=[page.method]) for page in pages),
        # Whatever else is asked for gets a page that says that there is none.
        Route("/{path:path}", keeper.endpoint(Page(path="", handler=_nothing_here))),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(SafeHeaders, safe=house.safe)],
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

    def __init__(self, parts: Parts, house: House) -> None:
        self._parts = parts
        self._house = house

    def endpoint(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        """What Starlette calls for `page`: any input gives an answer in words."""

        async def answer(request: Request) -> Response:
            visit = self._visit(request)
            try:
                form = await read_form(request) if request.method == "POST" else Form()
                return await run_in_threadpool(self._serve, page, request, form)
            except InkwireError as error:
                return self._framed_by(_error_page(visit, error), None)

        return answer

    async def router_refused(self, request: Request, error: Exception) -> Response:
        """What the router refuses by itself: a method that a page does not take, a missing file."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        refused = NotFound("This address is not there, or does not take that kind of request.")
        response = _error_page(self._visit(request), refused)
        response.status_code = status
        return self._framed_by(response, None)

    def _serve(self, page: Page, request: Request, form: Form) -> Response:
        visit = self._visit(request)
        try:
            visit = self._visit(request, form, self._house.who(request))
            response = self._let_in(page, visit)
        except Unauthenticated:
            response = self._house.turn_away(visit)
        except InkwireError as error:
            response = _error_page(visit, error)
        except Exception:
            log.exception(
                "page.failed", house=self._house.name, path=request.url.path, method=request.method
            )
            response = _error_page(visit, InkwireError())
        return self._framed_by(response, visit.who)

    def _let_in(self, page: Page, visit: Visit) -> Response:
        if visit.who is None and not page.public:
            return self._house.turn_away(visit)
        _check_text(visit)
        if visit.request.method == "POST":
            self._check_form(page, visit)
        if page.scope is not None:
            visit.caller.require(page.scope)
        return page.handler(visit)

    def _visit(self, request: Request, form: Form | None = None, who: Who | None = None) -> Visit:
        """A visit; without `form` of nobody: for errors before it is known who calls."""
        known = form is not None
        return Visit(
            parts=self._parts,
            house=self._house,
            request=request,
            who=who,
            form=form if form is not None else Form(),
            csrf=who.csrf if who else self._house.token(request) if known else "",
        )

    def _check_form(self, page: Page, visit: Visit) -> None:
        self._house.check_origin(visit.request)
        if page.tokenless:
            return
        if not door.same_token(visit.field(door.CSRF_FIELD), visit.csrf):
            raise Forbidden("This form is out of date, so nothing was done. Load the page again.")

    def _framed_by(self, response: Response, who: Who | None) -> Response:
        policy = page_policy(self._house.ancestors(who))
        response.headers.setdefault("content-security-policy", policy)
        return response


def _check_text(visit: Visit) -> None:
    """Raises InvalidInput for a NUL, which no store keeps in a text and no person types."""
    asked = visit.request
    texts = (*asked.path_params.values(), *asked.query_params.values(), *visit.form.values())
    if any("\x00" in str(text) for text in texts):
        raise InvalidInput("A value holds the character NUL; take it out and send it again.")


def _error_page(visit: Visit, error: InkwireError) -> Response:
    fields = error.fields if isinstance(error, InvalidInput) else {}
    response = visit.render("error.html", status=error.status, error=error, fields=fields)
    retry_after = getattr(error, "retry_after_s", 5 if error.status == 503 else None)
    if retry_after is not None:
        response.headers["retry-after"] = str(retry_after)
    return response
