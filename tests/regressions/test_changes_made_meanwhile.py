"""A write of what was read before something slow undid what others had changed meanwhile."""

import pytest

from fakes.hub import CHEAP, LARGEST, open_rooms
from inkwire.access.gate import CLI, Gate
from inkwire.access.passwords import Passwords
from inkwire.errors import Conflict, RateLimited, Unauthenticated
from inkwire.model.access import Role
from inkwire.sources.desk import SourceChange, SourceDesk, SourceDraft

OLD, NEW = "correct horse battery", "another password"
HOME = "192.0.2.1"


@pytest.fixture
def rooms(tmp_path):
    """A hub with two administrators, ada and bob."""
    with open_rooms(tmp_path / "data") as rooms:
        for name in ("ada", "bob"):
            rooms.gate.add_user(CLI, name=name, password=OLD, role=Role.ADMIN)
        yield rooms


def _slow(rooms, meanwhile):
    """A gate during whose hashing something else happens."""

    class Slow(Passwords):
        def verify(self, password_hash, password):
            return CHEAP.verify(password_hash, password)

        def hash(self, password):
            meanwhile()
            return CHEAP.hash(password)

    return Gate(
        store=rooms.store, clock=rooms.clock, ids=rooms.ids, session_hours=12, passwords=Slow()
    )


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda gate: gate.disable(CLI, "bob"),
        lambda gate: gate.set_password(CLI, "bob", "a third password"),
    ],
    ids=["disabled", "given another password"],
)
def test_an_own_password_does_not_undo_what_an_administrator_did(rooms, meanwhile):
    """Whoever is kept out while their new password is hashed stays out."""
    token, _ = rooms.gate.sign_in("bob", OLD, remote=HOME)
    who = rooms.gate.signed_in(token)
    slow = _slow(rooms, lambda: meanwhile(rooms.gate))
    with pytest.raises(Unauthenticated, match="meanwhile"):
        slow.change_own_password(who, current=OLD, new=NEW, remote=HOME)
    with pytest.raises(Unauthenticated):
        rooms.gate.sign_in("bob", NEW, remote=HOME)


def test_a_demotion_survives_a_password_change(rooms):
    """Both by its owner and by an administrator, the role stays what it was made meanwhile."""
    token, _ = rooms.gate.sign_in("bob", OLD, remote=HOME)
    who = rooms.gate.signed_in(token)
    slow = _slow(rooms, lambda: rooms.gate.set_role(CLI, "bob", Role.VIEWER))
    slow.change_own_password(who, current=OLD, new=NEW, remote=HOME)
    assert rooms.gate.user(CLI, "bob").role is Role.VIEWER
    slow = _slow(rooms, lambda: rooms.gate.disable(CLI, "bob"))
    assert slow.set_password(CLI, "bob", OLD).disabled
    assert rooms.gate.user(CLI, "bob").disabled


def test_a_try_that_was_not_looked_at_is_no_failure(rooms):
    """During a flood a person who is turned away often may still sign in after it."""
    busy = Passwords(at_once=1, waiting=0)
    gate = Gate(
        store=rooms.store, clock=rooms.clock, ids=rooms.ids, session_hours=12, passwords=busy
    )
    rooms.gate.add_user(CLI, name="eve", password=OLD, role=Role.VIEWER)
    with busy._slot():
        for _ in range(30):
            with pytest.raises(RateLimited, match="at this moment"):
                gate.sign_in("eve", OLD, remote=HOME)
    gate.sign_in("eve", OLD, remote=HOME)


def test_a_pause_by_another_process_is_not_lost(rooms):
    """An edit whose source changed between its read and its write is refused."""
    draft = SourceDraft(
        id="acme-main", provider="acme", name="Acme",
        secrets={"primary": "primary-key-1", "token": "token-1234"},
    )  # fmt: skip
    rooms.desk.create(CLI, draft)
    real = rooms.store.sources

    class Slow:
        def get(self, source_id):
            source = real.get(source_id)
            rooms.clock.advance(seconds=1)
            rooms.desk.pause(CLI, "acme-main")
            return source

        def __getattr__(self, name):
            return getattr(real, name)

    class Store:
        sources = Slow()

    other = SourceDesk(
        store=Store(), registry=rooms.registry, clock=rooms.clock, ids=rooms.ids,
        base_url="https://x", max_body_bytes=LARGEST,
    )  # fmt: skip
    with pytest.raises(Conflict, match="read it again"):
        other.update(CLI, "acme-main", SourceChange(name="Renamed"))
    source = rooms.desk.get(CLI, "acme-main")
    assert (source.name, source.paused) == ("Acme", True)
