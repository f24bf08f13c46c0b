"""A person signs in at the vendor: state, code, verifier, and what may go wrong on the way."""

import hashlib
from urllib.parse import urlsplit

import pytest

from connections.kit import ADMIN, TOKEN, Stage
from connections.signing_kit import (
    BACK,
    SALESFORCE_TOKEN,
    SESSION,
    Vendor,
    begun,
    box_by_oauth,
    held,
    outlive,
    salesforce,
    signed_in,
)
from fakes.box_server import Reply
from inkwire.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    LimitReached,
    NeedsAttention,
    NotFound,
)
from inkwire.model.access import Caller, Scope
from inkwire.model.connection import ConnectionHealth
from inkwire.providers.oauth import challenge

READER = Caller(actor="user:rita", scopes=frozenset({Scope.INTEGRATIONS_READ}))


@pytest.fixture
def vendor(stage: Stage) -> Vendor:
    """A vendor, and a Box connection that nobody has signed in for."""
    box_by_oauth(stage)
    return Vendor(stage)


def finish(stage: Stage, state: str, code: str = "c0de", session: str = SESSION):
    """What the callback page does."""
    return stage.desk.finish_authorization(ADMIN, state=state, code=code, session=session)


def test_a_person_signs_in(stage: Stage, vendor: Vendor):
    """The code is exchanged at once; the token stands; the audit log tells who did it."""
    asked = begun(stage)
    assert asked["client_id"] == "abc123" and asked["redirect_uri"] == BACK
    assert asked["response_type"] == "code"
    assert finish(stage, asked["state"]).token_expires_at is not None
    assert vendor.forms == [
        {"grant_type": "authorization_code", "code": "c0de", "client_id": "abc123",
         "client_secret": "s3cret"}
    ]  # fmt: skip
    assert (held(stage).access, held(stage).refresh) == ("A1", "R1")
    entries = [(one.actor, one.action, one.target) for one in stage.store.access.audit()[:2]]
    assert entries == [
        ("user:anna", "connection.signed_in", "box-main"),
        ("user:anna", "connection.sign_in", "box-main"),
    ]


def test_the_verifier_goes_with_the_code_alone(stage: Stage):
    """PKCE at Salesforce: the browser carries the challenge, the store the sealed verifier."""
    salesforce(stage, "web_server")
    vendor = Vendor(stage, path=SALESFORCE_TOKEN, more={"instance_url": stage.box.url})
    asked = begun(stage, "crm")
    finish(stage, asked["state"])
    (form,) = vendor.forms
    assert 43 <= len(form["code_verifier"]) <= 128 and form["redirect_uri"] == BACK
    assert challenge(form["code_verifier"]) == asked["code_challenge"]
    assert asked["code_challenge_method"] == "S256"
    assert held(stage, "crm").base_url == stage.box.url


def test_only_a_hash_of_the_state_is_kept(stage: Stage, vendor: Vendor, tmp_path):
    """Who reads the disk can neither finish the sign-in nor follow its code."""
    state = begun(stage)["state"]
    files = b"".join(one.read_bytes() for one in (tmp_path / "data").glob("inkwire.db*"))
    secret = state.partition(".")[2]
    assert len(secret) >= 43, "256 bits"
    assert secret.encode() not in files and hashlib.sha256(state.encode()).digest() in files


def test_a_state_is_good_once(stage: Stage, vendor: Vendor):
    """The second use is told in words, and asks the vendor nothing."""
    state = begun(stage)["state"]
    finish(stage, state)
    for again in (state, "box-main.made-up", "", "x" * 500, "\ud800"):
        with pytest.raises(Conflict, match="Connect"):
            finish(stage, again)
    assert len(vendor.forms) == 1


def test_another_session_cannot_finish_it(stage: Stage, vendor: Vendor):
    """A link that somebody was sent signs nobody's account in; it is spent by the try."""
    state = begun(stage)["state"]
    with pytest.raises(Forbidden, match="another session"):
        finish(stage, state, session="e4" * 32)
    with pytest.raises(Conflict):
        finish(stage, state)
    assert vendor.forms == [] and stage.store.connections.token("box-main").token is None


