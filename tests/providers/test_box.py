"""Box: judged by Box's own SDK, and the details that the contract suite cannot know."""

import json
from datetime import UTC, datetime

import pytest
from box_sdk_gen.internal.utils import compute_webhook_signature
from box_sdk_gen.managers.webhooks import WebhooksManager
from box_sdk_gen.schemas.webhook import WebhookTriggersField

from contract.provider_kit import NOW, altered, flipped, samples_of
from inkwire.errors import Unparsable
from inkwire.model.event import DedupeKind, TermKind
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, MatchedOn, Reason, Refused
from inkwire.providers.box import PROVIDER
from inkwire.providers.settings import check_settings

BOX = PROVIDER.receive
SAMPLES = samples_of(PROVIDER)
SETTINGS = check_settings(BOX.settings, {})
KEYS = [
    Secret(id="sec_1", role="primary", value=b"SamplePrimaryKey"),
    Secret(id="sec_2", role="secondary", value=b"SampleSecondaryKey"),
]


def signed(body, keys=KEYS, now=NOW, delivery_id="f96bb54b-ee16"):
    """Our own delivery of `body`."""
    return BOX.sign(
        body, keys, SETTINGS, now, event_type="box.FILE.UPLOADED", delivery_id=delivery_id
    )


def parsed(payload, **headers):
    """The event of a payload given as a value."""
    body = json.dumps(payload).encode()
    (event,) = BOX.parse(signed(body, **headers).as_inbound(), body, SETTINGS)
    return event


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.case.name)
def test_sdk_accepts_what_we_sign(sample):
    """Box's SDK accepts our signatures, primary or secondary, and refuses a changed body."""
    request = signed(sample.case.body, now=datetime.now(UTC))
    headers = {name.lower(): value for name, value in request.headers}
    text = sample.case.body.decode()
    validate = WebhooksManager.validate_message
    assert validate(text, headers, "SamplePrimaryKey")
    assert validate(text, headers, "IncorrectKey", secondary_key="SampleSecondaryKey")
    assert not validate(text, headers, "IncorrectKey", secondary_key="SamplePrimaryKey")
    assert not validate(text + " ", headers, "SamplePrimaryKey")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.case.name)
def test_we_accept_what_the_sdk_signs(sample):
    """A signature that Box's SDK computes is right for us, and names the key it is by."""
    for role, key in (("primary", KEYS[0]), ("secondary", KEYS[1])):
        headers = {
            "box-delivery-timestamp": "2026-11-22T03:59:58-08:00",
            "box-signature-version": "1",
            "box-signature-algorithm": "HmacSHA256",
        }
        digest = compute_webhook_signature(sample.case.body.decode(), headers, key.value.decode())
        headers[f"box-signature-{role}"] = digest
        request = altered(
            signed(sample.case.body).as_inbound(),
            headers=tuple((name.encode(), value.encode()) for name, value in headers.items()),
        )
        verdict = BOX.verify(request, KEYS, SETTINGS, NOW)
        assert isinstance(verdict, Accepted), verdict
        assert verdict.secret_id == key.id
        forged = altered(request, body=flipped(request.body, 5))
        assert isinstance(BOX.verify(forged, KEYS, SETTINGS, NOW), Refused)


def test_sdk_escaped_form_is_what_gets_parsed():
    """A body that only matches escaped is accepted as such, and its signed text is handed on."""
    name = "スクリーンショット é \U0001f600"
    body = json.dumps({"id": "1", "n": name}, ensure_ascii=False).encode()
    signed_text = json.dumps({"id": "1", "n": name}).encode()
    request = altered(signed(signed_text).as_inbound(), body=body)
    verdict = BOX.verify(request, KEYS, SETTINGS, NOW)
    assert isinstance(verdict, Accepted)
    assert verdict.matched_on is MatchedOn.ESCAPED
    assert verdict.canonical == signed_text


def test_escaped_form_of_a_huge_body_is_not_tried():
    """Nobody can make us rewrite megabytes: beyond 64 KiB only the raw bytes count."""
    for size, matches in ((1_000, True), (40_000, False)):
        body = json.dumps({"n": "é" * size}, ensure_ascii=False).encode()
        request = signed(json.dumps({"n": "é" * size}).encode()).as_inbound()
        verdict = BOX.verify(altered(request, body=body), KEYS, SETTINGS, NOW)
        assert isinstance(verdict, Accepted) is matches


def test_every_trigger_is_known():
    """All triggers of Box's specification and its guides have a sentence (C28: both spellings)."""
    guides = {
        "SIGN_REQUEST.SIGNER_SIGNED",
        "SIGN_REQUEST.SIGNATURE_REQUESTED",
        "SIGN_REQUEST.ERROR_FINALIZING",
        "DOCGEN_DOCUMENT_GENERATION_STARTED",
        "DOCGEN_DOCUMENT_GENERATION_SUCCEEDED",
        "DOCGEN_DOCUMENT_GENERATION_FAILED",
        "NO_ACTIVE_SESSION",
    }
    triggers = {trigger.value for trigger in WebhookTriggersField} | guides
    assert {f"box.{trigger}" for trigger in triggers} == set(BOX.event_types)
    for trigger in triggers:
        assert parsed({"trigger": trigger, "id": "1"}).type == f"box.{trigger}"


def test_unknown_trigger_is_passed_on():
    """A trigger nobody lists, even one that does not exist today (C10), keeps its name (R99)."""
    assert parsed({"trigger": "FILE.VERSION.RESTORED"}).type == "box.FILE.VERSION.RESTORED"
    assert parsed({"trigger": "Now.Something-new"}).type == "box.Now.Something-new"
    assert parsed({}).type == "box.unknown"


