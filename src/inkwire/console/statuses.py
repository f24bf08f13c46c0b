"""The site's statuses: a list that an administrator edits as a whole."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from inkwire.errors import Conflict, InvalidInput
from inkwire.model.access import Scope
from inkwire.model.order import OrderStatus
from inkwire.pages.inputs import whole
from inkwire.pages.visit import Form, Page, Visit

NOTHING: Mapping[str, str] = {}
_ROW = re.compile(r"items\.(\d{1,3})\.code", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusInput:
    """One status of the form."""

    path: str
    code: str
    name: str
    #: Codes, as they were when the form was opened.
    transitions: tuple[str, ...] = ()
    terminal: bool = False
    #: Its code when the form was opened; empty for a new one.
    was: str = ""
    remove: bool = False
    place: int = 0
    errors: Mapping[str, str]


def show(visit: Visit) -> Response:
    """GET /statuses."""
    statuses = visit.parts.orders.statuses()
    rows = [
        StatusInput(
            path=f"items.{number}",
            code=one.code,
            name=one.name,
            transitions=one.transitions,
            terminal=one.terminal,
            was=one.code,
            place=number + 1,
            errors=NOTHING,
        )
        for number, one in enumerate(statuses)
    ]
    return _page(visit, rows)


def save(visit: Visit) -> Response:
    """POST /statuses: replaces all; with `more` only another row is added to the form."""
    rows = _typed(visit.form)
    if visit.field("more"):
        return _page(visit, [*rows, _empty(len(rows))])
    kept = sorted((row for row in rows if _is_kept(row)), key=lambda row: row.place)
    try:
        visit.parts.orders.set_statuses(visit.caller, _statuses(kept))
    except InvalidInput as error:
        return _page(visit, _with_errors(rows, kept, error.fields), error=_rest(error), status=422)
    except Conflict as error:
        return _page(visit, rows, error=error.message, status=409)
    return visit.see(visit.url("statuses"), said="statuses_saved")


def _is_kept(row: StatusInput) -> bool:
    return not row.remove and bool(row.code or row.name)


def _typed(form: Form) -> list[StatusInput]:
    numbers = sorted(int(match[1]) for name in form if (match := _ROW.fullmatch(name)))
    rows = []
    for number in numbers:
        path = f"items.{number}"
        place = whole(form.get(f"{path}.place", ""))
        rows.append(
            StatusInput(
                path=path,
                code=form.get(f"{path}.code", "").strip(),
                name=form.get(f"{path}.name", "").strip(),
                transitions=tuple(form.getlist(f"{path}.to")),
                terminal=f"{path}.terminal" in form,
                was=form.get(f"{path}.was", ""),
                remove=f"{path}.remove" in form,
                place=place if place >= 0 else number + 1,
                errors=NOTHING,
            )
        )
    return rows


def _empty(number: int) -> StatusInput:
    return StatusInput(path=f"items.{number}", code="", name="", place=number + 1, errors=NOTHING)


def _statuses(rows: Sequence[StatusInput]) -> list[OrderStatus]:
    """What the form says; a transition follows a code that was changed, and goes with one that is.

    Ways into a status that is taken away are taken away with it.
    """
    now = {row.was: row.code for row in rows if row.was}
    return [
        OrderStatus(
            code=row.code,
            name=row.name,
            transitions=tuple([now[code] for code in row.transitions if code in now]),
            terminal=row.terminal,
            position=place,
        )
        for place, row in enumerate(rows)
    ]


def _with_errors(
    rows: Sequence[StatusInput], kept: Sequence[StatusInput], found: Mapping[str, str]
) -> list[StatusInput]:
    """The rows with what is wrong with them; the desk counts only those that are kept."""
    paths = [row.path for row in kept]
    errors: dict[str, dict[str, str]] = {row.path: {} for row in rows}
    for path, text in found.items():
        _, number, member = [*path.split("."), "", ""][:3]
        if number.isdecimal() and int(number) < len(paths):
            errors[paths[int(number)]][member] = text
    return [replace(row, errors=errors[row.path]) for row in rows]


def _rest(error: InvalidInput) -> str:
    text = error.fields.get("items", "")
    return f"The list {text}." if text else ""


def _page(
    visit: Visit, rows: Sequence[StatusInput], *, error: str = "", status: int = 200
) -> Response:
    counts = visit.parts.store.orders.count_by_status()
    return visit.render(
        "statuses.html",
        status=status,
        rows=rows,
        counts=counts,
        names={row.was: row.name for row in rows if row.was},
        error=error,
        editable=visit.may(Scope.INTEGRATIONS_WRITE),
    )


PAGES = (
    Page(path="/statuses", handler=show, scope=Scope.ORDERS_READ),
    Page(path="/statuses", handler=save, method="POST", scope=Scope.INTEGRATIONS_WRITE),
)
