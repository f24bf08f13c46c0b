"""Standard Webhooks: judged by the specification's own library, and details of our own."""

import base64
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from contract.provider_kit import NOW, altered, samples_of
from inkwire.errors import InvalidInput
from inkwire.model.event import DedupeKind, TermKind
from inkwire.model.request import InboundRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, Reason, Refused
from inkwire.providers.settings import check_settings
from inkwire.providers.standardwebhooks import PROVIDER
from inkwire.sources.checks import secret_problem

STANDARD = PROVIDER.receive
SAMPLES = samples_of(PROVIDER)
SETTINGS = check_settings(STANDARD.settings, {})
TEXT = "whsec_" + base64.b64encode(bytes(range(24))).decode()
(FIELD,) = STANDARD.secrets


def held(text, name="sec_1"):
    """The secret as a source holds it."""
    return [Secret(id=name, role="secret", value=text.encode())]


def signed(body, now=NOW, secrets=None, message_id="msg_1"):
    """Our own delivery of `body`."""
    return STANDARD.sign(
        body,
        secrets or held(TEXT),
        SETTINGS,
        now,
        event_type="standardwebhooks.order.signed",
        delivery_id=message_id,
    )


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.case.name)
def test_library_accepts_what_we_sign(sample):
    """The specification's library accepts our signatures and refuses a changed body."""
    request = signed(sample.case.body, now=datetime.now(UTC))
    Webhook(TEXT).verify(request.body, dict(request.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(TEXT).verify(request.body + b" ", dict(request.headers))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.case.name)
def test_we_accept_what_the_library_signs(sample):
    """A signature of the specification's library is right for us, on that body alone."""
    stamp = int(NOW.timestamp())
    signature = Webhook(TEXT).sign("msg_lib", NOW, sample.case.body.decode())
    request = InboundRequest(
        method="POST",
        path="/in/x",
        headers=(
            (b"webhook-id", b"msg_lib"),
            (b"webhook-timestamp", str(stamp).encode()),
            (b"webhook-signature", signature.encode()),
        ),
        body=sample.case.body,
    )
    verdict = STANDARD.verify(request, held(TEXT), SETTINGS, NOW)
    assert isinstance(verdict, Accepted), verdict
    assert verdict.signed_at == NOW
    changed = STANDARD.verify(altered(request, body=b"{}"), held(TEXT), SETTINGS, NOW)
    assert isinstance(changed, Refused)


@pytest.mark.parametrize("text", [TEXT, TEXT.removeprefix("whsec_"), "whsec_AAECAwQFBgc"])
def test_secret_in_base64_is_taken(text):
    """With whsec_ or without, padded or not, a secret is taken and works."""
    assert secret_problem(FIELD, text) is None
    request = signed(b"{}", secrets=held(text)).as_inbound()
    assert isinstance(STANDARD.verify(request, held(text), SETTINGS, NOW), Accepted)


@pytest.mark.parametrize(
    "text",
    ["whsec_not base64 at all", "my-own-secret!", "whsec_AAECAwQFB", "whpk_" + "A" * 44, "whsec_"],
)
def test_secret_that_is_no_base64_is_refused_at_entry(text):
    """A secret that could never prove anything is refused when it is entered, not at night."""
    problem = secret_problem(FIELD, text)
    assert problem
    assert text == "whsec_" or text not in problem


def test_unusable_secret_proves_nothing_and_breaks_nothing():
    """Should one be stored all the same, nothing is accepted by it, and others still work."""
    request = signed(b"{}").as_inbound()
    for text in ("no base64!", "whsec_", ""):
        verdict = STANDARD.verify(request, held(text), SETTINGS, NOW)
        assert isinstance(verdict, Refused)
        assert verdict.reason is Reason.NO_SECRET
        beside = held(text, "sec_bad") + held(TEXT)
        assert isinstance(STANDARD.verify(request, beside, SETTINGS, NOW), Accepted)
    with pytest.raises(InvalidInput):
        signed(b"{}", secrets=held("no base64!"))


def test_names_of_svix_are_read():
    """Svix calls the three headers svix-…: the same message, the same key."""
    request = signed(b"{}").as_inbound()
    svix = tuple((name.replace(b"webhook-", b"svix-"), value) for name, value in request.headers)
    renamed = altered(request, headers=svix)
    assert isinstance(STANDARD.verify(renamed, held(TEXT), SETTINGS, NOW), Accepted)
    (event,) = STANDARD.parse(renamed, b"{}", SETTINGS)
    assert event.dedupe_key == b"msg_1"


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (b"v1a,AAAA", Reason.WRONG_VERSION),
        (b"AAAA", Reason.WRONG_VERSION),
        (b"v1", Reason.MALFORMED),
        (b"v1,no+base64!", Reason.MALFORMED),
        (b"v1,AAAA v1a,BBBB", Reason.BAD_SIGNATURE),
    ],
)
def test_reason_for_each_wrong_signature(signature, reason):
    """Each way for the signature to be wrong has its own reason, so that the advice fits."""
    request = signed(b"{}").as_inbound()
    headers = tuple(
        (name, signature if name == b"webhook-signature" else value)
        for name, value in request.headers
    )
    verdict = STANDARD.verify(altered(request, headers=headers), held(TEXT), SETTINGS, NOW)
    assert isinstance(verdict, Refused)
    assert verdict.reason is reason


@pytest.mark.parametrize("stamp", [b"1e9", b"-5", b"9" * 400, b"1794100000.0", "٣".encode()])
def test_odd_timestamp_is_malformed(stamp):
    """Only Unix seconds are a time here; anything else is refused, and nothing breaks."""
    request = signed(b"{}").as_inbound()
    headers = tuple(
        (name, stamp if name == b"webhook-timestamp" else value) for name, value in request.headers
    )
    verdict = STANDARD.verify(altered(request, headers=headers), held(TEXT), SETTINGS, NOW)
    assert isinstance(verdict, Refused)
    assert verdict.reason is Reason.MALFORMED


def test_message_id_is_the_key():
    """The id in the header is a hard key: the same for a repeat, another for the next message."""
    keys = []
    for message_id in ("msg_1", "msg_1", "msg_2"):
        (event,) = STANDARD.parse(signed(b"{}", message_id=message_id).as_inbound(), b"{}", {})
        assert event.dedupe_kind is DedupeKind.HARD
        keys.append(event.dedupe_key)
    assert keys == [b"msg_1", b"msg_1", b"msg_2"]


def test_members_of_data_become_terms_and_document_ids():
    """Telling names below `data` are found again, in either way of writing; others are not."""
    data = {
        "orderId": "o-1",
        "document_id": 17,
        "customerEmail": "A@Example.com",
        "customer_name": "Ann  Lee",
        "phone": "+1 555",
        "paid": "void",
        "nested": {"id": "x"},
        "id": None,
    }
    body = json.dumps({"type": "order.signed", "data": data}).encode()
    (event,) = STANDARD.parse(signed(body).as_inbound(), body, SETTINGS)
    assert event.document_ids == ("o-1", "17")
    assert {(term.kind, term.value) for term in STANDARD.terms(event)} == {
        (TermKind.ID, "msg_1"),
        (TermKind.ID, "o-1"),
        (TermKind.ID, "17"),
        (TermKind.EMAIL, "a@example.com"),
        (TermKind.NAME, "ann lee"),
        (TermKind.NUMBER, "+1 555"),
    }


def test_retry_plan_is_the_specifications():
    """The example schedule of the specification ends after 75 h 35 min 5 s."""
    assert sum(STANDARD.retries.delays_s) == 75 * 3600 + 35 * 60 + 5