def test_it_must_be_done_within_ten_minutes(stage: Stage, vendor: Vendor):
    """And a newer one takes the place of an older one."""
    state = begun(stage)["state"]
    stage.clock.advance(seconds=601)
    with pytest.raises(Conflict, match="10 minutes"):
        finish(stage, state)
    older, newer = begun(stage)["state"], begun(stage)["state"]
    with pytest.raises(Conflict):
        finish(stage, older)
    assert finish(stage, newer).id == "box-main"


@pytest.mark.parametrize("code", ["", "a b", "c\n", "x" * 5000])
def test_a_code_that_is_none_is_not_sent(stage: Stage, vendor: Vendor, code):
    """The vendor is not asked."""
    with pytest.raises(Conflict, match="no code"):
        finish(stage, begun(stage)["state"], code)
    assert vendor.forms == []


def test_a_code_that_is_too_old_is_told(stage: Stage, vendor: Vendor):
    """Box's live 30 seconds."""
    with pytest.raises(NeedsAttention, match="30 seconds"):
        finish(stage, begun(stage)["state"], "0ld")


def test_a_vendor_that_does_not_answer_is_told(stage: Stage, vendor: Vendor):
    """The code cannot be sent again later, so a person begins again."""
    stage.box._replies.clear()
    stage.box.on("POST", TOKEN, Reply(drop=True), Reply(500), Reply(429))
    for kind in (Conflict, Conflict, LimitReached):
        with pytest.raises(kind) as raised:
            finish(stage, begun(stage)["state"])
        assert "tried again" not in raised.value.message


def test_a_sign_in_that_would_end_within_hours_is_refused(stage: Stage, vendor: Vendor):
    """Without a refresh token the connection would fail at night."""
    stage.box._replies.clear()
    stage.box.on("POST", TOKEN, Reply(json={"access_token": "A", "expires_in": 3600}))
    with pytest.raises(NeedsAttention, match="refresh_token"):
        finish(stage, begun(stage)["state"])
    assert stage.store.connections.token("box-main").token is None


def test_a_token_for_a_foreign_address_is_refused(stage: Stage):
    """An answer may name Salesforce's hosts and the one that was asked, and no other."""
    salesforce(stage, "web_server")
    vendor = Vendor(stage, path=SALESFORCE_TOKEN)
    for url in ("https://evil.example", "http://acme.my.salesforce.com", "https://xsalesforce.com"):
        vendor.codes, vendor.more = {"c0de"}, {"instance_url": url}
        with pytest.raises(NeedsAttention, match=r"is no host of salesforce\.com"):
            finish(stage, begun(stage, "crm")["state"])
        assert stage.store.connections.token("crm").token is None
    vendor.codes, vendor.more = {"c0de"}, {"instance_url": "https://acme.my.salesforce.com/"}
    finish(stage, begun(stage, "crm")["state"])
    assert held(stage, "crm").base_url == "https://acme.my.salesforce.com"


def test_a_refusal_at_the_vendor_changes_nothing(stage: Stage, vendor: Vendor):
    """“Deny” is told as such; other errors with the vendor's own words, of this sign-in only."""

    def refused(error: str, description: str = "", state: str | None = None) -> str:
        return stage.desk.refuse_authorization(
            ADMIN,
            state=begun(stage)["state"] if state is None else state,
            error=error,
            description=description,
            session=SESSION,
        ).message

    signed_in(stage, vendor)
    assert "not allowed" in refused("access_denied", "The user denied access")
    told = refused("invalid_scope", "the requested scope is not allowed.")
    assert "(invalid_scope: the requested scope is not allowed)" in told
    assert "an unknown error" in refused("<script>", "x\x00y") and "\x00" not in told
    with pytest.raises(Conflict):
        refused("access_denied", state="box-main.x")
    assert held(stage).refresh == "R1"


