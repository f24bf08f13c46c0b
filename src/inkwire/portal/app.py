"""The portal's ASGI app: its pages, and who may open and frame them."""

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from inkwire.access.bucket import Buckets
from inkwire.access.portal import PortalVisit
from inkwire.errors import Forbidden
from inkwire.pages import door, look
from inkwire.pages.headers import NOBODY, SAFE
from inkwire.pages.outgoing import words
from inkwire.pages.outgoing.pages import PAGES as OUTGOING
from inkwire.pages.shell import pages_app
from inkwire.pages.templating import Templates
from inkwire.pages.visit import Page, Visit, Who
from inkwire.parts import Parts
from inkwire.portal import entry

__all__ = ["PAGES", "portal_app"]

PAGES: tuple[Page, ...] = (*entry.PAGES, *look.PAGES, *OUTGOING)
#: `no-referrer`: the address of a page says which customer looks at what. Who may frame a page is
#: said by its content policy alone, for X-Frame-Options can name no site.
PORTAL_SAFE: Mapping[str, str] = {
    name: value for name, value in SAFE.items() if name != "x-frame-options"
} | {"referrer-policy": "no-referrer"}


#: Pages that the people of one application may open at once, and a second: more than people do,
#: and a bound for a program that took a link to get round its key's.
BURST, PER_SECOND = 120, 10


def portal_app(parts: Parts) -> Starlette:
    """The app to mount at `/portal`. It reads nothing and connects to nothing until asked."""
    return pages_app(parts, PortalHouse(parts), PAGES)


class PortalHouse:
    """Pages for whoever came in by a link into one application's portal."""

    name = "portal"
    elsewhere = True
    safe = PORTAL_SAFE
    said: Mapping[str, str] = words.SAID

    def __init__(self, parts: Parts) -> None:
        """`parts`: the portal's door and the settings are asked."""
        self._parts = parts
        self.templates = Templates("inkwire.portal", clock=parts.clock)
        self._buckets = Buckets(parts.clock, size=BURST, per_second=PER_SECOND)

    def who(self, request: Request) -> PortalVisit | None:
        """Whose portal the session cookie opens. Raises RateLimited."""
        visit = self._parts.portal.session(request.cookies.get(entry.SESSION_COOKIE))
        if visit is not None:
            _, refusal = self._buckets.take(visit.application.id)
            if refusal is not None:
                raise refusal
        return visit

    def token(self, request: Request) -> str:
        """There is no form before the session but the one that begins it."""
        return ""

    def check_origin(self, request: Request) -> None:
        """Raises Forbidden if a form did not come from a page of this hub.

        Without a referrer a browser says `Origin: null` of our own forms, too; what it says of
        the site then counts. One that says neither is held back by the token and the cookie.
        """
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            own = site == "same-origin"
        elif request.headers.get("origin", "null") != "null":
            own = door.is_own_origin(request, self._parts.settings)
        else:
            own = True
        if not own:
            raise Forbidden("This form did not come from a page of this portal; nothing was done.")

    def turn_away(self, visit: Visit) -> Response:
        """Sends a stranger to the entry page, which says how to come in."""
        target = visit.url("", out="1")
        if "hx-request" in visit.request.headers:
            return Response(status_code=401, headers={"hx-redirect": target})
        return RedirectResponse(target, status_code=303)

    def ancestors(self, who: Who | None) -> str:
        """The sites that the session's application named; nobody without a session."""
        if not isinstance(who, PortalVisit):
            return NOBODY
        return " ".join(who.application.frame_ancestors) or NOBODY
