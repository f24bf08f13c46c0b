"""Consents that were asked for: one a connection, sealed, good once."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from contract.acting_kit import Acting, race
from contract.store_kit import Hub
from inkwire.errors import CipherError, NotFound
from inkwire.model.connection import Authorization
from inkwire.store import schema_acting as tables
from inkwire.store.keys import key_file, load_keyring, rotate

ID = "crm"
_table = tables.connection_authorizations


@pytest.fixture
def acting(hub: Hub) -> Acting:
    """A fresh store with two connections."""
    acting = Acting(hub)
    acting.connection(ID)
    acting.connection("other")
    return acting


def state(text: str = "state") -> bytes:
    """What is kept of a state."""
    return hashlib.sha256(text.encode()).digest()


def begin(acting: Acting, text: str = "state", connection_id: str = ID, **fields: Any) -> None:
    """Asks for consent."""
    values: dict[str, Any] = {
        "state_hash": state(text),
        "verifier": "v3rifier",
        "redirect_uri": "https://hub.example.com/back",
        "session": "ses_1",
        "until": acting.after(600),
        "audit": acting.hub.audit("connection.authorize", connection_id),
        **fields,
    }
    acting.store.connections.begin_authorization(connection_id, **values)


def take(acting: Acting, text: str = "state") -> Authorization | None:
    """The answer comes."""
    return acting.store.connections.take_authorization(state_hash=state(text), now=acting.now)


def kept(acting: Acting) -> list[Any]:
    """The rows as they lie in the table."""
    with acting.database.reading() as conn:
        return list(conn.execute(sa.select(_table)).all())


def test_good_once(acting: Acting):
    """It comes back whole, to the first who brings its state; the verifier is in no repr."""
    begin(acting)
    assert acting.store.access.audit()[0].action == "connection.authorize"
    assert take(acting, "another") is None
    found = take(acting)
    assert found == Authorization(
        connection_id=ID,
        verifier="v3rifier",
        redirect_uri="https://hub.example.com/back",
        session="ses_1",
        until=acting.after(600),
    )
    assert "v3rifier" not in repr(found)
    assert take(acting) is None
    assert kept(acting) == []


def test_brought_by_several_at_once(acting: Acting):
    """One of them gets it."""
    begin(acting)
    assert sum(found is not None for found in race([lambda: take(acting)] * 6)) == 1


def test_the_last_asking_counts(acting: Acting):
    """A second one takes the place of the first, of that connection only."""
    begin(acting, "theirs", "other")
    begin(acting, "first")
    begin(acting, "second", verifier="new", session="ses_2")
    assert take(acting, "first") is None
    found = take(acting, "second")
    assert found is not None
    assert (found.verifier, found.session) == ("new", "ses_2")
    assert (take(acting, "theirs") or found).connection_id == "other"


def test_too_late(acting: Acting):
    """At its end it is no longer good, and gone."""
    begin(acting)
    acting.hub.clock.advance(seconds=600)
    assert take(acting) is None
    assert kept(acting) == []


def test_no_such_connection(acting: Acting):
    """It is said, and nothing is kept of it."""
    with pytest.raises(NotFound, match="no connection none"):
        begin(acting, connection_id="none")
    assert kept(acting) == []
    assert acting.store.access.audit()[0].action != "connection.authorize"


@pytest.mark.parametrize("change", ["update", "delete"])
def test_it_goes_with_the_credentials(acting: Acting, change: str):
    """Who changed or deleted the connection meanwhile asks again."""
    begin(acting)
    one = acting.store.connections.get(ID)
    changes: dict[str, Callable[[], object]] = {
        "update": lambda: acting.store.connections.update(
            one, [], keep_token=True, expected=one.updated_at, audit=acting.hub.audit()
        ),
        "delete": lambda: acting.store.connections.delete(ID, audit=acting.hub.audit()),
    }
    changes[change]()
    assert take(acting) is None
    assert kept(acting) == []


def test_sealed_where_it_lies(acting: Acting):
    """The verifier is not plain, and opens in its own row only; what does not open is gone."""
    begin(acting)
    begin(acting, "theirs", "other")
    assert not [row for row in kept(acting) if b"v3rifier" in row.sealed]
    [mine] = [row.sealed for row in kept(acting) if row.connection_id == ID]
    with acting.database.writing() as conn:
        conn.execute(_table.update().values(sealed=mine))
    with pytest.raises(CipherError):
        take(acting, "theirs")
    assert take(acting, "theirs") is None
    assert take(acting) is not None


def test_a_new_master_key(acting: Acting):
    """After a rewrap the old key can go, and who is on the way back still gets in."""
    hub = acting.hub
    begin(acting)
    begin(acting, "theirs", "other")
    path = key_file(hub.settings)
    before = path.read_text().splitlines()
    hub.store.close()
    rotate(hub.settings)
    hub.store = hub.open()
    while hub.store.rewrap(limit=2) > 0:
        pass
    hub.store.close()
    path.write_text("\n".join(set(path.read_text().splitlines()) - set(before)))
    assert len(load_keyring(hub.settings).keys) == 1
    hub.store = hub.open()
    for text in ("state", "theirs"):
        found = take(acting, text)
        assert found is not None
        assert found.verifier == "v3rifier"
