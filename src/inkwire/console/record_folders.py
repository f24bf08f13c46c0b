"""The mapping: which folder in Box is which record in Salesforce, and a person's word on it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from starlette.responses import Response

from inkwire.console import crm_words, record_fields
from inkwire.console.arrivals import ArrivalRow, arrival_rows
from inkwire.console.records import ROOM, integration_of, labelled, number_in_path
from inkwire.console.runs import StateTab
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.model.access import Scope
from inkwire.model.crm import FolderState, RecordFolder
from inkwire.model.work import Integration
from inkwire.pages import times
from inkwire.pages.inputs import PAGE, whole
from inkwire.pages.marks import Mark
from inkwire.pages.views import Chip, FormField
from inkwire.pages.visit import Page, Visit
from inkwire.providers.payload import MAX_TERM
from inkwire.providers.salesforce.standard import whole_id
from inkwire.store.crm import AttachmentQuery, FolderQuery

NOTHING_WRONG: Mapping[str, str] = {}
#: Arrivals on a folder's page.
LATEST = 8
#: Rows that the list pages through.
MOST = 10_000
_FILTERS = {"q": "Search", "integration": "Integration", "state": "State"}


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderRow:
    """One line of the mapping."""

    folder: RecordFolder
    mark: Mark
    name: str
    record: str
    origin: str
    url: str


def folder_list(visit: Visit) -> Response:
    """GET /records/folders: newest change first; `from` pages on."""
    if any(value == "" for value in visit.request.query_params.values()):
        given = {key: value for key, value in visit.request.query_params.items() if value}
        return visit.see(visit.url(ROOM, "folders", **given))
    return _list(visit)


def _list(
    visit: Visit,
    *,
    errors: Mapping[str, str] = NOTHING_WRONG,
    typed: Mapping[str, str] = NOTHING_WRONG,
) -> Response:
    given = {name: visit.query(name)[:MAX_TERM] for name in _FILTERS}
    offset = min(max(whole(visit.query("from") or "0"), 0), MOST)
    integrations = visit.parts.crm.integrations(visit.caller)
    found = visit.parts.crm.folders(visit.caller, replace(_query(given), offset=offset))
    on = {key: value for key, value in given.items() if value}
    return visit.render(
        "record_folders.html",
        status=422 if errors else 200,
        rows=[folder_row(visit, one) for one in found[:PAGE]],
        given=given,
        chips=_chips(visit, on, integrations),
        integrations=labelled(integrations),
        tabs=_tabs(visit, on),
        fields=_fields(integrations, errors, typed, folder=True),
        wrong=bool(errors),
        may_map=visit.may(Scope.INTEGRATIONS_WRITE) and bool(integrations),
        first_page=offset == 0,
        newest_url=visit.url(ROOM, "folders", **on),
        older_url=visit.url(ROOM, "folders", **on, **{"from": str(offset + PAGE)})
        if len(found) > PAGE
        else "",
    )


def _tabs(visit: Visit, on: Mapping[str, str]) -> list[StateTab]:
    """Every state with its count, and the list limited to it."""
    counts = visit.parts.crm.folder_counts(visit.caller, integration_of(on.get("integration", "")))
    others = {name: value for name, value in on.items() if name != "state"}
    every = StateTab(
        word="All", count="", url=visit.url(ROOM, "folders", **others), on="state" not in on
    )
    return [
        every,
        *(
            StateTab(
                word=mark.word,
                count=times.count(counts.get(state, 0)),
                url=visit.url(ROOM, "folders", **others, state=state.value),
                on=on.get("state") == state.value,
            )
            for state, mark in crm_words.FOLDERS.items()
        ),
    ]


def _query(given: Mapping[str, str]) -> FolderQuery:
    """The store's query. Raises InvalidInput naming each filter that cannot be read."""
    if given["state"] and given["state"] not in set(FolderState):
        raise InvalidInput(fields={"state": f"must be one of: {', '.join(FolderState)}"})
    record = whole_id(given["q"])
    return FolderQuery(
        integration_id=integration_of(given["integration"]),
        state=FolderState(given["state"]) if given["state"] else None,
        record_id=record,
        name="" if record else given["q"],
        limit=PAGE + 1,
    )


def _chips(visit: Visit, on: Mapping[str, str], integrations: list[Integration]) -> list[Chip]:
    shown = {("integration", one.label): one.name for one in integrations}
    shown |= {("state", state.value): mark.word for state, mark in crm_words.FOLDERS.items()}
    return [
        Chip(
            label=_FILTERS[name],
            value=shown.get((name, value), value),
            remove_url=visit.url(
                ROOM, "folders", **{key: other for key, other in on.items() if key != name}
            ),
        )
        for name, value in on.items()
    ]


def folder_row(visit: Visit, folder: RecordFolder) -> FolderRow:
    """One line of the mapping."""
    return FolderRow(
        folder=folder,
        mark=crm_words.FOLDERS[folder.state],
        name=crm_words.folder_name(folder),
        record=crm_words.record_name(folder),
        origin=crm_words.ORIGINS[folder.origin],
        url=visit.url(ROOM, "folders", f"int_{folder.integration_id}", folder.folder_id),
    )


