"""Salesforce by a signed statement (JWT bearer): what is entered, signed, and answered."""

import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from fakes.rsa_keys import PASSPHRASE, certificate, ec_pem, pem, pem_of, public_pem, rsa_key
from inkwire.errors import InvalidInput, NeedsAttention
from inkwire.providers.salesforce.auth import SalesforceConnector

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SALESFORCE = SalesforceConnector()
MY_DOMAIN = "https://acme.my.salesforce.com"
USER = "inkwire@acme.com.uat"


def settings(**more):
    """What a statement needs."""
    return {"my_domain": MY_DOMAIN, "client_id": "3MVG9.key", "as_user": USER, **more}


def secrets(**more):
    """An encrypted key and what opens it."""
    return {"private_key": pem(), "passphrase": PASSPHRASE, **more}


def clean(given=None, hidden=None):
    """Cleaned settings and secrets."""
    return SALESFORCE.clean(
        "jwt_bearer",
        settings() if given is None else given,
        secrets() if hidden is None else hidden,
    )


def wrong(given=None, hidden=None) -> dict[str, str]:
    """The fields that are refused."""
    with pytest.raises(InvalidInput) as raised:
        clean(given, hidden)
    return raised.value.fields


def asked(given=None, hidden=None, **more):
    """The request for a token."""
    checked, kept = clean(given, hidden)
    return SALESFORCE.token_request(
        "jwt_bearer", checked, kept, now=NOW, jti="jti_0123456789abcdef", refresh=None, **more
    )


def test_each_missing_credential_is_named():
    """All four at once; no secret of the app is asked for."""
    fields = wrong({}, {})
    assert fields.keys() == {
        "settings.my_domain", "settings.client_id", "settings.as_user", "secrets.private_key"
    }  # fmt: skip
    assert all("is needed" in text for text in fields.values())
    assert wrong(hidden={"private_key": pem()}).keys() == {"secrets.passphrase"}
    assert wrong(hidden=secrets(client_secret="s")).keys() == {"secrets.client_secret"}


@pytest.mark.parametrize(
    "mangle",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", " ").strip(),
        lambda text: text.replace("\n", "\\n"),
        lambda text: "\n".join(f"   {line}" for line in text.split("\n")),
        lambda text: text + certificate(),
    ],
    ids=["crlf", "one line", "literal", "indented", "with its certificate"],
)
def test_a_pasted_key_is_mended(mangle):
    """As Box's keys are, by the same code; blanks around the passphrase go."""
    _, kept = clean(hidden=secrets(private_key=mangle(pem()), passphrase=f" {PASSPHRASE}\n"))
    assert kept == {"private_key": pem(), "passphrase": PASSPHRASE}
    _, kept = clean(hidden=secrets(private_key=mangle(pem(locked=False)), passphrase="no use"))
    assert kept == {"private_key": pem(locked=False)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (certificate, "is a certificate; paste the private key"),
        (public_pem, "is a public key"),
        (ec_pem, "is no RSA key, and Salesforce takes RSA only"),
        (lambda: pem_of(rsa_key(1024)), "has 1024 bits, and Salesforce asks for 2048"),
        (lambda: pem().split("-----END")[0], "no END line"),
        (lambda: '{"private_key": "x"}', "is no PEM key"),
    ],
)
def test_another_paste_is_explained(text, says):
    """In Salesforce's terms; nothing of Box's console is told."""
    problem = wrong(hidden=secrets(private_key=text()))["secrets.private_key"]
    assert says in problem and "Box" not in problem


def test_a_wrong_passphrase_is_told_apart():
    """From a damaged key; neither is repeated."""
    fields = wrong(hidden=secrets(passphrase="other-phrase"))
    assert "does not open" in fields["secrets.passphrase"]
    assert "other-phrase" not in str(fields) and "Box" not in str(fields)
    assert "512" in wrong(hidden=secrets(passphrase="x" * 513))["secrets.passphrase"]


@pytest.mark.parametrize("typed", ["Inkwire", "005xx000001SwiUAAS", "a b@c", f"{'x' * 79}@b", "@"])
def test_a_user_name_is_none_of_the_users_other_names(typed):
    """Alias and id look alike to people, not to Salesforce."""
    assert wrong(settings(as_user=typed)).keys() == {"settings.as_user"}


