"""Templates: the list, the editor with its preview beside it, versions."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from inkwire.console.template_errors import TemplateError, found_in
from inkwire.documents.names import plain_name
from inkwire.errors import Conflict, InkwireError, InvalidInput
from inkwire.model.access import Scope
from inkwire.model.order import Template, TemplateVersion
from inkwire.orders.templates import DEFAULT_NAME, default_source, named
from inkwire.pages.files import in_frame, pdf, with_frames
from inkwire.pages.inputs import whole
from inkwire.pages.visit import Page, Visit

#: Versions that the editor lists; older ones open by their number in the address.
SHOWN_VERSIONS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Typed:
    """What stands in the editor."""

    name: str
    source: str
    #: Number of the order that the preview shows; empty: the sample.
    order: str = ""
    name_error: str = ""
    errors: Sequence[TemplateError] = ()
    #: Somebody saved another version meanwhile.
    outdated: bool = False


def template_list(visit: Visit) -> Response:
    """GET /templates."""
    integrations = (
        visit.parts.integrations.all(visit.caller) if visit.may(Scope.INTEGRATIONS_READ) else []
    )
    rows = [
        (one, [i for i in integrations if one.id in named(i.settings.get("templates"))])
        for one in visit.parts.templates.all(visit.caller)
    ]
    return visit.render("templates.html", rows=rows)


def new(visit: Visit) -> Response:
    """GET /new-template: the order confirmation that comes along, to begin with."""
    return _editor(visit, None, Typed(name=DEFAULT_NAME, source=default_source()))


def show(visit: Visit) -> Response:
    """GET /templates/{id}; `version`: an earlier one, to look at or to save anew."""
    template, desk = _template(visit), visit.parts.templates
    kept = desk.source(visit.caller, template.id, _version(visit))
    typed = Typed(name=template.name, source=kept.source, order=visit.query("order"))
    return _editor(visit, template, typed, kept)


def create(visit: Visit) -> Response:
    """POST /new-template: compiles it with the sample order, and keeps it."""
    typed = _typed(visit)
    try:
        made = visit.parts.templates.add(visit.caller, name=typed.name, source=typed.source)
    except InvalidInput as error:
        return _editor(visit, None, _wrong(typed, error), status=422)
    return visit.see(visit.url("templates", made.id), said="template_made")


def save(visit: Visit) -> Response:
    """POST /templates/{id}: keeps the next version."""
    template, typed = _template(visit), _typed(visit)
    expected = whole(visit.field("expected"))
    try:
        saved = visit.parts.templates.change(
            visit.caller, template.id, name=typed.name, source=typed.source, expected=expected
        )
    except InvalidInput as error:
        return _editor(visit, template, _wrong(typed, error), status=422)
    except Conflict as error:
        if error.code != "template_changed":
            raise
        outdated = Typed(name=typed.name, source=typed.source, order=typed.order, outdated=True)
        return _editor(visit, _template(visit), outdated, status=409)
    place = visit.url("templates", saved.id, order=typed.order)
    return visit.see(place, said="template_saved", number=saved.version)


def delete(visit: Visit) -> Response:
    """POST /templates/{id}/delete: refused while an integration uses it."""
    visit.parts.templates.delete(visit.caller, visit.path["template_id"])
    return visit.see(visit.url("templates"), said="template_deleted")


def preview(visit: Visit) -> Response:
    """GET /templates/{id}/preview: the PDF of a version, for a frame."""
    template_id = visit.path["template_id"]
    kept = visit.parts.templates.source(visit.caller, template_id, _version(visit))
    return _preview(visit, kept.source, visit.query("order"))


def preview_default(visit: Visit) -> Response:
    """GET /template-preview: the PDF of what a new template begins with."""
    return _preview(visit, default_source(), "")


def preview_typed(visit: Visit) -> Response:
    """POST /template-preview: the PDF of what stands in the editor, or where it is wrong."""
    typed = _typed(visit)
    return _preview(visit, typed.source, typed.order)


def _preview(visit: Visit, source: str, order: str) -> Response:
    try:
        shown = visit.parts.orders.get(visit.caller, order) if order else None
        content = visit.parts.templates.preview(source, shown)
    except InvalidInput as error:
        errors = found_in(error.fields.get("source", error.message), source)
        return in_frame(visit.render("template_errors.html", status=422, errors=errors, text=""))
    except InkwireError as error:
        page = visit.render(
            "template_errors.html", status=error.status, errors=[], text=error.message
        )
        return in_frame(page)
    return pdf(content, name=f"preview-{plain_name(order, fallback='sample')}.pdf")


def _template(visit: Visit) -> Template:
    return visit.parts.templates.get(visit.caller, visit.path["template_id"])


def _version(visit: Visit) -> int | None:
    """The version in the address; None: the newest."""
    asked = visit.query("version")
    return min(whole(asked), 2**31 - 1) if asked else None


def _typed(visit: Visit) -> Typed:
    """Browsers end the lines of a text area with CR LF."""
    return Typed(
        name=visit.field("name").strip(),
        source=visit.field("source").replace("\r\n", "\n"),
        order=visit.field("order").strip(),
    )


def _wrong(typed: Typed, error: InvalidInput) -> Typed:
    told = error.fields.get("source", "")
    return Typed(
        name=typed.name,
        source=typed.source,
        order=typed.order,
        name_error=error.fields.get("name", ""),
        errors=found_in(told, typed.source) if told else [],
    )


def _editor(
    visit: Visit,
    template: Template | None,
    typed: Typed,
    kept: TemplateVersion | None = None,
    *,
    status: int = 200,
) -> Response:
    """`kept`: the version that the editor shows as it is; None: somebody typed."""
    versions = visit.parts.templates.versions(visit.caller, template.id) if template else []
    if template is None:
        frame = visit.url("template-preview")
    else:
        version = str(kept.version) if kept else ""
        frame = visit.url("templates", template.id, "preview", version=version, order=typed.order)
    return with_frames(
        visit,
        visit.render(
            "template.html",
            status=status,
            saved=template,
            typed=typed,
            shown=kept.version if kept else None,
            versions=versions[:SHOWN_VERSIONS],
            wrong_lines={error.line for error in typed.errors},
            line_count=typed.source.count("\n") + 1,
            # What does not compile has no preview; the errors stand where it would be.
            frame="" if typed.errors else frame,
            editable=visit.may(Scope.INTEGRATIONS_WRITE),
        ),
    )


PAGES = (
    Page(path="/templates", handler=template_list, scope=Scope.ORDERS_READ),
    Page(path="/new-template", handler=new, scope=Scope.INTEGRATIONS_WRITE),
    Page(path="/new-template", handler=create, method="POST", scope=Scope.INTEGRATIONS_WRITE),
    Page(path="/template-preview", handler=preview_default, scope=Scope.INTEGRATIONS_WRITE),
    Page(
        path="/template-preview",
        handler=preview_typed,
        method="POST",
        scope=Scope.INTEGRATIONS_WRITE,
    ),
    Page(path="/templates/{template_id}", handler=show, scope=Scope.ORDERS_READ),
    Page(
        path="/templates/{template_id}",
        handler=save,
        method="POST",
        scope=Scope.INTEGRATIONS_WRITE,
    ),
    Page(path="/templates/{template_id}/preview", handler=preview, scope=Scope.ORDERS_READ),
    Page(
        path="/templates/{template_id}/delete",
        handler=delete,
        method="POST",
        scope=Scope.INTEGRATIONS_WRITE,
    ),
)
