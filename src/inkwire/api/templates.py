"""`/v1/templates`: Typst templates, their versions, and what they look like."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from inkwire.api.callers import Allowed
from inkwire.api.fields import Id, Input, Output, Text
from inkwire.api.parts import With
from inkwire.model.access import Caller, Scope
from inkwire.orders.templates import MAX_NAME, MAX_SOURCE, default_source
from inkwire.parts import Parts

router = APIRouter(prefix="/templates", tags=["Templates"])

Reader = Annotated[Caller, Allowed(Scope.ORDERS_READ)]
Keeper = Annotated[Caller, Allowed(Scope.INTEGRATIONS_WRITE)]

_Name = Annotated[Text, Field(min_length=1, max_length=MAX_NAME, examples=["Order confirmation"])]
#: The desk minds its greatest length.
_Source = Annotated[
    Text, Field(min_length=1, description=f"Typst, at most {MAX_SOURCE} characters.")
]
_Version = Annotated[int, Field(ge=1, le=2**31)]
_PDF: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The PDF.",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class PdfResponse(Response):
    """A PDF; nothing in it may act in a browser."""

    media_type = "application/pdf"

    def init_headers(self, headers: Any = None) -> None:
        """With those that keep a browser from taking it for anything else."""
        super().init_headers(headers)
        self.headers["X-Content-Type-Options"] = "nosniff"
        self.headers["Content-Security-Policy"] = "sandbox"
        self.headers["Cache-Control"] = "no-store"


class TemplateOut(Output):
    """A template that gives a PDF."""

    id: str
    name: str
    version: int = Field(description="Of the newest source.")
    created_at: datetime
    updated_at: datetime


class TemplatesOut(Output):
    """Every template, by name."""

    items: list[TemplateOut]


class VersionOut(Output):
    """One version: who made it, and when."""

    version: int
    created_at: datetime
    created_by: str


class VersionsOut(Output):
    """A template's versions, newest first."""

    items: list[VersionOut]


class SourceOut(Output):
    """What a template said at one time."""

    template_id: str
    version: int
    source: str
    created_at: datetime
    created_by: str


class TemplateIn(Input):
    """A template to be made."""

    name: _Name
    source: _Source | None = Field(
        None, description="Typst; null: the order confirmation that Inkwire brings along."
    )


class TemplateChange(Input):
    """The next version."""

    expected: _Version = Field(
        description="The version that this is a change of: 409 if it is another by now."
    )
    source: _Source
    name: _Name | None = Field(None, description="null: as it is.")


class PreviewIn(Input):
    """A source to be looked at before it is kept."""

    source: _Source
    order_id: Annotated[Text, Field(min_length=1, max_length=100)] | None = Field(
        None, description="Id or number of the order to show; null: the sample order."
    )


class PreviewQuery(Input):
    """What a preview shows."""

    order_id: Annotated[Text, Field(min_length=1, max_length=100)] | None = Field(
        None, description="Id or number of the order to show; null: the sample order."
    )
    version: _Version | None = Field(None, description="null: the newest.")


class VersionQuery(Input):
    """Which version is asked for."""

    version: _Version | None = Field(None, description="null: the newest.")


@router.get("", summary="List templates")
def list_templates(parts: With, caller: Reader) -> TemplatesOut:
    """Every template, by name."""
    return TemplatesOut(items=[TemplateOut.of(one) for one in parts.templates.all(caller)])


@router.post("", summary="Make a template", status_code=201)
def create_template(
    body: TemplateIn, parts: With, caller: Keeper, response: Response
) -> TemplateOut:
    """Compiles it with the sample order and keeps it; each error has its line and column."""
    source = default_source() if body.source is None else body.source
    made = parts.templates.add(caller, name=body.name, source=source)
    response.headers["Location"] = f"/v1/templates/{made.id}"
    return TemplateOut.of(made)


@router.post("/preview", summary="Preview a source", response_class=PdfResponse, responses=_PDF)
def preview_source(body: PreviewIn, parts: With, caller: Keeper) -> PdfResponse:
    """The PDF that a source gives, before it is kept. With an order it needs `orders:read` too."""
    return _preview(parts, caller, body.source, body.order_id)


@router.get("/{template_id}", summary="Read a template")
def read_template(template_id: Id, parts: With, caller: Reader) -> TemplateOut:
    """One template."""
    return TemplateOut.of(parts.templates.get(caller, template_id))


@router.put("/{template_id}", summary="Change a template")
def change_template(
    template_id: Id, body: TemplateChange, parts: With, caller: Keeper
) -> TemplateOut:
    """Keeps the next version; the earlier ones stay."""
    changed = parts.templates.change(
        caller, template_id, name=body.name, source=body.source, expected=body.expected
    )
    return TemplateOut.of(changed)


@router.delete("/{template_id}", summary="Remove a template", status_code=204)
def delete_template(template_id: Id, parts: With, caller: Keeper) -> None:
    """Removes it with its versions; refused while an integration uses it."""
    parts.templates.delete(caller, template_id)


@router.get("/{template_id}/versions", summary="List a template's versions")
def list_template_versions(template_id: Id, parts: With, caller: Reader) -> VersionsOut:
    """Newest first, at most 200."""
    found = parts.templates.versions(caller, template_id)
    return VersionsOut(items=[VersionOut.of(version) for version in found])


@router.get("/{template_id}/source", summary="Read a template's source")
def read_template_source(
    template_id: Id, parts: With, caller: Reader, query: Annotated[VersionQuery, Query()]
) -> SourceOut:
    """What it says, or said in an earlier version."""
    return SourceOut.of(parts.templates.source(caller, template_id, query.version))


@router.get(
    "/{template_id}/preview",
    summary="Preview a template",
    response_class=PdfResponse,
    responses=_PDF,
)
def preview_template(
    template_id: Id, parts: With, caller: Reader, query: Annotated[PreviewQuery, Query()]
) -> PdfResponse:
    """The PDF that it gives of an order, or of the sample."""
    kept = parts.templates.source(caller, template_id, query.version)
    return _preview(parts, caller, kept.source, query.order_id)


def _preview(parts: Parts, caller: Caller, source: str, order_id: str | None) -> PdfResponse:
    order = None if order_id is None else parts.orders.get(caller, order_id)
    return PdfResponse(parts.templates.preview(source, order))
