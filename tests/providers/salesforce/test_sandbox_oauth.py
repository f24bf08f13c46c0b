"""The sandbox's Salesforce: tokens, and who may call (rules 1 to 3 of its reference)."""

import base64
import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from fakes.crm import error
from inkwire.providers.salesforce.sandbox.tokens import challenge_of

BACK = "http://127.0.0.1:9999/back?x=1"
VERIFIER = "v" * 64


def ask(org, **changed):
    """The query of an authorize request."""
    asked = {
        "response_type": "code",
        "client_id": org.app["client_id"],
        "redirect_uri": BACK,
        "state": "the state & more",
        "scope": "api refresh_token",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    }
    return asked | changed


def authorize(org, decision="allow", **changed):
    """What a person does on the page; the query that the application is called back with."""
    url = f"{org.sandbox.url}/services/oauth2/authorize"
    page = requests.get(url, params=ask(org, **changed), timeout=60, allow_redirects=False)
    if page.status_code == 303:
        return parse_qs(urlsplit(page.headers["location"]).query)
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text)
    user = org.app["users"][1]["id"]
    form = {name: html.unescape(value) for name, value in hidden}
    form |= {"user": user, "decision": decision}
    done = requests.post(url, data=form, timeout=60, allow_redirects=False)
    assert done.status_code == 303, done.text
    assert done.headers["location"].startswith(BACK)
    return parse_qs(urlsplit(done.headers["location"]).query)


def exchange(org, code, **changed):
    """The code for tokens."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    return org.token(**(form | changed))


def refusal(answer):
    """OAuth's refusal: an object."""
    return answer.status_code, answer.json()["error"], answer.json()["error_description"]


def me(org, token):
    """GET userinfo."""
    url = f"{org.sandbox.url}/services/oauth2/userinfo"
    return requests.get(url, headers={"authorization": f"Bearer {token}"}, timeout=60)


def test_a_token_reply_is_salesforces(org):
    """No `expires_in`, `issued_at` in milliseconds as a text, the instance's own address."""
    reply = org.log_in()
    assert "expires_in" not in reply
    assert "refresh_token" not in reply
    assert isinstance(reply["issued_at"], str)
    assert len(reply["issued_at"]) == 13
    assert reply["instance_url"] == org.sandbox.url
    assert reply["token_type"] == "Bearer"
    assert reply["id"].endswith(f"/{org.app['organization_id']}/{org.app['user_id']}")
    who = me(org, reply["access_token"]).json()
    assert (who["user_id"], who["organization_id"]) == (
        org.app["user_id"],
        org.app["organization_id"],
    )
    assert who["preferred_username"] == org.app["username"]


def test_credentials_may_come_as_basic(org):
    """As simple clients send them."""
    pair = f"{org.app['client_id']}:{org.app['client_secret']}".encode()
    answer = requests.post(
        f"{org.sandbox.url}/services/oauth2/token",
        data={"grant_type": "client_credentials"},
        headers={"authorization": "Basic " + base64.b64encode(pair).decode()},
        timeout=60,
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"client_secret": "wrong"}, (400, "invalid_client", "invalid client credentials")),
        ({"client_id": "wrong"}, (400, "invalid_client_id", "client identifier invalid")),
        (
            {"grant_type": "refresh_token", "refresh_token": "spent"},
            (400, "invalid_grant", "expired access/refresh token"),
        ),
        (
            {"grant_type": "authorization_code", "code": "none", "redirect_uri": BACK},
            (400, "invalid_grant", "expired authorization code"),
        ),
        (
            {"grant_type": "password", "username": "a", "password": "b"},
            (400, "invalid_grant", "authentication failure"),
        ),
        ({"grant_type": "magic"}, (400, "unsupported_grant_type", "grant type not supported")),
    ],
)
def test_the_token_endpoint_refuses(org, form, expected):
    """An object with `error`, not an array."""
    assert refusal(org.token(**({"grant_type": "client_credentials"} | form))) == expected


def test_client_credentials_can_be_switched_off(org):
    """By the application's policy."""
    org.sandbox.call("PATCH", "/salesforce/app", {"client_credentials": False})
    try:
        answer = org.token(grant_type="client_credentials")
        assert refusal(answer)[1:] == ("invalid_grant", "no client credentials user enabled")
    finally:
        org.sandbox.call("PATCH", "/salesforce/app", {"client_credentials": True})


