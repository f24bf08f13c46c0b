"""Evidence: chains that show any change, and one key of the hub to sign them with."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contract.order_kit import Office
from contract.store_kit import Hub
from inkwire.errors import CipherError
from inkwire.model.document import EvidenceItem
from inkwire.model.evidence import GENESIS, first_broken
from inkwire.store.ordering import OrderChange


@pytest.fixture
def office(hub: Hub) -> Office:
    """Keeps orders in a fresh store."""
    return Office(hub)


def prove(office: Office, order_id: str, *items: EvidenceItem) -> None:
    """Adds the items to the order's chain."""
    office.orders.apply(OrderChange(order_id=order_id, evidence=items))


def test_a_chain_of_each_order(office: Office):
    """Numbered from 1, each link following the one before, whatever change it came with."""
    order, other = office.add(), office.add()
    items = [office.item(text=f"{n} 🙂") for n in range(5)]
    prove(office, order.id, *items[:3])
    prove(office, other.id, office.item())
    prove(office, order.id, *items[3:])
    chain = office.hub.store.evidence.chain(order.id)
    assert [(link.seq, link.item) for link in chain] == list(enumerate(items, 1))
    assert chain[0].previous == GENESIS
    assert [link.previous for link in chain[1:]] == [link.digest for link in chain[:-1]]
    assert first_broken(chain) is None
    assert [link.seq for link in office.hub.store.evidence.chain(other.id)] == [1]
    assert office.hub.store.evidence.chain("ord_x") == []


def test_what_is_hashed_is_what_is_kept(office: Office):
    """A time of another zone, a NUL, half a character: the chain verifies as it is read."""
    order = office.add()
    at = datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5.5)))
    item = office.item(text="a\x00\ud800é", at=at, facts={"b": "1", "a\x00": "\udfff", "c": ""})
    prove(office, order.id, item, office.item(at=at.replace(microsecond=0)))
    chain = office.hub.store.evidence.chain(order.id)
    assert first_broken(chain) is None
    assert chain[0].item.at == at
    assert chain[0].item.text == "a??é"
    assert chain[0].item.facts == {"a?": "?", "b": "1", "c": ""}


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE evidence_links SET text = 'Something else.' WHERE seq = 2", 2),
        ("UPDATE evidence_links SET at = at + 1 WHERE seq = 3", 3),
        ("UPDATE evidence_links SET facts = '{}' WHERE seq = 1", 1),
        ("DELETE FROM evidence_links WHERE seq = 2", 3),
    ],
)
def test_a_change_shows(office: Office, statement: str, broken: int):
    """Whoever changes a row behind the store's back breaks the chain there."""
    order = office.add()
    prove(office, order.id, *(office.item() for _ in range(4)))
    office.hub.sql(statement)
    assert first_broken(office.hub.store.evidence.chain(order.id)) == broken


class TestHubKey:
    def test_it_is_made_once(self, hub: Hub):
        """However many processes ask for it first at the same time: one key, theirs for good."""
        stores = [hub.open() for _ in range(4)]
        try:
            with ThreadPoolExecutor(8) as pool:
                keys = set(pool.map(lambda store: store.evidence.hub_key(), stores * 4))
        finally:
            for store in stores:
                store.close()
        (key,) = keys
        assert key == hub.store.evidence.hub_key()
        public = Ed25519PrivateKey.from_private_bytes(key).public_key()
        public.verify(Ed25519PrivateKey.from_private_bytes(key).sign(b"x"), b"x")

    def test_it_is_sealed(self, hub: Hub):
        """The disk does not show it; one that was changed or moved says what to do."""
        key = hub.store.evidence.hub_key()
        assert key not in hub.everything()
        hub.sql(
            "UPDATE hub SET sealed = (SELECT sealed FROM hub WHERE name = 'key') "
            "WHERE name = 'evidence'"
        )
        with pytest.raises(CipherError, match=r"key for evidence does not open\. .* backup"):
            hub.store.evidence.hub_key()
