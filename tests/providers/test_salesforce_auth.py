"""Salesforce's credentials as people enter them, the requests for tokens, and its answers."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.errors import InvalidInput, LimitReached, NeedsAttention, Transient
from inkwire.providers.oauth import challenge
from inkwire.providers.registry import manual
from inkwire.providers.salesforce import PROVIDER
from inkwire.providers.salesforce.auth import SalesforceConnector

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SALESFORCE = SalesforceConnector()
MY_DOMAIN = "https://acme.my.salesforce.com"
BACK = "https://hub.example.com/console/connections/authorized"


def settings(**more):
    """What client credentials need."""
    return {"client_id": "3MVG9.key", "my_domain": MY_DOMAIN, **more}


def clean(method="client_credentials", given=None, hidden=None):
    """Cleaned settings and secrets."""
    return SALESFORCE.clean(
        method,
        settings() if given is None else given,
        {"client_secret": "s3cret"} if hidden is None else hidden,
    )


def wrong(method="client_credentials", given=None, hidden=None) -> dict[str, str]:
    """The fields that are refused."""
    with pytest.raises(InvalidInput) as raised:
        clean(method, given, hidden)
    return raised.value.fields


def answer(**more) -> bytes:
    """A token reply, as Salesforce gives it: no `expires_in`."""
    found = {
        "access_token": "00Dxx0000001gPL!AR8AQ",
        "signature": "0CmxinZir53Yex7nE0TD+zMpvIWYGb/bdJh6XfOH6EQ=",
        "scope": "api refresh_token",
        "instance_url": MY_DOMAIN,
        "id": "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS",
        "token_type": "Bearer",
        "issued_at": str(int(NOW.timestamp() * 1000)),
        **more,
    }
    return json.dumps({key: value for key, value in found.items() if value is not None}).encode()


def test_the_provider_has_it():
    """Client credentials are the default; there is no way by user name and password."""
    assert isinstance(PROVIDER.connect, SalesforceConnector)
    methods = {method.name: method for method in SALESFORCE.methods}
    assert list(methods) == ["client_credentials", "web_server", "jwt_bearer"]
    assert [method.authorizes for method in methods.values()] == [False, True, False]
    keys = {item.key for method in methods.values() for item in method.settings}
    roles = {item.role for method in methods.values() for item in method.secrets}
    assert not (keys | roles) & {"username", "password", "security_token"}
    assert methods["client_credentials"].settings[-1].default == "66.0"


def test_the_manual_leads_through_salesforce():
    """It names the app to make and the user to run as."""
    text = manual(PROVIDER)
    assert text.startswith("# ") and len(text) > 500
    for words in ("External Client App", "Run As", "API Enabled", "My Domain"):
        assert words in text


def test_each_missing_credential_is_named():
    """All three at once, each with where it stands in Salesforce."""
    fields = wrong(given={}, hidden={})
    assert fields.keys() == {"settings.my_domain", "settings.client_id", "secrets.client_secret"}
    assert all("is needed" in text for text in fields.values())
    assert wrong("web_server", {}, {}).keys() == {"settings.client_id"}


@pytest.mark.parametrize("host", ["login.salesforce.com", "test.salesforce.com"])
def test_the_common_hosts_give_no_client_credentials(host):
    """They are refused before any request, with what to enter instead."""
    fields = wrong(given=settings(my_domain=f"https://{host}"))
    assert fields.keys() == {"settings.my_domain"}
    assert ".my.salesforce.com" in fields["settings.my_domain"]
    checked, _ = clean("web_server", {"client_id": "k", "login_url": f"https://{host}/"})
    assert checked["login_url"] == f"https://{host}", "people sign in there"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("acme.my.salesforce.com", MY_DOMAIN), (" https://acme.my.salesforce.com/ ", MY_DOMAIN),
     ("https://Acme.my.salesforce.com/setup/forcecomHomepage.apexp?x=1", MY_DOMAIN),
     ("https://acme.lightning.force.com/lightning/page/home", MY_DOMAIN),
     ("acme.my.salesforce-setup.com", MY_DOMAIN),
     ("https://acme--uat.sandbox.lightning.force.com", "https://acme--uat.sandbox.my.salesforce.com"),
     ("http://127.0.0.1:9120", "http://127.0.0.1:9120")],
)  # fmt: skip
def test_an_address_out_of_a_browser_is_mended(typed, kept):
    """What people copy is the address of a page; calls go to My Domain's host."""
    checked, _ = clean(given=settings(my_domain=typed))
    assert checked["my_domain"] == kept


