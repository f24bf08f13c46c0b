"""Connections: secrets and tokens sealed, one refresh at a time, the newest token stays."""

from dataclasses import replace

import msgspec
import pytest
import sqlalchemy as sa

from contract.acting_kit import Acting, race
from contract.store_kit import Hub
from inkwire.errors import CipherError, Conflict, NotFound
from inkwire.model.connection import Connection, ConnectionHealth, Token
from inkwire.moments import to_micros
from inkwire.store import schema_acting as tables
from inkwire.store.acting import SecretText
from inkwire.store.cipher import place
from inkwire.store.keys import key_file, load_keyring, rotate

H = ConnectionHealth
ID = "box-main"


@pytest.fixture
def acting(hub: Hub) -> Acting:
    """A fresh store."""
    return Acting(hub)


def update(acting: Acting, one: Connection, *secrets: SecretText, **fields: object) -> Connection:
    """Updates what was read last, a second later."""
    acting.hub.clock.advance(seconds=1)
    expected = fields.pop("expected", None) or acting.store.connections.get(one.id).updated_at
    return acting.store.connections.update(
        replace(one, updated_at=acting.now),
        secrets,
        expected=expected,
        audit=acting.hub.audit("connection.update", one.id),
        **fields,
    )


def lease(acting: Acting, generation: int = 0, lease_s: float = 30) -> bool:
    """Asks for the right to refresh."""
    return acting.store.connections.lease_refresh(
        ID, generation=generation, now=acting.now, lease_s=lease_s
    )


