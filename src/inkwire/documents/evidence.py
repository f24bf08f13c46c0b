"""Exports the evidence of an order: one ZIP, its manifest signed by the hub.

The hash of a link stands in `model.evidence`; the form of the bundle in `bundle`, which `verifying`
reads. Equal content gives equal bytes.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inkwire.clock import Clock
from inkwire.documents import archive, bundle
from inkwire.documents.desk import DocumentDamaged, DocumentDesk
from inkwire.documents.names import plain_name
from inkwire.documents.proofs import call_lines, opened_receipt, step_lines
from inkwire.documents.readme import readme
from inkwire.errors import CipherError, Conflict, NotFound
from inkwire.model.document import Document, EvidenceLink
from inkwire.model.order import Order, TimelineLine
from inkwire.model.receipt import OpenedReceipt
from inkwire.model.request import is_secret_header
from inkwire.moments import as_utc
from inkwire.store.contract import Store

#: Bytes of documents that one bundle may hold; it is made in memory.
MOST_DOCUMENT_BYTES = 512 * 1024 * 1024
#: Webhooks, and work rows, that one bundle tells of.
MOST_RECORDS = 1_000
_TIMELINE_PAGE = 200
#: Times that a bundle is made anew because the order changed while it was read.
_TRIES = 5


@dataclass(kw_only=True, slots=True)
class _Members:
    """The files of a bundle as they are gathered."""

    files: dict[str, bytes] = field(default_factory=dict)

    def add(self, name: str, content: bytes) -> str:
        """Takes a file; its name."""
        self.files[name] = content
        return name

    def listed(self) -> list[dict[str, Any]]:
        """Name, size and SHA-256 of each, by name."""
        return [
            {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(self.files.items())
        ]


class EvidenceDesk:
    """Makes bundles of evidence, and tells the key that signs them."""

    def __init__(self, *, store: Store, documents: DocumentDesk, clock: Clock) -> None:
        self._store = store
        self._documents = documents
        self._clock = clock

    def public_key(self) -> bytes:
        """The hub's Ed25519 public key, 32 bytes. Raises CipherError."""
        return bundle.public_of(self._store.evidence.hub_key())

    def chain(self, order_id: str) -> list[EvidenceLink]:
        """The order's links, by number."""
        return self._store.evidence.chain(order_id)

    def export(self, order_id: str) -> bytes:
        """The bundle of an order (its id, or its number), deleted or not.

        Raises NotFound, StoreError, and Conflict if its documents come to more than 512 MiB, or
        if the order changes all the time.
        """
        order = self._order(order_id)
        for _ in range(_TRIES):
            chain = self._store.evidence.chain(order.id)
            made = self._bundle(self._store.orders.get(order.id), chain)
            if len(self._store.evidence.chain(order.id)) == len(chain):
                return made
        raise Conflict(
            f"Order {order.number} changes while its evidence is read; export it again soon.",
            code="evidence_changes",
        )

    def _bundle(self, order: Order, chain: Sequence[EvidenceLink]) -> bytes:
        """The bundle of these links, and of all else as it is while this reads it."""
        timeline = self._timeline(order.id)
        members = _Members()
        references = _references(chain, timeline)
        documents = self._add_documents(members, order)
        receipts = self._add_receipts(members, references["event"])
        work = references["work"] | {
            request.work_id: None
            for request in self._store.sign_requests.of_order(order.id)
            if request.work_id
        }
        self._add_work(members, list(work)[:MOST_RECORDS])
        members.add("timeline.jsonl", b"".join(bundle.line(jsonable(one)) for one in timeline))
        private = self._store.evidence.hub_key()
        public = bundle.public_of(private)
        created_at = as_utc(self._clock.now()).isoformat(timespec="seconds")
        members.add(bundle.KEY, bundle.pem_of(public))
        members.add(
            bundle.README,
            readme(
                number=order.number,
                order_id=order.id,
                created_at=created_at,
                key=f"it begins with {public.hex()[:16]}",
            ),
        )
        manifest = bundle.encoded(
            {
                "format": bundle.FORMAT,
                "created_at": created_at,
                "public_key": public.hex(),
                "order": {"id": order.id, "number": order.number, "status": order.status},
                "chain": [_link(one) for one in chain],
                "documents": documents,
                "receipts": receipts,
                "files": members.listed(),
            }
        )
        return archive.written(manifest, bundle.signed(private, manifest), members.files)

    def _order(self, given: str) -> Order:
        found = self._store.orders.by_number(given)
        return found if found is not None else self._store.orders.get(given)

    def _timeline(self, order_id: str) -> list[TimelineLine]:
        """Every line, oldest first."""
        found: list[TimelineLine] = []
        while True:
            page = self._store.orders.timeline(
                order_id, before=found[-1].id if found else None, limit=_TIMELINE_PAGE
            )
            found += page
            if len(page) < _TIMELINE_PAGE:
                return found[::-1]

    def _add_documents(self, members: _Members, order: Order) -> list[dict[str, Any]]:
        """One entry each; one whose bytes are gone says so, and the verifier finds it missing."""
        documents = self._documents.of_order(order.id)
        total = sum(one.size for one in documents)
        if total > MOST_DOCUMENT_BYTES:
            raise Conflict(
                f"The documents of order {order.number} come to {total:,} bytes; a bundle holds "
                f"{MOST_DOCUMENT_BYTES:,}. Download them one by one.",
                code="evidence_too_large",
            )
        return [self._add_document(members, one) for one in documents]

    def _add_document(self, members: _Members, document: Document) -> dict[str, Any]:
        facts = jsonable(document)
        del facts["blob"], facts["order_id"]
        try:
            content = self._documents.content(document.id)
        except (NotFound, CipherError, DocumentDamaged) as error:
            return {**facts, "file": None, "missing": error.message}
        name = f"documents/{document.id}-{plain_name(document.name)}"
        return {**facts, "file": members.add(name, content)}

    def _add_receipts(self, members: _Members, event_ids: Iterable[str]) -> list[dict[str, Any]]:
        """The webhooks behind the events, each once, with the events that it brought."""
        found: dict[str, dict[str, Any]] = {}
        for event_id in list(event_ids)[:MOST_RECORDS]:
            try:
                opened = opened_receipt(self._store, event_id)
            except NotFound:
                continue  # a name that a person wrote, or removed by age: the chain still has it
            receipt = opened.receipt
            if receipt.id not in found:
                found[receipt.id] = self._add_receipt(members, opened)
            found[receipt.id]["events"].append(event_id)
        return list(found.values())

    def _add_receipt(self, members: _Members, opened: OpenedReceipt) -> dict[str, Any]:
        receipt = opened.receipt
        about = {
            "id": receipt.id,
            "source": receipt.source_id,
            "provider": receipt.provider,
            "received_at": as_utc(receipt.received_at).isoformat(),
            "method": receipt.method,
            "path": receipt.path,
            "matched_on": receipt.matched_on.value,
            "headers": [
                [name.decode("latin-1"), value.decode("latin-1")]
                for name, value in opened.headers
                if not is_secret_header(name)
            ],
        }
        body = None
        if opened.body is not None:
            body = members.add(f"receipts/{receipt.id}.body", opened.body)
        facts = members.add(f"receipts/{receipt.id}.json", bundle.encoded(about))
        return {"id": receipt.id, "body": body, "facts": facts, "events": []}

    def _add_work(self, members: _Members, work_ids: Sequence[str]) -> None:
        for work_id in work_ids:
            for folder, lines in (
                ("steps", step_lines(self._store, work_id)),
                ("calls", call_lines(self._store, work_id)),
            ):
                name = f"{folder}/{work_id}.jsonl"
                if lines and bundle.MEMBER.fullmatch(name):
                    members.add(name, b"".join(lines))


def jsonable(value: Any) -> dict[str, Any]:
    """A dataclass as JSON holds it: times as RFC 3339, enums as their text."""
    found: dict[str, Any] = json.loads(bundle.line(value))
    return found


def _references(
    chain: Iterable[EvidenceLink], timeline: Iterable[TimelineLine]
) -> Mapping[str, dict[str, None]]:
    """Ids of events and work that the chain and the timeline name, each once, in order."""
    found: dict[str, dict[str, None]] = {"event": {}, "work": {}}
    for facts in (*(link.item.facts for link in chain), *(one.refs for one in timeline)):
        for kind, ids in found.items():
            if facts.get(kind):
                ids[facts[kind]] = None
    return found


def _link(link: EvidenceLink) -> dict[str, Any]:
    item = link.item
    return {
        "seq": link.seq,
        "previous": link.previous,
        "digest": link.digest,
        "kind": item.kind,
        "text": item.text,
        "at": item.at.isoformat(timespec="microseconds"),
        "facts": dict(item.facts),
    }
