"""Users, API keys, the audit log, and one's own account."""

import re

import pytest

from fakes.pages import PASSWORD, Pages
from fakes.visitor import Visitor

NEW = "another horse battery staple"


@pytest.fixture
def admin(as_):
    """An administrator with a form token at hand."""
    visitor = as_("admin")
    visitor.get("/settings")
    return visitor


def test_a_user_is_added_and_signs_in(pages: Pages, admin):
    """With the role that was chosen; the list shows them."""
    fields = {"name": "Nina", "role": "operator", "password": NEW}
    page = admin.follow(admin.post("/settings/users", fields))
    assert "The user can sign in now." in page.words
    assert "nina" in page.words
    nina = Visitor(pages.app)
    assert nina.sign_in("nina", NEW).status == 303
    assert nina.get("/settings/users").status == 403


@pytest.mark.parametrize(
    ("fields", "status", "beside"),
    [
        ({"name": "", "role": "viewer", "password": NEW}, 422, "name"),
        ({"name": "nina", "role": "king", "password": NEW}, 422, "role"),
        ({"name": "nina", "role": "viewer", "password": "short"}, 422, "password"),
        ({"name": "vera", "role": "viewer", "password": NEW}, 409, "name"),
    ],
)
def test_a_wrong_user_is_told_beside_the_input(pages, admin, fields, status, beside):
    """Nothing is added, and no password comes back."""
    answer = admin.post("/settings/users", fields)
    assert answer.status == status
    assert f'id="f-{beside}-error"' in answer.text
    assert NEW not in answer.text
    assert {user.name for user in pages.hub.store.access.users()} == {"admin", "olga", "vera"}


def test_users_are_changed_and_kept_out(pages, admin):
    """Role, password, out and in again: each ends what they had open."""
    vera = Visitor(pages.app)
    vera.sign_in("vera", PASSWORD)
    admin.post("/settings/users/vera/role", {"role": "operator"})
    assert vera.get("/events").status == 303
    assert vera.sign_in("vera", PASSWORD).status == 303
    admin.post("/settings/users/vera/password", {"password": NEW})
    assert vera.get("/events").status == 303
    assert vera.sign_in("vera", NEW).status == 303
    page = admin.follow(admin.post("/settings/users/vera/disable"))
    assert "Kept out" in page.words
    assert vera.sign_in("vera", NEW).status == 401
    admin.post("/settings/users/vera/enable")
    assert vera.sign_in("vera", NEW).status == 303


def test_the_last_administrator_stays(admin):
    """Nobody locks everybody out by a click; the page says what to do first."""
    answer = admin.post("/settings/users/admin/role", {"role": "viewer"})
    assert answer.status == 409
    assert "only administrator" in answer.words


def test_an_api_key_is_shown_once_and_revoked(pages, admin):
    """Whole on the answer, its beginning on the list, and refused after the click."""
    answer = admin.post("/settings/keys", [("name", "nightly"), ("scope", "events:read")])
    text = re.search(r'data-copy="(ink_[^"]+)"', answer.text)[1]
    assert "only a hash of it is kept" in answer.words
    assert pages.hub.gate.by_key(f"Bearer {text}").scopes == {"events:read"}
    listed = admin.get("/settings/keys")
    assert text not in listed.text
    assert "Active" in listed.words
    action = re.search(r'action="/console(/settings/keys/key_[^"]+/revoke)"', listed.text)[1]
    assert "Revoked" in admin.follow(admin.post(action)).words


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ([("name", "x")], "Must name at least one"),
        ([("name", ""), ("scope", "access")], "Must be 1 to 100"),
        ([("name", "x"), ("scope", "everything")], "Must be some of"),
    ],
)
def test_a_wrong_key_is_told_beside_the_input(pages, admin, fields, text):
    """422 and no key."""
    answer = admin.post("/settings/keys", fields)
    assert answer.status == 422
    assert text in answer.words
    assert pages.hub.store.access.api_keys() == []


def test_the_audit_log_tells_who_did_what(pages, admin, boxc):
    """Newest first, paged by key, with the change and never a secret."""
    for _ in range(30):
        admin.post("/sources/boxc/pause")
        admin.post("/sources/boxc/resume")
    page = admin.get("/settings/audit")
    assert page.words.count("source.pause") + page.words.count("source.resume") == 50
    older = re.search(r'rel="next" href="/console([^"]+)"', page.text)[1]
    page = admin.get(older)
    assert "source.create" in page.words
    assert "user.add" in page.words


def test_people_change_their_own_password(pages, as_):
    """With the present one; then every session of theirs is over."""
    vera = as_("vera")
    vera.get("/settings")
    wrong = vera.post("/settings/password", {"current": "guess", "password": NEW})
    assert wrong.status == 422
    assert "Is not your present password." in wrong.words
    done = vera.post("/settings/password", {"current": PASSWORD, "password": NEW})
    assert "sign in with it" in vera.follow(done).words
    assert vera.get("/events").status == 303
    assert vera.sign_in("vera", NEW).status == 303
