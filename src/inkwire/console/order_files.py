"""An order's documents as files, and its evidence: the chain, checked, and its export."""

from starlette.responses import Response

from inkwire.console.order_page import opened
from inkwire.documents.names import disposition, plain_name
from inkwire.model.access import Scope
from inkwire.model.evidence import first_broken
from inkwire.pages import files
from inkwire.pages.visit import Page, Visit

#: Links that one page lists, the newest.
MOST_LINKS = 100


def document(visit: Visit) -> Response:
    """GET /documents/{id}/raw: the exact bytes, checked against their SHA-256."""
    kept = visit.parts.documents.get(visit.path["document_id"])
    content = visit.parts.documents.content(kept.id)
    return files.file(visit, content, name=kept.name, media_type=kept.media_type)


def evidence(visit: Visit) -> Response:
    """GET /orders/{id}/evidence: every link of the chain, computed anew."""
    order, _ = opened(visit)
    chain = visit.parts.evidence.chain(order.id)
    return visit.render(
        "evidence.html",
        order=order,
        links=chain[::-1][:MOST_LINKS],
        number=len(chain),
        broken=first_broken(chain),
        file=_bundle_name(order.number),
    )


def export(visit: Visit) -> Response:
    """GET /orders/{id}/evidence/export: the bundle, signed with the hub's key."""
    order, _ = opened(visit)
    content = visit.parts.evidence.export(order.id)
    headers = {"content-disposition": disposition(_bundle_name(order.number))}
    return Response(content, media_type="application/zip", headers=headers)


def _bundle_name(number: str) -> str:
    return f"evidence-{plain_name(number, fallback='order')}.zip"


PAGES = (
    Page(path="/documents/{document_id}/raw", handler=document, scope=Scope.ORDERS_BODY),
    Page(path="/orders/{order_id}/evidence", handler=evidence, scope=Scope.ORDERS_READ),
    Page(path="/orders/{order_id}/evidence/export", handler=export, scope=Scope.ORDERS_BODY),
)
