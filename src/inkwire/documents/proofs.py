"""Links of the evidence that other records hang on: a receipt's body, a run's steps and calls.

A workflow adds them to its OrderChange; the export writes the same bytes into the bundle, and the
verifier holds them against the hash in the chain.
"""

import hashlib
from dataclasses import asdict
from datetime import datetime

from inkwire.documents.bundle import line
from inkwire.model.document import EvidenceItem
from inkwire.model.receipt import OpenedReceipt
from inkwire.store.contract import Store


def receipt_item(store: Store, event_id: str, *, at: datetime) -> EvidenceItem | None:
    """The link that takes down the webhook of an event. None if its body is no longer kept.

    Kind `receipt`; facts `event`, `receipt`, `source`, `type`, `sha256` of the raw body. Raises
    NotFound without such an event, CipherError.
    """
    event = store.events.get(event_id)
    opened = opened_receipt(store, event_id)
    if opened.body is None:
        return None
    return EvidenceItem(
        kind="receipt",
        text=f"The webhook {event.type} came in, signed with the secret of {event.source_id}.",
        at=at,
        facts={
            "event": event.id,
            "receipt": opened.receipt.id,
            "source": event.source_id,
            "type": event.type,
            "received_at": event.received_at.isoformat(),
            "sha256": hashlib.sha256(opened.body).hexdigest(),
        },
    )


def opened_receipt(store: Store, event_id: str) -> OpenedReceipt:
    """The receipt that holds an event's body: of an exact duplicate the first one's."""
    event = store.events.get(event_id)
    opened = store.inbound.open_receipt(event.receipt_id)
    if opened.body is None and event.duplicate_of is not None:
        first = store.inbound.open_receipt(store.events.get(event.duplicate_of).receipt_id)
        if first.receipt.body_hash == opened.receipt.body_hash:
            return first
    return opened


def run_item(store: Store, work_id: str, *, at: datetime) -> EvidenceItem:
    """The link that takes down what a work row's runs did and called so far.

    Kind `call`; facts `work`, and for `steps` and `calls` their number and the SHA-256 of that
    many first lines of `steps/WORK.jsonl` and `calls/WORK.jsonl`.
    """
    steps, calls = step_lines(store, work_id), call_lines(store, work_id)
    return EvidenceItem(
        kind="call",
        text=f"{len(steps)} steps and {len(calls)} API calls were recorded.",
        at=at,
        facts={
            "work": work_id,
            "steps": str(len(steps)),
            "steps_sha256": hashlib.sha256(b"".join(steps)).hexdigest(),
            "calls": str(len(calls)),
            "calls_sha256": hashlib.sha256(b"".join(calls)).hexdigest(),
        },
    )


def step_lines(store: Store, work_id: str) -> list[bytes]:
    """The steps of a work row as lines of JSON, in the order in which they were recorded."""
    # By their start: a step's id does not tell when it was.
    rows = sorted(store.run_log.steps(work_id), key=lambda row: (row.started_at, row.id))
    return [line(asdict(row)) for row in rows]


def call_lines(store: Store, work_id: str) -> list[bytes]:
    """The API calls of a work row as lines of JSON, in the order in which they were recorded."""
    # By their end, which their ids follow: one that was under way then comes behind.
    return [line(asdict(row)) for row in store.run_log.calls_of(work_id)]
