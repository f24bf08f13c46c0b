"""What every provider must do, one function a rule; each raises AssertionError if it does not.

`SAMPLE_CHECKS` take one sample, `PROVIDER_CHECKS` a whole provider. `test_provider_kit.py` proves
that each of them fails for a provider that breaks its rule.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources

from hypothesis import given
from hypothesis import strategies as st

from contract.provider_kit import (
    HOSTILE_BODIES,
    NOW,
    Sample,
    altered,
    flipped,
    hostile_bodies,
    hostile_requests,
    hostile_secrets,
    samples_of,
    secrets_of,
    spoiled_bodies,
)
from inkwire.errors import InvalidInput, Unparsable
from inkwire.model.event import DedupeKind, ParsedEvent
from inkwire.model.request import InboundRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, MatchedOn, Reason, Refused
from inkwire.providers.contract import Provider, Receiver, SettingKind, Settings
from inkwire.providers.payload import MAX_TERM, MAX_TERMS, MAX_TYPE, fold
from inkwire.providers.registry import manual
from inkwire.providers.settings import check_settings
from inkwire.sources.checks import generate_secret, secret_problem

_YEARS = timedelta(days=3650)
_MAX_COMBINATIONS = 512


def receiver_of(provider: Provider) -> Receiver:
    """The receiving part of a provider that has one."""
    assert provider.receive is not None
    return provider.receive


# --- one sample: proving who sent it ---------------------------------------------------------


def check_round_trip(sample: Sample) -> None:
    """What it signs it accepts, with the first secret, whatever the order of the headers."""
    request = sample.sign().as_inbound()
    first = sample.accepted(request)
    assert first.secret_id == sample.secrets()[0].id
    assert first.matched_on is MatchedOn.RAW
    assert sample.accepted(request) == first
    others = ((b"host", b"hub.example.com"), (b"accept", b"*/*"), (b"x-forwarded-for", b"::1"))
    mixed = altered(request, headers=(*others, *reversed(request.headers)))
    assert sample.accepted(mixed) == first


def check_tampered_body(sample: Sample) -> None:
    """One turned bit anywhere in the body is refused, and so is a byte more or less.

    If the proof does not cover the body, then whatever the body is, no other secret will do.
    """
    own, strange = sample.sign().as_inbound(), sample.sign(sample.secrets("wrong")).as_inbound()
    body = own.body
    flips = range(0, len(body), max(1, len(body) // 100))
    for changed in (*(flipped(body, at) for at in flips), body + b"x", body[:-1], b""):
        if sample.provider.proves_body:
            assert sample.refused(altered(own, body=changed)).proof is None
        else:
            assert sample.refused(altered(strange, body=changed)).reason is Reason.BAD_SIGNATURE
            assert sample.refused(altered(own, query=b"", body=changed)).proof is None


def check_wrong_secret(sample: Sample) -> None:
    """A signature by other secrets is refused as such, and the refusal gives nothing away."""
    request = sample.sign(sample.secrets("wrong")).as_inbound()
    refused = sample.refused(request)
    assert refused.reason is Reason.BAD_SIGNATURE
    assert refused.proof is None
    told = refused.detail + sample.receiver.hint(refused) + repr(refused)
    for secret in sample.secrets() + sample.secrets("wrong"):
        assert secret.value.decode() not in told
    for _, value in (*sample.sign().headers, *sample.sign(sample.secrets("wrong")).headers):
        assert len(value) < 24 or value not in told


def check_unsigned(sample: Sample) -> None:
    """A request without any of the headers (or the query) that prove it is refused."""
    request = sample.sign().as_inbound()
    refused = sample.refused(altered(request, headers=(), query=b""))
    assert refused.reason in (Reason.MISSING_HEADER, Reason.MALFORMED)


def check_header_forms(sample: Sample) -> None:
    """A header that proves something must be there once, in ASCII, and not empty."""
    request = sample.sign().as_inbound()
    needed = 0
    for at, (name, value) in enumerate(request.headers):
        rest = request.headers[:at] + request.headers[at + 1 :]
        if isinstance(sample.verify(altered(request, headers=rest)), Accepted):
            continue
        needed += 1
        for values in ((value, value), (value, b"x"), (b"\xff" + value,), (b"",), (b"x" * 5_000,)):
            headers = (*rest, *((name, one) for one in values))
            assert sample.refused(altered(request, headers=headers)).proof is None, name
    assert needed or request.query, "no header and no query proves this request"


def check_lateness(sample: Sample) -> None:
    """Where a time is signed, its tolerance is kept to the second, and stale ones keep a proof."""
    request = sample.sign().as_inbound()
    verdict = sample.verify(request, now=NOW + _YEARS)
    if isinstance(verdict, Accepted):
        assert verdict.signed_at is None, "a signed time that is never looked at"
        return
    proof = sample.accepted(request)
    assert proof.signed_at == NOW
    assert verdict.reason is Reason.STALE
    assert verdict.proof == proof
    past, future = sample.tolerance("past"), sample.tolerance("future")
    assert past is not None and future is not None, "a tolerance that cannot be set"
    second = timedelta(seconds=1)
    edge, brink = NOW + timedelta(seconds=past), NOW - timedelta(seconds=future)
    assert sample.accepted(request, now=edge) == proof
    assert sample.refused(request, now=edge + second).reason is Reason.STALE
    assert sample.accepted(request, now=brink) == proof
    assert sample.refused(request, now=brink - second).reason is Reason.FUTURE
    forged = sample.sign(sample.secrets("wrong")).as_inbound()
    assert sample.refused(forged, now=NOW + _YEARS).reason is Reason.BAD_SIGNATURE


def check_rotation(sample: Sample) -> None:
    """With two secrets of a role both are accepted, in any order, and the right one is named."""
    old, new = sample.secrets("old"), sample.secrets("new")
    for signer in (old, new):
        request = sample.sign(signer).as_inbound()
        for held in (old + new, new + old):
            assert sample.accepted(request, secrets=held).secret_id in {one.id for one in signer}


def check_no_off_switch(sample: Sample) -> None:
    """No combination of settings lets through what is unsigned, forged or changed."""
    right = sample.sign().as_inbound()
    forged = sample.sign(sample.secrets("wrong")).as_inbound()
    bad = [
        forged,
        altered(right, headers=(), query=b""),
    ]
    if sample.provider.proves_body:
        bad.append(altered(right, body=flipped(right.body, len(right.body) // 2)))
    for settings in _combinations(sample):
        try:
            bad_here = [sample.sign(sample.secrets("wrong"), settings=settings).as_inbound()]
        except InvalidInput:
            bad_here = []
        for request in bad + bad_here:
            sample.refused(request, settings=settings)


def _combinations(sample: Sample) -> Iterator[Settings]:
    options = {}
    for field in sample.receiver.settings:
        current = sample.settings[field.key]
        found = {
            SettingKind.SWITCH: (True, False),
            SettingKind.CHOICE: field.choices,
            SettingKind.TEXT: ("", current),
        }.get(field.kind, (current, field.minimum or 0, field.maximum or current))
        options[field.key] = tuple(dict.fromkeys(found))
    every = 1
    for values in options.values():
        every *= len(values)
    width = len(options) if every <= _MAX_COMBINATIONS else 2
    for keys in itertools.combinations(options, width):
        for values in itertools.product(*(options[key] for key in keys)):
            yield {**sample.settings, **dict(zip(keys, values, strict=True))}


# --- one sample: reading it ------------------------------------------------------------------


def check_expected_events(sample: Sample) -> None:
    """The events are those that `cases.toml` expects: type, entity, time, key, test, terms."""
    events = _parsed(sample, sample.sign().as_inbound())
    assert [event.type for event in events] == [want["type"] for want in sample.case.expect]
    for event, want in zip(events, sample.case.expect, strict=True):
        assert set(want) <= {"type", "entity", "occurred_at", "dedupe", "test", "terms"}
        assert event.entity_key == want.get("entity")
        assert event.occurred_at == _moment(want.get("occurred_at"))
        assert event.test is want.get("test", False)
        if "dedupe" in want:
            assert event.dedupe_kind is DedupeKind(want["dedupe"])
        found = {term.value for term in sample.receiver.terms(event)}
        assert set(want.get("terms", ())) <= found, found
        assert_sound(sample.receiver, sample.provider.name, event)


def check_repeat_has_same_keys(sample: Sample) -> None:
    """The same delivery sent again later has the same dedupe keys."""
    keys = [
        [(event.dedupe_kind, event.dedupe_key) for event in _parsed(sample, request)]
        for request in (
            sample.sign().as_inbound(),
            sample.sign(now=NOW + timedelta(seconds=5)).as_inbound(),
        )
    ]
    assert keys[0] == keys[1]


def check_fresh(sample: Sample) -> None:
    """A fresh body, signed anew, is another event of the same type; and `fresh` never raises."""
    seen = set()
    for token in ("a", "b7", "0123456789abcdefghijklmnopqrstuv"):
        body = sample.receiver.fresh(sample.case.body, token)
        request = sample.sign(body=body, delivery_id=f"dlv_{token}").as_inbound()
        sample.accepted(request)
        events = _parsed(sample, request)
        assert [event.type for event in events] == [w["type"] for w in sample.case.expect]
        seen |= {event.dedupe_key for event in events}
    one = len({event.dedupe_key for event in _parsed(sample, sample.sign().as_inbound())})
    assert len(seen) == 3 * one
    for body in HOSTILE_BODIES:
        assert isinstance(sample.receiver.fresh(body, "token"), bytes)


def check_reply(sample: Sample) -> None:
    """The answer is a 2xx, also when the body could not be read."""
    for events in (_parsed(sample, sample.sign().as_inbound()), ()):
        reply = sample.receiver.reply(events)
        assert 200 <= reply.status < 300
        assert len(reply.body) < 1_000


def _parsed(sample: Sample, request: InboundRequest) -> tuple[ParsedEvent, ...]:
    proof = sample.accepted(request, now=NOW + timedelta(seconds=5))
    body = request.body if proof.canonical is None else proof.canonical
    return sample.receiver.parse(request, body, sample.settings)


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    assert isinstance(moment, datetime) and moment.tzinfo, "write occurred_at with its offset"
    return moment.astimezone(UTC)


def assert_sound(receiver: Receiver, name: str, event: ParsedEvent) -> None:
    """What the store relies on, for every event that a provider finds in whatever body."""
    assert event.type.startswith(f"{name}.") and len(name) + 1 < len(event.type) <= MAX_TYPE
    assert event.type.isprintable()
    assert event.dedupe_key and isinstance(event.dedupe_key, bytes)
    assert isinstance(event.dedupe_kind, DedupeKind)
    if event.entity_key is not None:
        assert event.entity_key.startswith(f"{name}:") and len(event.entity_key) <= MAX_TYPE
        assert event.entity_key.isprintable()
    if event.occurred_at is not None:
        assert event.occurred_at.utcoffset() == timedelta(0)
    for one in event.document_ids:
        assert isinstance(one, str) and one
        one.encode()
    terms = receiver.terms(event)
    assert len(terms) <= MAX_TERMS and len(set(terms)) == len(terms)
    for term in terms:
        assert term.value and term.value == fold(term.value) and len(term.value) <= MAX_TERM


# --- a whole provider ------------------------------------------------------------------------


def check_described(provider: Provider) -> None:
    """Settings, secrets, retries and event types say in words what they are."""
    receiver = receiver_of(provider)
    assert provider.title and provider.summary.endswith(".")
    defaults = check_settings(receiver.settings, {})
    assert check_settings(receiver.settings, defaults) == defaults
    for field in receiver.settings:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", field.key)
        assert field.label and len(field.help) >= 10
        assert field.kind is not SettingKind.CHOICE or field.default in field.choices
        assert field.kind is not SettingKind.SECONDS or field.maximum, "no bound: no protection"
    roles = [field.role for field in receiver.secrets]
    assert roles and len(set(roles)) == len(roles)
    assert any(field.required for field in receiver.secrets)
    for secret in receiver.secrets:
        assert secret.label and len(secret.help) >= 10
        assert not secret.pattern or secret.pattern_help
        assert not secret.generate or secret_problem(secret, generate_secret(secret)) is None
    assert receiver.retries.timeout_s > 0 and receiver.retries.source
    assert all(delay >= 0 for delay in receiver.retries.delays_s)
    for name, sentence in receiver.event_types.items():
        assert name.startswith(f"{provider.name}.")
        assert len(sentence) >= 10 and sentence.endswith(".")


def check_manual(provider: Provider) -> None:
    """There is an operator's manual, with a title and the address to enter."""
    text = manual(provider)
    assert text.startswith("# ")
    assert "{url}" in text
    assert len(text) > 500