def _fields(
    integrations: list[Integration],
    errors: Mapping[str, str],
    typed: Mapping[str, str],
    *,
    folder: bool,
) -> list[FormField]:
    """The form that maps a folder; with `folder`, one that is not known yet."""
    found = []
    if folder:
        if len(integrations) > 1:
            found.append(
                FormField(
                    name="integration",
                    label="Integration",
                    kind="choice",
                    choices=tuple(labelled(integrations)),
                    value=typed.get("integration", ""),
                )
            )
        found.append(
            FormField(
                name="folder_id",
                label="Folder in Box",
                help="The number at the end of the folder's address: `app.box.com/folder/…`.",
                value=typed.get("folder_id", ""),
                required=True,
                error=errors.get("folder_id", ""),
            )
        )
    return [
        *found,
        FormField(
            name="record_id",
            label="Record in Salesforce",
            help="Its id of 15 or 18 characters, out of the record's address.",
            value=typed.get("record_id", ""),
            example="006Dn000009xYzAIAU",
            required=True,
            error=errors.get("record_id", ""),
        ),
        FormField(
            name="object",
            label="Object",
            help="Only for objects of your own organisation: the API name, such as `Project__c`.",
            value=typed.get("object", ""),
            error=errors.get("object", ""),
        ),
    ]


# --- one folder


def folder_page(visit: Visit) -> Response:
    """GET /records/folders/{integration}/{folder}."""
    return _page(visit)


def _page(
    visit: Visit,
    *,
    errors: Mapping[str, str] = NOTHING_WRONG,
    typed: Mapping[str, str] = NOTHING_WRONG,
) -> Response:
    number = number_in_path(visit)
    folder = visit.parts.crm.folder(visit.caller, number, visit.path["folder_id"])
    given = {"record_id": folder.record_id or "", "object": folder.object}
    return visit.render(
        "record_folder.html",
        status=422 if errors else 200,
        row=folder_row(visit, folder),
        folder=folder,
        arrivals=_arrivals(visit, folder),
        mapped=record_fields.shown(visit, folder),
        all_url=visit.url(ROOM, "arrivals", q=folder.record_id or ""),
        fields=_fields([], errors, typed or given, folder=False),
        wrong=bool(errors),
        may_map=visit.may(Scope.INTEGRATIONS_WRITE),
    )


def _arrivals(visit: Visit, folder: RecordFolder) -> list[ArrivalRow]:
    """What reached its record last."""
    if folder.record_id is None:
        return []
    query = AttachmentQuery(
        integration_id=folder.integration_id, record_id=folder.record_id, limit=LATEST
    )
    return arrival_rows(visit, visit.parts.crm.attachments(visit.caller, query))


# --- a person's word


def map_one(visit: Visit) -> Response:
    """POST /records/folders/{integration}/{folder}: this folder is that record."""
    typed = {"record_id": visit.field("record_id"), "object": visit.field("object")}
    try:
        folder = visit.parts.crm.map_folder(
            visit.caller,
            number_in_path(visit),
            visit.path["folder_id"],
            record_id=typed["record_id"].strip(),
            object_name=typed["object"].strip(),
        )
    except InvalidInput as error:
        return _page(visit, errors=error.fields, typed=typed)
    except Conflict as error:
        return _page(visit, errors={"record_id": error.message}, typed=typed)
    return visit.see(folder_row(visit, folder).url, said="folder_mapped")


def map_new(visit: Visit) -> Response:
    """POST /records/folders: a folder that is not known yet is that record."""
    names = ("integration", "folder_id", "record_id", "object")
    typed = {name: visit.field(name).strip() for name in names}
    try:
        number = integration_of(typed["integration"]) or _only(visit)
        folder = visit.parts.crm.map_folder(
            visit.caller,
            number,
            typed["folder_id"],
            record_id=typed["record_id"],
            object_name=typed["object"],
        )
    except InvalidInput as error:
        return _list(visit, errors=error.fields, typed=typed)
    except Conflict as error:
        return _list(visit, errors={"record_id": error.message}, typed=typed)
    return visit.see(folder_row(visit, folder).url, said="folder_mapped")


def _only(visit: Visit) -> int:
    """The one integration there is. Raises NotFound without."""
    found = visit.parts.crm.integrations(visit.caller)
    if not found:
        raise NotFound("No integration keeps Box and Salesforce in step yet; make one first.")
    return found[0].id


def look_again(visit: Visit) -> Response:
    """POST /records/folders/{integration}/{folder}/look: its record is looked for anew."""
    number, folder_id = number_in_path(visit), visit.path["folder_id"]
    visit.parts.crm.look_again(visit.caller, number, folder_id)
    return visit.see(visit.url(ROOM, "folders", f"int_{number}", folder_id), said="folder_looked")


_ONE = "/records/folders/{integration_id}/{folder_id}"
PAGES = (
    Page(path="/records/folders", handler=folder_list, scope=Scope.INTEGRATIONS_READ),
    Page(path=_ONE, handler=folder_page, scope=Scope.INTEGRATIONS_READ),
    Page(path="/records/folders", handler=map_new, method="POST", scope=Scope.INTEGRATIONS_WRITE),
    Page(path=_ONE, handler=map_one, method="POST", scope=Scope.INTEGRATIONS_WRITE),
    Page(path=f"{_ONE}/look", handler=look_again, method="POST", scope=Scope.INTEGRATIONS_WRITE),
)
