"""How a webhook is signed, timed, repeated and given up: its profile, as data. Pure.

Who signs is the provider's own `receive.sign`, so that there is one way to sign each scheme.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from inkwire import __version__
from inkwire.errors import InvalidInput, Unparsable
from inkwire.model.message import Claimed, TextHeaders
from inkwire.model.source import Secret
from inkwire.model.webhook import ProfileName, WebhookState
from inkwire.providers.bolosign.receive import BolosignReceiver
from inkwire.providers.bolosign.stringify import stringify
from inkwire.providers.box.receive import BoxReceiver
from inkwire.providers.boxc.receive import BoxcReceiver
from inkwire.providers.contract import Receiver
from inkwire.providers.standardwebhooks.receive import StandardWebhooksReceiver

#: Seconds; the ends of what a rotation's overlap may be, and what it is if nobody says.
DAY_S = 24 * 3600
MAX_HEADERS = 20
MAX_HEADER_NAME = 100
MAX_HEADER_VALUE = 4096

_AGENT = f"Inkwire/{__version__}"
_WHSEC = "whsec_"
#: Bytes of a key of Standard Webhooks (the specification: 24 to 64).
_WHSEC_BYTES = range(24, 65)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
#: Never a webhook's own: they frame the request, say what it holds, or sign it.
_RESERVED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-signature",
        "x-timestamp",
    }
)
_RESERVED_PREFIXES = ("webhook-", "svix-", "x-boxc-", "box-", "x-box-signature", "proxy-")


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One way to deliver. Times are seconds."""

    name: ProfileName
    title: str
    #: Prefix of the event types that `receiver` signs.
    provider: str
    receiver: Receiver
    #: Roles of the newest key, the next one and so on; keys beyond them do not sign.
    roles: tuple[str, ...]
    #: Waits after the first failure, the second … : one attempt more than there are waits.
    delays_s: tuple[float, ...]
    #: Each wait is stretched by a share drawn between these, so that failures spread out.
    jitter: tuple[float, float]
    #: Least wait after 429 and after a timeout: an endpoint that is overrun needs air.
    overrun_s: float = 0.0
    #: Retry-After counts up to the wait times this, or up to `retry_after_s` if that is more.
    retry_after_factor: float = 1.0
    retry_after_s: float = 0.0
    #: For the whole attempt, and until it is connected.
    timeout_s: float
    connect_timeout_s: float
    #: What becomes of the webhook when its endpoint has failed for good; None: nothing.
    at_end: WebhookState | None
    #: None: as the provider signs, else our own name.
    user_agent: str | None = None
    #: Seconds for which a replaced key goes on signing beside the new one.
    overlap_s: int = 0
    max_overlap_s: int = 0
    #: Most characters of an address.
    max_address: int = 2048
    #: Characters of a key.
    min_key: int
    max_key: int

    @property
    def attempts(self) -> int:
        """How often a delivery is tried at most."""
        return len(self.delays_s) + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """A request that is ready to be sent by POST."""

    url: str
    headers: TextHeaders = field(repr=False)
    body: bytes = field(repr=False)


def _standard() -> Profile:
    receiver = StandardWebhooksReceiver()
    return Profile(
        name=ProfileName.STANDARD,
        title="Standard Webhooks",
        provider="standardwebhooks",
        receiver=receiver,
        roles=("secret",),
        # The specification's example schedule: 10 attempts over 75 h 35 min.
        delays_s=receiver.retries.delays_s,
        jitter=(-0.1, 0.1),
        overrun_s=60.0,
        # An hour: long enough for a maintenance window, too short to park a queue for days.
        retry_after_s=3600.0,
        timeout_s=receiver.retries.timeout_s,
        connect_timeout_s=5.0,
        at_end=WebhookState.DISABLED,
        user_agent=_AGENT,
        overlap_s=DAY_S,
        max_overlap_s=7 * DAY_S,
        min_key=len(_WHSEC) + 32,
        max_key=len(_WHSEC) + 88,
    )


