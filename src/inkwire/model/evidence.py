"""The hash chain of an order's evidence. Pure, so that a file can be verified without a hub.

A link's digest is the SHA-256 of one line of JSON: keys sorted, no blanks, UTF-8. Anyone can
compute it with a few lines of any language; docs/explanation/evidence.md shows how.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from inkwire.model.document import EvidenceItem, EvidenceLink

#: What the first link follows.
GENESIS = "0" * 64
_SORTED = msgspec.json.Encoder(order="deterministic")


def chained(order_id: str, before: EvidenceLink | None, item: EvidenceItem) -> EvidenceLink:
    """The link that follows `before`; the first of its order for None."""
    seq = before.seq + 1 if before else 1
    previous = before.digest if before else GENESIS
    return EvidenceLink(
        order_id=order_id,
        seq=seq,
        item=item,
        previous=previous,
        digest=digest(order_id, seq, previous, item),
    )


def digest(order_id: str, seq: int, previous: str, item: EvidenceItem) -> str:
    """Hex SHA-256 over the link's content."""
    content = {
        "order": order_id,
        "seq": seq,
        "previous": previous,
        "kind": item.kind,
        "text": item.text,
        "at": item.at.isoformat(timespec="microseconds"),
        "facts": dict(item.facts),
    }
    return hashlib.sha256(_SORTED.encode(content)).hexdigest()


def first_broken(links: Iterable[EvidenceLink]) -> int | None:
    """The number of the first link that does not follow from the one before; None: all do."""
    before: EvidenceLink | None = None
    for link in links:
        if chained(link.order_id, before, link.item) != link:
            return link.seq
        before = link
    return None
