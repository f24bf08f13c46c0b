"""The sandbox's own pages: inbox, faults, journal; and the frame of its providers' pages."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from inkwire.errors import InkwireError
from inkwire.providers.sandboxing import Doc, SandboxClock
from inkwire.sandbox.faults import CALLS, EVENTS, FaultRules
from inkwire.sandbox.journal import Journal
from inkwire.sandbox.state import FileState

_MAIL = "mail"
_SHOWN = 200
_WHOLE, _DECIMAL = ("nth", "count", "status", "times"), ("retry_after_s", "delay_s")


class Inbox:
    """Mails to people outside."""

    def __init__(self, state: FileState, clock: SandboxClock) -> None:
        """`state` keeps them; `clock` dates them."""
        self._state = state
        self._clock = clock

    def add(self, to: str, subject: str, text: str, link: str) -> None:
        """One mail; `link`: a path of this sandbox, or empty."""
        at = self._clock.now().isoformat(timespec="seconds")
        mail = {"at": at, "to": to, "subject": subject, "text": text, "link": link}
        self._state.put(_MAIL, str(self._state.number(_MAIL)), mail, owner=to.lower())

    def mails(self, to: str | None = None, *, limit: int = 1000) -> list[Doc]:
        """The newest mails, newest first; to one address if named."""
        owner = None if to is None else to.lower()
        found = self._state.find(_MAIL, owner=owner, newest=True, limit=limit)
        return [mail for _, mail in found]


class Frame:
    """Renders templates in the frame that all pages share."""

    def __init__(self) -> None:
        """Pages in the head: the room's own, then those that providers add."""
        self.pages: list[tuple[str, str]] = [
            ("Inbox", "/"),
            ("Faults", "/faults"),
            ("Journal", "/journal"),
        ]

    def render(self, package: str, template: str, context: Mapping[str, Any]) -> str:
        """The HTML of `template` in `package`'s folder `templates`."""
        values = dict(context) | {"pages": self.pages}
        return _environment(package).get_template(template).render(values)


@cache
def _environment(package: str) -> Environment:
    return Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("inkwire.sandbox")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class Pages:
    """The room's own pages."""

    def __init__(self, *, inbox: Inbox, faults: FaultRules, journal: Journal, frame: Frame) -> None:
        """What they show, and the frame to show it in."""
        self._inbox = inbox
        self._faults = faults
        self._journal = journal
        self._frame = frame

    def routes(self) -> Sequence[Route]:
        """The pages."""
        return [
            Route("/", self._show_inbox, name="page:inbox"),
            Route("/faults", self._show_faults, name="page:faults"),
            Route("/faults", self._change_faults, methods=["POST"], name="page:change-faults"),
            Route("/journal", self._show_journal, name="page:journal"),
            Route("/_sandbox/style.css", self._style),
        ]

    async def _show_inbox(self, request: Request) -> Response:
        return self._html("inbox.html", {"mails": self._inbox.mails(limit=_SHOWN)})

    async def _show_journal(self, request: Request) -> Response:
        lines = self._journal.lines(limit=_SHOWN)
        return self._html("journal.html", {"lines": lines, "counts": self._journal.counts()})

    async def _show_faults(self, request: Request) -> Response:
        return self._faults_page()

    async def _change_faults(self, request: Request) -> Response:
        async with request.form(max_files=0, max_fields=20) as form:
            given = {key: value for key, value in form.items() if isinstance(value, str) and value}
        try:
            if "remove" in given:
                self._faults.remove(given["remove"])
            else:
                self._faults.add({key: _number(key, value) for key, value in given.items()})
        except InkwireError as problem:
            return self._faults_page(problem.message, 422)
        return RedirectResponse("/faults", 303)

    async def _style(self, request: Request) -> Response:
        style = resources.files("inkwire.sandbox").joinpath("style.css").read_text("utf-8")
        return Response(style, media_type="text/css")

    def _faults_page(self, problem: str = "", status: int = 200) -> Response:
        context = {
            "rules": self._faults.all(),
            "kinds": list((CALLS | EVENTS).items()),
            "problem": problem,
        }
        return self._html("faults.html", context, status)

    def _html(self, template: str, context: Mapping[str, Any], status: int = 200) -> Response:
        return HTMLResponse(self._frame.render("inkwire.sandbox", template, context), status)


def _number(name: str, value: str) -> str | int | float:
    """A field of the form as the rule wants it; what is no number stays, and is refused."""
    try:
        if name in _WHOLE:
            return int(value)
        return float(value) if name in _DECIMAL else value
    except ValueError:
        return value
