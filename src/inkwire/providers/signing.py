"""HMAC on bytes, and the small steps that every scheme shares. Pure."""

import base64
import binascii
import hmac
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote_to_bytes

from inkwire.errors import InvalidInput
from inkwire.model.request import InboundRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Reason, Refused
from inkwire.moments import from_micros

#: Most digits of a Unix time in a unit, and the microseconds of that unit.
_UNITS = ((11, 1_000_000), (14, 1_000), (17, 1))
#: Longest header value that is looked at, in bytes: no scheme comes near.
MAX_HEADER = 4096
#: Longest query in bytes, and most parameters, that are looked at: anybody can send one.
MAX_QUERY, MAX_PARAMETERS = 4096, 64


def hmac_sha256(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA256 over the concatenated parts: 32 bytes."""
    return hmac.digest(key, b"".join(parts), "sha256")


def to_base64(digest: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(digest).decode("ascii")


def from_base64(text: bytes) -> bytes | None:
    """The bytes of strict standard base64; None if it is not.

    Alphabet, padding and unused bits are checked, so that a digest has one spelling only.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw) == text else None


def from_hex(text: bytes) -> bytes | None:
    """The bytes of hex, either case, no blanks; None if it is not."""
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        return None


def same(expected: bytes, given: bytes) -> bool:
    """Whether two digests are equal, in constant time."""
    return hmac.compare_digest(expected, given)


def one_header(request: InboundRequest, *names: bytes) -> bytes | Refused:
    """The one value of the first of `names` (lower case) that is present.

    Refused if none is there, if it is there twice, or if it is empty, over-long or not ASCII.
    """
    for name in names:
        values = request.values(name)
        if not values:
            continue
        value = values[0]
        if len(values) == 1 and value and len(value) <= MAX_HEADER and value.isascii():
            return value
        wrong = f"empty, over {MAX_HEADER} bytes or not ASCII"
        if len(values) > 1:
            wrong = f"there {len(values)} times"
        return Refused(
            reason=Reason.MALFORMED, detail=f"The header {name.decode('ascii')} is {wrong}."
        )
    return Refused(
        reason=Reason.MISSING_HEADER, detail=f"The header {names[0].decode('ascii')} is missing."
    )


def one_parameter(request: InboundRequest, name: str) -> bytes | Refused:
    """The one value of a parameter of the URL; Refused as by `one_header`."""
    if len(request.query) > MAX_QUERY or request.query.count(b"&") >= MAX_PARAMETERS:
        return Refused(
            reason=Reason.MALFORMED,
            detail=f"The URL has over {MAX_QUERY} bytes or {MAX_PARAMETERS} parameters.",
        )
    wanted = name.encode()
    pairs = [pair.partition(b"=") for pair in request.query.split(b"&")]
    # A plus stays a plus, unlike in forms: base64 has it.
    values = [unquote_to_bytes(value) for key, _, value in pairs if unquote_to_bytes(key) == wanted]
    if not values:
        return Refused(
            reason=Reason.MISSING_HEADER, detail=f"The URL has no parameter {name or 'of no name'}."
        )
    value = values[0]
    if len(values) > 1 or not value or len(value) > MAX_HEADER or not value.isascii():
        return Refused(
            reason=Reason.MALFORMED,
            detail=f"The parameter {name} is there {len(values)} times, or it is empty, "
            f"over {MAX_HEADER} bytes or not ASCII.",
        )
    return value


def by_role(secrets: Iterable[Secret], role: str) -> list[Secret]:
    """The secrets of one role, in the order given."""
    return [secret for secret in secrets if secret.role == role]


def first_of(secrets: Iterable[Secret], role: str) -> Secret:
    """The secret of `role` to sign with; raises InvalidInput if there is none."""
    for secret in secrets:
        if secret.role == role:
            return secret
    raise InvalidInput(f"Signing needs a secret of the role {role!r}; enter one for the source.")


def matching(secrets: Sequence[Secret], given: Iterable[bytes], *signed: bytes) -> Secret | None:
    """The secret whose HMAC-SHA256 over `signed` equals one of the `given` digests.

    Tries them all, match or not, so that the time taken does not tell which one it was.
    """
    digests = tuple(given)
    found = None
    for secret in secrets:
        expected = hmac_sha256(secret.value, *signed)
        for digest in digests:
            if same(expected, digest) and found is None:
                found = secret
    return found


def parse_rfc3339(text: str) -> datetime | None:
    """An aware UTC datetime from RFC 3339 with an offset; None if it is anything else."""
    try:
        moment = datetime.fromisoformat(text.upper())  # RFC 3339 allows `t` and `z`
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    try:
        return moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def parse_moment(text: str) -> datetime | None:
    """An aware UTC datetime from a Unix time or RFC 3339; None if it is neither.

    A vendor that publishes no unit may mean seconds, milliseconds or microseconds; the size tells
    them apart, since seconds reach eleven digits in the year 5138 only.
    """
    if not (text.isascii() and text.isdigit()):
        return parse_rfc3339(text)
    for digits, micros in _UNITS:
        if len(text) <= digits:
            return from_micros(int(text) * micros)
    return None


def timeliness(
    signed_at: datetime, now: datetime, *, past_s: int, future_s: int
) -> tuple[Reason, str] | None:
    """None if `signed_at` is at most `past_s` old and at most `future_s` ahead (both inclusive)."""
    age = now - signed_at
    if age > timedelta(seconds=past_s):
        return (
            Reason.STALE,
            f"Signed {round(age.total_seconds())} s ago; this source accepts {past_s} s.",
        )
    if -age > timedelta(seconds=future_s):
        return (
            Reason.FUTURE,
            f"Signed {round(-age.total_seconds())} s in the future; "
            f"this source accepts {future_s} s.",
        )
    return None
