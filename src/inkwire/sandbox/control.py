"""`/_sandbox/…`: clock, journal, faults, mails; for tests, demos and people."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inkwire.errors import InvalidInput
from inkwire.providers.payload import decode_json
from inkwire.sandbox.clock import MovableClock
from inkwire.sandbox.faults import FaultRules
from inkwire.sandbox.journal import Journal
from inkwire.sandbox.pages import Inbox


class Control:
    """The room's own calls."""

    def __init__(
        self, *, clock: MovableClock, journal: Journal, faults: FaultRules, inbox: Inbox
    ) -> None:
        """What they move and show."""
        self._clock = clock
        self._journal = journal
        self._faults = faults
        self._inbox = inbox

    def routes(self) -> list[Route]:
        """The calls."""
        return [
            Route("/_sandbox/clock", self._show_clock),
            Route("/_sandbox/clock", self._move_clock, methods=["POST"]),
            Route("/_sandbox/journal", self._show_journal),
            Route("/_sandbox/journal", self._clear_journal, methods=["DELETE"]),
            Route("/_sandbox/faults", self._show_faults),
            Route("/_sandbox/faults", self._add_fault, methods=["POST"]),
            Route("/_sandbox/faults", self._remove_faults, methods=["DELETE"]),
            Route("/_sandbox/faults/{id}", self._remove_fault, methods=["DELETE"]),
            Route("/_sandbox/mails", self._mails),
        ]

    async def _show_clock(self, request: Request) -> Response:
        return JSONResponse(self._clock.shown())

    async def _move_clock(self, request: Request) -> Response:
        body = await _body(request)
        for name, value in body.items():
            if name not in ("advance_s", "skew_s") or not _is_number(value):
                raise InvalidInput(fields={name: "must be advance_s or skew_s, in seconds"})
        try:
            self._clock.move(**body)
        except (ValueError, OverflowError) as error:
            raise InvalidInput(f"{error}.") from error
        return JSONResponse(self._clock.shown())

    async def _show_journal(self, request: Request) -> Response:
        lines = self._journal.lines()
        return JSONResponse({"counts": self._journal.counts(), "calls": lines})

    async def _clear_journal(self, request: Request) -> Response:
        self._journal.clear()
        return Response(status_code=204)

    async def _show_faults(self, request: Request) -> Response:
        return JSONResponse(self._faults.all())

    async def _add_fault(self, request: Request) -> Response:
        return JSONResponse(self._faults.add(await _body(request)), 201)

    async def _remove_faults(self, request: Request) -> Response:
        self._faults.remove()
        return Response(status_code=204)

    async def _remove_fault(self, request: Request) -> Response:
        self._faults.remove(request.path_params["id"])
        return Response(status_code=204)

    async def _mails(self, request: Request) -> Response:
        return JSONResponse(self._inbox.mails(request.query_params.get("to")))


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises Unparsable, InvalidInput."""
    body = decode_json(await request.body())
    if not isinstance(body, dict):
        raise InvalidInput("The body must be a JSON object.")
    return body


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
