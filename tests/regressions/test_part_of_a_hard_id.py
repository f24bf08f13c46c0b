"""A hard id with one of its places empty made every later event an exact duplicate, for good."""

from inkwire.model.event import DedupeKind
from inkwire.model.request import InboundRequest
from inkwire.providers.generic import PROVIDER
from inkwire.providers.settings import check_settings

RECEIVER = PROVIDER.receive
SHOPIFY = next(recipe for recipe in PROVIDER.recipes if recipe.name == "shopify")


def parsed(body, headers=(), **settings):
    """The events of a body with these headers."""
    request = InboundRequest(method="POST", path="/in/x", headers=headers, body=body)
    return RECEIVER.parse(request, body, check_settings(RECEIVER.settings, settings))


def test_orders_without_an_event_id_are_not_one_order():
    """Shopify's topic alone is no id: without X-Shopify-Event-Id the content tells a repeat."""
    topic = ((b"x-shopify-topic", b"orders/create"),)
    [one] = parsed(b'{"id":1}', topic, **SHOPIFY.settings)
    [other] = parsed(b'{"id":2}', topic, **SHOPIFY.settings)
    [again] = parsed(b'{"id":1}', topic, **SHOPIFY.settings)
    assert one.dedupe_kind is other.dedupe_kind is DedupeKind.DERIVED
    assert one.dedupe_key == again.dedupe_key != other.dedupe_key
    [whole] = parsed(b'{"id":1}', (*topic, (b"x-shopify-event-id", b"e")), **SHOPIFY.settings)
    assert (whole.dedupe_kind, whole.dedupe_key) == (DedupeKind.HARD, b"orders/create\ne")


def test_different_elements_of_one_body_are_not_exact_duplicates():
    """A hard id that two elements share is none for them; the others keep theirs."""
    settings = {"id_at": "header:X-Id kind", "dedupe": "hard"}
    headers = ((b"x-id", b"7"),)
    body = b'[{"kind":"a","v":1},{"kind":"a","v":2},{"kind":"b","v":3},{"kind":"b","v":3}]'
    first, second, *same = parsed(body, headers, **settings)
    assert first.dedupe_kind is second.dedupe_kind is DedupeKind.DERIVED
    assert first.dedupe_key != second.dedupe_key
    assert [(one.dedupe_kind, one.dedupe_key) for one in same] == [(DedupeKind.HARD, b"7\nb")] * 2
