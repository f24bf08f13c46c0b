"""Box's credentials as people enter them, the statement that is signed, and Box's answers."""

import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fakes.rsa_keys import PASSPHRASE, ec_pem, pem, pem_of, public_pem, rsa_key
from inkwire.errors import InvalidInput, LimitReached, NeedsAttention, Transient
from inkwire.providers import pem as pems
from inkwire.providers.box import PROVIDER
from inkwire.providers.box.auth import KEYS, BoxConnector

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BOX = BoxConnector()
TOKEN_URL = "https://api.box.com/oauth2/token"
SIX = {
    "settings.client_id",
    "settings.enterprise_id",
    "secrets.client_secret",
    "secrets.public_key_id",
    "secrets.private_key",
    "secrets.passphrase",
}


def settings(**more):
    """The two IDs."""
    return {"client_id": "abc123", "enterprise_id": "4711", **more}


def secrets(**more):
    """The four secrets."""
    given = {
        "client_secret": "s3cret",
        "public_key_id": "kid1",
        "private_key": pem(),
        "passphrase": PASSPHRASE,
    }
    return {**given, **more}


def console_file(**app_auth) -> str:
    """The file of Box's Developer Console."""
    auth = {"publicKeyID": "kid1", "privateKey": pem(), "passphrase": PASSPHRASE, **app_auth}
    app = {"clientID": "abc123", "clientSecret": "s3cret", "appAuth": auth}
    return json.dumps({"boxAppSettings": app, "enterpriseID": 4711}, indent=2)


def wrong(method="jwt", given=None, hidden=None) -> dict[str, str]:
    """The fields that are refused."""
    with pytest.raises(InvalidInput) as raised:
        BOX.clean(
            method, settings() if given is None else given, secrets() if hidden is None else hidden
        )
    return raised.value.fields


def test_the_provider_has_it():
    """The registry offers Box with both ways of server authentication, and a person's sign-in."""
    assert isinstance(PROVIDER.connect, BoxConnector)
    methods = [(method.name, method.authorizes) for method in PROVIDER.connect.methods]
    assert methods == [("jwt", False), ("ccg", False), ("oauth", True)]


def test_each_missing_credential_is_named():
    """All six of R17 at once, each with where it stands at Box."""
    fields = wrong(given={}, hidden={})
    assert fields.keys() == SIX
    assert all("is needed" in text for text in fields.values())


@pytest.mark.parametrize("path", sorted(SIX))
def test_one_missing_credential_is_named_alone(path):
    """The other five are not blamed."""
    where, _, key = path.partition(".")
    given, hidden = settings(), secrets()
    (given if where == "settings" else hidden).pop(key)
    assert wrong(given=given, hidden=hidden).keys() == {path}


def test_the_whole_file_is_taken_apart():
    """The console's file gives all six, wins over what stood there, and is itself not kept."""
    checked, kept = BOX.clean(
        "jwt",
        {"client_id": "old"},
        {"config_file": f"\ufeff {console_file()}\r\n", "passphrase": "old"},
    )
    assert (checked["client_id"], checked["enterprise_id"]) == ("abc123", "4711")
    assert kept == secrets()


@pytest.mark.parametrize(
    ("text", "says"),
    [("not json", "no JSON"), ("[]", "boxAppSettings"), ('{"boxAppSettings": 1}', "boxAppSettings"),
     ("[" * 60_000, "no JSON"), ("x" * 70_000, "longer")],
)  # fmt: skip
def test_another_file_is_explained(text, says):
    """One sentence about the file, instead of five about what it lacks."""
    fields = wrong(given={}, hidden={"config_file": text})
    assert says in fields["secrets.config_file"]
    assert "secrets.private_key" not in fields


def test_a_file_of_a_ccg_app_lacks_the_key():
    """A file without a key pair names what is missing."""
    text = json.dumps(
        {
            "boxAppSettings": {"clientID": "a", "clientSecret": "b", "appAuth": {}},
            "enterpriseID": "1",
        }
    )
    assert wrong(given={}, hidden={"config_file": text}).keys() == {
        "secrets.public_key_id", "secrets.private_key", "secrets.passphrase"
    }  # fmt: skip


