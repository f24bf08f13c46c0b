"""The field map's page: its lines as rows, what is wrong with each, a dry run, and saving it.

What a person changes stands in the form until it is saved, so each button works without script.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from starlette.responses import Response

from inkwire.console import crm_words, field_row
from inkwire.console.connections import asked
from inkwire.console.field_row import EditedRow
from inkwire.console.field_trial import Trial, trial_of
from inkwire.console.records import ROOM, integration_of, labelled, number_in_path
from inkwire.errors import Conflict, InvalidInput, NotFound, RateLimited
from inkwire.integrations.box_salesforce.field_trying import MOST, SOME
from inkwire.integrations.desk import IntegrationChange
from inkwire.integrations.field_map_desk import MapView
from inkwire.model.access import Scope
from inkwire.pages.visit import Page, Visit

_PATH = "field-map"
_NOTHING: Mapping[str, str] = {}
#: Digits of a row's place.
_MOST_DIGITS = 9


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """The map as it stands on the page."""

    lines: tuple[str, ...]
    #: What the draft began from: when the integration was last changed.
    version: str
    #: The row that is open: its place from 0, or one behind the last; None: none is.
    at: int | None = None
    #: What stands in the open row.
    typed: Mapping[str, str] | None = None
    records: str = str(SOME)
    #: Id of the dry run that is shown; "" for none.
    trial: str = ""


def choose(visit: Visit) -> Response:
    """GET /records/field-map: that of one integration; `integration` chooses it."""
    found = visit.parts.crm.integrations(visit.caller)
    number = integration_of(visit.query("integration"))
    if number is None and found:
        number = found[0].id
    if number is None:
        return visit.render("field_map.html", integration=None)
    return visit.see(visit.url(ROOM, _PATH, f"int_{number}"))


def map_page(visit: Visit) -> Response:
    """GET /records/field-map/{integration}: `try` names a dry run, whose lines are shown."""
    number, trial_id = number_in_path(visit), visit.query("try")
    view = visit.parts.field_maps.shown(visit.caller, number)
    draft = Draft(lines=view.lines, version=view.integration.updated_at.isoformat())
    if trial_id and visit.may(Scope.RUNS_READ):
        trial, lines = trial_of(visit, number, trial_id)
        began = visit.query("version") or draft.version
        draft = replace(draft, lines=lines or view.lines, version=began, trial=trial.id)
    return _page(visit, draft)


def change(visit: Visit) -> Response:
    """POST /records/field-map/{integration}: what the pressed button `do` says."""
    number, draft = number_in_path(visit), _posted(visit)
    verb, _, place = visit.field("do").partition(":")
    if verb == "try":
        return _try(visit, number, _kept(visit, draft))
    if verb == "show":  # what a worker answered meanwhile, which whoever sees the page may see
        return _page(visit, draft)
    visit.caller.require(Scope.INTEGRATIONS_WRITE)
    if verb == "save":
        return _save(visit, number, _kept(visit, draft))
    if verb == "keep":
        draft = _kept(visit, draft)
    elif verb == "ask":
        visit.parts.field_maps.look(visit.caller, number)
        return _page(visit, draft)
    else:
        draft = _moved(_kept(visit, draft), verb, place)
    return _page(visit, draft, focus="add" if draft.at is None else "row")


def _moved(draft: Draft, verb: str, place: str) -> Draft:
    """The draft with a row opened, closed, added or taken away."""
    at = _place(place)
    if verb == "add":
        return replace(draft, at=len(draft.lines))
    if verb == "change" and at is not None and at < len(draft.lines):
        return replace(draft, at=at)
    if verb == "remove" and at is not None and at < len(draft.lines):
        return replace(draft, lines=(*draft.lines[:at], *draft.lines[at + 1 :]))
    return draft


def _place(text: str) -> int | None:
    """A row's place from 0; None for what is none: Python reads no number of 5,000 digits."""
    return int(text) if len(text) <= _MOST_DIGITS and text.isascii() and text.isdigit() else None


def _posted(visit: Visit) -> Draft:
    """What the form holds."""
    at = _place(visit.field("at"))
    lines = tuple(one.strip() for one in visit.form.getlist("line") if one.strip())
    return Draft(
        lines=lines,
        version=visit.field("version"),
        at=None if at is None else min(at, len(lines)),
        typed={name: visit.field(name).strip() for name in field_row.NAMES},
        records=visit.field("records").strip() or str(SOME),
        trial=visit.field("trial"),
    )


def _kept(visit: Visit, draft: Draft) -> Draft:
    """The draft with what stands in the open row taken in, so that nothing typed is lost."""
    closed = replace(draft, at=None, typed=None)
    typed = draft.typed or {}
    if draft.at is None or visit.field("do") == "cancel" or not any(typed.values()):
        return closed
    view = visit.parts.field_maps.shown(visit.caller, number_in_path(visit), draft.lines)
    line = field_row.line_of(typed, view.facts)
    return replace(closed, lines=(*draft.lines[: draft.at], line, *draft.lines[draft.at + 1 :]))