def _boxc() -> Profile:
    receiver = BoxcReceiver()
    return Profile(
        name=ProfileName.BOXC,
        title="BoxC",
        provider="boxc",
        receiver=receiver,
        roles=("key",),
        # 60 s doubled each time: 12 attempts over 34.1 h (R147).
        delays_s=receiver.retries.delays_s,
        # Never earlier than the schedule, at most 36 h in all: still "about 34 hours".
        jitter=(0.0, 0.05),
        # BoxC's API knows no Retry-After. Twice the wait keeps a delivery within 68 h whatever an
        # endpoint asks for.
        retry_after_factor=2.0,
        timeout_s=5.0,
        connect_timeout_s=5.0,
        at_end=WebhookState.DELETED,
        # Our own name, since we are not BoxC; its text beside it, for whoever looks for that.
        user_agent=f"{_AGENT} (BoxC/1.0 Webhook)",
        max_address=128,
        # Seed 004 (R139); BoxC takes up to 40 today, but its own prose still says 32 (C22), and
        # a key of 32 fits both.
        min_key=16,
        max_key=32,
    )


def _as_vendor(
    name: ProfileName, title: str, receiver: Receiver, roles: tuple[str, ...]
) -> Profile:
    """A vendor's own way of sending, for sandboxes: its headers, its schedule.

    BoloSign repeats nothing, and neither vendor gives a webhook up over one delivery.
    """
    described = next(item for item in receiver.secrets if item.role == roles[0])
    return Profile(
        name=name,
        title=title,
        provider=name.value,
        receiver=receiver,
        roles=roles,
        delays_s=receiver.retries.delays_s,
        jitter=(0.0, 0.05),
        timeout_s=receiver.retries.timeout_s,
        connect_timeout_s=min(5.0, receiver.retries.timeout_s),
        at_end=None,
        # A vendor with two keys signs with both, so that they can be changed one by one.
        overlap_s=DAY_S if len(roles) > 1 else 0,
        max_overlap_s=7 * DAY_S if len(roles) > 1 else 0,
        min_key=described.min_length,
        max_key=described.max_length,
    )


PROFILES: Mapping[ProfileName, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            _standard(),
            _boxc(),
            _as_vendor(ProfileName.BOX, "Box", BoxReceiver(), ("primary", "secondary")),
            _as_vendor(ProfileName.BOLOSIGN, "BoloSign", BolosignReceiver(), ("secret",)),
        )
    }
)


# --- signing


def signed(claimed: Claimed, now: datetime) -> Signed:
    """The request of an attempt that begins `now`, signed with the keys that are valid.

    The body goes out byte for byte (R152), except as BoloSign: its receivers check the signature
    of `JSON.stringify(payload)` (R115), so that text is what is sent and signed. The webhook's own
    headers are added; one that the profile sends itself is left out. Raises InvalidInput without a
    usable key.
    """
    if claimed.target.profile is ProfileName.BOLOSIGN:
        claimed = replace(claimed, body=_stringified(claimed.body))
    target = claimed.target
    profile = PROFILES[target.profile]
    if not target.keys:
        raise InvalidInput(
            f"Webhook {target.webhook_id} has no valid signing key; give it a new one."
        )
    headers = dict(_signing_headers(profile, claimed, now))
    if profile.user_agent is not None:
        headers["User-Agent"] = profile.user_agent
    headers.setdefault("User-Agent", _AGENT)
    own = target.headers
    if own:
        ours = {name.lower() for name in headers} | _RESERVED
        own = tuple((name, value) for name, value in own if name.lower() not in ours)
    return Signed(url=target.address, headers=(*headers.items(), *own), body=claimed.body)


def _stringified(body: bytes) -> bytes:
    """As Node writes it; what Node cannot read goes out as it is."""
    try:
        return stringify(body)
    except Unparsable:
        return body


def _signing_headers(profile: Profile, claimed: Claimed, now: datetime) -> TextHeaders:
    if profile.name is not ProfileName.STANDARD or len(claimed.target.keys) == 1:
        return _sign(profile, claimed, now, skip=0)
    # Each valid key gives a signature of its own, so that a receiver may hold any of them.
    each = [_sign(profile, claimed, now, skip=place) for place in range(len(claimed.target.keys))]
    signature = " ".join(dict(headers)["webhook-signature"] for headers in each)
    return tuple((dict(each[0]) | {"webhook-signature": signature}).items())