class TestRecords:
    def test_kept_whole(self, acting: Acting):
        """With its settings, and which secrets are set; never a secret itself."""
        made = []
        assert acting.moved(lambda: made.append(acting.connection())) == {"config"}
        [one] = made
        assert one == Connection(
            id=ID,
            provider="box",
            name="Box",
            method="ccg",
            settings={"client_id": "abc"},
            secrets_set={"client_secret": acting.now},
            created_at=acting.now,
            updated_at=acting.now,
        )
        two = acting.connection("a-second")
        assert acting.store.connections.all() == [two, one]
        assert acting.store.connections.open_secrets(ID) == {"client_secret": "s3cret"}
        assert "s3cret" not in repr([one, SecretText(name="a", value="s3cret")])
        with pytest.raises(Conflict, match="another id"):
            acting.connection()
        for call in ("get", "open_secrets", "token"):
            with pytest.raises(NotFound, match="no connection none"):
                getattr(acting.store.connections, call)("none")

    def test_update(self, acting: Acting):
        """Secrets are set and removed by name; token and health begin anew."""
        one = acting.connection()
        acting.store.connections.put_token(ID, acting.token(), generation=0)
        acting.health(H.NEEDS_ATTENTION)
        changed = update(
            acting,
            replace(one, name="New", method="jwt", settings={}, provider="other"),
            SecretText(name="jwt_key", value="k1"),
            removed=["client_secret", "none"],
        )
        assert changed == replace(
            one,
            name="New",
            method="jwt",
            settings={},
            secrets_set={"jwt_key": acting.now},
            updated_at=acting.now,
        )
        assert acting.store.access.audit()[0].action == "connection.update"
        assert acting.store.connections.open_secrets(ID) == {"jwt_key": "k1"}
        assert acting.store.connections.token(ID).token is None
        changed = update(acting, changed, SecretText(name="jwt_key", value="k2"))
        assert acting.store.connections.open_secrets(ID) == {"jwt_key": "k2"}
        with pytest.raises(Conflict, match="changed meanwhile"):
            update(acting, one, SecretText(name="x", value="y"), expected=one.updated_at)
        assert acting.store.connections.get(ID) == changed
        with pytest.raises(NotFound, match="none"):
            update(acting, replace(one, id="none"), expected=one.updated_at)

    def test_an_update_may_keep_the_token(self, acting: Acting):
        """Of the same account: token, generation and a refresh under way stay; health is new."""
        one = acting.connection()
        token = replace(acting.token(), refresh="r1")
        assert acting.store.connections.put_token(ID, token, generation=0)
        assert lease(acting, generation=1)
        acting.health(H.OK)
        changed = update(acting, replace(one, name="New"), keep_token=True)
        assert (changed.name, changed.health) == ("New", H.UNCHECKED)
        assert changed.token_expires_at == token.expires_at
        held = acting.store.connections.token(ID)
        assert (held.token, held.generation) == (token, 1)
        assert held.leased_until is not None
        newer = replace(token, refresh="r2")
        assert acting.store.connections.put_token(ID, newer, generation=1)

    def test_a_token_comes_with_its_audit_entry_or_not_at_all(self, acting: Acting):
        """Of who signed in for it; one that lost the race leaves no entry."""
        acting.connection()
        put, entry = (
            acting.store.connections.put_token,
            acting.hub.audit("connection.signed_in", ID),
        )
        assert put(ID, acting.token(), generation=0, audit=entry)
        assert acting.store.access.audit()[0] == entry
        late = acting.hub.audit("connection.signed_in", ID)
        assert not put(ID, acting.token(), generation=0, audit=late)
        assert acting.store.access.audit()[0] == entry

    def test_deleted_only_when_nobody_names_it(self, acting: Acting):
        """The conflict tells who does; afterwards nothing of it is left."""
        acting.connection()
        one = acting.integration(connection_id=ID)
        with pytest.raises(Conflict, match="int_1 uses the connection box-main"):
            acting.store.connections.delete(ID, audit=acting.hub.audit())
        acting.put_integration(replace(one, connection_id=None))
        acting.store.connections.delete(ID, audit=acting.hub.audit("connection.delete", ID))
        assert acting.store.access.audit()[0].action == "connection.delete"
        assert acting.store.connections.all() == []
        with acting.database.reading() as conn:
            assert conn.execute(sa.select(tables.connection_secrets)).all() == []
        with pytest.raises(NotFound):
            acting.store.connections.delete(ID, audit=acting.hub.audit())

    def test_deleted_only_when_nobody_names_it_as_second(self, acting: Acting):
        """An integration between two systems needs both."""
        acting.connection()
        acting.connection("crm")
        one = acting.integration(connection_id=ID, second_connection_id="crm")
        for connection_id in (ID, "crm"):
            with pytest.raises(Conflict, match=f"int_1 uses the connection {connection_id}"):
                acting.store.connections.delete(connection_id, audit=acting.hub.audit())
        acting.put_integration(replace(one, second_connection_id=None))
        acting.store.connections.delete("crm", audit=acting.hub.audit())
        assert [one.id for one in acting.store.connections.all()] == [ID]

    @pytest.mark.parametrize("field", ["connection_id", "second_connection_id"])
    def test_deleted_and_named_at_the_same_moment(self, acting: Acting, field: str):
        """One of the two wins: no integration names what is gone."""
        for number in range(8):
            connection_id = f"box-{number}"
            acting.connection(connection_id)

            def name(connection_id: str = connection_id) -> bool:
                try:
                    acting.integration(**{field: connection_id})
                except NotFound:
                    return False
                return True

            def delete(connection_id: str = connection_id) -> bool:
                try:
                    acting.store.connections.delete(connection_id, audit=acting.hub.audit())
                except Conflict:
                    return False
                return True

            assert sorted(race([name, delete])) == [False, True]


