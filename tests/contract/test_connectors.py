"""Every provider whose API is called keeps the contract of a connector, whatever it is fed."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.errors import InvalidInput, LimitReached, NeedsAttention, Transient
from inkwire.model.connection import Token
from inkwire.providers.contract import AuthMethod, Connector, Provider, SettingKind
from inkwire.providers.oauth import challenge
from inkwire.providers.registry import manual, registry
from inkwire.providers.settings import complete_settings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BACK = "https://hub.example.com/console/connections/authorized"
CONNECTED = [one for one in registry() if one.connect is not None]
WAYS = [(one, way) for one in CONNECTED for way in (one.connect.methods if one.connect else ())]


def name_of(value: object) -> str:
    """`box`, `jwt`."""
    return value.name if isinstance(value, Provider | AuthMethod) else ""


def connector_of(provider: Provider) -> Connector:
    """The connector."""
    assert provider.connect is not None
    return provider.connect


@pytest.mark.parametrize("provider", CONNECTED, ids=name_of)
def test_it_describes_itself(provider):
    """Ways of names of their own, the vendor's domains, a manual."""
    connector = connector_of(provider)
    names = [way.name for way in connector.methods]
    assert names and len(set(names)) == len(names)
    assert connector.domains and all("." in one and "/" not in one for one in connector.domains)
    text = manual(provider)
    assert text.startswith("# ") and len(text) > 500


@pytest.mark.parametrize(("provider", "way"), WAYS, ids=name_of)
def test_each_way_is_described(provider, way):
    """What a form and the docs are made of."""
    assert way.title and way.help.endswith(".")
    keys = [item.key for item in way.settings] + [item.role for item in way.secrets]
    assert len(set(keys)) == len(keys)
    for item in way.settings:
        assert item.label and item.help.endswith(".") and item.kind in SettingKind
        assert item.kind is not SettingKind.CHOICE or item.default in item.choices
    for item in way.secrets:
        assert item.label and item.help.endswith(".")
    assert not {"password", "username"} & set(keys), "no vendor here is called by a password"


@pytest.mark.parametrize(("provider", "way"), WAYS, ids=name_of)
def test_nothing_given_is_told_before_any_call(provider, way):
    """Each credential that lacks has a sentence under its own path."""
    with pytest.raises(InvalidInput) as raised:
        connector_of(provider).clean(way.name, {}, {})
    paths = {f"settings.{item.key}" for item in way.settings}
    paths |= {f"secrets.{item.role}" for item in way.secrets}
    assert raised.value.fields and raised.value.fields.keys() <= paths
    with pytest.raises(InvalidInput) as raised:
        connector_of(provider).clean("no-such-way", {}, {})
    assert "method" in raised.value.fields


@pytest.mark.parametrize(("provider", "way"), WAYS, ids=name_of)
@given(data=st.data())
def test_nothing_that_is_entered_is_a_crash(provider, way, data):
    """Settings of any kind, secrets of any text: kept, or told field by field."""
    keys = [item.key for item in way.settings] + ["odd"]
    roles = [item.role for item in way.secrets] + ["odd"]
    texts = st.one_of(st.text(max_size=40), st.sampled_from(["https://x.example", "1", "66.0"]))
    values = st.one_of(texts, st.integers(), st.none(), st.booleans())
    settings = data.draw(st.dictionaries(st.sampled_from(keys), values))
    secrets = data.draw(st.dictionaries(st.sampled_from(roles), texts))
    try:
        checked, kept = connector_of(provider).clean(way.name, settings, secrets)
    except InvalidInput as error:
        assert error.fields
    else:
        assert checked.keys() == {item.key for item in way.settings}
        assert kept.keys() <= set(roles) and all(kept.values())
        assert complete_settings(way.settings, checked) == (checked, ())


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
_NAMES = st.sampled_from(
    ["access_token", "refresh_token", "expires_in", "issued_at", "instance_url", "error",
     "error_description"]
)  # fmt: skip


@pytest.mark.parametrize("provider", CONNECTED, ids=name_of)
@given(
    status=st.integers(100, 599),
    body=st.one_of(
        st.binary(max_size=80),
        st.dictionaries(_NAMES, st.one_of(_JSON, st.just("https://x.example"))),
    ),
    retry_after_s=st.one_of(st.none(), st.floats(0, 1e9)),
)
def test_no_answer_is_a_crash(provider, status, body, retry_after_s):
    """A token that can be sent and has an end, or one of three kinds with a sentence."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    connector = connector_of(provider)
    assert connector.clock_differs(status, raw) in (True, False)
    try:
        token = connector.read_token(status, raw, now=NOW, retry_after_s=retry_after_s)
    except (NeedsAttention, Transient, LimitReached) as error:
        assert error.message.endswith((".", "”"))
        assert getattr(error, "retry_after_s", None) is None or error.retry_after_s <= 3600
    else:
        assert isinstance(token, Token) and token.expires_at > NOW
        for text in (token.access, token.refresh or "x"):
            assert text.isascii() and text.isprintable() and " " not in text


@pytest.mark.parametrize(
    ("provider", "way"), [(one, way) for one, way in WAYS if way.authorizes], ids=name_of
)
def test_a_person_is_sent_to_the_vendor_and_back(provider, way):
    """The state and the return address go along, escaped, and no secret; the code comes once."""
    connector = connector_of(provider)
    settings, _ = complete_settings(way.settings, {"client_id": "abc"})
    secrets = {"client_secret": "s3cret"}
    url = connector.authorize_url(
        way.name, settings, state="a&b=c d", challenge=challenge("v" * 43), redirect_uri=BACK
    )
    parts = urlsplit(url)
    assert parts.scheme == "https" and url.isascii() and " " not in url
    assert any((parts.hostname or "").endswith(one) for one in connector.domains)
    query = parse_qs(parts.query)
    assert (query["state"], query["redirect_uri"]) == (["a&b=c d"], [BACK])
    assert query["response_type"] == ["code"] and "s3cret" not in url and "v" * 43 not in url
    request = connector.code_request(
        way.name, settings, secrets, code="c0de", verifier="v" * 43, redirect_uri=BACK
    )
    assert request.form["grant_type"] == "authorization_code" and request.form["code"] == "c0de"
    again = connector.token_request(
        way.name, settings, secrets, now=NOW, jti="jti_0123456789abcdef", refresh="R1"
    )
    assert again.form["grant_type"] == "refresh_token" and again.form["refresh_token"] == "R1"
    for one in (request, again):
        assert urlsplit(one.url).scheme == "https" and "s3cret" not in repr(one)
