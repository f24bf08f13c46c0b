"""Outbound Messages: what Salesforce's SOAP says, and what of it is believed. Pure.

Source: SOAP API Developer Guide, "Outbound Messaging" and its WSDL (namespaces, up to 100
notifications). A notification says that a record was saved. The fields in it are the record's when
the message was sent, not when it was saved, and nothing proves them: they are shown and can be
searched for; who needs them reads the record.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from inkwire.errors import Unparsable
from inkwire.model.event import DedupeKind, ParsedEvent, Term, TermKind
from inkwire.providers.payload import Terms, entity_key, term_kind
from inkwire.providers.salesforce import ids
from inkwire.providers.salesforce.soap import Element, Name, read

PROVIDER = "salesforce"
#: Most notifications that Salesforce puts into a message.
MAX_NOTIFICATIONS = 100
#: Fields of a record that are looked at, and characters of one.
_MAX_FIELDS, _MAX_VALUE = 500, 1_000
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_OUT = "http://soap.sforce.com/2005/09/outbound"
_RECORD = "urn:sobject.enterprise.soap.sforce.com"
_OBJECT = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_ORGANIZATION, _NOTIFICATION_ID = "00D", "04l"
#: In a sample, where it is made another's: the organisation, and each notification's id.
_ORGANIZATION_TEXT = re.compile(rb"(<(?:\w+:)?OrganizationId>)([^<]*)(</)")
_ID_TEXT = re.compile(rb"(<(?:\w+:)?Notification>\s*<(?:\w+:)?Id>)([^<]*)(</)")
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

#: What Salesforce takes as "do not send it again" (one for the whole message).
ACKNOWLEDGED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
    b'<soapenv:Body><notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound">'
    b"<Ack>true</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """Who sends a message."""

    #: Id of the organisation, 18 characters.
    organization_id: str
    #: Whether it carries a session id, which opens the organisation to whoever holds it.
    session: bool


def head_of(body: bytes) -> Head:
    """Who a message says that it is from. Raises Unparsable."""
    message = _message(body)
    organization = message.only((_OUT, "OrganizationId")).text
    if not ids.is_id(organization) or ids.prefix(organization) != _ORGANIZATION:
        raise Unparsable("The OrganizationId of the message is no id of an organisation.")
    session = any(one.text for one in message.all((_OUT, "SessionId")))
    return Head(organization_id=ids.long_id(organization), session=session)


def events_of(body: bytes) -> tuple[ParsedEvent, ...]:
    """One event for each notification, in their order. Raises Unparsable."""
    found = list(_message(body).all((_OUT, "Notification")))
    if not 1 <= len(found) <= MAX_NOTIFICATIONS:
        raise Unparsable(
            f"The message has {len(found)} notifications, not 1 to {MAX_NOTIFICATIONS}."
        )
    return tuple(_event(one) for one in found)


def terms_of(event: ParsedEvent) -> tuple[Term, ...]:
    """Ids of record and notification, and the fields whose names say what they hold."""
    payload = event.payload if isinstance(event.payload, dict) else {}
    terms = Terms().add(TermKind.ENTITY, event.entity_key)
    terms.add(TermKind.ID, payload.get("record_id"), payload.get("notification_id"))
    fields = payload.get("fields")
    for name, value in fields.items() if isinstance(fields, dict) else ():
        if (kind := term_kind(name.removesuffix("__c"))) is not None:
            terms.add(kind, value)
    return terms.all()


def from_organization(body: bytes, organization_id: str) -> bytes:
    """A sample as that organisation would send it; its own, or "", leaves it as it is."""
    if not organization_id:
        return body
    text = escape(organization_id).encode("utf-8", "replace")

    def other(found: re.Match[bytes]) -> bytes:
        ours = ids.same(found[2].decode("utf-8", "replace").strip(), organization_id.strip())
        return found[0] if ours else found[1] + text + found[3]

    return _ORGANIZATION_TEXT.sub(other, body)


def renewed(body: bytes, token: str) -> bytes:
    """A sample with other notification ids, made of `token`; all else stays as it is."""

    def other(found: re.Match[bytes]) -> bytes:
        digest = hashlib.sha256(token.encode() + b"\n" + found[2]).digest()
        made = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:12])
        return found[1] + ids.long_id(_NOTIFICATION_ID + made).encode() + found[3]

    return _ID_TEXT.sub(other, body)


def _message(body: bytes) -> Element:
    """The one `notifications` of the envelope."""
    envelope = read(body)
    if envelope.name != (_SOAP, "Envelope"):
        raise Unparsable("The body is no SOAP envelope, as an Outbound Message is.")
    inside = envelope.only((_SOAP, "Body"))
    if len(inside.children) != 1:
        raise Unparsable("The body of the SOAP envelope holds something else than one message.")
    return inside.only((_OUT, "notifications"))


def _event(notification: Element) -> ParsedEvent:
    notification_id = notification.only((_OUT, "Id")).text
    if not ids.is_id(notification_id):
        raise Unparsable("A notification has no id that could tell it from others.")
    record = notification.only((_OUT, "sObject"))
    name = _object(record.type)
    fields = dict(_fields(record))
    given = fields.get("Id", "")
    record_id = ids.long_id(given) if ids.is_id(given) else None
    payload: dict[str, Any] = {
        "notification_id": ids.long_id(notification_id),
        "object": name,
        "record_id": record_id,
        "fields": fields,
    }
    return ParsedEvent(
        type=f"{PROVIDER}.{name}.notified",
        dedupe_key=ids.long_id(notification_id).encode(),
        dedupe_kind=DedupeKind.HARD,
        # A repeat brings the record's newest fields, and may come among other notifications.
        unchanging=f"{name}/{record_id}".encode(),
        entity_key=entity_key(PROVIDER, "record", record_id),
        document_ids=(record_id,) if record_id else (),
        payload=payload,
    )


def _object(given: Name | None) -> str:
    """The object's API name out of `xsi:type`."""
    if given is None or given[0] != _RECORD or not _OBJECT.fullmatch(given[1]):
        raise Unparsable("A notification does not say of which object its record is.")
    return given[1]


def _fields(record: Element) -> Iterator[tuple[str, str]]:
    """Names and texts of the record's own fields; what is empty or made up of others is left out.

    A name that comes twice counts once, the first time.
    """
    seen: set[str] = set()
    for one in record.children[:_MAX_FIELDS]:
        namespace, name = one.name
        if namespace != _RECORD or name in seen or one.children or one.nil:
            continue
        seen.add(name)
        if text := one.text:
            yield name, text[:_MAX_VALUE]
