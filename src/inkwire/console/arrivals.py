"""Arrivals: did this version of a file arrive, where, when, and with what proof."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from inkwire.console import crm_words
from inkwire.console.live import MANY, News, stream
from inkwire.console.records import ROOM, integration_of, labelled, number_in_path
from inkwire.errors import InvalidInput
from inkwire.model.access import Scope
from inkwire.model.crm import Attachment, AttachmentState, RecordFolder
from inkwire.model.work import Integration, LedgerEntry
from inkwire.pages.inputs import PAGE
from inkwire.pages.marks import Mark
from inkwire.pages.views import Chip
from inkwire.pages.visit import Page, Visit
from inkwire.providers.payload import MAX_TERM
from inkwire.providers.salesforce.standard import whole_id
from inkwire.store.contract import WORK
from inkwire.store.crm import AttachmentQuery

_FILTERS = {"q": "Search", "integration": "Integration", "state": "State"}
_NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)
#: Below every attachment's id: what an empty list has "seen".
NONE_SEEN = "att_"
#: Records of one version whose folders its page looks up.
MOST_FOLDERS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrivalRow:
    """One version and one record."""

    attachment: Attachment
    mark: Mark
    title: str
    url: str
    #: The list, limited to this record.
    record_url: str
    work_url: str


def arrival_list(visit: Visit) -> Response:
    """GET /records/arrivals: newest first; `q` is a name's beginning, or an id, whole."""
    if any(value == "" for value in visit.request.query_params.values()):
        kept = {key: value for key, value in visit.request.query_params.items() if value}
        return visit.see(visit.url(ROOM, "arrivals", **kept))
    given = {name: visit.query(name)[:MAX_TERM] for name in _FILTERS}
    before = visit.query("before")
    query, integrations = _query(given), visit.parts.crm.integrations(visit.caller)
    found = _found(visit, replace(query, before=before or None, limit=PAGE + 1))
    on = {key: value for key, value in given.items() if value}
    return visit.render(
        "arrivals.html",
        rows=arrival_rows(visit, found[:PAGE]),
        given=given,
        chips=_chips(visit, on, integrations),
        integrations=labelled(integrations),
        states=[(state.value, mark.word) for state, mark in crm_words.ARRIVALS.items()],
        first_page=not before,
        newest_url=visit.url(ROOM, "arrivals", **on),
        older_url=visit.url(ROOM, "arrivals", **on, before=found[PAGE - 1].id)
        if len(found) > PAGE
        else "",
        live_url=visit.url(
            ROOM, "arrivals", "live", **on, seen=found[0].id if found else NONE_SEEN
        ),
    )


def _query(given: Mapping[str, str]) -> AttachmentQuery:
    """The store's query. Raises InvalidInput naming each filter that cannot be read."""
    if given["state"] and given["state"] not in set(AttachmentState):
        raise InvalidInput(fields={"state": f"must be one of: {', '.join(AttachmentState)}"})
    query = AttachmentQuery(
        integration_id=integration_of(given["integration"]),
        state=AttachmentState(given["state"]) if given["state"] else None,
    )
    text = given["q"]
    if _NUMBER.fullmatch(text):
        return replace(query, file_id=text)
    record = whole_id(text)
    return replace(query, record_id=record) if record else replace(query, name=text)


def _found(visit: Visit, query: AttachmentQuery) -> list[Attachment]:
    """A number is a file's id, else a version's, else how a name begins."""
    found = visit.parts.crm.attachments(visit.caller, query)
    if found or query.file_id is None:
        return found
    versions = replace(query, file_id=None, version_id=query.file_id)
    found = visit.parts.crm.attachments(visit.caller, versions)
    if found:
        return found
    named = replace(query, file_id=None, name=query.file_id)
    return visit.parts.crm.attachments(visit.caller, named)


def _chips(visit: Visit, on: Mapping[str, str], integrations: Sequence[Integration]) -> list[Chip]:
    shown = {("integration", one.label): one.name for one in integrations}
    shown |= {("state", state.value): mark.word for state, mark in crm_words.ARRIVALS.items()}
    return [
        Chip(
            label=_FILTERS[name],
            value=shown.get((name, value), value),
            remove_url=visit.url(
                ROOM, "arrivals", **{key: other for key, other in on.items() if key != name}
            ),
        )
        for name, value in on.items()
    ]


def arrival_rows(visit: Visit, found: Sequence[Attachment]) -> list[ArrivalRow]:
    """The lines of a list."""
    return [
        ArrivalRow(
            attachment=one,
            mark=crm_words.ARRIVALS[one.state],
            title=crm_words.version_name(one),
            url=visit.url(
                ROOM, "arrivals", f"int_{one.integration_id}", one.file_id, one.version_id
            ),
            record_url=visit.url(ROOM, "arrivals", q=one.record_id),
            work_url=visit.url("runs", one.work_id) if visit.may(Scope.RUNS_READ) else "",
        )
        for one in found
    ]


