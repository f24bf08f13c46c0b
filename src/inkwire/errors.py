"""Every error that Inkwire raises on purpose, in one tree.

    InkwireError
    ├── ConfigError              a setting, `inkwire.toml` or the machine is wrong: an operator acts
    ├── InvalidInput             what somebody sent does not fit; names the fields
    ├── Unauthenticated          nobody is signed in, or the API key is unknown
    ├── Forbidden                signed in, but the role or scope does not reach this far
    ├── NotFound                 no such object, or not one that the caller may see
    ├── Conflict                 the object is not in a state that allows this
    ├── RateLimited              too many tries; says when to come back
    ├── Unparsable               a proven body that its provider cannot read
    ├── AddressRefused           the guard does not let a request go to that address
    ├── CallFailed               a step of a run did not work; its kind alone decides what follows
    │   ├── Transient            try again soon
    │   ├── Ambiguous            a create whose outcome is unknown: probe before a repeat
    │   ├── NeedsAttention       the connection's credentials or rights: parked until mended
    │   ├── LimitReached         a vendor's limit: parked until its window frees
    │   ├── Permanent            a person must change something, then retry
    │   ├── Held                 a person must decide before it may go on
    │   └── Fenced               another executor has taken this over: stop, without effects
    └── StoreError               the store could not do it
        ├── StoreBusy            locked or over its backlog: try again, nothing was kept
        ├── StoreFull            no room on the disk: nothing was kept
        ├── StoreOutdated        the schema is not the one this release needs
        └── CipherError          the master key is missing, or does not open this value

A class's docstring is its default message, so it speaks to the person who meets it and tells them
what to do next. A refusal of a webhook is no error but a value: see `inkwire.model.verdict`.
"""

from collections.abc import Mapping
from typing import ClassVar


class InkwireError(Exception):
    """Inkwire could not do that; the log of this process says why."""

    #: HTTP status that the API answers with; a CLI call ends with exit code 1 (2 for input).
    status: ClassVar[int] = 500
    #: Stable name of the kind, used in problem+json (`type`) and in logs.
    code: str = "internal"

    def __init__(self, message: str | None = None) -> None:
        """`message`: a sentence for a person; the class's docstring if none is given."""
        self.message = message or " ".join((type(self).__doc__ or "").split())
        super().__init__(self.message)


class ConfigError(InkwireError):
    """The configuration is not usable; correct it and start again."""

    code = "config"


class InvalidInput(InkwireError):
    """Something in the request does not fit; correct the named fields and send it again."""

    status = 422
    code = "invalid_input"

    def __init__(
        self, message: str | None = None, *, fields: Mapping[str, str] | None = None
    ) -> None:
        """`fields`: path of each wrong field to a sentence that says what it should be."""
        self.fields = dict(fields or {})
        if message is None and self.fields:
            message = "; ".join(f"{path}: {text}" for path, text in self.fields.items())
        super().__init__(message)


class Unauthenticated(InkwireError):
    """Sign in, or send an API key as `Authorization: Bearer …`."""

    status = 401
    code = "unauthenticated"

    def __init__(self, message: str | None = None, *, code: str = "unauthenticated") -> None:
        """`code`: a narrower name of why, for programs."""
        self.code = code
        super().__init__(message)


class Forbidden(InkwireError):
    """Your role or API key does not allow this; ask an administrator for the scope."""

    status = 403
    code = "forbidden"


class NotFound(InkwireError):
    """There is no such object, or it is not yours to see."""

    status = 404
    code = "not_found"


class Conflict(InkwireError):
    """The object is not in a state that allows this; read it again and decide anew."""

    status = 409
    code = "conflict"

    def __init__(self, message: str | None = None, *, code: str = "conflict") -> None:
        """`code`: a narrower name of the conflict, for programs."""
        self.code = code
        super().__init__(message)


class RateLimited(InkwireError):
    """Too many tries; wait a while and try again."""

    status = 429
    code = "rate_limited"

    def __init__(self, message: str | None = None, *, retry_after_s: int = 60) -> None:
        """`retry_after_s`: whole seconds until another try makes sense."""
        self.retry_after_s = retry_after_s
        super().__init__(message)


class Unparsable(InkwireError):
    """The sender is proven but its body cannot be read; it is kept as it came."""

    status = 400
    code = "unparsable"


class AddressRefused(InkwireError):
    """Webhooks do not reach that address; register a public one, or ask the operator."""

    status = 422
    code = "address_refused"


class CallFailed(InkwireError):
    """A step did not work; the run's page says which and why."""

    status = 502
    code = "call_failed"


class Transient(CallFailed):
    """The other side could not do it just now; Inkwire tries again by itself."""

    code = "transient"

    def __init__(self, message: str | None = None, *, retry_after_s: float | None = None) -> None:
        """`retry_after_s`: seconds that the other side asked us to wait."""
        self.retry_after_s = retry_after_s
        super().__init__(message)


class Ambiguous(CallFailed):
    """Nobody knows whether the other side did it; Inkwire looks before it sends it again."""

    code = "ambiguous"


class NeedsAttention(CallFailed):
    """The connection's credentials or rights do not suffice; open the connection and mend it."""

    code = "needs_attention"


class LimitReached(CallFailed):
    """The other side's limit is used up; the work waits until it frees."""

    code = "limit_reached"

    def __init__(self, message: str | None = None, *, retry_after_s: float = 60) -> None:
        """`retry_after_s`: seconds until the window frees."""
        self.retry_after_s = retry_after_s
        super().__init__(message)


class Permanent(CallFailed):
    """This does not work as it stands; change what the message names, then retry."""

    code = "permanent"


class Held(CallFailed):
    """A person must decide before this goes on; the run's page has the question."""

    code = "held"


class Fenced(CallFailed):
    """Another worker has taken this run over; nothing was sent."""

    code = "fenced"


class StoreError(InkwireError):
    """The store could not do that; `inkwire doctor` checks it."""

    status = 503
    code = "store"


class StoreBusy(StoreError):
    """The store is busy; nothing was kept, send it again in a moment."""

    code = "store_busy"


class StoreFull(StoreError):
    """The disk of the store is full; free some room, nothing new is kept until then."""

    code = "store_full"


class StoreOutdated(StoreError):
    """The store was made by another release; run `inkwire migrate`."""

    code = "store_outdated"


class CipherError(StoreError):
    """The master key does not open this value; configure the key it was sealed with."""

    code = "cipher"