def test_a_person_lets_the_application_in(org):
    """Page → code → tokens of that person; the code is good once."""
    back = authorize(org)
    assert back["state"] == ["the state & more"]
    assert back["x"] == ["1"]
    (code,) = back["code"]
    reply = exchange(org, code).json()
    assert reply["refresh_token"]
    assert me(org, reply["access_token"]).json()["name"] == "Sam Sales"
    assert refusal(exchange(org, code))[1] == "invalid_grant"


def test_a_person_says_no(org):
    """The application hears of it."""
    back = authorize(org, decision="deny")
    assert back["error"] == ["access_denied"]
    assert "code" not in back


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "api full_power"}, "invalid_scope"),
    ],
)
def test_the_page_refuses_a_wrong_request(org, changed, expected):
    """The application hears what it did wrong, without a page."""
    assert authorize(org, **changed)["error"] == [expected]


@pytest.mark.parametrize(
    "changed", [{"client_id": "wrong"}, {"redirect_uri": "http://evil.example/x"}]
)
def test_nobody_is_sent_to_a_stranger(org, changed):
    """An unknown application or address ends on a page of ours."""
    url = f"{org.sandbox.url}/services/oauth2/authorize"
    page = requests.get(url, params=ask(org, **changed), timeout=60, allow_redirects=False)
    assert page.status_code == 400
    assert "evil" not in page.headers.get("location", "")
    posted = requests.post(
        url, data=ask(org, **changed) | {"decision": "allow"}, timeout=60, allow_redirects=False
    )
    assert posted.status_code == 400


def test_a_wrong_verifier_or_address_gets_nothing(org):
    """And does not spend the code."""
    (code,) = authorize(org)["code"]
    assert refusal(exchange(org, code, code_verifier="w" * 64))[2] == "invalid code verifier"
    assert refusal(exchange(org, code, redirect_uri="http://127.0.0.1/"))[1] == (
        "redirect_uri_mismatch"
    )
    assert exchange(org, code).status_code == 200


def test_a_code_is_good_for_a_while(org):
    """Fifteen minutes."""
    (code,) = authorize(org)["code"]
    org.sandbox.advance(901)
    assert refusal(exchange(org, code))[2] == "expired authorization code"


def test_refresh_tokens_rotate_and_void_the_old(org):
    """The old one is refused once the new one was given."""
    (code,) = authorize(org)["code"]
    first = exchange(org, code).json()["refresh_token"]
    again = org.token(grant_type="refresh_token", refresh_token=first).json()
    assert again["refresh_token"] != first
    refused = org.token(grant_type="refresh_token", refresh_token=first)
    assert refusal(refused) == (400, "invalid_grant", "expired access/refresh token")
    assert me(org, again["access_token"]).status_code == 200


def test_refresh_tokens_may_stay(org):
    """By the application's policy."""
    org.sandbox.call("PATCH", "/salesforce/app", {"rotate": False})
    try:
        (code,) = authorize(org)["code"]
        first = exchange(org, code).json()["refresh_token"]
        for _ in range(2):
            again = org.token(grant_type="refresh_token", refresh_token=first)
            assert again.status_code == 200
            assert "refresh_token" not in again.json()
    finally:
        org.sandbox.call("PATCH", "/salesforce/app", {"rotate": True})


def test_tokens_can_be_revoked(org):
    """By the application, one with what came of it; by the administrator, all."""
    (code,) = authorize(org)["code"]
    reply = exchange(org, code).json()
    url = f"{org.sandbox.url}/services/oauth2/revoke"
    assert requests.post(url, data={"token": reply["refresh_token"]}, timeout=60).ok
    assert me(org, reply["access_token"]).text == "Bad_OAuth_Token"
    (code,) = authorize(org)["code"]
    other = exchange(org, code).json()
    org.sandbox.call("POST", "/salesforce/revoke-tokens")
    refused = org.token(grant_type="refresh_token", refresh_token=other["refresh_token"])
    assert refusal(refused)[1] == "invalid_grant"
    assert requests.post(url, data={"token": "none"}, timeout=60).status_code == 400


