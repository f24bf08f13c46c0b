"""What comes of proving a request: `Accepted` or `Refused`, both values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class MatchedOn(StrEnum):
    """Which bytes the signature covered."""

    RAW = "raw"
    #: BoloSign: `JSON.stringify` of the parsed body (seed 003, C18).
    RESERIALIZED = "reserialized"
    #: Box: the body with every non-ASCII character as `\\uXXXX`.
    ESCAPED = "escaped"


class Reason(StrEnum):
    """Why a request was refused. The value is stored, shown and filtered by."""

    MISSING_HEADER = "missing_header"
    BAD_SIGNATURE = "bad_signature"
    STALE = "stale"
    FUTURE = "future"
    WRONG_VERSION = "wrong_version"
    MALFORMED = "malformed"
    #: The headers disagree with the signed body (BoxC's topic, R138).
    MISMATCH = "mismatch"
    #: The source holds no secret that is valid now.
    NO_SECRET = "no_secret"
    # Refusals by the endpoint itself, before any provider was asked:
    UNKNOWN_SOURCE = "unknown_source"
    METHOD = "method"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    ENCODED = "encoded"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """The sender is proven."""

    #: Id of the secret whose signature matched.
    secret_id: str
    matched_on: MatchedOn = MatchedOn.RAW
    #: When the sender says it signed; None if the scheme carries no time.
    signed_at: datetime | None = None
    #: The text to parse in place of the raw body, when only that text was signed.
    canonical: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """The request is not accepted."""

    reason: Reason
    #: What was found, in one sentence for an operator; never a secret or a computed signature.
    detail: str
    #: Set when the signature is right and only the time is wrong (stale): it can be quarantined.
    proof: Accepted | None = None


Verdict = Accepted | Refused
