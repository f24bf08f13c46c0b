"""`/v1/documents` and what hangs on orders: who may read what, and how bytes are handed out."""

import pytest

from documents.kit import add_order, filled, keep
from inkwire.documents.verifying import holds, verify
from inkwire.model.access import Scope
from inkwire.model.document import DocumentKind
from inkwire.store.ordering import OrderChange

PDF = b"%PDF-1.7 <script>alert(1)</script>"


def test_an_orders_documents_are_listed(admin, rooms):
    """With facts and hashes, without bytes; each can be read alone."""
    content = filled(rooms, pdf=PDF)
    found = admin.get(f"/v1/orders/{content.order.id}/documents").json()["items"]
    assert [one["name"] for one in found] == ["contract/✍️ signed.pdf", "log.pdf"]
    first = content.documents[0]
    assert found[0]["sha256"] == first.sha256
    assert found[0]["size"] == len(PDF)
    assert found[0]["verdict"] is None
    assert "blob" not in found[0]
    assert admin.get(f"/v1/documents/{first.id}").json() == found[0]
    rooms.store.documents.set_verdict(first.id, {"outcome": "unsigned", "text": "No."})
    again = admin.get(f"/v1/documents/{first.id}").json()
    assert again["verdict"] == {"outcome": "unsigned", "text": "No."}


def test_content_is_downloaded_and_never_run(admin, rooms):
    """Byte for byte, as a download with a safe name, in a context that can do nothing."""
    document = filled(rooms, pdf=PDF).documents[0]
    answer = admin.get(f"/v1/documents/{document.id}/content")
    assert answer.body == PDF
    headers = answer.headers
    assert headers["content-type"] == "application/pdf"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("sandbox;")
    assert headers["content-disposition"] == (
        'attachment; filename="contract__signed.pdf"; '
        "filename*=UTF-8''contract_%E2%9C%8D%EF%B8%8F%20signed.pdf"
    )
    assert headers["cache-control"] == "no-store"
    assert headers["etag"] == f'"{document.sha256}"'


def test_a_type_that_a_browser_would_run_is_sent_as_bytes(admin, rooms):
    """Whatever a vendor said a file is, HTML never goes out as HTML."""
    order = add_order(rooms)
    new = rooms.hub.documents.keep(
        order_id=order.id,
        kind=DocumentKind.ATTACHED,
        name="page.html",
        media_type="text/html\r\nX-Evil: 1",
        content=b"<script>",
        origin="x",
    )
    rooms.store.orders.apply(OrderChange(order_id=order.id, documents=(new,)))
    headers = admin.get(f"/v1/documents/{new.document.id}/content").headers
    assert headers["content-type"] == "application/octet-stream"


def test_evidence_is_a_zip_that_verifies(admin, rooms):
    """The same bundle as the command line's."""
    order = filled(rooms).order
    answer = admin.get(f"/v1/orders/{order.id}/evidence")
    assert answer.headers["content-type"] == "application/zip"
    assert 'filename="evidence-1042.zip"' in answer.headers["content-disposition"]
    assert holds(verify(answer.body, rooms.hub.evidence.public_key()))


@pytest.mark.parametrize("what", ["documents/{document}/content", "orders/{order}/evidence"])
def test_bytes_need_a_scope_of_their_own(client, rooms, what):
    """`orders:read` shows facts only: bodies are personal data."""
    content = filled(rooms)
    path = "/v1/" + what.format(document=content.documents[0].id, order=content.order.id)
    refused = client(Scope.ORDERS_READ).get(path)
    assert refused.status == 403
    assert "orders:body" in refused.json()["detail"]
    assert client(Scope.ORDERS_BODY).get(path).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/orders/ord_none/documents",
        "/v1/orders/ord_none/evidence",
        "/v1/documents/doc_none",
        "/v1/documents/doc_none/content",
        "/v1/documents/..%2F..%2Fetc%2Fpasswd/content",
    ],
)
def test_what_is_not_there_is_not_found(admin, path):
    """In words, for made-up ids and odd ones."""
    assert admin.get(path).status == 404


def test_a_lost_blob_is_told_apart_from_a_wrong_id(admin, rooms):
    """404 with what an operator can do."""
    order = add_order(rooms)
    document = keep(rooms, order, "a.pdf", b"a")
    (rooms.settings.data_dir / "blobs" / document.blob).unlink()
    answer = admin.get(f"/v1/documents/{document.id}/content")
    assert answer.status == 404
    assert "backup" in answer.json()["detail"]
