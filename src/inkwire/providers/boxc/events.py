"""What BoxC tells about: each topic, the object its body holds, and what that is about. Pure.

Topics are open: one that is not listed here is kept and passed on all the same.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from inkwire.model.event import ParsedEvent, Term, TermKind
from inkwire.providers.payload import Terms, dig, entity_key, objects_at, text_at

PROVIDER = "boxc"


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """One topic that BoxC documents."""

    sentence: str
    #: The one member of the body: what the topic is about.
    root: str


#: Seed 004's five (R142), and the sixth of BoxC's API 1.123 (C22).
TOPICS = {
    "fulfillments_complete": Topic(
        sentence="A warehouse finished a fulfilment; its tracking number may still be missing.",
        root="fulfillment",
    ),
    "fulfillments_update": Topic(
        sentence="A finished fulfilment got its tracking number or a new one.",
        root="fulfillment",
    ),
    "orders_status": Topic(
        sentence="An order is held up: its status became Exception.",
        root="order",
    ),
    "shipments_label": Topic(
        sentence="The label of a shipment is there, as a PDF in base64.", root="shipment"
    ),
    "shipments_status": Topic(sentence="A carrier scanned a shipment.", root="shipment"),
    "manifests_complete": Topic(
        sentence="A manifest is complete: its overpacks and forms are known.",
        root="manifest",
    ),
}
#: Below each root, a text that tells two deliveries apart: a sample is made new with it.
TELLING = {"order": ("shop", "order_id"), "manifest": ("mawb_id",)}
TELLING_ELSEWHERE = ("tracking_number",)
#: Topic to event type, so that the usual ones cost one look-up.
TYPES = {topic: f"{PROVIDER}.{topic}" for topic in TOPICS}
EVENT_TYPES = {TYPES[name]: topic.sentence for name, topic in TOPICS.items()}


def root_of(topic: str, payload: Any) -> tuple[str | None, Any]:
    """Name and value of the object that a body holds: the topic's own, else its only member."""
    if topic in TOPICS:
        return TOPICS[topic].root, dig(payload, TOPICS[topic].root)
    if isinstance(payload, dict) and len(payload) == 1:
        return next(iter(payload.items()))
    return None, payload


def about(topic: str, payload: Any) -> str | None:
    """`boxc:fulfillment:ID`, `boxc:order:ID`, `boxc:shipment:ID` or `boxc:manifest:ID`."""
    name, thing = root_of(topic, payload)
    return entity_key(PROVIDER, name, text_at(thing, "id"))


def occurred_at(topic: str, payload: Any) -> datetime | None:
    """When it happened, if the body says so in a time that means one moment.

    Only a manifest does: the time of a scan is local to the place of the scan, without its zone,
    and an order's times are those of its making.
    """
    name, thing = root_of(topic, payload)
    return utc_of(text_at(thing, "created")) if name == "manifest" else None


def utc_of(text: str | None) -> datetime | None:
    """BoxC's `YYYY-MM-DD HH:MM:SS`, which is UTC except for scans; None if it is anything else."""
    try:
        return datetime.strptime(text or "", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def terms_of(topic: str, event: ParsedEvent) -> tuple[Term, ...]:
    """Ids, order and tracking numbers, and the person that a parcel goes to."""
    _, thing = root_of(topic, event.payload)
    terms = Terms().add(TermKind.ENTITY, event.entity_key)
    for term in event.header_terms:
        terms.add(term.kind, term.value)
    for key in ("fulfillment", "order", "shipment"):
        terms.add(TermKind.ENTITY, entity_key(PROVIDER, key, text_at(thing, f"{key}_id")))
    terms.add(
        TermKind.ID,
        text_at(thing, "id"),
        text_at(thing, "order_id"),
        text_at(thing, "shipment_id"),
        text_at(thing, "shop", "id"),
        text_at(thing, "warehouse_id"),
    )
    terms.add(
        TermKind.NUMBER,
        text_at(thing, "tracking_number"),
        text_at(thing, "shop", "order_id"),
        text_at(thing, "order_number"),
        text_at(thing, "mawb_id"),
        *(text_at(line, "sku") for line in objects_at(thing, "line_items")),
    )
    terms.add(TermKind.ID, *(text_at(pack, "id") for pack in objects_at(thing, "overpacks")))
    address = dig(thing, "shipping_address")
    terms.add(TermKind.NAME, text_at(address, "name"), text_at(address, "company_name"))
    return terms.add(TermKind.EMAIL, text_at(address, "email")).all()
