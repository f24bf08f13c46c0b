"""What the provider contract suite works with: samples, secrets, and hostile input.

Everything comes from the provider itself (its `Provider` and its `cases/`), so a folder that is
dropped in is tested without an edit here. Conventions: a tolerance is a setting named
`tolerance_s` (both ways), or `tolerance_past_s` and `tolerance_future_s`.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hypothesis import Phase, find, settings
from hypothesis import strategies as st

from inkwire.model.request import InboundRequest, SignedRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, Refused, Verdict
from inkwire.providers.contract import Provider, Receiver, SecretField, Settings
from inkwire.providers.registry import Case, cases
from inkwire.providers.settings import check_settings
from inkwire.sources.checks import secret_problem

#: The first text that fits is as good as the simplest, which takes half a minute to find.
FIRST = settings(max_examples=2_000, phases=[Phase.generate], database=None, derandomize=True)
#: The sets of secrets that the checks tell apart.
SALTS = ("right", "wrong", "old", "new")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One case of a provider, ready to be signed and verified."""

    provider: Provider
    case: Case
    settings: Settings

    @property
    def receiver(self) -> Receiver:
        assert self.provider.receive is not None
        return self.provider.receive

    def secrets(self, salt: str = SALTS[0]) -> list[Secret]:
        return secrets_of(self.receiver, salt)

    def sign(
        self,
        secrets: list[Secret] | None = None,
        *,
        body: bytes | None = None,
        settings: Settings | None = None,
        now: datetime = NOW,
        delivery_id: str = "dlv_000000000000000000000001",
    ) -> SignedRequest:
        return self.receiver.sign(
            self.case.body if body is None else body,
            secrets or self.secrets(),
            settings or self.settings,
            now,
            event_type=self.case.event_type,
            delivery_id=delivery_id,
        )

    def verify(
        self,
        request: InboundRequest,
        secrets: list[Secret] | None = None,
        *,
        settings: Settings | None = None,
        now: datetime = NOW,
    ) -> Verdict:
        return self.receiver.verify(
            request,
            self.secrets() if secrets is None else secrets,
            self.settings if settings is None else settings,
            now,
        )

    def accepted(self, request: InboundRequest, **how: Any) -> Accepted:
        verdict = self.verify(request, **how)
        assert isinstance(verdict, Accepted), verdict
        return verdict

    def refused(self, request: InboundRequest, **how: Any) -> Refused:
        verdict = self.verify(request, **how)
        assert isinstance(verdict, Refused), "accepted what must be refused"
        return verdict

    def tolerance(self, way: str) -> int | None:
        """Seconds of tolerance, `way` being past or future; None if the settings know none."""
        value = self.settings.get(f"tolerance_{way}_s", self.settings.get("tolerance_s"))
        return None if value is None else int(value)


def samples_of(provider: Provider) -> list[Sample]:
    """The cases of a provider, each with its settings complete."""
    assert provider.receive is not None
    fields = provider.receive.settings
    return [
        Sample(provider=provider, case=one, settings=check_settings(fields, one.settings))
        for one in cases(provider)
    ]


def secrets_of(receiver: Receiver, salt: str) -> list[Secret]:
    """One secret of each role that can be entered for it; others for another salt."""
    texts = {field: secret_text(field, salt) for field in receiver.secrets}
    assert [secret_problem(field, text) for field, text in texts.items()] == [None] * len(texts)
    return [
        Secret(id=f"sec_{salt}_{field.role}", role=field.role, value=text.encode())
        for field, text in texts.items()
    ]


