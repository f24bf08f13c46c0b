"""The portal's door: a link opens once, a session reaches one application."""

import pytest

from fakes.hub import open_rooms
from fakes.subscriber import subscriber
from inkwire.access.gate import CLI
from inkwire.access.portal import LINK_LIFE
from inkwire.errors import Forbidden, NotFound, Unauthenticated
from inkwire.model.access import APPLICATION_SCOPES, Caller, Scope


@pytest.fixture
def acme(rooms):
    """An application."""
    return subscriber(rooms)


def caller(application_id, scopes=APPLICATION_SCOPES):
    """Who comes with an application's own key."""
    return Caller(actor="key:k", scopes=frozenset(scopes), application_id=application_id)


def test_a_link_is_swapped_for_a_session_once(rooms, acme):
    """The second time it is worth nothing; the session reaches that application only."""
    token, expires_at = rooms.portal.link(CLI, acme.id)
    assert expires_at == rooms.clock.now() + LINK_LIFE
    cookie, csrf, until = rooms.portal.enter(token)
    visit = rooms.portal.session(cookie)
    assert visit.caller == Caller(
        actor=f"portal:{acme.id}", scopes=APPLICATION_SCOPES, application_id=acme.id
    )
    assert (visit.session.csrf, visit.session.expires_at) == (csrf, until)
    assert len({token, cookie, csrf}) == 3
    with pytest.raises(Unauthenticated, match="used already"):
        rooms.portal.enter(token)


def test_a_link_waits_ten_minutes(rooms, acme):
    """A second later it is too old, and stays so if the clock is set back."""
    token, _ = rooms.portal.link(CLI, acme.id)
    rooms.clock.advance(seconds=LINK_LIFE.total_seconds())
    for seconds in (0, -60):
        rooms.clock.advance(seconds=seconds)
        with pytest.raises(Unauthenticated, match="too old"):
            rooms.portal.enter(token)


def test_a_session_ends_by_itself_and_on_leaving(rooms, acme):
    """After the hours of the settings, or at once."""
    first, _, until = rooms.portal.enter(rooms.portal.link(CLI, acme.id)[0])
    second, _, _ = rooms.portal.enter(rooms.portal.link(CLI, acme.id)[0])
    rooms.portal.leave(second)
    assert rooms.portal.session(second) is None
    assert rooms.portal.session(first) is not None
    rooms.clock.advance(seconds=(until - rooms.clock.now()).total_seconds())
    assert rooms.portal.session(first) is None


def test_a_token_is_good_for_its_own_kind_only(rooms, acme):
    """A link is no session, a session no link, and a made-up one nothing."""
    token, _ = rooms.portal.link(CLI, acme.id)
    assert rooms.portal.session(token) is None
    cookie, csrf, _ = rooms.portal.enter(token)
    for text in (cookie, csrf, "", "A" * 43, "é" * 43, token + "x"):
        with pytest.raises(Unauthenticated):
            rooms.portal.enter(text)
    for text in (None, csrf, "", "é" * 43, cookie[:-1]):
        assert rooms.portal.session(text) is None
    assert rooms.portal.session(cookie) is not None


def test_a_session_does_not_outlive_its_application(rooms, acme):
    """Nor does a link that waits."""
    cookie, _, _ = rooms.portal.enter(rooms.portal.link(CLI, acme.id)[0])
    token, _ = rooms.portal.link(CLI, acme.id)
    rooms.applications.delete(CLI, acme.id)
    assert rooms.portal.session(cookie) is None
    try:
        late, _, _ = rooms.portal.enter(token)
    except Unauthenticated:
        return
    assert rooms.portal.session(late) is None


@pytest.mark.parametrize("lacking", sorted(APPLICATION_SCOPES))
def test_a_link_widens_nothing(rooms, acme, lacking):
    """An application's own key makes one only if it can do all that a session can."""
    rooms.portal.link(caller(acme.id), acme.id)
    with pytest.raises(Forbidden, match=lacking):
        rooms.portal.link(caller(acme.id, APPLICATION_SCOPES - {lacking}), acme.id)


def test_an_operator_needs_the_scope_applications(rooms, acme):
    """With it alone it works, with all others it does not."""
    rooms.portal.link(Caller(actor="key:k", scopes=frozenset({Scope.APPLICATIONS})), acme.id)
    others = frozenset(Scope) - {Scope.APPLICATIONS}
    with pytest.raises(Forbidden, match="scope applications"):
        rooms.portal.link(Caller(actor="key:k", scopes=others), acme.id)


def test_nobody_gets_into_another_application(rooms, acme):
    """Not by one's own key, not for an application that is not there, not from a session."""
    other = subscriber(rooms, "Other")
    for application_id in (other.id, "app_none"):
        with pytest.raises(NotFound):
            rooms.portal.link(caller(acme.id), application_id)
    with pytest.raises(NotFound):
        rooms.portal.link(CLI, "app_none")
    cookie, _, _ = rooms.portal.enter(rooms.portal.link(CLI, acme.id)[0])
    with pytest.raises(Forbidden, match="no links"):
        rooms.portal.link(rooms.portal.session(cookie).caller, acme.id)


def test_the_store_keeps_no_token(tmp_path):
    """A stolen database opens no portal, and who made a link is in the audit log."""
    with open_rooms(tmp_path / "hub") as rooms:
        acme = subscriber(rooms)
        token, _ = rooms.portal.link(CLI, acme.id)
        cookie, _, _ = rooms.portal.enter(rooms.portal.link(CLI, acme.id)[0])
        newest = rooms.store.access.audit()[0]
        assert (newest.action, newest.target) == ("portal.link", acme.id)
        assert cookie not in repr(rooms.portal.session(cookie))
    kept = b"".join(file.read_bytes() for file in (tmp_path / "hub").iterdir())
    assert acme.id.encode() in kept
    for text in (token, cookie):
        assert text.encode() not in kept


def test_a_key_speaks_for_its_application(rooms, acme):
    """The caller's application comes from the key; scopes beyond an application's are no use."""
    key, text = rooms.gate.add_api_key(
        CLI, name="own", scopes=frozenset({Scope.WEBHOOKS_READ}), application_id=acme.id
    )
    found = rooms.gate.by_key(f"Bearer {text}")
    assert (found.application_id, found.scopes) == (acme.id, {Scope.WEBHOOKS_READ})
    assert rooms.gate.api_keys(CLI, application_id=acme.id) == [
        listed for listed in rooms.gate.api_keys(CLI) if listed.id == key.id
    ]
    with pytest.raises(NotFound):
        rooms.gate.revoke_api_key(CLI, key.id, application_id="app_none")
    _, operators = rooms.gate.add_api_key(CLI, name="x", scopes=frozenset({Scope.ACCESS}))
    assert rooms.gate.by_key(f"Bearer {operators}").application_id is None