def check_cases(provider: Provider) -> None:
    """There are samples, each under a name of its own, and no body lies about unused."""
    samples = samples_of(provider)
    names = [sample.case.name for sample in samples]
    assert names and len(set(names)) == len(names)
    assert all(sample.case.note.endswith(".") for sample in samples)
    folder = resources.files(provider.package).joinpath("cases")
    table = folder.joinpath("cases.toml").read_text("utf-8")
    for entry in folder.iterdir():
        assert entry.name == "cases.toml" or f'"{entry.name}"' in table, entry.name


def check_hints(provider: Provider) -> None:
    """Every refusal has an advice for the operator, and the usual ones have different ones."""
    receiver = receiver_of(provider)
    advice = {
        reason: receiver.hint(Refused(reason=reason, detail="For this test.")) for reason in Reason
    }
    for text in advice.values():
        assert len(text) >= 20 and text.endswith((".", "?", "!")) and "\n" not in text
    assert len(set(advice.values())) >= 8


def check_no_secret(provider: Provider) -> None:
    """Without a secret of its own, nothing is accepted, and the reason says so."""
    for sample in samples_of(provider):
        request = sample.sign().as_inbound()
        strange = [Secret(id="sec_x", role="no-such-role", value=b"x" * 32)]
        for secrets in ([], strange):
            assert sample.refused(request, secrets=secrets).reason is Reason.NO_SECRET