MANGLES = {
    "crlf": lambda text: text.replace("\n", "\r\n"),
    "cr": lambda text: text.replace("\n", "\r"),
    "one line": lambda text: text.replace("\n", " ").strip(),
    "literal": lambda text: text.replace("\n", "\\n"),
    "literal crlf": lambda text: text.replace("\n", "\\r\\n"),
    "twice literal": json.dumps,
    "indented": lambda text: "\n".join(f"    {line}\t" for line in text.split("\n")),
    "quoted": lambda text: f"'{text}'",
    "blank lines": lambda text: text.replace("\n", "\n\n"),
    "bom": lambda text: f"\ufeff{text}",
    "no-break blanks": lambda text: text.replace("\n", "\u00a0"),
    "words around": lambda text: f"Here is the key:\n{text}\nBest, Jane",
    "with its public half": lambda text: public_pem() + text,
    "long dashes": lambda text: (
        text.replace("-----", "\u2013\u2013\u2013\u2013\u2013") if "Proc" not in text else text
    ),
}


@hypothesis_settings(max_examples=50)  # opening a locked key costs 10 ms on purpose
@given(
    mangles=st.lists(st.sampled_from(sorted(MANGLES)), max_size=4, unique=True),
    legacy=st.booleans(),
    locked=st.booleans(),
)
def test_a_pasted_key_is_mended(mangles, legacy, locked):
    """However line breaks and blanks were lost, the key that comes out is the one that went in."""
    text = pem(legacy=legacy, locked=locked)
    for name in mangles:
        text = MANGLES[name](text)
    mended, passphrase = pems.mended(text, PASSPHRASE, KEYS)
    assert mended == pem(legacy=legacy, locked=locked)
    assert passphrase == (PASSPHRASE if locked else "")


@given(at=st.integers(0, 40), text=st.text(max_size=30))
def test_no_paste_is_a_crash(at, text):
    """Whatever is entered: a key or a sentence, and nothing of the key is repeated."""
    lines = pem().splitlines()
    lines[at % len(lines)] = text
    try:
        pems.mended("\n".join(lines), PASSPHRASE, KEYS)
    except InvalidInput as error:
        assert set(error.fields) <= {"secrets.private_key", "secrets.passphrase"}
        assert lines[5] not in str(error) or len(lines[5]) < 40


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (public_pem, "public key"),
        (ec_pem, "no RSA key"),
        (lambda: pem_of(rsa_key(1024)), "1024 bits"),
        (lambda: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "certificate"),
        (lambda: "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "ssh-keygen"),
        (lambda: pem().split("-----END")[0], "no END line"),
        (lambda: pem() + pem_of(rsa_key(1024)), "more than one"),
        (lambda: pem().replace("MII", "M*I"), "no base64"),
        (lambda: pem(locked=False).replace("BEGIN PRIVATE", "BEGIN ENCRYPTED PRIVATE"), "ends as"),
        (lambda: "\n".join(pem(locked=False).splitlines()[:5] + pem(locked=False).splitlines()[7:]), "missing or changed"),
        (lambda: "kid1", "no PEM key"),
        (lambda: '{"boxAppSettings": {}}', "config_file"),
        (lambda: "x" * 40_000, "longer"),
    ],
)  # fmt: skip
def test_another_paste_is_explained(text, says):
    """Each mistake has its own sentence, before any request (R19)."""
    assert says in wrong(hidden=secrets(private_key=text()))["secrets.private_key"]


def test_the_passphrase_must_open_the_key():
    """A wrong one is told apart from a bad key; blanks that were pasted along are taken away."""
    assert "does not open" in wrong(hidden=secrets(passphrase="other"))["secrets.passphrase"]
    assert wrong(hidden=secrets(passphrase="")).keys() == {"secrets.passphrase"}
    _, kept = BOX.clean("jwt", settings(), secrets(passphrase=f" {PASSPHRASE}\n"))
    assert kept["passphrase"] == PASSPHRASE
    _, kept = BOX.clean("jwt", settings(), secrets(private_key=pem(locked=False), passphrase="x"))
    assert "passphrase" not in kept