def _sign(profile: Profile, claimed: Claimed, now: datetime, *, skip: int) -> TextHeaders:
    """The provider's headers, signed with the keys behind the newest `skip`."""
    keys = claimed.target.keys[skip:]
    request = profile.receiver.sign(
        claimed.body,
        [
            Secret(id=key.id, role=role, value=key.value)
            for role, key in zip(profile.roles, keys, strict=False)
        ],
        {"account": claimed.message.account},
        now,
        event_type=f"{profile.provider}.{claimed.message.topic}",
        delivery_id=_delivery_id(profile, claimed),
    )
    return request.headers


def _delivery_id(profile: Profile, claimed: Claimed) -> str:
    """Standard Webhooks: the message's id, the same over repeats. Box: another each time (R89)."""
    if profile.name is ProfileName.BOX:
        return f"{claimed.delivery.id}-{claimed.delivery.attempts + 1}"
    return claimed.message.id


# --- keys


def check_key(name: ProfileName, text: str) -> str | None:
    """What is wrong with a signing key of the profile; None if nothing. Never repeats it."""
    profile = PROFILES[name]
    if name is ProfileName.STANDARD:
        return _whsec_problem(text)
    if not profile.min_key <= len(text) <= profile.max_key:
        return f"must be {profile.min_key} to {profile.max_key} characters; this has {len(text)}"
    if not text.isprintable():
        return "must hold printable characters only; choose another one"
    return None


def generate_key(name: ProfileName, token_bytes: Callable[[int], bytes]) -> str | None:
    """A new key; None for BoxC's profile, whose keys the application chooses (R139).

    `token_bytes` gives that many random bytes.
    """
    if name is ProfileName.BOXC:
        return None
    if name is ProfileName.STANDARD:
        return _WHSEC + base64.b64encode(token_bytes(32)).decode("ascii")
    profile = PROFILES[name]
    text = base64.urlsafe_b64encode(token_bytes(24)).decode("ascii")
    return text[: profile.max_key]


def _whsec_problem(text: str) -> str | None:
    wrong = "must be whsec_ and the base64 of 24 to 64 random bytes; leave it out to get one"
    if not text.startswith(_WHSEC):
        return wrong
    encoded = text.removeprefix(_WHSEC)
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return wrong
    if base64.b64encode(key).decode("ascii") != encoded or len(key) not in _WHSEC_BYTES:
        return wrong
    return None


# --- a webhook's own headers


def check_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What is wrong with a webhook's own headers, by path `headers.NAME`. Never repeats a value."""
    given = tuple(headers)
    if len(given) > MAX_HEADERS:
        return {"headers": f"must be at most {MAX_HEADERS}"}
    wrong: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in given:
        problem = _name_problem(name) or _value_problem(value)
        if problem is None and name.lower() in seen:
            problem = "is there twice; names are the same in either case"
        seen.add(name.lower())
        if problem is not None:
            shown = name if _TOKEN.fullmatch(name) else ascii(name)[1:-1]
            wrong[f"headers.{shown[:MAX_HEADER_NAME]}"] = problem
    return wrong


def is_reserved(name: str) -> bool:
    """Whether a header of that name is ours or the connection's, never a webhook's own."""
    lower = name.lower()
    return lower in _RESERVED or lower.startswith(_RESERVED_PREFIXES)


def _name_problem(name: str) -> str | None:
    """A name is a token of RFC 9110, and none of ours."""
    if len(name) > MAX_HEADER_NAME or not _TOKEN.fullmatch(name):
        return (
            f"must have a name of at most {MAX_HEADER_NAME} letters, digits, hyphens and the like"
        )
    if is_reserved(name):
        return "is a header that Inkwire sets itself; choose another name"
    return None


def _value_problem(value: str) -> str | None:
    if len(value) <= MAX_HEADER_VALUE and _VALUE.fullmatch(value):
        return None
    return (
        f"must have a value of 1 to {MAX_HEADER_VALUE} printable ASCII characters, without blanks "
        "at the ends and without line breaks"
    )
