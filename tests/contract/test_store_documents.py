"""Documents: sealed each under its own key, found by where they came from, judged once."""

from dataclasses import replace

import pytest

from contract.order_kit import Office
from contract.store_kit import Hub
from inkwire.errors import CipherError, NotFound
from inkwire.model.document import Document, DocumentKind
from inkwire.store.contract import ORDER
from inkwire.store.ordering import OrderChange

PDF = b"%PDF-1.7 \x00\xff secret words"


@pytest.fixture
def office(hub: Hub) -> Office:
    """Keeps orders in a fresh store."""
    return Office(hub)


def keep(office: Office, order_id: str, content: bytes = PDF, **fields) -> tuple[Document, bytes]:
    """A document that is kept, and its blob."""
    new = office.document(order_id, content, **fields)
    sealed = office.hub.store.documents.seal(new.document.id, content)
    new = replace(new, data_key=sealed.data_key)
    office.orders.apply(OrderChange(order_id=order_id, documents=(new,)))
    return new.document, sealed.content


@pytest.mark.parametrize("content", [b"", PDF, b"\x00" * 1_000_000], ids=["none", "pdf", "long"])
def test_bytes_come_back(office: Office, content: bytes):
    """Byte for byte; what is handed to the blob store tells nothing of them."""
    document, blob = keep(office, office.add().id, content)
    documents = office.hub.store.documents
    assert documents.open(document.id, blob) == content
    assert documents.get(document.id) == document
    assert not content or content not in blob
    assert documents.seal(document.id, content).content != blob


def test_a_wrong_blob_does_not_open(office: Office):
    """Changed bytes, another document's, a cut: the message names the document."""
    order = office.add()
    first, blob = keep(office, order.id)
    second, other = keep(office, order.id)
    for wrong in (blob[:-1] + bytes([blob[-1] ^ 1]), blob[:-1], other, b""):
        with pytest.raises(CipherError, match=rf"Offer 😀.pdf \({first.id}\) does not open\. .*"):
            office.hub.store.documents.open(first.id, wrong)
    assert office.hub.store.documents.open(second.id, other) == PDF


def test_a_key_that_moved(office: Office):
    """A row with another row's key opens neither's bytes."""
    order = office.add()
    (first, blob), (second, other) = keep(office, order.id), keep(office, order.id)
    office.hub.sql(
        "UPDATE documents SET data_key = (SELECT data_key FROM documents WHERE id = %s) "
        "WHERE id = %s",
        second.id,
        first.id,
    )
    for sealed in (blob, other):
        with pytest.raises(CipherError, match="backup"):
            office.hub.store.documents.open(first.id, sealed)


def test_an_erased_document(office: Office):
    """Without its key it says that it was erased; its row stays for the evidence."""
    document, blob = keep(office, office.add().id)
    office.hub.sql("UPDATE documents SET data_key = NULL")
    with pytest.raises(CipherError, match="was erased"):
        office.hub.store.documents.open(document.id, blob)
    assert office.hub.store.documents.get(document.id) == document


def test_what_is_not_there(office: Office):
    """Each call says so, also for texts that no store keeps."""
    documents = office.hub.store.documents
    for document_id in ("doc_x", "\x00"):
        for call in (
            lambda one=document_id: documents.get(one),
            lambda one=document_id: documents.open(one, b""),
            lambda one=document_id: documents.set_verdict(one, {}),
        ):
            with pytest.raises(NotFound, match="no document"):
                call()
        assert documents.of_order(document_id) == []
        assert documents.by_origin(document_id, document_id) is None


def test_an_orders_documents(office: Office):
    """Oldest first, its own only; each found by where it came from."""
    order, other = office.add(), office.add()
    kept = [keep(office, order.id, origin=f"template:{n}")[0] for n in range(3)]
    theirs, _ = keep(office, other.id, origin="template:1")
    documents = office.hub.store.documents
    assert documents.of_order(order.id) == kept
    assert documents.by_origin(order.id, "template:1") == kept[1]
    assert documents.by_origin(other.id, "template:1") == theirs
    assert documents.by_origin(order.id, "template:") is None


def test_verdicts(office: Office):
    """Signed documents wait for one, oldest first; having one wakes whoever looks at the order."""
    order = office.add()
    first, second = (keep(office, order.id)[0] for _ in range(2))
    keep(office, order.id, kind=DocumentKind.SIGNING_LOG)
    keep(office, order.id, verdict={"intact": True})
    documents = office.hub.store.documents
    assert documents.unjudged(10) == [first, second]
    assert documents.unjudged(1) == [first]
    before = office.hub.store.counters()[ORDER]
    verdict = {"intact": True, "signatures": [{"by": "Ada 🙂", "n": 1}]}
    documents.set_verdict(first.id, verdict)
    assert documents.unjudged(10) == [second]
    assert documents.get(first.id).verdict == verdict
    assert office.hub.store.counters()[ORDER] > before