class TestTokens:
    def test_a_token_comes_back(self, acting: Acting):
        """Opened, with its generation; its text is in no repr; no counter moves for it."""
        acting.connection()
        held = acting.store.connections.token(ID)
        assert (held.token, held.generation, held.leased_until) == (None, 0, None)
        token = acting.token("acc3ss", refresh="refr3sh")
        put = acting.store.connections.put_token
        assert acting.moved(lambda: put(ID, token, generation=0)) == set()
        held = acting.store.connections.token(ID)
        assert (held.token, held.generation) == (token, 1)
        assert acting.store.connections.get(ID).token_expires_at == token.expires_at
        assert "acc3ss" not in repr(held)
        assert "refr3sh" not in repr(held)

    def test_its_address_comes_back(self, acting: Acting):
        """Sealed with the token; one that an older release kept has none."""
        acting.connection()
        token = acting.token("acc3ss", refresh="r", base_url="https://acme.my.salesforce.com")
        assert acting.store.connections.put_token(ID, token, generation=0)
        assert acting.store.connections.token(ID).token == token
        with acting.database.reading() as conn:
            [sealed] = conn.scalars(sa.select(tables.connections.c.token)).all()
        assert b"salesforce" not in sealed
        old = msgspec.msgpack.encode(("old", to_micros(acting.now), None))
        cipher = acting.store.connections._cipher
        with acting.database.writing() as conn:
            conn.execute(
                tables.connections.update().values(
                    token=cipher.wrap(old, place("connections", ID, "token"))
                )
            )
        held = acting.store.connections.token(ID).token
        assert held == Token(access="old", expires_at=acting.now)

    def test_of_eight_one_refreshes(self, acting: Acting):
        """A refresh token works once: whoever comes second waits for the first one's token."""
        acting.connection()
        with acting.stores(3) as others:
            stores = [acting.store, *others] * 2
            for generation in range(5):
                leases = race(
                    [
                        lambda s=s, g=generation: s.connections.lease_refresh(
                            ID, generation=g, now=acting.now, lease_s=30
                        )
                        for s in stores
                    ]
                )
                assert sorted(leases) == [False] * 7 + [True]
                assert acting.store.connections.token(ID).leased_until == acting.after(30)
                put = race(
                    [
                        lambda s=s, n=n, g=generation: s.connections.put_token(
                            ID, acting.token(f"t{n}"), generation=g
                        )
                        for n, s in enumerate(stores)
                    ]
                )
                held = acting.store.connections.token(ID)
                assert sum(put) == 1
                assert held.token.access == f"t{put.index(True)}"
                assert (held.generation, held.leased_until) == (generation + 1, None)

    def test_a_lease_ends(self, acting: Acting):
        """By time, by being given back, by the token; and only for the generation it is of."""
        acting.connection()
        connections = acting.store.connections
        assert not lease(acting, generation=1)
        assert lease(acting)
        assert not lease(acting)
        first = acting.after(30)
        acting.hub.clock.advance(seconds=30)
        assert lease(acting)
        connections.drop_lease(ID, generation=0, leased_until=first)
        assert not lease(acting), "who comes late gives back none but their own"
        connections.drop_lease(ID, generation=1, leased_until=acting.after(30))
        assert not lease(acting)
        connections.drop_lease(ID, generation=0, leased_until=acting.after(30))
        assert lease(acting)
        assert connections.put_token(ID, acting.token(), generation=0)
        assert not lease(acting, generation=0), "the token it would replace is gone"
        assert lease(acting, generation=1)
        connections.drop_lease(ID, generation=0, leased_until=acting.after(30))
        assert not lease(acting, generation=1), "another generation's lease stays"
        assert not connections.lease_refresh("none", generation=0, now=acting.now, lease_s=1)

    def test_a_refresh_by_old_credentials_keeps_nothing(self, acting: Acting):
        """Who changes the credentials meanwhile does not get the old ones' token."""
        one = acting.connection()
        assert lease(acting)
        update(acting, one)
        put = acting.store.connections.put_token
        assert put(ID, acting.token("old"), generation=0) is False
        held = acting.store.connections.token(ID)
        assert (held.token, held.leased_until) == (None, None)
        assert put(ID, acting.token("new"), generation=held.generation)