def check_tolerance_is_used(provider: Provider) -> None:
    """If a tolerance can be set, a sample exists that it applies to."""
    samples = samples_of(provider)
    if any(sample.tolerance("past") is not None for sample in samples):
        late = [sample.verify(sample.sign().as_inbound(), now=NOW + _YEARS) for sample in samples]
        assert any(isinstance(one, Refused) and one.reason is Reason.STALE for one in late)


def check_verify_never_raises(provider: Provider) -> None:
    """Whatever comes, `verify` answers with a verdict, and never accepts a changed body."""
    samples = samples_of(provider)
    moments = st.sampled_from(
        [NOW, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    )

    @given(st.data(), st.sampled_from(samples), moments)
    def holds(data: st.DataObject, sample: Sample, now: datetime) -> None:
        request = data.draw(hostile_requests(sample))
        secrets = data.draw(hostile_secrets(sample.receiver))
        verdict = sample.verify(request, secrets, now=now)
        if isinstance(verdict, Accepted) and provider.proves_body:
            assert request.body == sample.case.body or verdict.canonical is not None
        elif isinstance(verdict, Accepted):
            assert request.query == sample.sign().as_inbound().query, "what proves it is gone"
        else:
            assert isinstance(verdict, Refused)
            assert verdict.detail and sample.receiver.hint(verdict)
        reply = sample.receiver.handshake(request, sample.settings)
        assert reply is None or 200 <= reply.status < 500

    holds()


def check_parse_never_breaks(provider: Provider) -> None:
    """Whatever a proven body holds, `parse` gives sound events or raises Unparsable."""
    samples = samples_of(provider)

    @given(st.sampled_from(samples), hostile_bodies(samples))
    def holds(sample: Sample, body: bytes) -> None:
        read_hostile(sample, body)

    holds()
    for sample in samples:
        for body in spoiled_bodies(sample.case.body):
            read_hostile(sample, body)
    for body in HOSTILE_BODIES:
        read_hostile(samples[0], body)


def read_hostile(sample: Sample, body: bytes) -> None:
    """Signs, verifies and parses a body that may be anything."""
    request = sample.sign(body=body).as_inbound()
    verdict = sample.verify(request)
    if isinstance(verdict, Refused):  # what is signed may only be refused for what it says
        assert verdict.reason in (Reason.MISMATCH, Reason.MALFORMED, Reason.MISSING_HEADER)
    for text in {body, verdict.canonical or body} if isinstance(verdict, Accepted) else {body}:
        try:
            events = sample.receiver.parse(request, text, sample.settings)
        except Unparsable as error:
            assert error.message
            continue
        assert events
        for event in events:
            assert_sound(sample.receiver, sample.provider.name, event)
        assert 200 <= sample.receiver.reply(events).status < 300


def check_secrets_stay_hidden(provider: Provider) -> None:
    """No representation of a secret, a request or a verdict shows a secret."""
    for sample in samples_of(provider):
        secrets = secrets_of(receiver_of(provider), "right")
        request = sample.sign()
        shown = repr(secrets) + repr(request) + repr(sample.accepted(request.as_inbound()))
        for secret in secrets:
            assert secret.value.decode() not in shown
            assert repr(secret.value) not in shown


SAMPLE_CHECKS: tuple[Callable[[Sample], None], ...] = (
    check_round_trip,
    check_tampered_body,
    check_wrong_secret,
    check_unsigned,
    check_header_forms,
    check_lateness,
    check_rotation,
    check_no_off_switch,
    check_expected_events,
    check_repeat_has_same_keys,
    check_fresh,
    check_reply,
)
PROVIDER_CHECKS: tuple[Callable[[Provider], None], ...] = (
    check_described,
    check_manual,
    check_cases,
    check_hints,
    check_no_secret,
    check_tolerance_is_used,
    check_verify_never_raises,
    check_parse_never_breaks,
    check_secrets_stay_hidden,
)