@pytest.mark.parametrize(
    ("more", "path"),
    [({"my_domain": "http://acme.my.salesforce.com"}, "settings.my_domain"),
     ({"my_domain": "ftp://acme.example"}, "settings.my_domain"), ({"my_domain": "https://u:p@acme.my.salesforce.com"}, "settings.my_domain"),
     ({"my_domain": "https://x:99999"}, "settings.my_domain"), ({"my_domain": "https://x.example/?a"}, "settings.my_domain"),
     ({"my_domain": "https://[x"}, "settings.my_domain"),
     ({"api_version": "66"}, "settings.api_version"), ({"api_version": "v66.0"}, "settings.api_version"),
     ({"api_version": "40.0"}, "settings.api_version"), ({"api_version": "66.1"}, "settings.api_version"),
     ({"client_id": "a b"}, "settings.client_id"), ({"username": "x"}, "settings.username")],
)  # fmt: skip
def test_a_wrong_setting_is_named(more, path):
    """Each by its path, so that a form can show it there."""
    assert wrong(given=settings(**more)).keys() == {path}


def test_unknown_names_are_refused():
    """A method or a secret that Salesforce has not; the odd secret is not repeated."""
    assert "method" in wrong(method="password")
    assert "secrets.password" in wrong(hidden={"client_secret": "s", "password": "p"})
    fields = wrong(hidden={"client_secret": "not for\na form"})
    assert fields.keys() == {"secrets.client_secret"} and "form" not in str(fields)


@given(st.dictionaries(st.sampled_from(["my_domain", "login_url", "client_id", "api_version"]),
                       st.one_of(st.text(max_size=60), st.integers(), st.none())))  # fmt: skip
def test_nothing_that_is_typed_is_a_crash(given_settings):
    """Whatever is entered: settings, or a sentence for each."""
    for method in SALESFORCE.methods:
        try:
            checked, _ = SALESFORCE.clean(method.name, given_settings, {"client_secret": "s"})
        except InvalidInput as error:
            assert error.fields
        else:
            assert SALESFORCE.token_request(
                method.name, checked, {}, now=NOW, jti="j", refresh="r"
            ).url.startswith("http")


def test_client_credentials_go_to_my_domain():
    """Key and secret alone; the answer's token belongs to the “Run As” user."""
    checked, kept = clean()
    request = SALESFORCE.token_request(
        "client_credentials", checked, kept, now=NOW, jti="x", refresh=None
    )
    assert request.url == f"{MY_DOMAIN}/services/oauth2/token"
    assert request.form == {
        "grant_type": "client_credentials", "client_id": "3MVG9.key", "client_secret": "s3cret"
    }  # fmt: skip
    assert "s3cret" not in repr(request)


def test_a_person_is_sent_with_a_challenge_and_comes_back_with_a_code():
    """PKCE S256; the verifier goes with the code only (RFC 7636)."""
    checked, kept = clean("web_server", {"client_id": "k"})
    url = urlsplit(
        SALESFORCE.authorize_url(
            "web_server", checked, state="st&te", challenge=challenge("v" * 43), redirect_uri=BACK
        )
    )
    assert url.netloc == "login.salesforce.com" and url.path == "/services/oauth2/authorize"
    assert parse_qs(url.query) == {
        "response_type": ["code"], "client_id": ["k"], "redirect_uri": [BACK],
        "scope": ["api refresh_token"], "state": ["st&te"],
        "code_challenge": [challenge("v" * 43)], "code_challenge_method": ["S256"],
    }  # fmt: skip
    request = SALESFORCE.code_request(
        "web_server", checked, kept, code="c0de", verifier="v" * 43, redirect_uri=BACK
    )
    assert request.url == "https://login.salesforce.com/services/oauth2/token"
    assert request.form == {
        "grant_type": "authorization_code", "code": "c0de", "code_verifier": "v" * 43,
        "redirect_uri": BACK, "client_id": "k", "client_secret": "s3cret",
    }  # fmt: skip
    refreshed = SALESFORCE.token_request(
        "web_server", checked, {}, now=NOW, jti="x", refresh="5Aep"
    )
    assert refreshed.form == {"grant_type": "refresh_token", "refresh_token": "5Aep",
                              "client_id": "k"}, "an app may do without a secret"  # fmt: skip