class TestHealth:
    def test_news_moves_the_counters(self, acting: Acting):
        """Work may start or stop with it; the same again wakes nobody."""
        acting.connection()
        note = acting.store.connections.set_health

        def tell(health: ConnectionHealth, text: str = "") -> bool:
            return note(ID, health, text, at=acting.now)

        assert acting.moved(lambda: tell(H.OK)) == {"config", "work"}
        assert not tell(H.OK)
        assert tell(H.NEEDS_ATTENTION, "Grant the scope.\x00")
        found = acting.store.connections.get(ID)
        assert (found.health, found.health_note) == (H.NEEDS_ATTENTION, "Grant the scope.?")
        assert acting.moved(lambda: tell(H.NEEDS_ATTENTION, "Grant the scope.\x00")) == set()
        assert tell(H.NEEDS_ATTENTION, "Another.")
        assert not note("none", H.OK, "", at=acting.now)

    def test_the_same_again_is_noted_once_a_minute(self, acting: Acting):
        """A busy connection does not write with each call."""
        acting.connection()
        acting.health(H.OK)
        begin = acting.now
        acting.hub.clock.advance(seconds=59)
        assert not acting.health(H.OK)
        assert acting.store.connections.get(ID).health_at == begin
        acting.hub.clock.advance(seconds=1)
        assert acting.moved(lambda: acting.health(H.OK)) == set()
        assert acting.store.connections.get(ID).health_at == acting.now

    def test_several_tell_the_same(self, acting: Acting):
        """It is news once."""
        acting.connection()
        assert sum(race([lambda: acting.health(H.NEEDS_ATTENTION)] * 6)) == 1


class TestSealing:
    def test_nothing_plain_and_nothing_movable(self, acting: Acting):
        """Each value opens only in its own row and column."""
        acting.connection()
        acting.connection("box-two")
        for one in (ID, "box-two"):
            acting.store.connections.put_token(one, acting.token("acc3ss"), generation=0)
        secrets, connections = tables.connection_secrets, tables.connections
        with acting.database.writing() as conn:
            sealed = conn.scalars(sa.select(secrets.c.sealed)).all()
            tokens = conn.scalars(sa.select(connections.c.token)).all()
            assert not [one for one in sealed if b"s3cret" in one]
            assert not [one for one in tokens if b"acc3ss" in one]
            mine = conn.scalar(sa.select(secrets.c.sealed).where(secrets.c.connection_id == ID))
            token = conn.scalar(sa.select(connections.c.token).where(connections.c.id == ID))
            conn.execute(secrets.update().values(sealed=mine))
            conn.execute(connections.update().values(token=token))
        cipher = acting.store.connections._cipher
        cipher.unwrap(mine, place("connection_secrets", f"{ID}/client_secret", "sealed"))
        cipher.unwrap(token, place("connections", ID, "token"))
        assert acting.store.connections.open_secrets(ID) == {"client_secret": "s3cret"}
        for call in ("open_secrets", "token"):
            with pytest.raises(CipherError):
                getattr(acting.store.connections, call)("box-two")

    def test_a_new_master_key(self, acting: Acting):
        """After a rewrap the old key can go, and every secret and token opens."""
        hub = acting.hub
        many = {f"box-{number}": acting.token(f"t{number}") for number in range(5)}
        acting.connection("none-yet")
        for one, token in many.items():
            acting.connection(one)
            acting.store.connections.put_token(one, token, generation=0)
        old = load_keyring(hub.settings).current
        path = key_file(hub.settings)
        before = path.read_text().splitlines()
        hub.store.close()
        rotate(hub.settings)
        hub.store = hub.open()
        done = 0
        while (found := hub.store.rewrap(limit=3)) > 0:
            done += found
        assert done == 1 + 6 + 5, "the hub's key, six secrets, five tokens"
        hub.store.close()
        path.write_text("\n".join(set(path.read_text().splitlines()) - set(before)))
        assert old.id not in {key.id for key in load_keyring(hub.settings).keys}
        hub.store = hub.open()
        for one, token in many.items():
            assert hub.store.connections.token(one).token == token
            assert hub.store.connections.open_secrets(one) == {"client_secret": "s3cret"}