def live(visit: Visit) -> Response:
    """GET /records/arrivals/live: the bar over the list."""
    given = {name: visit.query(name)[:MAX_TERM] for name in _FILTERS}
    query = replace(_query(given), after=visit.query("seen") or NONE_SEEN, limit=MANY)
    on = {key: value for key, value in given.items() if value}
    return stream(
        visit,
        News(
            topic=WORK,
            count=lambda: len(visit.parts.store.attachments.page(query)),
            words=("new arrival", "new arrivals"),
            url=visit.url(ROOM, "arrivals", **on),
        ),
    )


# --- one version


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached:
    """A record that the version was to reach, with its folder if that is known."""

    row: ArrivalRow
    folder: RecordFolder | None
    folder_url: str


def version_page(visit: Visit) -> Response:
    """GET /records/arrivals/{integration}/{file}/{version}: its records, and every proof."""
    number = number_in_path(visit)
    file_id, version_id = visit.path["file_id"], visit.path["version_id"]
    rows = visit.parts.crm.version(visit.caller, number, file_id, version_id)
    first = rows[0]
    return visit.render(
        "arrival.html",
        title=crm_words.version_name(first),
        first=first,
        mark=crm_words.ARRIVALS[_worst(rows)],
        reached=[_reached(visit, one, look=place < MOST_FOLDERS) for place, one in enumerate(rows)],
        entry=_entry(visit, first),
        newer=_newer(visit, rows),
        versions_url=visit.url(ROOM, "arrivals", q=file_id),
        can_retry=visit.may(Scope.RUNS_WRITE)
        and any(one.state is AttachmentState.FAILED for one in rows),
        sees_runs=visit.may(Scope.RUNS_READ),
    )


def _worst(rows: Sequence[Attachment]) -> AttachmentState:
    """The state that the page speaks of: what failed before what is under way."""
    order = (
        AttachmentState.FAILED,
        AttachmentState.PLANNED,
        AttachmentState.STORED,
        AttachmentState.VERIFIED,
    )
    states = {one.state for one in rows}
    return next((one for one in order if one in states), AttachmentState.LEFT_OUT)


def _newer(visit: Visit, rows: Sequence[Attachment]) -> ArrivalRow | None:
    """The version that is there instead of one that was left out."""
    left = next((one for one in rows if one.state is AttachmentState.LEFT_OUT), None)
    if left is None:
        return None
    found = visit.parts.store.attachments.latest(left.integration_id, left.file_id)
    if found is None or found.version_number <= left.version_number:
        return None
    return arrival_rows(visit, [found])[0]


def _reached(visit: Visit, row: Attachment, *, look: bool) -> Reached:
    store = visit.parts.store
    folder = store.record_folders.of_record(row.integration_id, row.record_id) if look else None
    label = f"int_{row.integration_id}"
    return Reached(
        row=arrival_rows(visit, [row])[0],
        folder=folder,
        folder_url=visit.url(ROOM, "folders", label, folder.folder_id) if folder else "",
    )


def _entry(visit: Visit, row: Attachment) -> LedgerEntry | None:
    """What the ledger knows of the one upload of this version."""
    if not visit.may(Scope.RUNS_READ):
        return None
    key = f"attachment/{row.integration_id}/{row.file_id}/{row.version_id}"
    return visit.parts.store.ledger.get(key)


def retry(visit: Visit) -> Response:
    """POST /records/arrivals/{integration}/{file}/{version}/retry: what failed runs again."""
    number, file_id, version_id = (
        number_in_path(visit),
        visit.path["file_id"],
        visit.path["version_id"],
    )
    visit.parts.crm.retry_version(visit.caller, number, file_id, version_id)
    url = visit.url(ROOM, "arrivals", f"int_{number}", file_id, version_id)
    return visit.see(url, said="version_retried")


_ONE = "/records/arrivals/{integration_id}/{file_id}/{version_id}"
PAGES = (
    Page(path="/records/arrivals", handler=arrival_list, scope=Scope.INTEGRATIONS_READ),
    Page(path="/records/arrivals/live", handler=live, scope=Scope.INTEGRATIONS_READ),
    Page(path=_ONE, handler=version_page, scope=Scope.INTEGRATIONS_READ),
    Page(path=f"{_ONE}/retry", handler=retry, method="POST", scope=Scope.RUNS_WRITE),
)