def test_the_challenge_is_rfc_7636s():
    """The vector of its appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_token_is_planned_for_ninety_minutes():
    """From `issued_at` on, for the address that the answer names, with its refresh token."""
    token = SALESFORCE.read_token(200, answer(refresh_token="5Aep861"), now=NOW)
    assert (token.access, token.refresh) == ("00Dxx0000001gPL!AR8AQ", "5Aep861")
    assert token.base_url == MY_DOMAIN and token.expires_at == NOW + timedelta(minutes=90)
    assert "00Dxx" not in repr(token) and "5Aep" not in repr(token)
    older = str(int((NOW - timedelta(minutes=50)).timestamp() * 1000))
    assert SALESFORCE.read_token(
        200, answer(issued_at=older), now=NOW
    ).expires_at == NOW + timedelta(minutes=40)


@pytest.mark.parametrize(
    "issued", ["1278448384422", "99999999999999", "-5", "x", "٣", None, {}, ""]
)
def test_an_odd_issued_at_is_now(issued):
    """A clock that goes wrong, or a token that was made hours ago: no renewal at each call."""
    token = SALESFORCE.read_token(200, answer(issued_at=issued), now=NOW)
    assert token.expires_at == NOW + timedelta(minutes=90)


@pytest.mark.parametrize(
    "url",
    [None, 5, "", "acme.my.salesforce.com", "https://u@acme.my.salesforce.com", "ftp://x", "https://x:0",
     "https://x/path", "https://x?q", "https://x#f", "https://x\n", "https://[x", "https://" + "x" * 300],
)  # fmt: skip
def test_an_address_that_is_none_is_no_answer(url):
    """Without a place to call, the answer is somebody else's page."""
    with pytest.raises(Transient, match="proxy"):
        SALESFORCE.read_token(200, answer(instance_url=url), now=NOW)


@pytest.mark.parametrize(
    ("status", "error", "description", "kind", "says"),
    [
        (400, "invalid_grant", "expired access/refresh token", NeedsAttention, "Sign in again"),
        (400, "invalid_grant", "inactive user", NeedsAttention, "Setup → Users"),
        (400, "invalid_grant", "invalid authorization code", NeedsAttention, "Connect"),
        (400, "invalid_grant", "invalid code verifier", NeedsAttention, "Connect"),
        (400, "invalid_grant", "ip restricted", NeedsAttention, "IP restrictions"),
        (400, "invalid_grant", "no client credentials user enabled", NeedsAttention, "Run As"),
        (400, "invalid_grant", "authentication failure", NeedsAttention, "compare"),
        (400, "invalid_client", "invalid client credentials", NeedsAttention, "consumer secret"),
        (400, "invalid_client_id", "client identifier invalid", NeedsAttention, "consumer key"),
        (400, "inactive_user", "user is inactive", NeedsAttention, "Setup → Users"),
        (400, "inactive_org", "organization is inactive", NeedsAttention, "organisation"),
        (400, "unsupported_grant_type", "grant type not supported", NeedsAttention, "client credentials flow"),
        (400, "invalid_app_access", "user is not admin approved", NeedsAttention, "pre-authorise"),
        (400, "redirect_uri_mismatch", "x", NeedsAttention, "callback URL"),
        (400, "<b>new</b>", None, NeedsAttention, "an unknown error"),
        (403, "app_blocked", 5, NeedsAttention, "app_blocked"),
        (404, None, "", NeedsAttention, "no organisation"),
        (302, None, "", NeedsAttention, "My Domain"),
        (400, "unknown_error", "retry your request", Transient, "tried again"),
        (503, "server_error", "", Transient, "503"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_to_do(status, error, description, kind, says):
    """Each answer of Salesforce as a kind and a sentence for the operator."""
    body = json.dumps({"error": error, "error_description": description}).encode()
    with pytest.raises(kind) as raised:
        SALESFORCE.read_token(status, body, now=NOW)
    assert says in raised.value.message
    assert SALESFORCE.clock_differs(status, body) is False


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    status=st.integers(200, 599),
    fields=st.dictionaries(
        st.sampled_from(
            ["access_token", "refresh_token", "instance_url", "issued_at", "error",
             "error_description"]
        ),
        st.one_of(_JSON, st.just(MY_DOMAIN), st.just("invalid_grant")),
    ),
)  # fmt: skip
def test_no_answer_is_a_crash(status, fields):
    """JSON of any shape: a token that can be used, or one of the three kinds."""
    try:
        token = SALESFORCE.read_token(status, json.dumps(fields).encode(), now=NOW)
    except (NeedsAttention, Transient, LimitReached) as error:
        assert error.message
    else:
        assert status == 200 and token.access and token.base_url == MY_DOMAIN
        assert token.access.isascii() and token.access.isprintable()


@given(status=st.integers(200, 599), body=st.binary(max_size=80))
def test_no_bytes_are_a_crash(status, body):
    """HTML, nothing, anything: one of the three kinds."""
    with pytest.raises((NeedsAttention, Transient, LimitReached)):
        SALESFORCE.read_token(status, body, now=NOW)


def test_a_limit_is_waited_for():
    """Retry-After within bounds."""
    for asked_s, waits_s in ((7, 7), (None, 60), (0, 1), (10**9, 3600)):
        with pytest.raises(LimitReached) as raised:
            SALESFORCE.read_token(429, b"", now=NOW, retry_after_s=asked_s)
        assert raised.value.retry_after_s == waits_s
