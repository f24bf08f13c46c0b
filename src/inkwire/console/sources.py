"""Sources: the list, and one source's page with its set-up steps, secrets and settings."""

from collections.abc import Mapping

from starlette.responses import Response

from inkwire.console import forms, words
from inkwire.console.events import event_rows
from inkwire.console.overview import source_rows
from inkwire.errors import InvalidInput, NotFound
from inkwire.model.access import Scope
from inkwire.model.source import ManagedBy, Source
from inkwire.pages.inputs import DEFAULT_OVERLAP, OVERLAPS, lines, whole
from inkwire.pages.views import FormField, ShownSecret
from inkwire.pages.visit import Handler, Page, Visit
from inkwire.providers.contract import Receiver, SecretField, SettingField
from inkwire.sources.drafting import SourceChange
from inkwire.store.contract import EventQuery

LATEST = 5
NOTHING_WRONG: Mapping[str, str] = {}


def source_list(visit: Visit) -> Response:
    """GET /sources."""
    sources = visit.parts.desk.all(visit.caller)
    rows = source_rows(visit, sources, visit.parts.desk.activity(visit.caller))
    return visit.render("sources.html", rows=rows)


def source_page(visit: Visit) -> Response:
    """GET /sources/{id}."""
    return _page(visit, _asked(visit))


def _asked(visit: Visit) -> Source:
    return visit.parts.desk.get(visit.caller, visit.path["source_id"])


def _page(
    visit: Visit,
    source: Source,
    *,
    errors: Mapping[str, str] = NOTHING_WRONG,
    rotated_role: str = "",
    typed: Mapping[str, str] = NOTHING_WRONG,
) -> Response:
    """The page; `errors` by field path, and what was typed, when a form of it was wrong."""
    desk = visit.parts.desk
    receiver = _receiver(visit, source)
    row = source_rows(visit, [source], desk.activity(visit.caller))[0]
    latest = visit.parts.store.events.page(EventQuery(source_id=source.id, limit=LATEST))
    declared = source.managed_by is ManagedBy.FILE
    described = receiver.secrets if receiver else ()
    return visit.render(
        "source.html",
        status=422 if errors else 200,
        source=source,
        row=row,
        declared=declared,
        editable=visit.may(Scope.SOURCES_WRITE) and not declared,
        address=desk.url(source.id),
        manual=desk.manual(source) if receiver else "",
        secrets=forms.secret_groups(described, source, visit.now),
        overlaps=OVERLAPS,
        overlap=typed.get("overlap_s", DEFAULT_OVERLAP),
        rotated_role=rotated_role,
        errors=errors,
        inputs=_inputs(visit, source, receiver, errors, typed),
        latest=event_rows(visit, latest, {source.id: source}),
        retries=receiver.retries if receiver else None,
    )


def _receiver(visit: Visit, source: Source) -> Receiver | None:
    """None: the provider was removed from this installation; its sources stay visible."""
    try:
        return visit.parts.registry.receiver(source.provider)
    except NotFound:
        return None


def _inputs(
    visit: Visit,
    source: Source,
    receiver: Receiver | None,
    errors: Mapping[str, str],
    typed: Mapping[str, str],
) -> list[FormField]:
    described = receiver.settings if receiver else ()
    given = {key[9:]: value for key, value in typed.items() if key.startswith("settings.")}
    return [
        FormField(
            name="name",
            label="Name",
            help="How this source is called on these pages.",
            value=typed.get("name", source.name),
            required=True,
            error=errors.get("name", ""),
        ),
        *forms.setting_inputs(described, {**source.settings, **given}, errors),
        *forms.limit_inputs(
            example=next(iter(receiver.event_types), "") if receiver else "",
            event_types=typed.get("event_types", "\n".join(source.event_types)),
            document_ids=typed.get("document_ids", "\n".join(source.document_ids)),
            max_body=typed.get("max_body_bytes", str(source.max_body_bytes)),
            largest=visit.parts.settings.max_body_bytes,
            errors=errors,
        ),
    ]