@pytest.mark.parametrize(
    ("more", "path"),
    [({"enterprise_id": "acme"}, "settings.enterprise_id"), ({"as_user": "jane@x"}, "settings.as_user"),
     ({"api_url": "http://api.box.com"}, "settings.api_url"), ({"api_url": "ftp://x"}, "settings.api_url"),
     ({"token_url": "https://u:p@api.box.com/t"}, "settings.token_url"), ({"upload_url": "https://x/?a"}, "settings.upload_url"),
     ({"api_url": "https://api.box.com/"}, "settings.api_url"), ({"api_url": "https://x:99999"}, "settings.api_url"),
     ({"algorithm": "HS256"}, "settings.algorithm"), ({"nonsense": "1"}, "settings.nonsense"),
     ({"client_id": "a b"}, "settings.client_id")],
)  # fmt: skip
def test_a_wrong_setting_is_named(more, path):
    """Each by its path, so that a form can show it there."""
    assert wrong(given=settings(**more)).keys() == {path}


def test_unknown_names_are_refused():
    """A method or a secret that Box has not."""
    assert "method" in wrong(method="password")
    assert "secrets.pin" in wrong(hidden=secrets(pin="1"))


def test_an_emptied_address_is_boxs_own():
    """A form that sends empty fields means the defaults; blanks around an id are not kept."""
    checked, _ = BOX.clean(
        "jwt", settings(api_url="", token_url=" ", client_id=" abc123 "), secrets()
    )
    assert (checked["api_url"], checked["token_url"]) == ("https://api.box.com", TOKEN_URL)
    assert checked["client_id"] == "abc123"


def asked(method="jwt", given=None, **more):
    """The request for a token."""
    checked, kept = BOX.clean(
        method, given or settings(), secrets() if method == "jwt" else {"client_secret": "s3cret"}
    )
    return BOX.token_request(
        method, checked, kept, now=NOW, jti="jti_0123456789abcdef", refresh=None, **more
    )


def test_the_statement_is_boxs():
    """Header and claims of R15 and R16, checked by another reader of the public key alone."""
    request = asked(given=settings(token_url="http://127.0.0.1:1/oauth2/token"))
    assert request.url == "http://127.0.0.1:1/oauth2/token"
    assert request.form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert (request.form["client_id"], request.form["client_secret"]) == ("abc123", "s3cret")
    statement = request.form["assertion"]
    assert jwt.get_unverified_header(statement) == {"alg": "RS256", "kid": "kid1", "typ": "JWT"}
    claims = jwt.decode(
        statement,
        public_pem(),
        algorithms=["RS256"],
        audience=TOKEN_URL,
        options={"verify_exp": False},
    )
    assert claims["aud"] == TOKEN_URL, "also when another place is asked"
    assert (claims["iss"], claims["sub"], claims["box_sub_type"]) == (
        "abc123",
        "4711",
        "enterprise",
    )
    assert claims["jti"] == "jti_0123456789abcdef"
    assert 0 < claims["exp"] - NOW.timestamp() <= 60
    assert "s3cret" not in repr(request)


def test_client_credentials_need_no_key():
    """The enterprise's service account by id and secret."""
    request = asked("ccg")
    assert request.form == {
        "grant_type": "client_credentials", "client_id": "abc123", "client_secret": "s3cret",
        "box_subject_type": "enterprise", "box_subject_id": "4711",
    }  # fmt: skip


def test_a_person_signs_in_without_an_enterprise():
    """The app's two credentials suffice; each that lacks is named."""
    assert wrong("oauth", {}, {}).keys() == {"settings.client_id", "secrets.client_secret"}
    checked, kept = BOX.clean("oauth", {"client_id": "abc123"}, {"client_secret": "s3cret"})
    assert checked["authorize_url"] == "https://account.box.com/api/oauth2/authorize"
    assert "enterprise_id" not in checked
    plain = {"client_id": "a", "authorize_url": "http://account.box.com/x"}
    assert wrong("oauth", plain, {"client_secret": "s"}).keys() == {"settings.authorize_url"}
    url = BOX.authorize_url(
        "oauth", checked, state="s t", challenge="c", redirect_uri="https://hub.example/back"
    )
    assert url == (
        "https://account.box.com/api/oauth2/authorize?response_type=code&client_id=abc123"
        "&redirect_uri=https%3A%2F%2Fhub.example%2Fback&state=s+t"
    )
    client = {"client_id": "abc123", "client_secret": "s3cret"}
    request = BOX.code_request(
        "oauth", checked, kept, code="c0de", verifier="v", redirect_uri="https://hub.example/back"
    )
    assert request.url == TOKEN_URL
    assert request.form == client | {"grant_type": "authorization_code", "code": "c0de"}
    request = BOX.token_request("oauth", checked, kept, now=NOW, jti="x", refresh="R1")
    assert request.form == client | {"grant_type": "refresh_token", "refresh_token": "R1"}
    assert "R1" not in repr(request)


