"""What the sandbox room and a provider's sandbox are to each other.

`Provider.sandbox` names a module that holds `def mount(stage: Stage) -> Mounted`. The room gives
the stage: state, clock, sender, inbox and page frame; the provider gives routes as its vendor has
them. A provider's sandbox reads no other clock and keeps no other state, so that the whole of it
survives kill -9 in one file and time can be moved.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

#: A document: JSON, as it is kept.
Doc = dict[str, Any]


class SandboxClock(Protocol):
    """The sandbox's time. Both give aware UTC."""

    def now(self) -> datetime:
        """The moved time: everything that waits, expires or is dated goes by it."""
        ...

    def wall(self) -> datetime:
        """What the vendor's servers show: signatures and `Date` go by it; advancing it does not."""
        ...


class Documents(Protocol):
    """The state: JSON documents by kind and id, and blobs. Calls outside `change` commit alone."""

    def change(self) -> AbstractContextManager[None]:
        """All or nothing; nests. No await inside."""
        ...

    def put(self, kind: str, key: str, doc: Doc, *, owner: str = "", name: str = "") -> None:
        """Keeps `doc`, in place of one with the same kind and key; `owner`, `name`: see `find`."""
        ...

    def get(self, kind: str, key: str) -> Doc | None:
        """The document, a copy of its own; None if there is none."""
        ...

    def find(
        self,
        kind: str,
        *,
        owner: str | None = None,
        name: str | None = None,
        up_to: str | None = None,
        after: int = 0,
        limit: int = 1_000_000,
        newest: bool = False,
    ) -> list[tuple[int, Doc]]:
        """Documents with their place in the order of arrival, oldest first unless `newest`.

        `up_to`: only those whose name sorts at or before it; `after`: only places behind it.
        """
        ...

    def count(self, kind: str, *, owner: str) -> int:
        """How many documents of an owner have a name."""
        ...

    def drop(self, kind: str, key: str) -> None:
        """Forgets the document, if there is one."""
        ...

    def number(self, counter: str) -> int:
        """1, 2, 3 … for each counter."""
        ...

    def keep(self, content: bytes) -> str:
        """Keeps bytes; returns their SHA-1 in hex."""
        ...

    def content(self, sha1: str) -> bytes:
        """Kept bytes. Raises KeyError."""
        ...


class Post(Protocol):
    """Sends one POST of a vendor; raises nothing."""

    async def __call__(
        self, url: str, *, headers: Sequence[tuple[str, str]], body: bytes, timeout_s: float
    ) -> int | None:
        """The answer's status; None if none came within `timeout_s` seconds."""
        ...

    async def exchange(
        self, url: str, *, headers: Sequence[tuple[str, str]], body: bytes, timeout_s: float
    ) -> tuple[int, bytes] | None:
        """The same with the first bytes of the answer's body."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A fault that is to befall one webhook event."""

    #: `lost`, `duplicate` or `reorder`.
    kind: str
    #: How often it is sent, for `duplicate`.
    times: int = 2
    #: Seconds that it is held back, for `reorder`.
    delay_s: float = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """What the sandbox room gives to a provider's sandbox."""

    state: Documents
    clock: SandboxClock
    post: Post
    #: `http://127.0.0.1:4010`, without a slash at the end.
    url: str
    #: (to, subject, text, link): shows a mail in the inbox. Link: a path of ours, or empty.
    mail: Callable[[str, str, str, str], None]
    #: The fault that is set for a webhook event of this trigger, used up by asking.
    webhook_fault: Callable[[str], Fault | None]
    #: (package, template, context) → HTML in the frame of the sandbox's pages.
    render: Callable[[str, str, Mapping[str, Any]], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultAnswer:
    """What a fault of kind `status` answers in a vendor's own shape."""

    body: bytes
    content_type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Mounted:
    """What a provider's sandbox gives back."""

    #: Starlette routes, with absolute paths.
    routes: Sequence[Any]
    #: Called every few hundredths of a second: does what has come due. Must not wait for others.
    tick: Callable[[], Awaitable[None]]
    #: What a test or the demo needs to connect: goes into the ready line under the provider's name.
    ready: Callable[[], Mapping[str, Any]]
    #: Pages for the head of every page: (title, path).
    pages: tuple[tuple[str, str], ...] = ()
    #: (path, status, the rule's `code`) → the answer of a fault; None: in the room's own shape.
    fault: Callable[[str, int, str], FaultAnswer] | None = None
