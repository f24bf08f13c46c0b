"""The sandbox's Salesforce: tokens for signed statements, judged by simple-salesforce too."""

import time

import jwt
import pytest
import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed

from fakes.rsa_keys import certificate, pem, public_pem, rsa_key

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: The application's policies as they are at first.
POLICIES = {
    "jwt": True, "self_authorize": False, "audiences": ["https://login.salesforce.com"],
}  # fmt: skip


@pytest.fixture
def app(org):
    """Policies as at first, with a certificate."""
    found = org.sandbox.call(
        "PATCH",
        "/salesforce/app",
        POLICIES | {"certificate": certificate(), "preauthorized": [org.app["user_id"]]},
    )
    assert found["app"]["certificate"] == certificate()
    yield found
    org.sandbox.call("PATCH", "/salesforce/app", POLICIES | {"certificate": ""})


def policies(org, **changed):
    """An administrator changes them."""
    org.sandbox.call("PATCH", "/salesforce/app", changed)


def ask(org, *, key=None, algorithm="RS256", statement=None, **changed):
    """POST of a statement, as an application makes it."""
    claims = {
        "iss": org.app["client_id"],
        "sub": org.app["username"],
        "aud": org.sandbox.url,
        "exp": int(time.time()) + 120,
    } | changed
    claims = {name: value for name, value in claims.items() if value is not None}
    made = statement or jwt.encode(claims, key or rsa_key(), algorithm=algorithm)
    url = f"{org.sandbox.url}/services/oauth2/token"
    return requests.post(url, data={"grant_type": GRANT, "assertion": made}, timeout=60)


def refusal(answer):
    """OAuth's refusal: an object."""
    found = answer.json()
    assert found.keys() == {"error", "error_description"}
    return answer.status_code, found["error"], found["error_description"]


INVALID = (400, "invalid_grant", "invalid assertion")
UNAPPROVED = (400, "invalid_grant", "user hasn't approved this consumer")


def test_a_statement_gives_a_token(org, app):
    """For the user that it names, without a refresh token; it opens the API."""
    answer = ask(org)
    assert answer.status_code == 200, answer.text
    reply = answer.json()
    assert "refresh_token" not in reply and "expires_in" not in reply
    assert reply["instance_url"] == org.sandbox.url and reply["scope"] == "api openid id"
    assert reply["id"].endswith(org.app["user_id"])
    url = f"{org.sandbox.url}/services/data/v66.0/limits"
    headers = {"authorization": f"Bearer {reply['access_token']}"}
    assert requests.get(url, headers=headers, timeout=60).status_code == 200


def test_a_bare_public_key_will_do(org, app):
    """What is checked is the signature."""
    policies(org, certificate=public_pem())
    assert ask(org).status_code == 200


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"key": rsa_key(3072)}, INVALID),
        ({"statement": "no.statement"}, INVALID),
        ({"exp": None}, INVALID),
        ({"exp": True}, INVALID),
        ({"exp": int(time.time()) + 3600}, INVALID),
        ({"exp": int(time.time()) - 5}, (400, "invalid_grant", "expired authorization code")),
        ({"iss": "3MVGother"}, (400, "invalid_client_id", "client identifier invalid")),
        ({"aud": "https://other.my.salesforce.com"}, (400, "invalid_grant", "audience is invalid")),
        ({"aud": "https://login.salesforce.com/"}, (400, "invalid_grant", "audience is invalid")),
        (
            {"aud": "https://test.salesforce.com"},
            (400, "app_not_found", "External client app is not installed in this org"),
        ),
        ({"sub": "nobody@example.com"}, UNAPPROVED),
        ({"sub": None}, UNAPPROVED),
    ],
)
def test_what_is_wrong_has_its_own_words(org, app, changed, expected):
    """Signature, time, address and user."""
    assert refusal(ask(org, **changed)) == expected


def test_a_signature_that_proves_nothing(org, app):
    """Unsigned, or signed by the certificate as if it were a shared secret."""
    assert refusal(ask(org, statement=jwt.encode({"iss": org.app["client_id"]}, None, "none"))) == (
        INVALID
    )
    assert refusal(ask(org, key="k" * 64, algorithm="HS256")) == INVALID


def test_what_an_administrator_did_not_do(org, app):
    """Flow off, no certificate, one that ended, a user who is not let in or not active."""
    policies(org, jwt=False)
    assert refusal(ask(org)) == INVALID
    policies(org, jwt=True, certificate="")
    assert refusal(ask(org)) == INVALID
    policies(org, certificate=certificate(days=-1))
    assert refusal(ask(org)) == INVALID
    policies(org, certificate=certificate(), preauthorized=[])
    assert refusal(ask(org)) == (
        400, "invalid_app_access", "user is not admin approved to access this app"
    )  # fmt: skip
    policies(org, self_authorize=True)
    org.sandbox.call("POST", "/salesforce/revoke-tokens")
    org.log_in()
    assert refusal(ask(org)) == UNAPPROVED


def test_what_is_no_certificate_is_not_uploaded(org):
    """The control says so."""
    answer = requests.patch(
        f"{org.sandbox.url}/_sandbox/salesforce/app", json={"certificate": "x"}, timeout=60
    )
    assert answer.status_code == 422 and "certificate" in answer.text


@pytest.mark.parametrize("domain", ["login", None])
def test_simple_salesforce_logs_in(org, app, judged, domain):
    """Another's statement, whose `exp` is a text: made out to login.salesforce.com."""
    client = Salesforce(
        username=org.app["username"],
        consumer_key=org.app["client_id"],
        privatekey=pem(locked=False),
        domain=domain,
        version="66.0",
        session=judged,
    )
    assert client.query("SELECT Id FROM User")["totalSize"] >= 3
    org.sandbox.call("POST", "/salesforce/expire-tokens")
    assert client.query("SELECT Id FROM User")["totalSize"] >= 3, "it signs another by itself"


def test_simple_salesforce_is_refused(org, app, judged):
    """By the endpoint's own words."""
    policies(org, preauthorized=[], self_authorize=True)
    org.sandbox.call("POST", "/salesforce/revoke-tokens")
    with (
        pytest.warns(UserWarning, match="self-authorize"),
        pytest.raises(SalesforceAuthenticationFailed, match="user hasn't approved this consumer"),
    ):
        Salesforce(
            username=org.app["username"],
            consumer_key=org.app["client_id"],
            privatekey=pem(locked=False),
            session=judged,
        )