def test_key_is_the_id_in_the_body():
    """A repeat has another delivery id and the same key (R89); both ids can be searched (R90)."""
    first = parsed({"id": "evt-1", "trigger": "FILE.UPLOADED"}, delivery_id="del-1")
    again = parsed({"id": "evt-1", "trigger": "FILE.UPLOADED"}, delivery_id="del-2")
    assert first.dedupe_kind is DedupeKind.HARD
    assert first.dedupe_key == again.dedupe_key == b"evt-1"
    found = {(term.kind, term.value) for term in BOX.terms(again)}
    assert {(TermKind.ID, "evt-1"), (TermKind.ID, "del-2")} <= found


def test_body_without_id_has_a_derived_key():
    """Without an id the body itself is the key, and only a probable one."""
    event = parsed({"trigger": "FILE.UPLOADED"})
    assert event.dedupe_kind is DedupeKind.DERIVED
    assert event.dedupe_key == b'{"trigger": "FILE.UPLOADED"}'


@pytest.mark.parametrize(
    ("payload", "entity"),
    [
        (
            {
                "trigger": "SIGN_REQUEST.COMPLETED",
                "source": {"id": "9", "type": "file"},
                "additional_info": [],
            },
            "box:file:9",
        ),
        (
            {
                "trigger": "SIGN_REQUEST.COMPLETED",
                "source": None,
                "additional_info": {"sign_request_id": "u-1"},
            },
            "box:sign_request:u-1",
        ),
        (
            {
                "trigger": "FILE.UPLOADED",
                "source": {"id": "9", "type": "file"},
                "additional_info": {"sign_request_id": "u-1"},
            },
            "box:file:9",
        ),
        ({"trigger": "COMMENT.CREATED", "source": {"id": 7, "type": "comment"}}, "box:comment:7"),
        (
            {
                "trigger": "WEBHOOK.DELETED",
                "source": {"id": "9", "type": "folder"},
                "webhook": {"id": "53"},
            },
            "box:webhook:53",
        ),
        ({"trigger": "FILE.UPLOADED", "source": None, "webhook": {"id": "53"}}, "box:webhook:53"),
        ({"trigger": "FILE.UPLOADED", "source": {"id": None, "type": "file"}}, None),
    ],
)
def test_entity_key(payload, entity):
    """What an event is about, also when additional_info is a list or the source is missing (C27)."""
    assert parsed(payload).entity_key == entity


def test_document_ids_hold_the_folders_above():
    """A source can be limited to a folder (R131): the path counts, Box's root folder does not."""
    by_name = {sample.case.name: sample for sample in SAMPLES}
    uploaded = parsed(json.loads(by_name["file-uploaded"].case.body))
    assert set(uploaded.document_ids) == {"73835521473", "8290188973", "8290186265", "2614853901"}
    invited = parsed(json.loads(by_name["collaboration-created"].case.body))
    assert set(invited.document_ids) == {"48110273556", "250331907144"}
    completed = parsed(json.loads(by_name["sign-completed"].case.body))
    assert "b1685f64-b285-4786-abc0-174931e7be0e" in completed.document_ids


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"not json", b""])
def test_other_json_is_unparsable(body):
    """A proven body that is no object is told apart from an event."""
    with pytest.raises(Unparsable):
        BOX.parse(signed(body).as_inbound(), body, SETTINGS)


def test_swapped_keys_are_named():
    """Keys pasted into each other's field are refused, and the operator is told just that."""
    swapped = [
        Secret(id="sec_1", role="primary", value=KEYS[1].value),
        Secret(id="sec_2", role="secondary", value=KEYS[0].value),
    ]
    verdict = BOX.verify(signed(b"{}").as_inbound(), swapped, SETTINGS, NOW)
    assert isinstance(verdict, Refused)
    assert verdict.reason is Reason.BAD_SIGNATURE
    assert "swapped" in verdict.detail


def test_secondary_key_alone_is_enough():
    """With only the secondary key at hand a delivery that carries both signatures is proven."""
    request = signed(b"{}").as_inbound()
    verdict = BOX.verify(request, KEYS[1:], SETTINGS, NOW)
    assert isinstance(verdict, Accepted)
    assert verdict.secret_id == "sec_2"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        (b"box-signature-version", b"2", Reason.WRONG_VERSION),
        (b"box-signature-version", b"1.0", Reason.WRONG_VERSION),
        (b"box-signature-algorithm", b"hmacsha256", Reason.WRONG_VERSION),
        (b"box-delivery-timestamp", b"yesterday", Reason.MALFORMED),
        (b"box-delivery-timestamp", b"2026-11-22T12:00:00", Reason.MALFORMED),
        (b"box-signature-primary", b"no base64!", Reason.MALFORMED),
        (b"box-signature-primary", b"AAAA", Reason.BAD_SIGNATURE),
    ],
)
def test_reason_for_each_wrong_header(name, value, reason):
    """Each way for a header to be wrong has its own reason, so that the advice fits."""
    request = signed(b"{}", keys=KEYS[:1]).as_inbound()
    headers = tuple((key, value if key == name else old) for key, old in request.headers)
    verdict = BOX.verify(altered(request, headers=headers), KEYS, SETTINGS, NOW)
    assert isinstance(verdict, Refused)
    assert verdict.reason is reason


def test_retry_plan_is_box_own():
    """Twelve repeats over two hours, thirty seconds to answer (R102, R103)."""
    assert len(BOX.retries.delays_s) == 12
    assert sum(BOX.retries.delays_s) == 2 * 3600
    assert BOX.retries.timeout_s == 30
