"""The desk of documents: what is kept comes back byte for byte, or an error says why not."""

import hashlib

import pytest

from documents.kit import add_order, keep
from inkwire.clock import ManualClock
from inkwire.documents.blobs import Blobs
from inkwire.documents.desk import DocumentDamaged, DocumentDesk
from inkwire.errors import CipherError, InvalidInput, NotFound, StoreError
from inkwire.model.document import DocumentKind


def blob_file(rooms, document):
    """Where the bytes of a document are."""
    return rooms.settings.data_dir / "blobs" / document.blob


def test_a_document_comes_back_byte_for_byte(rooms):
    """With its hashes, and sealed: the file on the disk shows nothing of it."""
    content = b"%PDF-1.7 Jane Example signed this"
    order = add_order(rooms)
    document = keep(rooms, order, "contract.pdf", content)
    assert rooms.hub.documents.content(document.id) == content
    assert (document.size, document.sha256, document.sha1) == (
        len(content),
        hashlib.sha256(content).hexdigest(),
        hashlib.sha1(content).hexdigest(),
    )
    assert rooms.hub.documents.of_order(order.id) == [document]
    assert b"Jane" not in blob_file(rooms, document).read_bytes()


def test_a_step_that_runs_twice_keeps_one_document(rooms):
    """The same origin is adopted: one row, one blob, and no empty row for the second."""
    order = add_order(rooms)
    first = keep(rooms, order, "contract.pdf", b"one", origin="box:file:1:1")
    second = keep(rooms, order, "contract.pdf", b"one", origin="box:file:1:1")
    assert second == first
    assert rooms.hub.documents.of_order(order.id) == [first]
    assert [path.name for path in blob_file(rooms, first).parent.iterdir()] == [first.id]


def test_a_cut_off_step_leaves_an_orphan_and_nothing_else(rooms):
    """The blob comes before the row: what a kill leaves is listed, and what is kept is not."""
    order = add_order(rooms)
    lost = rooms.hub.documents.keep(
        order_id=order.id,
        kind=DocumentKind.SIGNED,
        name="a.pdf",
        media_type="application/pdf",
        content=b"a",
        origin="box:file:1:1",
    )
    kept = keep(rooms, order, "contract.pdf", b"one")
    assert rooms.hub.documents.orphans() == []
    blobs = Blobs(folder=rooms.settings.data_dir / "blobs")
    # Files carry the machine's time, so the desk's clock has to be well past it.
    later = ManualClock(blob_time(rooms, kept))
    later.advance(seconds=7200)
    desk = DocumentDesk(store=rooms.store, blobs=blobs, clock=later, ids=rooms.ids)
    assert desk.orphans() == [lost.document.id]


def blob_time(rooms, document):
    """When the blob was written, by the machine's clock."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(blob_file(rooms, document).stat().st_mtime, UTC)


def test_a_document_over_the_limit_is_refused(rooms):
    """Before anything is written, in words with both sizes and the setting."""
    desk = DocumentDesk(
        store=rooms.store,
        blobs=Blobs(folder=rooms.settings.data_dir / "other"),
        clock=rooms.clock,
        ids=rooms.ids,
        max_bytes=10,
    )
    order = add_order(rooms)
    given = {
        "order_id": order.id,
        "kind": DocumentKind.ATTACHED,
        "name": "big.pdf",
        "media_type": "application/pdf",
        "origin": "x",
    }
    with pytest.raises(InvalidInput, match=r"11 bytes.*10.*INKWIRE_MAX_DOCUMENT_BYTES"):
        desk.keep(content=b"x" * 11, **given)
    assert not (rooms.settings.data_dir / "other").exists()
    assert desk.keep(content=b"x" * 10, **given).document.size == 10


def test_a_changed_blob_is_never_handed_out(rooms):
    """One flipped bit on the disk is an error, not another document."""
    document = keep(rooms, add_order(rooms), "contract.pdf", b"the contract")
    file = blob_file(rooms, document)
    changed = bytearray(file.read_bytes())
    changed[-1] ^= 1
    file.write_bytes(changed)
    with pytest.raises(CipherError, match=r"contract\.pdf"):
        rooms.hub.documents.content(document.id)


def test_the_hash_is_checked_even_if_the_seal_is_good(rooms):
    """Bytes that were sealed under the right key but are others do not pass."""
    document = keep(rooms, add_order(rooms), "contract.pdf", b"the contract")
    sealed = rooms.store.documents.open
    rooms.store.documents.open = lambda *given: sealed(*given) + b"!"
    with pytest.raises(DocumentDamaged, match="restore the blob"):
        rooms.hub.documents.content(document.id)


def test_a_lost_blob_says_what_to_do(rooms):
    """NotFound with the way out; and the same for a document that never was."""
    document = keep(rooms, add_order(rooms), "contract.pdf", b"the contract")
    blob_file(rooms, document).unlink()
    with pytest.raises(NotFound, match="restore it from a backup"):
        rooms.hub.documents.content(document.id)
    with pytest.raises(NotFound):
        rooms.hub.documents.content("doc_nothing")


def test_no_row_without_its_bytes(rooms):
    """A blob store that fails stops the keeping: no document points into nowhere."""
    (rooms.settings.data_dir / "blobs").write_text("a file stands where the folder should be")
    order = add_order(rooms)
    with pytest.raises(StoreError):
        keep(rooms, order, "contract.pdf", b"one")
    assert rooms.hub.documents.of_order(order.id) == []
