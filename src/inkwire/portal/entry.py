"""The way into the portal: a token in the link's fragment, swapped for a session, and out again."""

from dataclasses import replace

from starlette.responses import Response

from inkwire.errors import Unauthenticated
from inkwire.pages.headers import page_policy
from inkwire.pages.visit import Page, Visit

SESSION_COOKIE = "inkwire_portal"


def entry(visit: Visit) -> Response:
    """GET /: `portal.js` reads the fragment and sends the form; without script it is pasted."""
    return _page(visit)


def _page(visit: Visit, *, problem: str = "", status: int = 200) -> Response:
    # Whose portal it will be is not known yet, so any site may frame this page. Therefore it shows
    # nothing of anybody's, and does nothing for a session that there may be already.
    stranger = replace(visit, who=None)
    response = stranger.render(
        "entry.html",
        status=status,
        problem=problem,
        out=visit.query("out"),
        inside=visit.who is not None,
    )
    secure = visit.parts.settings.base_url.startswith("https://")
    sites = "https:" if secure else "http: https:"
    response.headers["content-security-policy"] = page_policy(sites)
    return response


def enter(visit: Visit) -> Response:
    """POST /enter: a session for the link's token, which is used up by that."""
    token = visit.field("token").strip().rpartition("#")[2]
    try:
        cookie, _, ends_at = visit.parts.portal.enter(token)
    except Unauthenticated as error:
        return _page(visit, problem=error.message, status=401)
    response = visit.see(visit.url("webhooks"))
    lasts_s = int((ends_at - visit.now).total_seconds())
    visit.set_cookie(response, SESSION_COOKIE, cookie, max_age_s=max(lasts_s, 1))
    return response


def leave(visit: Visit) -> Response:
    """POST /leave: ends the session here and in the store."""
    visit.parts.portal.leave(visit.request.cookies.get(SESSION_COOKIE, ""))
    response = visit.see(visit.url("", out="left"))
    visit.drop_cookie(response, SESSION_COOKIE)
    return response


PAGES = (
    Page(path="/", handler=entry, public=True),
    Page(path="/enter", handler=enter, method="POST", public=True, tokenless=True),
    Page(path="/leave", handler=leave, method="POST"),
)