def test_the_statement_is_salesforces():
    """Header and claims, read by the public key alone; nothing but the statement is sent."""
    request = asked()
    assert request.url == f"{MY_DOMAIN}/services/oauth2/token"
    assert request.form.keys() == {"grant_type", "assertion"}
    assert request.form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    statement = request.form["assertion"]
    assert jwt.get_unverified_header(statement) == {"alg": "RS256", "typ": "JWT"}
    claims = jwt.decode(
        statement,
        public_pem(),
        algorithms=["RS256"],
        audience=MY_DOMAIN,
        options={"verify_exp": False},
    )
    assert claims == {
        "iss": "3MVG9.key", "sub": USER, "aud": MY_DOMAIN, "exp": int(NOW.timestamp()) + 120
    }  # fmt: skip
    assert statement not in repr(request)


@pytest.mark.parametrize(
    ("typed", "address"),
    [("https://login.salesforce.com/", "https://login.salesforce.com"),
     ("https://test.salesforce.com", "https://test.salesforce.com"),
     ("https://acme--uat.sandbox.lightning.force.com/x", "https://acme--uat.sandbox.my.salesforce.com"),
     ("http://127.0.0.1:4010", "http://127.0.0.1:4010")],
)  # fmt: skip
def test_a_statement_is_good_only_where_it_is_sent(typed, address):
    """Whatever place is asked, it is made out to that place: nobody can pass it on."""
    request = asked(settings(my_domain=typed))
    statement = jwt.decode(request.form["assertion"], options={"verify_signature": False})
    assert request.url == f"{address}/services/oauth2/token" and statement["aud"] == address


def refused(error: str, description: str) -> bytes:
    """An answer of the token endpoint."""
    return json.dumps({"error": error, "error_description": description}).encode()


@pytest.mark.parametrize(
    ("error", "description", "says"),
    [
        ("invalid_grant", "user hasn't approved this consumer", "Admin approved users are pre-authorized"),
        ("invalid_grant", "user hasn't approved this consumer", "there is no such user"),
        ("invalid_app_access", "user is not admin approved to access this app", "permission set"),
        ("invalid_grant", "audience is invalid", "My Domain address"),
        ("invalid_grant", "audience is invalid [audience=https://login.salesforce.com login=x]", "made out to"),
        ("invalid_grant", "Audience validation failed", "made out to"),
        ("invalid_grant", "invalid assertion", "does not belong to this private key"),
        ("invalid_grant", "expired authorization code", "clock"),
        ("invalid_grant", "inactive user", "activate the user"),
        ("app_not_found", "External client app is not installed in this org", "refuse login.salesforce.com"),
        ("invalid_client", "invalid client credentials", "upload the certificate"),
        ("unsupported_grant_type", "grant type not supported", "Enable JWT Bearer Flow"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_to_do(error, description, says):
    """Each with the screen of Salesforce where it is mended."""
    with pytest.raises(NeedsAttention) as raised:
        SALESFORCE.read_token(400, refused(error, description), now=NOW)
    assert says in raised.value.message


def test_a_clock_that_goes_wrong_is_told_by_the_answer():
    """Too old, or too far ahead, which is told like a signature that is wrong."""
    for description, differs in (
        ("expired authorization code", True), ("invalid assertion", True),
        ("expired access/refresh token", False), ("audience is invalid", False),
    ):  # fmt: skip
        body = refused("invalid_grant", description)
        assert SALESFORCE.clock_differs(400, body) is differs
        assert SALESFORCE.clock_differs(503, body) is False
    assert SALESFORCE.clock_differs(400, refused("invalid_request", "invalid assertion")) is False


def test_a_token_comes_without_a_refresh_token():
    """It lasts as one by client credentials does."""
    body = json.dumps({"access_token": "00D!x", "instance_url": MY_DOMAIN}).encode()
    token = SALESFORCE.read_token(200, body, now=NOW)
    assert token.refresh is None and token.expires_at == NOW + timedelta(minutes=90)
