"""Statements signed by an application's key, for a token (JWT bearer; RFC 7523). Checked, no more.

What Salesforce says about a wrong one is known by its words from public reports; which fault it
looks at first is not.
"""

from datetime import UTC, datetime
from typing import Any

from inkwire.errors import InvalidInput

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: Seconds that a statement may lie ahead: three minutes, and what clocks differ.
_MOST_S = 300
#: Hosts that stand for any organisation, which External Client Apps do not take.
LOGIN = ("https://login.salesforce.com", "https://test.salesforce.com")
_INVALID = ("invalid_grant", "invalid assertion")
#: Claims that a reader must not judge by its own clock and rules.
_UNJUDGED: Any = dict.fromkeys(
    (f"verify_{name}" for name in ("exp", "aud", "nbf", "iat", "jti", "sub", "iss")), False
)
_UNPROVEN: Any = {"verify_signature": False, **_UNJUDGED}


class Unfit(Exception):
    """A statement that gives no token: OAuth's error and its description."""

    def __init__(self, error: str, description: str) -> None:
        """As the token endpoint words it."""
        super().__init__(error)
        self.error, self.description = error, description


def public_key(pem: str, now: datetime | None = None) -> Any:
    """The key of a certificate, or a bare public key, as PEM. Raises InvalidInput.

    `now`: when a certificate has to be valid; None: never mind.
    """
    from cryptography import x509  # noqa: PLC0415 - heavy, and only this grant needs it
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    raw = pem.encode()
    try:
        if "BEGIN CERTIFICATE" in pem:
            certificate = x509.load_pem_x509_certificate(raw)
            begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
            if now is not None and not begins <= now <= ends:
                raise InvalidInput(fields={"certificate": "is not valid at this time"})
            key: Any = certificate.public_key()
        else:
            key = load_pem_public_key(raw)
    except ValueError:
        key = None
    if not isinstance(key, RSAPublicKey):
        raise InvalidInput(fields={"certificate": "must be a certificate of an RSA key, as PEM"})
    return key


def claims_of(
    statement: str, *, client_id: str, certificate: str, addresses: tuple[str, ...], now: datetime
) -> dict[str, Any]:
    """The claims of a statement that is proven, in time and made out to us. Raises Unfit.

    `certificate`: what was uploaded to the application, "" if nothing; `addresses`: ours.
    """
    import jwt  # noqa: PLC0415 - heavy, and only this grant needs it

    try:
        told = jwt.decode(statement, options=_UNPROVEN)
        if told.get("iss") != client_id:
            raise Unfit("invalid_client_id", "client identifier invalid")
        key = public_key(certificate, now)
        claims = jwt.decode(statement, key, algorithms=["RS256"], options=_UNJUDGED)
    except (jwt.PyJWTError, InvalidInput):
        raise Unfit(*_INVALID) from None
    _check_address(claims.get("aud"), addresses)
    ends = _moment(claims.get("exp"))
    if ends is None or ends.timestamp() > now.timestamp() + _MOST_S:
        raise Unfit(*_INVALID)
    if ends <= now:
        # The words are those for codes, although there is none.
        raise Unfit("invalid_grant", "expired authorization code")
    return claims


def _check_address(address: object, addresses: tuple[str, ...]) -> None:
    if address in addresses:
        return
    if address in LOGIN:
        raise Unfit("app_not_found", "External client app is not installed in this org")
    raise Unfit("invalid_grant", "audience is invalid")


def _moment(seconds: object) -> datetime | None:
    """Seconds since 1970, as a number or as text; some clients send it so."""
    text = str(seconds)
    if isinstance(seconds, bool) or not (text.isascii() and text.isdigit() and len(text) <= 11):
        return None
    return datetime.fromtimestamp(int(text), UTC)
