"""One request with its user, and what a handler may do with it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from inkwire.access.gate import SignedIn
from inkwire.console import door, words
from inkwire.console.parts import Parts
from inkwire.console.templating import Templates
from inkwire.errors import Unauthenticated
from inkwire.model.access import Caller, Scope

Form = ImmutableMultiDict[str, str]
THEMES = ("system", "light", "dark")
_SAID = re.compile(r"([a-z_]{1,32})(?:\.(\d{1,6}))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """One request. Handlers are synchronous functions from this to a response."""

    parts: Parts
    templates: Templates
    request: Request
    #: None only on public pages.
    who: SignedIn | None
    #: The posted form, checked for its token and origin; empty for GET.
    form: Form
    #: The token that every form of this page carries.
    csrf: str

    @property
    def caller(self) -> Caller:
        """Who calls. Raises Unauthenticated on a public page without a session."""
        if self.who is None:
            raise Unauthenticated
        return self.who.caller

    @property
    def base(self) -> str:
        """Where the console is mounted: `/console`."""
        return str(self.request.scope.get("root_path", ""))

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
        return self.who is not None and self.who.caller.may(scope)

    def url(self, *path: str, **query: str) -> str:
        """An address of the console; segments and values are escaped, empty values dropped."""
        tail = "/".join(quote(part, safe="") for part in path)
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
            response.delete_cookie(door.SAID_COOKIE, path=self.base or "/")
        return response

    def see(self, url: str, *, said: str = "", number: int | None = None) -> Response:
        """Sends the browser on to `url` after a form; `said` is a key of `words.SAID`."""
        response = RedirectResponse(url, status_code=303)
        if said:
            value = said if number is None else f"{said}.{number}"
            self.set_cookie(response, door.SAID_COOKIE, value, max_age_s=60)
        return response

    def set_cookie(
        self,
        response: Response,
        name: str,
        value: str,
        *,
        max_age_s: int | None,
        for_script: bool = False,
    ) -> None:
        """A cookie for the console's pages alone."""
        door.set_cookie(
            response,
            self.parts.settings,
            name,
            value,
            path=self.base or "/",
            max_age_s=max_age_s,
            for_script=for_script,
        )

    def _said(self) -> str:
        match = _SAID.fullmatch(self.request.cookies.get(door.SAID_COOKIE, ""))
        if match is None:
            return ""
        return words.SAID.get(match[1], "").replace("{n}", match[2] or "0")


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
