"""`/v1/orders/{id}/documents`, `/v1/documents`, `/v1/orders/{id}/evidence`: stored files."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field

from inkwire.api.callers import Allowed
from inkwire.api.events import RAW_HEADERS
from inkwire.api.fields import Id, Output
from inkwire.api.parts import With
from inkwire.documents.names import disposition, plain_name
from inkwire.model.access import Caller, Scope
from inkwire.model.document import DocumentKind
from inkwire.model.order import Order
from inkwire.parts import Parts

router = APIRouter(tags=["Documents"])

Reader = Annotated[Caller, Allowed(Scope.ORDERS_READ)]
BodyReader = Annotated[Caller, Allowed(Scope.ORDERS_BODY)]

_BYTES = "application/octet-stream"
_ZIP = "application/zip"
#: Types that a stored file may be sent as; anything else is sent as bytes.
_PLAIN = ("application/pdf", "application/json", "text/plain", "image/png", "image/jpeg")


class DocumentOut(Output):
    """One stored file, without its bytes."""

    id: str
    order_id: str
    kind: DocumentKind
    name: str
    media_type: str
    size: int = Field(description="Bytes.")
    sha256: str = Field(description="Hex.")
    sha1: str = Field(description="Hex; what Box calls a file's `sha1`.")
    origin: str = Field(description="Where it came from.", examples=["box:file:1234:5678"])
    sign_request_id: str | None
    verdict: dict[str, Any] | None = Field(
        description="What was found about the signatures in a signed PDF; informative. `outcome` "
        "is trusted, intact, broken, unsigned, damaged, encrypted or unjudged; `text` says it in "
        "words. null: not looked at yet, or not a signed PDF."
    )
    created_at: datetime


class DocumentsOut(Output):
    """An order's documents, oldest first; at most 1,000."""

    items: list[DocumentOut]


def _answers(what: str, *media_types: str) -> dict[int | str, dict[str, Any]]:
    bytes_of = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"description": what, "content": dict.fromkeys(media_types, bytes_of)}}


@router.get("/orders/{order_id}/documents", summary="List an order's documents")
def list_documents(order_id: Id, parts: With, _: Reader) -> DocumentsOut:
    """What was made for the order, what came back signed, and the signing logs."""
    found = parts.documents.of_order(_order(parts, order_id).id)
    return DocumentsOut(items=[DocumentOut.of(one) for one in found])


@router.get("/documents/{document_id}", summary="Read a document's facts")
def read_document(document_id: Id, parts: With, _: Reader) -> DocumentOut:
    """Name, size, hashes, origin, and the verdict on its signatures."""
    return DocumentOut.of(parts.documents.get(document_id))


@router.get(
    "/documents/{document_id}/content",
    summary="Download a document",
    response_class=Response,
    responses=_answers("The exact bytes, checked against their SHA-256.", _BYTES, *_PLAIN),
)
def read_content(document_id: Id, parts: With, _: BodyReader) -> Response:
    """Byte for byte as it came; the ETag is its SHA-256."""
    document = parts.documents.get(document_id)
    content = parts.documents.content(document_id)
    known = document.media_type if document.media_type in _PLAIN else _BYTES
    headers = {
        **RAW_HEADERS,
        "Content-Disposition": disposition(document.name),
        "ETag": f'"{document.sha256}"',
    }
    return Response(content, media_type=known, headers=headers)


@router.get(
    "/orders/{order_id}/evidence",
    summary="Export an order's evidence",
    response_class=Response,
    responses=_answers("A ZIP; `inkwire evidence verify` checks it without a hub.", _ZIP),
)
def export_evidence(order_id: Id, parts: With, _: BodyReader) -> Response:
    """The chain, the documents, the webhooks and calls behind it, signed with the hub's key."""
    order = _order(parts, order_id)
    content = parts.evidence.export(order.id)
    name = f"evidence-{plain_name(order.number, fallback='order')}.zip"
    headers = {**RAW_HEADERS, "Content-Disposition": disposition(name)}
    return Response(content, media_type=_ZIP, headers=headers)


def _order(parts: Parts, given: str) -> Order:
    """By id or number; of a deleted one, whose documents stay, by its id. Raises NotFound."""
    return parts.store.orders.by_number(given) or parts.store.orders.get(given)