def secret_text(field: SecretField, salt: str) -> str:
    """A text that `field` takes, the same for the same salt."""
    digest = hashlib.sha256(f"{salt}:{field.role}".encode()).digest()
    text = base64.b64encode(digest[:24]).decode()
    text = (text * (field.min_length // len(text) + 1))[: max(32, field.min_length)]
    text = text[: field.max_length]
    if not field.pattern or re.fullmatch(field.pattern, text, re.ASCII):
        return text
    return fitting_texts(field)[SALTS.index(salt)]


@cache
def fitting_texts(field: SecretField) -> tuple[str, ...]:
    """As many texts that fit the pattern of `field` as there are salts, all different."""
    fitting = st.from_regex(re.compile(field.pattern, re.ASCII), fullmatch=True).filter(
        lambda text: field.min_length <= len(text) <= field.max_length and text == text.strip()
    )
    found: list[str] = []
    for _ in SALTS:
        found.append(find(fitting, lambda text: text not in found, settings=FIRST))
    return tuple(found)


def altered(request: InboundRequest, **changes: Any) -> InboundRequest:
    """The request with some of its parts replaced."""
    parts = {name: getattr(request, name) for name in ("method", "path", "query", "headers")}
    return InboundRequest(**{**parts, "body": request.body, **changes})


def flipped(body: bytes, at: int) -> bytes:
    """The body with one bit of the byte at `at` turned."""
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


# --- hostile input ---------------------------------------------------------------------------

#: Bodies that have broken a parser somewhere.
HOSTILE_BODIES = (
    b"",
    b" ",
    b"null",
    b"true",
    b"0",
    b'"text"',
    b"{}",
    b"[]",
    b"[{}]",
    b"[[]]",
    b"NaN",
    b'{"id":NaN}',
    b'{"id":Infinity}',
    b'\xef\xbb\xbf{"id":"1"}',
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    b"1" * 5_000,
    b'{"id":' + b"9" * 400 + b"}",
    b'{"id":1e999}',
    b'"\\ud800"',
    b'{"id":"\\udc00\\ud800","type":"\\ud83d","trigger":"\\ude00"}',
    '{"id":"1"}'.encode("utf-16"),
    b'{"id":"\xc3\x28"}',
    b'{"a":1,"a":2}',
    b'{"id":"\\u0000","type":"\\u0000"}',
    b'{"type":"' + b"x" * 10_000 + b'"}',
    b'{"id":"1"}\n{"id":"2"}',
    b"\x00",
    b"a=1&b=%ff",
)
_HOSTILE_VALUES = (
    b"",
    b" ",
    b",",
    b"=",
    b"v1,",
    b"v1," * 1_000,
    b"t=",
    b"t=1,v1=",
    b"sha256=",
    b"9" * 400,
    b"9" * 5_000,
    b"-1",
    b"1e400",
    b"nan",
    b"inf",
    b"\xff\xfe",
    "\u0663".encode(),
    b"2016-07-11T10:10:33",
    b"0001-01-01T00:00:00+23:59",
    b"9999-12-31T23:59:59-23:59",
    b"\x00",
)
_HOSTILE_TEXTS = ("", " ", "\ud800", "\x00", "\n", "\u202e", "x" * 5_000, "2026-01-01T00:00:00Z")
#: What a member may hold in place of what it should.
_SPOILED = (*_HOSTILE_TEXTS, None, True, 0, -1, 10**30, 1.5, [], {}, [[]], [None, 1], {"id": []})
_TEXT = st.text(max_size=20) | st.sampled_from(_HOSTILE_TEXTS)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=8,
)


def _encoded(value: Any, escaped: bool) -> bytes:
    return json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")


def _paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield here
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, below in inner:
            yield from _paths(below, (*here, key))


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path or not isinstance(value, dict | list):
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    try:
        copy[path[0]] = _replaced(copy[path[0]], path[1:], new)
    except (KeyError, IndexError, TypeError):  # an earlier change took this place away
        return new
    return copy


def spoiled_bodies(body: bytes) -> Iterator[bytes]:
    """The sample with each of its outer members, one by one, holding each wrong thing."""
    try:
        value = json.loads(body)
    except ValueError:
        return
    for path in _paths(value):
        if 1 <= len(path) <= 2:
            yield from (_encoded(_replaced(value, path, wrong), True) for wrong in _SPOILED)


@st.composite
def twisted_bodies(draw: st.DrawFn, body: bytes) -> bytes:
    """A real sample in which some values have become something else."""
    try:
        value = json.loads(body)
    except ValueError:
        at = draw(st.integers(0, len(body)))
        return body[:at] + draw(st.binary(max_size=20)) + body[at:]
    places = list(_paths(value))
    for _ in range(draw(st.integers(1, 3))):
        value = _replaced(value, draw(st.sampled_from(places)), draw(_JSON))
    return _encoded(value, draw(st.booleans()))


def hostile_bodies(samples: list[Sample]) -> st.SearchStrategy[bytes]:
    """Anything: known troublemakers, random bytes, random JSON, real samples gone wrong."""
    return st.one_of(
        st.sampled_from(HOSTILE_BODIES),
        st.binary(max_size=200),
        st.builds(_encoded, _JSON, st.booleans()),
        st.sampled_from(samples).flatmap(lambda one: twisted_bodies(one.case.body)),
    )


@st.composite
def hostile_requests(draw: st.DrawFn, sample: Sample) -> InboundRequest:
    """A rightly signed request to which anything may have happened on the way."""
    request = sample.sign().as_inbound()
    headers = list(request.headers)
    values = st.binary(max_size=60) | st.sampled_from(_HOSTILE_VALUES)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(headers) - 1)))
        what = draw(st.sampled_from(["drop", "repeat", "replace", "cut", "add"]))
        if what == "add" or not headers:
            headers.append((draw(st.binary(max_size=20)), draw(values)))
            continue
        name, value = headers.pop(at)
        if what == "repeat":
            headers += [(name, value), (name, draw(values))]
        elif what == "replace":
            headers.append((name, draw(values)))
        elif what == "cut":
            headers.append((name, value[: draw(st.integers(0, len(value)))]))
    return altered(
        request,
        method=draw(st.sampled_from(["POST", "GET", "PUT", ""])),
        path=draw(st.sampled_from([request.path, "", "/in/%00", "/in/x/../y"])),
        query=draw(st.just(request.query) | values),
        headers=tuple(headers),
        body=draw(st.just(request.body) | hostile_bodies([sample])),
    )


@st.composite
def hostile_secrets(draw: st.DrawFn, receiver: Receiver) -> list[Secret]:
    """The right secrets, and some of any bytes and any role beside them."""
    roles = [field.role for field in receiver.secrets] + ["", "other"]
    made = st.builds(
        Secret,
        id=st.just("sec_x"),
        role=st.sampled_from(roles),
        value=st.binary(max_size=80) | st.just(b"whsec_"),
    )
    return secrets_of(receiver, "right") + draw(st.lists(made, max_size=4))