def test_a_pair_is_read():
    """The refresh token comes with each answer; one that could not be sent is none."""
    for refresh, kept in (("R2", "R2"), ("a b", None), (5, None), ("", None), ("x\n", None)):
        body = json.dumps({"access_token": "A", "refresh_token": refresh}).encode()
        assert BOX.read_token(200, body, now=NOW).refresh == kept


def test_a_token_is_read():
    """With its life from the answer; a life that is none is an hour, and a long one is cut."""
    for life, seconds in (
        (4000, 4000),
        (None, 3600),
        ("x", 3600),
        (-1, 3600),
        (10**9, 86_400),
        (True, 3600),
    ):
        body = json.dumps(
            {"access_token": "tok", "expires_in": life, "token_type": "bearer"}
        ).encode()
        token = BOX.read_token(200, body, now=NOW)
        assert token.access == "tok" and token.expires_at == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("status", "error", "description", "kind", "says"),
    [
        (401, "invalid_client", "The client credentials are invalid", NeedsAttention, "client secret"),
        (400, "unauthorized_client", "This app is not authorized by the enterprise admin", NeedsAttention, "Admin Console"),
        (400, "invalid_grant", "Please check the 'sub' claim.", NeedsAttention, "enterprise ID"),
        (400, "invalid_grant", "Please check the 'iss' claim.", NeedsAttention, "client ID"),
        (400, "invalid_grant", "Please check the 'exp' claim.", NeedsAttention, "clock"),
        (400, "invalid_grant", "OAuth JWT signature verification failed", NeedsAttention, "public key"),
        (400, "invalid_grant", "Grant credentials are invalid", NeedsAttention, "authorised"),
        (400, "invalid_grant", "Refresh token has expired", NeedsAttention, "Sign in again"),
        (400, "invalid_grant", "The authorization code has expired", NeedsAttention, "30 seconds"),
        (400, "redirect_uri_mismatch", "x", NeedsAttention, "Redirect URI"),
        (400, "invalid_grant", "A unique 'jti' value is required.", Transient, "statement"),
        (400, "invalid_request", "Invalid grant_type parameter", NeedsAttention, "authenticates"),
        (400, "<b>new</b>", None, NeedsAttention, "an unknown error"),
        (403, "app_disabled", 5, NeedsAttention, "app_disabled"),
        (503, "temporarily_unavailable", "", Transient, "503"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_to_do(status, error, description, kind, says):
    """Each answer of Box as a kind and a sentence for the operator."""
    body = json.dumps({"error": error, "error_description": description}).encode()
    with pytest.raises(kind) as raised:
        BOX.read_token(status, body, now=NOW)
    assert says in raised.value.message
    assert BOX.clock_differs(status, body) is ("'exp'" in str(description))


@given(
    status=st.integers(200, 599),
    body=st.one_of(
        st.binary(max_size=80),
        st.just(b"<html>login</html>"),
        st.just(b"[1]"),
        st.just(b'{"error": {}}'),
        st.just(b'{"access_token": 5}'),
    ),
)
def test_no_answer_is_a_crash(status, body):
    """HTML, nothing, JSON of other shapes: one of the three kinds."""
    with pytest.raises((NeedsAttention, Transient, LimitReached)):
        BOX.read_token(status, body, now=NOW)


def test_a_limit_is_waited_for():
    """Retry-After within bounds."""
    for asked_s, waits_s in ((7, 7), (None, 60), (0, 1), (10**9, 3600)):
        with pytest.raises(LimitReached) as raised:
            BOX.read_token(429, b"", now=NOW, retry_after_s=asked_s)
        assert raised.value.retry_after_s == waits_s
