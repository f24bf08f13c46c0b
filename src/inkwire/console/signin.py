"""Signing in and out."""

from starlette.responses import Response

from inkwire.errors import RateLimited, Unauthenticated
from inkwire.pages import door
from inkwire.pages.visit import Page, Visit


def form(visit: Visit) -> Response:
    """GET: the sign-in form, with a token of its own; who is signed in goes on."""
    if visit.who is not None:
        return visit.see(door.safe_next(visit.query("next"), visit.base))
    return _page(visit, name="", next_page=visit.query("next"))


def sign_in(visit: Visit) -> Response:
    """POST: opens a session, or says what is wrong without telling which part."""
    name, next_page = visit.field("name").strip().lower(), visit.field("next")
    client = visit.request.client
    try:
        token, session = visit.parts.gate.sign_in(
            name, visit.field("password"), remote=client.host if client else ""
        )
    except Unauthenticated as error:
        return _page(visit, name=name, next_page=next_page, problem=error.message, status=401)
    except RateLimited as error:
        response = _page(visit, name=name, next_page=next_page, problem=error.message, status=429)
        response.headers["retry-after"] = str(error.retry_after_s)
        return response
    response = visit.see(door.safe_next(next_page, visit.base))
    lasts_s = int((session.expires_at - visit.now).total_seconds())
    visit.set_cookie(response, door.SESSION_COOKIE, token, max_age_s=max(lasts_s, 1))
    visit.drop_cookie(response, door.SIGN_IN_COOKIE)
    return response


def sign_out(visit: Visit) -> Response:
    """POST: ends the session here and in the store."""
    visit.parts.gate.sign_out(visit.request.cookies.get(door.SESSION_COOKIE, ""))
    response = visit.see(visit.url("sign-in"), said="signed_out")
    visit.drop_cookie(response, door.SESSION_COOKIE)
    return response


def _page(
    visit: Visit, *, name: str, next_page: str, problem: str = "", status: int = 200
) -> Response:
    token = visit.csrf or door.new_token()
    response = visit.render(
        "sign_in.html",
        status=status,
        token=token,
        name=name,
        next_page=next_page,
        problem=problem,
    )
    visit.set_cookie(response, door.SIGN_IN_COOKIE, token, max_age_s=door.YEAR_S)
    return response


PAGES = (
    Page(path="/sign-in", handler=form, public=True),
    Page(path="/sign-in", handler=sign_in, method="POST", public=True),
    Page(path="/sign-out", handler=sign_out, method="POST"),
)
