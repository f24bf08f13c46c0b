"""Signed documents and signing log: fetched, checked, kept on the order (R26–R28)."""

import hashlib
from typing import Any

from inkwire.documents.proofs import run_item
from inkwire.engine.contract import Run
from inkwire.errors import Transient
from inkwire.integrations.box_sign_orders.folder import client
from inkwire.model.document import DocumentKind, EvidenceItem
from inkwire.model.order import LineKind
from inkwire.store.ordering import OrderChange


def fetch(run: Run, read: dict[str, Any], file: dict[str, Any]) -> str:
    """One file, that version, kept byte for byte (R26–R28)."""
    services, kind = run.services, DocumentKind(file["kind"])
    order_id, sign_id = read["order_id"], run.work.subject["sign_request_id"]
    origin = f"box:file:{file['id']}:{file['version_id']}"
    there = services.store.documents.by_origin(order_id, origin)
    if there is not None:
        return there.id
    content = client(run).download(file["id"], version_id=file["version_id"] or None)
    sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    if file["sha1"] and sha1 != file["sha1"]:
        raise Transient(f"{file['name']} came with other content than Box says; fetched again.")
    new = services.documents.keep(
        order_id=order_id,
        kind=kind,
        name=file["name"],
        media_type="application/pdf",
        content=content,
        origin=origin,
        sign_request_id=sign_id,
    )
    document = new.document
    what = "signed document" if kind is DocumentKind.SIGNED else "signing log"
    text = f"The {what} {document.name} was stored."
    facts = {
        "document": document.id,
        "sha256": document.sha256,
        "sha1": document.sha1,
        "box_file": file["id"],
        "box_version": file["version_id"],
    }
    services.orders.apply(
        OrderChange(
            order_id=order_id,
            once=f"document/{origin}",
            documents=(new,),
            lines=(
                services.orders.line(
                    order_id,
                    LineKind.DOCUMENT,
                    text,
                    refs={"document": document.id, "sign_request": sign_id, "work": run.work.id},
                ),
            ),
            evidence=(
                EvidenceItem(kind="document", text=text, at=services.clock.now(), facts=facts),
            ),
            messages=services.orders.messages(
                "document.filed",
                {
                    "document_id": document.id,
                    "name": document.name,
                    "content_type": document.media_type,
                    "size": document.size,
                    "sha256": document.sha256,
                    "order_id": order_id,
                    "filed_in": f"inkwire:order:{order_id}",
                },
                document_ids=(document.id,),
            ),
        )
    )
    return document.id


def finish(run: Run, read: dict[str, Any]) -> str:
    """All is here: subscribers hear of it, and the request is read no more."""
    services, sign_id = run.services, run.work.subject["sign_request_id"]
    order_id, now = read["order_id"], services.clock.now()
    order = services.store.orders.get(order_id)
    documents = [
        one.id for one in services.documents.of_order(order_id) if one.sign_request_id == sign_id
    ]
    services.orders.apply(
        OrderChange(
            order_id=order_id,
            once=f"{sign_id}/filed",
            evidence=(run_item(services.store, run.work.id, at=now),),
            messages=services.orders.messages(
                "order.signed",
                {
                    "order_id": order_id,
                    "integration": run.integration.label,
                    "status": order.status,
                    "sign_request_id": sign_id,
                    "document_ids": documents,
                },
                document_ids=documents,
            ),
        )
    )
    services.store.sign_requests.checked(
        sign_id, vendor_status=read["vendor_status"], next_at=None, at=now
    )
    return f"Signed; {len(documents)} documents are on the order."
