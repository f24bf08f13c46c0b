"""The gate: signing in, API keys, users, and who may change them."""

import dataclasses
from datetime import timedelta

import pytest

from fakes.hub import CHEAP, START
from inkwire.access.gate import CLI, Gate
from inkwire.access.passwords import Passwords
from inkwire.access.throttle import FREE, WAITS_S
from inkwire.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    StoreBusy,
    Unauthenticated,
)
from inkwire.model.access import ROLE_SCOPES, Caller, Role, Scope

PASSWORD = "correct horse battery"
HOME = "192.0.2.1"
ACCESS_ONLY = Caller(actor="key:k", scopes=frozenset({Scope.ACCESS}))
VIEWER = Caller(actor="user:bob", scopes=ROLE_SCOPES[Role.VIEWER])


@pytest.fixture
def gate(rooms):
    """A gate with one administrator, ada."""
    rooms.gate.add_user(CLI, name="ada", password=PASSWORD, role=Role.ADMIN)
    return rooms.gate


def audits(rooms):
    """Audit entries, oldest first."""
    return [(e.actor, e.action, dict(e.detail)) for e in reversed(rooms.store.access.audit())]


def test_a_person_signs_in_and_out(rooms, gate):
    """The cookie's token names the person until they sign out."""
    token, session = gate.sign_in("ada", PASSWORD, remote=HOME)
    who = gate.signed_in(token)
    assert who.user.name == "ada"
    assert who.session == session
    assert who.caller == Caller(actor="user:ada", scopes=frozenset(Scope))
    gate.sign_out(token)
    assert gate.signed_in(token) is None
    gate.sign_out(token)


def test_a_name_is_typed_as_one_likes(gate):
    """Case and blanks around a sign-in name do not matter."""
    token, _ = gate.sign_in("  ADA ", PASSWORD, remote=HOME)
    assert gate.signed_in(token).user.name == "ada"


def test_the_store_keeps_no_token(rooms, gate, tmp_path):
    """A stolen database opens no session and no API key: only hashes are in it."""
    token, session = gate.sign_in("ada", PASSWORD, remote=HOME)
    _, key = gate.add_api_key(CLI, name="Export", scopes=frozenset({Scope.EVENTS_READ}))
    rooms.store.close()
    files = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("inkwire.db*"))
    assert session.token_hash in files
    for secret in (token, key, PASSWORD):
        assert secret.encode() not in files
    assert token not in repr(session)
    assert session.csrf not in repr(session)


def test_every_session_has_its_own_tokens(gate):
    """Two sign-ins share neither cookie nor form token."""
    (one, first), (two, second) = (gate.sign_in("ada", PASSWORD, remote=HOME) for _ in range(2))
    assert len({one, two, first.csrf, second.csrf}) == 4
    assert min(len(one), len(first.csrf)) == 43


def test_a_session_ends_by_itself(rooms, gate):
    """After the hours of the setting one signs in again."""
    token, session = gate.sign_in("ada", PASSWORD, remote=HOME)
    assert session.expires_at == START + timedelta(hours=12)
    rooms.clock.advance(seconds=12 * 3600 - 1)
    assert gate.signed_in(token) is not None
    rooms.clock.advance(seconds=1)
    assert gate.signed_in(token) is None


@pytest.mark.parametrize("token", [None, "", "x", "A" * 43, "ä" * 43, "\ud800" * 43, "x" * 10_000])
def test_a_made_up_cookie_is_nobody(gate, token):
    """Whatever stands in the cookie, the answer is nobody, not an error."""
    assert gate.signed_in(token) is None
    gate.sign_out(token or "")


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "wrong password"),
        ("nobody", PASSWORD),
        ("", ""),
        ("ada\x00", PASSWORD),
        ("\ud800", "\ud800"),
        ("x" * 100_000, "x" * 100_000),
    ],
)
def test_every_failure_reads_the_same(gate, name, password):
    """The answer does not tell whether the name exists."""
    with pytest.raises(Unauthenticated) as caught:
        gate.sign_in(name, password, remote=HOME)
    with pytest.raises(Unauthenticated) as other:
        gate.sign_in("somebody", "else entirely", remote="198.51.100.9")
    assert caught.value.message == other.value.message


