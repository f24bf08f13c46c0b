"""Orders and what belongs to them as rows, and back."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import sqlalchemy as sa

from inkwire.errors import CipherError, StoreError
from inkwire.model.document import (
    Document,
    DocumentKind,
    EvidenceItem,
    EvidenceLink,
    SignRequest,
    SignState,
)
from inkwire.model.order import (
    LineKind,
    Order,
    OrderBlock,
    OrderStatus,
    Party,
    Template,
    TemplateVersion,
    TimelineLine,
)
from inkwire.moments import as_utc
from inkwire.providers.payload import fold
from inkwire.store import schema_orders as tables
from inkwire.store.cipher import KEY, NONCE, Cipher, DataKey, place
from inkwire.store.intake import clean
from inkwire.store.keepable import require_keepable
from inkwire.store.rows import Row

#: All but the key: who lists documents has no use for it.
DOCUMENT_FIELDS = tuple(column for column in tables.documents.c if column.name != "data_key")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Content:
    """The sealed part of an order."""

    customer: Party
    company: Party = field(default_factory=Party)
    blocks: tuple[OrderBlock, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)


_decoder = msgspec.msgpack.Decoder(_Content)


def sealed_order(cipher: Cipher, order: Order) -> dict[str, Any]:
    """The order's row, sealed anew; no I/O. Raises CipherError, StoreError."""
    require_keepable(order.id, order.number, order.status, order.currency)
    content = _Content(
        customer=order.customer, company=order.company, blocks=order.blocks, fields=order.fields
    )
    try:
        plain = msgspec.msgpack.encode(content)
    except UnicodeEncodeError:
        raise StoreError(
            "The order holds half a character (a lone surrogate), which no store keeps; remove "
            "it and try again."
        ) from None
    drawn = os.urandom(KEY + 2 * NONCE)
    key, first, second = drawn[:KEY], drawn[KEY : KEY + NONCE], drawn[KEY + NONCE :]
    return {
        "id": order.id,
        "number": order.number,
        "status": order.status,
        "currency": order.currency,
        "version": order.version,
        "number_term": fold(order.number),
        "name_term": fold(order.customer.name),
        "email_term": fold(order.customer.email),
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "status_at": order.status_at,
        "deleted_at": order.deleted_at,
        "data_key": cipher.wrap_with(first, key, place("orders", order.id, "data_key")),
        "content": DataKey(key).seal(second, plain, place("orders", order.id, "content")),
    }


def opened_order(cipher: Cipher, row: Row) -> Order:
    """The order of a whole row. Raises CipherError that names the order."""
    if row.content is None:
        raise CipherError(f"The content of order {row.number} was erased.")
    try:
        key = DataKey(cipher.unwrap(row.data_key, place("orders", row.id, "data_key")))
        plain = key.open(row.content, place("orders", row.id, "content"))
    except CipherError as error:
        raise CipherError(f"Order {row.number} does not open. {error.message}") from None
    content: _Content = _decoder.decode(plain)
    return _order(row, content)


def listed_order(cipher: Cipher, row: Row) -> Order:
    """As `opened_order`; of one that does not open only what is plain, so that a list shows it."""
    try:
        return opened_order(cipher, row)
    except CipherError:
        return _order(row, _Content(customer=Party(name=row.name_term, email=row.email_term)))


def _order(row: Row, content: _Content) -> Order:
    return Order(
        id=row.id,
        number=row.number,
        status=row.status,
        customer=content.customer,
        company=content.company,
        currency=row.currency,
        blocks=content.blocks,
        fields=content.fields,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        status_at=row.status_at,
        deleted_at=row.deleted_at,
    )


def status(row: Row) -> OrderStatus:
    """A status of the site."""
    return OrderStatus(
        code=row.code,
        name=row.name,
        transitions=tuple(row.transitions),
        terminal=row.terminal,
        position=row.position,
    )


def line_row(line: TimelineLine) -> dict[str, Any]:
    """A line of a timeline; its text may quote a vendor."""
    return {
        "id": line.id,
        "order_id": line.order_id,
        "at": line.at,
        "kind": line.kind.value,
        "text": clean(line.text),
        "actor": clean(line.actor),
        "refs": _clean_map(line.refs),
    }


def line(row: Row) -> TimelineLine:
    """A line of a timeline."""
    return TimelineLine(
        id=row.id,
        order_id=row.order_id,
        at=row.at,
        kind=LineKind(row.kind),
        text=row.text,
        actor=row.actor,
        refs=row.refs,
    )


def as_kept(item: EvidenceItem) -> EvidenceItem:
    """The item as the store gives it back: what is hashed is what is kept."""
    return replace(
        item,
        kind=clean(item.kind),
        text=clean(item.text),
        at=as_utc(item.at),
        facts=_clean_map(item.facts),
    )


def link_row(link: EvidenceLink) -> dict[str, Any]:
    """A link of an order's chain."""
    return {
        "order_id": link.order_id,
        "seq": link.seq,
        "kind": link.item.kind,
        "text": link.item.text,
        "at": link.item.at,
        "facts": link.item.facts,
        "previous": link.previous,
        "digest": link.digest,
    }


def link(row: Row) -> EvidenceLink:
    """A link of an order's chain."""
    return EvidenceLink(
        order_id=row.order_id,
        seq=row.seq,
        item=EvidenceItem(kind=row.kind, text=row.text, at=row.at, facts=row.facts),
        previous=row.previous,
        digest=row.digest,
    )


def document_row(document: Document, data_key: bytes) -> dict[str, Any]:
    """A document with its wrapped key."""
    require_keepable(document.id, document.origin, document.blob, document.sign_request_id)
    return {
        "id": document.id,
        "order_id": document.order_id,
        "kind": document.kind.value,
        "name": clean(document.name),
        "media_type": clean(document.media_type),
        "size": document.size,
        "sha256": document.sha256,
        "sha1": document.sha1,
        "origin": document.origin,
        "blob": document.blob,
        "sign_request_id": document.sign_request_id,
        "verdict": document.verdict,
        "created_at": document.created_at,
        "data_key": data_key,
    }


def document(row: Row) -> Document:
    """A document from DOCUMENT_FIELDS."""
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    return Document(**values | {"kind": DocumentKind(row.kind)})


def sign_request_row(request: SignRequest) -> dict[str, Any]:
    """A sign request."""
    require_keepable(request.id, request.external_id, request.work_id)
    return {
        "id": request.id,
        "integration_id": request.integration_id,
        "order_id": request.order_id,
        "external_id": request.external_id,
        "state": request.state.value,
        "vendor_status": clean(request.vendor_status),
        "work_id": request.work_id,
        "file_ids": request.file_ids,
        "signer_email": clean(request.signer_email),
        "next_check_at": request.next_check_at,
        "checks": request.checks,
        "expires_at": request.expires_at,
        "created_at": request.created_at,
        "updated_at": request.updated_at,
    }


def sign_request(row: Row) -> SignRequest:
    """A sign request from a whole row."""
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    values |= {"state": SignState(row.state), "file_ids": tuple(row.file_ids)}
    return SignRequest(**values)


def template(row: Row) -> Template:
    """A template from a whole row."""
    return Template(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def template_version(row: Row) -> TemplateVersion:
    """A version from a whole row."""
    return TemplateVersion(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def documents_where(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Documents that meet the conditions, oldest first."""
    return sa.select(*DOCUMENT_FIELDS).where(*conditions).order_by(tables.documents.c.id)


def _clean_map(values: Mapping[str, str]) -> dict[str, str]:
    return {clean(name): clean(value) for name, value in values.items()}
