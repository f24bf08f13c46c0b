"""One request with who makes it, and what a handler may do with it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from inkwire.errors import Unauthenticated
from inkwire.model.access import Caller, Scope
from inkwire.pages import door
from inkwire.pages.headers import raw_policy
from inkwire.pages.templating import Templates
from inkwire.parts import Parts

Form = ImmutableMultiDict[str, str]
THEMES = ("system", "light", "dark")
_SAID = re.compile(r"([a-z_]{1,32})(?:\.(\d{1,6}))?")


class Who(Protocol):
    """Somebody with a session."""

    @property
    def caller(self) -> Caller:
        """What they may do."""
        ...

    @property
    def csrf(self) -> str:
        """The token that every form of their pages carries."""
        ...


class House(Protocol):
    """What makes a set of pages the console or the portal."""

    @property
    def name(self) -> str:
        """`console` or `portal`: what the log calls it, and what its cookies begin with."""
        ...

    @property
    def templates(self) -> Templates:
        """Its frame and its own templates before the shared ones."""
        ...

    @property
    def said(self) -> Mapping[str, str]:
        """What the next page says after something was done."""
        ...

    @property
    def safe(self) -> Mapping[str, str]:
        """Headers of every answer that does not set its own."""
        ...

    @property
    def elsewhere(self) -> bool:
        """Whether its cookies must also come along in a frame of another site."""
        ...

    def who(self, request: Request) -> Who | None:
        """Who holds the session of this request."""
        ...

    def token(self, request: Request) -> str:
        """The token of forms that are filled in before there is a session; empty: none."""
        ...

    def check_origin(self, request: Request) -> None:
        """Raises Forbidden if a form came from elsewhere."""
        ...

    def turn_away(self, visit: "Visit") -> Response:
        """What a stranger gets for a page that needs a session."""
        ...

    def ancestors(self, who: Who | None) -> str:
        """Who may show a page of `who` in a frame: a source list of the content policy."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """One request. Handlers are synchronous functions from this to a response."""

    parts: Parts
    house: House
    request: Request
    #: None only on public pages.
    who: Any
    #: The posted form, checked for its token and origin; empty for GET.
    form: Form
    #: The token that every form of this page carries.
    csrf: str

    @property
    def caller(self) -> Caller:
        """Who calls. Raises Unauthenticated on a public page without a session."""
        if self.who is None:
            raise Unauthenticated
        caller: Caller = self.who.caller
        return caller

    @property
    def templates(self) -> Templates:
        """What the pages are rendered with."""
        return self.house.templates

    @property
    def base(self) -> str:
        """Where the pages are mounted: `/console`, `/portal`."""
        return str(self.request.scope.get("root_path", ""))

    @property
    def here(self) -> str:
        """The path below `base`."""
        return self.request.url.path[len(self.base) :]

    @property
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return self.parts.clock.now()

    @property
    def path(self) -> Mapping[str, str]:
        """The values in the URL's path."""
        return self.request.path_params

    @property
    def theme(self) -> str:
        """`system`, `light` or `dark`, as the user chose."""
        chosen = self.request.cookies.get(door.THEME_COOKIE, "")
        return chosen if chosen in THEMES else THEMES[0]

    def query(self, name: str) -> str:
        """A query value, blanks around it stripped; empty if absent."""
        return self.request.query_params.get(name, "").strip()

    def field(self, name: str) -> str:
        """A form value as typed; empty if absent."""
        return self.form.get(name, "")

    def may(self, scope: Scope) -> bool:
        """Whether the user holds `scope`."""
        return self.who is not None and self.caller.may(scope)

    def url(self, *path: str, **query: str) -> str:
        """An address below `base`; segments and values are escaped, empty values dropped."""
        tail = "/".join(quote(str(part), safe="") for part in path)
        asked = urlencode({key: value for key, value in query.items() if value})
        return f"{self.base}/{tail}" + (f"?{asked}" if asked else "")

    def render(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """A page. Says once what the page before has done."""
        said = self._said()
        html = self.templates.render(
            template, visit=self, parts=self.parts, said=said, Scope=Scope, **context
        )
        response = HTMLResponse(html, status_code=status)
        if said:
            self.drop_cookie(response, door.SAID_COOKIE)
        return response

    def raw(self, body: bytes, name: str) -> Response:
        """Stored content, inert whatever it is: as text, or with `?download=1` to be saved."""
        download = bool(self.query("download"))
        return Response(
            body,
            media_type="application/octet-stream" if download else "text/plain; charset=utf-8",
            headers={
                "content-security-policy": raw_policy(self.house.ancestors(self.who)),
                "content-disposition": f"{'attachment' if download else 'inline'}; "
                f'filename="{name}.{"bin" if download else "txt"}"',
            },
        )

    def see(self, url: str, *, said: str = "", number: int | None = None) -> Response:
        """Sends the browser on to `url` after a form; `said` is a key of the house's `said`."""
        response = RedirectResponse(url, status_code=303)
        if said:
            value = said if number is None else f"{said}.{number}"
            self.set_cookie(response, door.SAID_COOKIE, value, max_age_s=60)
        return response

    def set_cookie(
        self, response: Response, name: str, value: str, *, max_age_s: int | None
    ) -> None:
        """A cookie for these pages alone."""
        door.set_cookie(
            response,
            self.parts.settings,
            name,
            value,
            path=self.base or "/",
            max_age_s=max_age_s,
            elsewhere=self.house.elsewhere,
        )

    def drop_cookie(self, response: Response, name: str) -> None:
        """Ends a cookie of these pages."""
        self.set_cookie(response, name, "", max_age_s=0)

    def _said(self) -> str:
        match = _SAID.fullmatch(self.request.cookies.get(door.SAID_COOKIE, ""))
        if match is None:
            return ""
        return self.house.said.get(match[1], "").replace("{n}", match[2] or "0")


Handler = Callable[[Visit], Response]


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One route: who may come, and what answers."""

    path: str
    handler: Handler
    method: str = "GET"
    #: What the user must hold; None: to be signed in is enough.
    scope: Scope | None = None
    #: Open to anybody: signing in.
    public: bool = False
    #: Takes a form without a token: entering by a secret that no other site knows.
    tokenless: bool = False