def test_guessing_is_throttled(rooms, gate):
    """After five failures even the right password has to wait, and then works."""
    for number in range(FREE["name"]):
        with pytest.raises(Unauthenticated):
            gate.sign_in("ada", "wrong password", remote=f"198.51.100.{number}")
    with pytest.raises(RateLimited) as caught:
        gate.sign_in("ada", PASSWORD, remote=HOME)
    assert caught.value.retry_after_s == WAITS_S[0]
    rooms.clock.advance(seconds=WAITS_S[0])
    gate.sign_in("ada", PASSWORD, remote=HOME)


def test_unknown_names_are_throttled_alike(gate):
    """The throttle does not tell either whether a name exists."""
    for _ in range(FREE["name"]):
        with pytest.raises(Unauthenticated):
            gate.sign_in("nobody", "wrong password", remote=HOME)
    with pytest.raises(RateLimited):
        gate.sign_in("nobody", "wrong password", remote=HOME)


@pytest.mark.parametrize(
    "change",
    [
        lambda gate: gate.set_password(CLI, "ada", "another password"),
        lambda gate: gate.set_role(CLI, "ada", Role.VIEWER),
        lambda gate: gate.disable(CLI, "ada"),
    ],
)
def test_sessions_end_when_what_they_rest_on_changes(gate, change):
    """A new password, another role or being disabled ends every session at once."""
    gate.add_user(CLI, name="root", password=PASSWORD, role=Role.ADMIN)
    token, _ = gate.sign_in("ada", PASSWORD, remote=HOME)
    other, _ = gate.sign_in("root", PASSWORD, remote=HOME)
    change(gate)
    assert gate.signed_in(token) is None
    assert gate.signed_in(other) is not None


def test_a_session_does_not_outlive_a_change_made_meanwhile(rooms, gate):
    """A password that is replaced while it is being checked opens no session."""

    class Slow(Passwords):
        def verify(self, password_hash, password):
            right = CHEAP.verify(password_hash, password)
            rooms.gate.set_password(CLI, "ada", "another password")
            return right

    slow = Gate(
        store=rooms.store, clock=rooms.clock, ids=rooms.ids, session_hours=12, passwords=Slow()
    )
    with pytest.raises(Unauthenticated):
        slow.sign_in("ada", PASSWORD, remote=HOME)


def test_a_disabled_user_stays_out_until_enabled(gate):
    """The right password does not help; enabling does."""
    gate.add_user(CLI, name="bob", password=PASSWORD, role=Role.VIEWER)
    assert gate.disable(CLI, "bob").disabled
    with pytest.raises(Unauthenticated):
        gate.sign_in("bob", PASSWORD, remote=HOME)
    assert not gate.enable(CLI, "bob").disabled
    gate.sign_in("bob", PASSWORD, remote=HOME)


def test_a_password_is_changed_by_its_owner(gate):
    """It takes the present one; the old one is worth nothing afterwards."""
    token, _ = gate.sign_in("ada", PASSWORD, remote=HOME)
    who = gate.signed_in(token)
    with pytest.raises(InvalidInput) as caught:
        gate.change_own_password(who, current="wrong", new="another password", remote=HOME)
    assert caught.value.fields.keys() == {"current"}
    with pytest.raises(InvalidInput) as caught:
        gate.change_own_password(who, current=PASSWORD, new="short", remote=HOME)
    assert caught.value.fields.keys() == {"password"}
    gate.change_own_password(who, current=PASSWORD, new="another password", remote=HOME)
    assert gate.signed_in(token) is None
    with pytest.raises(Unauthenticated):
        gate.sign_in("ada", PASSWORD, remote=HOME)
    gate.sign_in("ada", "another password", remote=HOME)