def _try(visit: Visit, number: int, draft: Draft) -> Response:
    try:
        records = int(draft.records) if draft.records.isascii() else 0
    except ValueError:
        records = 0
    try:
        command = visit.parts.field_maps.try_out(
            visit.caller, number, lines=draft.lines, records=records
        )
    except InvalidInput as error:
        return _page(visit, draft, errors=error.fields, status=422)
    except (Conflict, RateLimited) as error:
        return _page(visit, draft, errors={"records": error.message}, status=error.status)
    url = visit.url(ROOM, _PATH, f"int_{number}", **{"try": command.id, "version": draft.version})
    return visit.see(f"{url}#tried")


def _save(visit: Visit, number: int, draft: Draft) -> Response:
    integration = visit.parts.integrations.get(visit.caller, number)
    if draft.version != integration.updated_at.isoformat():
        # The next try overwrites what stands there now: the page says so.
        current = replace(draft, version=integration.updated_at.isoformat())
        return _page(visit, current, outdated=True, status=409)
    settings = {"field_map": "\n".join(draft.lines)}
    wanted = IntegrationChange(settings=settings, expected=integration.updated_at)
    try:
        visit.parts.integrations.change(visit.caller, number, wanted)
    except InvalidInput as error:
        return _page(visit, draft, errors=error.fields, status=422)
    except Conflict:
        now = visit.parts.integrations.get(visit.caller, number).updated_at.isoformat()
        return _page(visit, replace(draft, version=now), outdated=True, status=409)
    return visit.see(visit.url(ROOM, _PATH, f"int_{number}"), said="field_map_saved")


# --- the page


def _page(
    visit: Visit,
    draft: Draft,
    *,
    errors: Mapping[str, str] = _NOTHING,
    outdated: bool = False,
    focus: str = "",
    status: int = 200,
) -> Response:
    """`focus`: `row` or `add`, after a button that is gone by then."""
    number, may_change = number_in_path(visit), visit.may(Scope.INTEGRATIONS_WRITE)
    view = visit.parts.field_maps.shown(visit.caller, number, draft.lines)
    if may_change and _unknown(view):
        with suppress(RateLimited):  # the page is no worse without an answer
            visit.parts.field_maps.look(visit.caller, number, view.map.objects)
        view = visit.parts.field_maps.shown(visit.caller, number, draft.lines)
    integrations = visit.parts.crm.integrations(visit.caller)
    whole = [one.text for at, one in view.findings if at == 0]
    return visit.render(
        "field_map.html",
        status=status,
        integration=view.integration,
        template_key=view.template,
        integrations=labelled(integrations),
        url=visit.url(ROOM, _PATH, view.integration.label),
        draft=draft,
        rows=field_row.rows_of(view),
        edited=_edited(draft, view),
        changed=draft.lines != view.kept,
        described=asked(visit, view.asked),
        problems=field_row.vendor_problems(view),
        whole=whole,
        wrong=[text for name, text in errors.items() if name != "records"],
        wrong_records=errors.get("records", ""),
        outdated=outdated,
        focus=focus,
        stands=view.kept,
        trial=_trial(visit, number, draft),
        most=MOST,
        may_change=may_change,
        may_try=visit.may(Scope.RUNS_WRITE),
        words=crm_words,
    )


def _unknown(view: MapView) -> bool:
    """Whether the vendors are to be asked: not lately, or not for an object of the draft."""
    if view.stale:
        return True
    facts = view.facts
    if (facts.box is None and not facts.objects) or "" in facts.object_problems:
        return False
    known = {*facts.objects, *facts.object_problems}
    return any(one not in known for one in view.map.objects)


def _edited(draft: Draft, view: MapView) -> EditedRow | None:
    if draft.at is None:
        return None
    there = draft.lines[draft.at] if draft.at < len(draft.lines) else ""
    typed = draft.typed if draft.typed and any(draft.typed.values()) else None
    return field_row.edited(view, at=draft.at, line=there, typed=typed)


def _trial(visit: Visit, number: int, draft: Draft) -> Trial | None:
    if not draft.trial or not visit.may(Scope.RUNS_READ):
        return None
    try:
        found, lines = trial_of(visit, number, draft.trial)
    except NotFound:
        return None
    return replace(found, outdated=bool(lines) and lines != draft.lines)


_ONE = "/records/field-map/{integration_id}"
PAGES = (
    Page(path="/records/field-map", handler=choose, scope=Scope.INTEGRATIONS_READ),
    Page(path=_ONE, handler=map_page, scope=Scope.INTEGRATIONS_READ),
    Page(path=_ONE, handler=change, method="POST", scope=Scope.INTEGRATIONS_READ),
)
