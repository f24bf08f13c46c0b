"""Box's words for a sign request, and ours (box.md §2.3). Pure."""

from inkwire.model.document import SignState

_STATES = {
    "signed": SignState.SIGNED,
    "downloaded": SignState.SIGNED,
    "signed and downloaded": SignState.SIGNED,
    "declined": SignState.DECLINED,
    "expired": SignState.EXPIRED,
    "cancelled": SignState.CANCELLED,
}


def state_of(status: str) -> SignState:
    """Ours for Box's; a word that is not known is an open request, never an end."""
    if status == "error" or status.startswith("error_"):
        return SignState.FAILED
    return _STATES.get(status, SignState.OPEN)


def words_for(state: SignState, reason: str) -> str:
    """A sentence for the order's timeline."""
    because = f": {reason}" if reason else ""
    return {
        SignState.OPEN: "The sign request is still open.",
        SignState.SIGNED: "Everybody signed.",
        SignState.DECLINED: f"A signer declined{because}.",
        SignState.EXPIRED: "The sign request ran out of time.",
        SignState.CANCELLED: (
            f"The sign request was cancelled at Box{because}. To have it signed, set the trigger "
            "status again."
        ),
        SignState.FAILED: (
            f"Box could not finish the sign request{because}. Look at the document, then set the "
            "trigger status again: only a new request helps."
        ),
    }[state]


def trigger_of(state: SignState) -> str:
    """What the webhook of that state is called: the same work, however it was found."""
    return {
        SignState.SIGNED: "SIGN_REQUEST.COMPLETED",
        SignState.DECLINED: "SIGN_REQUEST.DECLINED",
        SignState.EXPIRED: "SIGN_REQUEST.EXPIRED",
    }.get(state, f"SIGN_REQUEST.{state.value.upper()}")