def test_each_change_has_an_audit_entry(rooms, gate):
    """Who did what to whom, and never a password or key in it."""
    gate.add_user(CLI, name="bob", password=PASSWORD, role=Role.VIEWER)
    gate.set_role(CLI, "bob", Role.OPERATOR)
    gate.set_role(CLI, "bob", Role.OPERATOR)
    gate.set_password(CLI, "bob", "another password")
    gate.disable(CLI, "bob")
    key, text = gate.add_api_key(CLI, name="Export", scopes=frozenset({Scope.EVENTS_READ}))
    gate.revoke_api_key(CLI, key.id)
    gate.revoke_api_key(CLI, key.id)
    assert audits(rooms) == [
        ("cli", "user.add", {"name": "ada", "role": "admin"}),
        ("cli", "user.add", {"name": "bob", "role": "viewer"}),
        ("cli", "user.change", {"name": "bob", "role": "operator"}),
        ("cli", "user.password", {"name": "bob"}),
        ("cli", "user.change", {"name": "bob", "disabled": "true"}),
        ("cli", "api_key.add", {"name": "Export", "scopes": "events:read"}),
        ("cli", "api_key.revoke", {"name": "Export"}),
    ]
    assert text not in repr(audits(rooms))
    assert [entry.action for entry in gate.audit(CLI, limit=2)] == ["api_key.revoke", "api_key.add"]
    newest = gate.audit(CLI, limit=1)[0]
    assert gate.audit(CLI, before=newest.id, limit=1)[0].action == "api_key.add"


@pytest.mark.parametrize("name", ["", "-a", "a b", "ä", "a/b", "a" * 65, "a\x00", "\ud800"])
def test_a_name_that_nobody_can_have_is_refused(gate, name):
    """Names are short and plain, for they stand in URLs and in the audit log."""
    with pytest.raises(InvalidInput) as caught:
        gate.add_user(CLI, name=name, password=PASSWORD, role=Role.VIEWER)
    assert caught.value.fields.keys() == {"name"}
    with pytest.raises(NotFound):
        gate.set_role(CLI, name, Role.VIEWER)


def test_a_name_is_taken_once(gate):
    """Two people cannot share a name, whatever its case."""
    with pytest.raises(Conflict):
        gate.add_user(CLI, name="Ada", password=PASSWORD, role=Role.VIEWER)


def test_an_administrator_is_left(gate):
    """The last administrator can be neither demoted nor disabled."""
    gate.add_user(CLI, name="bob", password=PASSWORD, role=Role.OPERATOR)
    for act in (
        lambda: gate.set_role(CLI, "ada", Role.OPERATOR),
        lambda: gate.disable(CLI, "ada"),
    ):
        with pytest.raises(Conflict, match="only administrator"):
            act()
    gate.set_role(CLI, "bob", Role.ADMIN)
    gate.disable(CLI, "ada")
    with pytest.raises(Conflict):
        gate.set_role(CLI, "bob", Role.VIEWER)


@pytest.mark.parametrize(
    "act",
    [
        lambda gate, c: gate.users(c),
        lambda gate, c: gate.user(c, "ada"),
        lambda gate, c: gate.add_user(c, name="eve", password=PASSWORD, role=Role.VIEWER),
        lambda gate, c: gate.set_password(c, "ada", PASSWORD),
        lambda gate, c: gate.set_role(c, "ada", Role.VIEWER),
        lambda gate, c: gate.disable(c, "ada"),
        lambda gate, c: gate.enable(c, "ada"),
        lambda gate, c: gate.api_keys(c),
        lambda gate, c: gate.add_api_key(c, name="k", scopes=frozenset({Scope.EVENTS_READ})),
        lambda gate, c: gate.revoke_api_key(c, "key_1"),
        lambda gate, c: gate.audit(c),
    ],
)
def test_all_of_it_needs_the_scope(rooms, gate, act):
    """Without `access` nothing is shown or changed."""
    before = audits(rooms)
    with pytest.raises(Forbidden, match="scope access"):
        act(gate, VIEWER)
    assert audits(rooms) == before


@pytest.mark.parametrize(
    "act",
    [
        lambda gate: gate.add_user(ACCESS_ONLY, name="eve", password=PASSWORD, role=Role.VIEWER),
        lambda gate: gate.set_password(ACCESS_ONLY, "ada", "another password"),
        lambda gate: gate.set_role(ACCESS_ONLY, "ada", Role.VIEWER),
        lambda gate: gate.disable(ACCESS_ONLY, "ada"),
        lambda gate: gate.add_api_key(
            ACCESS_ONLY, name="k", scopes=frozenset({Scope.EVENTS_BODY, Scope.ACCESS})
        ),
    ],
)
def test_nobody_gives_or_takes_more_than_they_hold(rooms, gate, act):
    """A key that may manage access cannot reach bodies by making a user, or taking one over."""
    before = audits(rooms)
    with pytest.raises(Forbidden, match="more than you hold"):
        act(gate)
    assert audits(rooms) == before