def test_a_connection_that_is_changed_meanwhile_is_not_signed_in(stage: Stage, vendor: Vendor):
    """Before the code comes back: the sign-in is gone. While it is exchanged: nothing is kept."""
    state = begun(stage)["state"]
    stage.clock.advance(seconds=1)
    stage.desk.change(ADMIN, "box-main", settings={"client_id": "other"})
    with pytest.raises(Conflict):
        finish(stage, state)

    def changed() -> None:
        stage.clock.advance(seconds=1)
        stage.desk.change(ADMIN, "box-main", settings={"client_id": "third"})

    vendor.meanwhile = changed
    with pytest.raises(Conflict, match="changed while"):
        finish(stage, begun(stage)["state"])
    assert stage.store.connections.token("box-main").token is None


def test_only_who_may_change_connections_signs_in(stage: Stage, vendor: Vendor):
    """And only where somebody signs in at all."""
    with pytest.raises(Forbidden):
        stage.desk.begin_authorization(READER, "box-main", redirect_uri=BACK, session=SESSION)
    state = begun(stage)["state"]
    with pytest.raises(Forbidden):
        stage.desk.finish_authorization(READER, state=state, code="c0de", session=SESSION)
    with pytest.raises(NotFound):
        stage.desk.begin_authorization(ADMIN, "nope", redirect_uri=BACK, session=SESSION)
    stage.add("box-jwt")
    with pytest.raises(InvalidInput, match="Nobody signs in"):
        stage.desk.begin_authorization(ADMIN, "box-jwt", redirect_uri=BACK, session=SESSION)
    with pytest.raises(InvalidInput):
        box_by_oauth(stage, "authorized")


def test_without_a_sign_in_nothing_is_asked(stage: Stage, vendor: Vendor):
    """One sentence, before any request, as the connection's health as well."""
    with pytest.raises(NeedsAttention, match="press “Connect”"):
        stage.desk.box("box-main").me()
    assert stage.box.seen == []
    now = stage.store.connections.get("box-main")
    assert now.health is ConnectionHealth.NEEDS_ATTENTION and "Connect" in now.health_note
    assert [one.ok for one in stage.desk.check("box-main")] == [False] * 6


def test_a_change_that_concerns_no_credentials_keeps_the_sign_in(stage: Stage, vendor: Vendor):
    """A new name or secret asks nobody to sign in again; another app or endpoint does."""
    signed_in(stage, vendor)
    stage.clock.advance(seconds=1)
    stage.desk.change(ADMIN, "box-main", name="Box, main")
    stage.clock.advance(seconds=1)
    stage.desk.change(ADMIN, "box-main", secrets={"client_secret": "n3w"})
    assert held(stage).refresh == "R1"
    outlive(stage)
    stage.knows("/2.0/users/me", {"id": "5", "name": "Jane", "login": "jane@x"})
    assert stage.desk.box("box-main").me().id == "5"
    assert vendor.forms[-1]["client_secret"] == "n3w" and held(stage).refresh == "R2"
    stage.clock.advance(seconds=1)
    stage.desk.change(ADMIN, "box-main", settings={"client_id": "other"})
    assert stage.store.connections.token("box-main").token is None


def test_a_rename_does_not_lose_a_refresh_that_is_under_way(stage: Stage, vendor: Vendor):
    """The new pair is kept though the connection was changed between question and answer."""
    signed_in(stage, vendor)
    outlive(stage)
    vendor.meanwhile = lambda: stage.desk.change(ADMIN, "box-main", name="Renamed") and None
    stage.knows("/2.0/users/me", {"id": "5", "name": "Jane", "login": "jane@x"})
    assert stage.desk.box("box-main").me().id == "5"
    assert held(stage).refresh == "R2" and vendor.good == {"R2"}


def test_the_sign_in_is_at_the_vendors_own_address(stage: Stage):
    """Box's page by default, without the secret; no challenge, which Box does not know."""
    stage.desk.add(
        ADMIN,
        connection_id="box-own",
        provider="box",
        name="Box",
        method="oauth",
        settings={"client_id": "abc123"},
        secrets={"client_secret": "s3cret"},
    )
    url = stage.desk.begin_authorization(ADMIN, "box-own", redirect_uri=BACK, session=SESSION)
    assert urlsplit(url)._replace(query="").geturl() == (
        "https://account.box.com/api/oauth2/authorize"
    )
    assert "s3cret" not in url and "challenge" not in url
