"""What an operator can do about a refusal, where it is the same for every vendor. Pure."""

from collections.abc import Mapping

from inkwire.model.verdict import Reason, Refused

_COMMON: Mapping[Reason, str] = {
    Reason.MISSING_HEADER: (
        "The sender signs nothing, or something on the way drops its headers. "
        "Look at the proxy in front of this hub."
    ),
    Reason.BAD_SIGNATURE: (
        "The secret of this source is not the one the sender signs with, or a proxy rewrites the "
        "body. Compare the secret with the vendor's console, and enter it again."
    ),
    Reason.STALE: (
        "The signature is right, only the time is past; the request waits in the quarantine. "
        "Compare this machine's clock with the real time; after an outage, release what waits."
    ),
    Reason.FUTURE: (
        "The sender's clock is ahead of this machine's. Let both follow a time server (NTP)."
    ),
    Reason.WRONG_VERSION: (
        "The sender signs in a way that this release does not know. Look for a newer release."
    ),
    Reason.MALFORMED: (
        "A header is not in the form that this vendor sends. The request comes from somebody else, "
        "or a proxy doubles or rewrites headers."
    ),
    Reason.MISMATCH: (
        "The headers, which are not signed, say something else than the signed body. "
        "Treat it as a forgery until the vendor explains it."
    ),
    Reason.NO_SECRET: "Enter the secret of this source; until then nothing can be accepted.",
    Reason.UNKNOWN_SOURCE: (
        "No source has this address. Compare the URL in the vendor's console with the one on the "
        "source's page."
    ),
    Reason.METHOD: (
        "Webhooks come as POST. A browser or a health check that opens the URL is harmless."
    ),
    Reason.TOO_LARGE: (
        "The body is larger than this source takes. If it is genuine, raise the source's limit."
    ),
    Reason.TOO_SLOW: (
        "The body did not arrive in time. Look at the network and the proxy in front of this hub."
    ),
    Reason.ENCODED: (
        "The body is compressed, which would break the signature. "
        "Switch compression of requests off at the sender or the proxy."
    ),
    Reason.UNAVAILABLE: (
        "The hub could not store it and asked the sender to come back. `inkwire doctor` says why."
    ),
}


def hint(refused: Refused, own: Mapping[Reason, str]) -> str:
    """The vendor's own advice for this refusal if there is one, else the common one."""
    return own.get(refused.reason) or _COMMON[refused.reason]