def test_the_first_administrator_is_made_once(rooms):
    """An empty hub gets `admin` with a random password; later calls do nothing."""
    user, password = rooms.gate.first_admin()
    assert (user.name, user.role) == ("admin", Role.ADMIN)
    assert len(password) >= 20
    rooms.gate.sign_in("admin", password, remote=HOME)
    assert rooms.gate.first_admin() is None
    assert len(rooms.gate.users(CLI)) == 1


def test_an_api_key_is_known_by_its_hash(rooms, gate):
    """The key's scopes and id make the caller, and its use is noted."""
    key, text = gate.add_api_key(CLI, name="Export", scopes=frozenset({Scope.EVENTS_READ}))
    assert text.startswith(key.hint)
    assert len(text) == 44
    for header in (f"Bearer {text}", f"bearer  {text} "):
        caller = gate.by_key(header)
        assert caller == Caller(actor=f"key:{key.id}", scopes=frozenset({Scope.EVENTS_READ}))
    assert gate.api_keys(CLI)[0].last_used_at == START
    assert text not in repr(gate.api_keys(CLI))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (None, "Send an API key"),
        ("", "Send an API key"),
        ("Bearer", "Send an API key"),
        ("Bearer ink_" + "A" * 39, "no API key of Inkwire"),
        ("Bearer ink_" + "A" * 40, "unknown here"),
        ("Bearer 'ink_" + "A" * 40 + "'", "without quotes"),
        ("Basic ink_" + "A" * 40, "no API key of Inkwire"),
        ("Bearer ink_" + "ä" * 40, "no API key of Inkwire"),
        ("Bearer ink_" + "A" * 100_000, "no API key of Inkwire"),
    ],
)
def test_another_header_says_what_to_send(gate, header, said):
    """Each mistake gets its own sentence."""
    with pytest.raises(Unauthenticated) as caught:
        gate.by_key(header)
    assert said in caught.value.message


def test_a_revoked_key_is_worth_nothing(rooms, gate):
    """From that moment, and the list says since when."""
    key, text = gate.add_api_key(CLI, name="Export", scopes=frozenset({Scope.EVENTS_READ}))
    gate.revoke_api_key(CLI, key.id)
    with pytest.raises(Unauthenticated, match="revoked"):
        gate.by_key(f"Bearer {text}")
    assert gate.api_keys(CLI)[0].revoked_at == START
    with pytest.raises(NotFound):
        gate.revoke_api_key(CLI, "key_nope")


@pytest.mark.parametrize(
    ("name", "scopes", "field"),
    [("", {Scope.ACCESS}, "name"), (" x", {Scope.ACCESS}, "name"), ("x", set(), "scopes")],
)
def test_a_wrong_key_request_names_the_field(gate, name, scopes, field):
    """A key without a name or without a scope is a mistake."""
    with pytest.raises(InvalidInput) as caught:
        gate.add_api_key(CLI, name=name, scopes=frozenset(scopes))
    assert caught.value.fields.keys() == {field}


def test_a_busy_store_costs_only_the_note_of_use(rooms, gate):
    """When the last use cannot be noted, the request still goes through."""
    key, text = gate.add_api_key(CLI, name="Export", scopes=frozenset({Scope.EVENTS_READ}))

    class Busy:
        api_key = rooms.store.access.api_key

        def touch_api_key(self, key_id, *, at):
            raise StoreBusy

    gate._access = Busy()
    assert gate.by_key(f"Bearer {text}").actor == f"key:{key.id}"


def test_nothing_secret_is_in_a_repr(gate):
    """Users and keys can be logged whole."""
    user = gate.users(CLI)[0]
    assert user.password_hash not in repr(user)
    assert "password_hash" in {field.name for field in dataclasses.fields(user)}
