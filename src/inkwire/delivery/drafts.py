"""What somebody asks a webhook to be, checked; every wrong field gets one sentence. Pure."""

import secrets as random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inkwire.delivery.addresses import check_address
from inkwire.delivery.filters import check_filters
from inkwire.delivery.profiles import PROFILES, check_headers, check_key, generate_key
from inkwire.errors import InvalidInput
from inkwire.model.message import TextHeaders
from inkwire.model.webhook import Filter, ProfileName

MAX_DESCRIPTION = 500
MAX_DOCUMENT_IDS = 1000
MAX_DOCUMENT_ID = 200
MAX_RATE = 60_000
MAX_IN_FLIGHT = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookDraft:
    """A webhook to be made."""

    topic: str
    address: str
    profile: ProfileName = ProfileName.STANDARD
    #: None: one is made up, where the profile allows it.
    key: str | None = field(default=None, repr=False)
    description: str = ""
    document_ids: Sequence[str] = ()
    #: As JSON gives them: `{"path": …, "op": …, "value": …}`.
    filters: Sequence[Mapping[str, Any]] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    rate_per_minute: int | None = None
    max_in_flight: int = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookPatch:
    """Fields to be changed; None: as it is."""

    address: str | None = None
    topic: str | None = None
    key: str | None = field(default=None, repr=False)
    description: str | None = None
    document_ids: Sequence[str] | None = None
    filters: Sequence[Mapping[str, Any]] | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    #: 0: no limit.
    rate_per_minute: int | None = None
    max_in_flight: int | None = None


@dataclass(slots=True)
class Checked:
    """Checks fields one by one, keeps what is right, and raises what is wrong all at once."""

    profile: ProfileName
    problems: dict[str, str] = field(default_factory=dict)

    def address(self, text: str) -> str:
        """The address, by the profile's rules."""
        profile = PROFILES[self.profile]
        try:
            return check_address(text, max_length=profile.max_address)
        except InvalidInput as error:
            self.problems |= error.fields
            return text

    def key(self, text: str | None) -> str:
        """The signing key; made up if it may be and none is given."""
        if text is None:
            made = generate_key(self.profile, random.token_bytes)
            if made is None:
                self.problems["key"] = "is required: choose 16 to 32 characters"
            return made or ""
        self.add("key", check_key(self.profile, text))
        return text

    def description(self, text: str) -> str:
        """A line for people."""
        if len(text) > MAX_DESCRIPTION or any(not c.isprintable() and c != "\n" for c in text):
            self.problems["description"] = f"must be at most {MAX_DESCRIPTION} printable characters"
        return text

    def document_ids(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Ids of documents, without repeats (R131)."""
        kept = tuple(dict.fromkeys(ids))
        if len(kept) > MAX_DOCUMENT_IDS or any(
            not (1 <= len(one) <= MAX_DOCUMENT_ID and one.isprintable()) for one in kept
        ):
            self.problems["document_ids"] = (
                f"must be at most {MAX_DOCUMENT_IDS} ids of 1 to {MAX_DOCUMENT_ID} characters"
            )
        return kept

    def filters(self, raw: Sequence[Mapping[str, Any]]) -> tuple[Filter, ...]:
        """Conditions on the payload."""
        try:
            return check_filters(raw)
        except InvalidInput as error:
            self.problems |= error.fields
            return ()

    def headers(self, given: Mapping[str, str]) -> TextHeaders:
        """Its own headers, authentication among them."""
        headers = tuple(given.items())
        self.problems |= check_headers(headers)
        return headers

    def rate(self, per_minute: int | None) -> int | None:
        """Attempts a minute; 0 and None: no limit."""
        if per_minute is not None and not 0 <= per_minute <= MAX_RATE:
            self.problems["rate_per_minute"] = f"must be 0 (no limit) to {MAX_RATE}"
        return per_minute or None

    def in_flight(self, most: int) -> int:
        """Requests at the same time."""
        if not 1 <= most <= MAX_IN_FLIGHT:
            self.problems["max_in_flight"] = f"must be 1 to {MAX_IN_FLIGHT}"
        return most

    def add(self, path: str, problem: str | None) -> None:
        """Notes the problem of the field at `path`, if there is one."""
        if problem is not None:
            self.problems[path] = problem

    def close(self) -> None:
        """Raises InvalidInput if anything was found."""
        if self.problems:
            raise InvalidInput(fields=self.problems)