def save(visit: Visit) -> Response:
    """POST /sources/{id}: name, settings and limits."""
    source = _asked(visit)
    receiver = _receiver(visit, source)
    described: tuple[SettingField, ...] = receiver.settings if receiver else ()
    given = forms.settings_given(described, visit.form)
    change = SourceChange(
        name=visit.field("name").strip(),
        settings=given,
        event_types=lines(visit.field("event_types")),
        document_ids=lines(visit.field("document_ids")),
        max_body_bytes=whole(visit.field("max_body_bytes")),
    )
    try:
        visit.parts.desk.update(visit.caller, source.id, change)
    except InvalidInput as error:
        typed = dict(visit.form) | {f"settings.{key}": value for key, value in given.items()}
        return _page(visit, source, errors=error.fields, typed=typed)
    return visit.see(visit.url("sources", source.id), said="source_saved")


def pause(visit: Visit) -> Response:
    """POST /sources/{id}/pause."""
    source = visit.parts.desk.pause(visit.caller, visit.path["source_id"])
    return visit.see(visit.url("sources", source.id), said="source_paused")


def resume(visit: Visit) -> Response:
    """POST /sources/{id}/resume."""
    source = visit.parts.desk.resume(visit.caller, visit.path["source_id"])
    return visit.see(visit.url("sources", source.id), said="source_resumed")


def delete(visit: Visit) -> Response:
    """POST /sources/{id}/delete: only with the id typed again."""
    source = _asked(visit)
    if visit.field("confirm").strip() != source.id:
        return _page(visit, source, errors={"confirm": f"must be {source.id}, the source's id"})
    visit.parts.desk.delete(visit.caller, source.id)
    return visit.see(visit.url("sources"), said="source_deleted")


def rotate(visit: Visit) -> Response:
    """POST /sources/{id}/secrets: a new secret; a made-up one is shown on the answer, once."""
    source, role = _asked(visit), visit.field("role")
    try:
        _, made_up = visit.parts.desk.rotate(
            visit.caller,
            source.id,
            role=role,
            value=visit.field("value") or None,
            overlap_s=whole(visit.field("overlap_s")),
        )
    except InvalidInput as error:
        typed = {"overlap_s": visit.field("overlap_s")}
        return _page(visit, source, errors=error.fields, rotated_role=role, typed=typed)
    if made_up is None:
        return visit.see(visit.url("sources", source.id), said="secret_added")
    label = next((item.label for item in _described(visit, source) if item.role == role), role)
    return show_secrets(visit, source, [ShownSecret(label=label, value=made_up)], made=False)


def _described(visit: Visit, source: Source) -> tuple[SecretField, ...]:
    receiver = _receiver(visit, source)
    return receiver.secrets if receiver else ()


def show_secrets(visit: Visit, source: Source, shown: list[ShownSecret], *, made: bool) -> Response:
    """Made-up secrets, this once; `made`: whether the source is new."""
    return visit.render(
        "secret_once.html",
        source=source,
        shown=shown,
        made=made,
        done_url=visit.url("sources", source.id),
        provider=words.provider_title(visit.parts.registry, source.provider),
    )


def remove_secret(visit: Visit) -> Response:
    """POST /sources/{id}/secrets/{secret}/remove: not accepted from now on."""
    source_id = visit.path["source_id"]
    visit.parts.desk.remove_secret(visit.caller, source_id, visit.path["secret_id"])
    return visit.see(visit.url("sources", source_id), said="secret_removed")


def _write(path: str, handler: Handler) -> Page:
    return Page(path=path, handler=handler, method="POST", scope=Scope.SOURCES_WRITE)


PAGES = (
    Page(path="/sources", handler=source_list, scope=Scope.SOURCES_READ),
    Page(path="/sources/{source_id}", handler=source_page, scope=Scope.SOURCES_READ),
    _write("/sources/{source_id}", save),
    _write("/sources/{source_id}/pause", pause),
    _write("/sources/{source_id}/resume", resume),
    _write("/sources/{source_id}/delete", delete),
    _write("/sources/{source_id}/secrets", rotate),
    _write("/sources/{source_id}/secrets/{secret_id}/remove", remove_secret),
)