def test_introspection_tells_what_a_token_is(org):
    """The only place that tells when a token ends."""
    reply = org.log_in()
    url = f"{org.sandbox.url}/services/oauth2/introspect"
    keys = {name: org.app[name] for name in ("client_id", "client_secret")}
    told = requests.post(url, data=keys | {"token": reply["access_token"]}, timeout=60).json()
    assert told["active"]
    assert told["exp"] - told["iat"] == 7200
    assert told["username"] == org.app["username"]
    org.sandbox.advance(7201)
    told = requests.post(url, data=keys | {"token": reply["access_token"]}, timeout=60).json()
    assert told == {"active": False}
    wrong = requests.post(url, data={"token": "x", "client_id": "y"}, timeout=60)
    assert wrong.status_code == 401


def test_calls_need_a_good_token(org):
    """Rule 1: no token, a spent one, a wrong scheme; 401 with Salesforce's own bodies."""
    expired = (401, "INVALID_SESSION_ID", "Session expired or invalid")
    url = f"{org.base}/limits"
    for headers in ({}, {"authorization": "Bearer nothing"}, {"authorization": "Bearer"}):
        answer = requests.get(url, headers=headers, timeout=60)
        assert error(answer) == expired
        assert answer.json() == [{"message": expired[2], "errorCode": expired[1]}]
    basic = requests.get(url, headers={"authorization": "Basic eDp5"}, timeout=60)
    assert error(basic) == (401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
    assert org.call("GET", "/limits").status_code == 200
    org.sandbox.advance(7201)
    assert error(org.call("GET", "/limits")) == expired
    org.log_in()
    assert org.sandbox.call("POST", "/salesforce/expire-tokens")["expired"] > 0
    assert error(org.call("GET", "/limits")) == expired


def test_a_lacking_scope_is_told_apart(org):
    """The same code as expiry, with another text."""
    (code,) = authorize(org, scope="openid")["code"]
    token = exchange(org, code).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    status, name, message = error(requests.get(f"{org.base}/limits", headers=headers, timeout=60))
    assert (status, name) == (401, "INVALID_SESSION_ID")
    assert "One of the following scopes is required" in message
    assert me(org, token).status_code == 200


def test_every_reply_tells_the_days_calls(org):
    """Rule 3: answers and refusals count; the 401 of a stranger does not."""
    first = org.call("GET", "/limits")
    assert first.headers["sforce-limit-info"] == "api-usage=1/100000"
    assert first.json()["DailyApiRequests"] == {"Max": 100_000, "Remaining": 99_999}
    assert org.query("SELECT").headers["sforce-limit-info"] == "api-usage=2/100000"
    requests.get(f"{org.base}/limits", timeout=60)
    assert org.call("GET", "/limits").headers["sforce-limit-info"] == "api-usage=3/100000"
    rows = [{"attributes": {"type": "Account"}, "Name": "A"}] * 3
    assert org.call("POST", "/composite/sobjects", {"records": rows}).ok
    assert org.call("GET", "/limits").headers["sforce-limit-info"] == "api-usage=5/100000"


def test_the_day_ends_and_rolls_on(org):
    """At the limit every call is refused until calls of a day ago fall out."""
    org.sandbox.call("POST", "/salesforce/limit", {"most": 5, "used": 3})
    org.sandbox.advance(3600)
    org.log_in()
    assert org.call("GET", "/limits").ok
    assert org.call("GET", "/limits").ok
    refused = org.call("GET", "/limits")
    assert error(refused) == (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    assert refused.headers["sforce-limit-info"] == "api-usage=5/5"
    org.sandbox.advance(23 * 3600 + 61)
    org.log_in()
    assert org.call("GET", "/limits").headers["sforce-limit-info"] == "api-usage=3/5"


def test_versions_that_are_none(org):
    """404 for one that never was, 410 for one that is no more; the list needs no token."""
    listed = requests.get(f"{org.sandbox.url}/services/data/", timeout=60).json()
    assert listed[-1]["version"] == "67.0"
    old = org.session.get(f"{org.sandbox.url}/services/data/v30.0/limits", timeout=60)
    assert old.status_code == 410
    for number in ("99.0", "66", "x"):
        url = f"{org.sandbox.url}/services/data/v{number}/limits"
        assert error(org.session.get(url, timeout=60))[:2] == (404, "NOT_FOUND")
