"""What a source's fields must look like. Pure: every wrong field gets one sentence."""

import re
import secrets as random
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from inkwire.errors import InvalidInput
from inkwire.model.source import SOURCE_ID
from inkwire.providers.contract import SecretField

MAX_NAME = 100
MAX_ITEM = 200
MAX_EVENT_TYPES = 100
MAX_DOCUMENT_IDS = 1000
MIN_BODY_BYTES = 1024
#: Seconds; 30 days.
MAX_OVERLAP_S = 30 * 24 * 3600
#: Characters of a secret that Inkwire makes up, if the provider allows as many: 190 bits. Letters
#: and digits, a multiple of four: base64 to those who want that.
GENERATED_LENGTH = 32
_ALPHABET = string.ascii_letters + string.digits


@dataclass(slots=True)
class Findings:
    """Collects what is wrong, by field path, and raises it all at once."""

    fields: dict[str, str] = field(default_factory=dict)

    def add(self, path: str, problem: str | None) -> None:
        """Notes the `problem` ("must be …") of the field at `path`, if there is one."""
        if problem is not None:
            self.fields[path] = problem

    def close(self) -> None:
        """Raises InvalidInput if anything was found."""
        if self.fields:
            raise InvalidInput(fields=self.fields)


def id_problem(source_id: str) -> str | None:
    """What is wrong with a source's id; None if nothing."""
    if SOURCE_ID.fullmatch(source_id):
        return None
    return (
        "must be 1 to 64 lower-case letters, digits and hyphens, with no hyphen at the ends: "
        "it stands in the URL"
    )


def name_problem(name: str) -> str | None:
    """What is wrong with a source's name; None if nothing."""
    if 1 <= len(name) <= MAX_NAME and name.isprintable() and name == name.strip():
        return None
    return f"must be 1 to {MAX_NAME} printable characters, without blanks at the ends"


def event_types_problem(provider: str, types: Iterable[str]) -> str | None:
    """What is wrong with the event types a source is limited to (R131); None if nothing.

    Types that the provider does not list are allowed: vendors add some.
    """
    types = list(types)
    if len(types) > MAX_EVENT_TYPES:
        return f"must be at most {MAX_EVENT_TYPES} event types; leave it empty to accept all"
    for name in types:
        if not (len(name) <= MAX_ITEM and name.isprintable() and name == name.strip()):
            return f"must be printable texts of at most {MAX_ITEM} characters"
        if not name.startswith(f"{provider}.") or name == f"{provider}.":
            return f"each must start with `{provider}.`, as in the event list; {name!r} does not"
    return None


def document_ids_problem(ids: Iterable[str]) -> str | None:
    """What is wrong with the document ids a source is limited to (R131); None if nothing."""
    ids = list(ids)
    if len(ids) > MAX_DOCUMENT_IDS:
        return f"must be at most {MAX_DOCUMENT_IDS} ids; leave it empty to accept all"
    if all(1 <= len(i) <= MAX_ITEM and i.isprintable() and i == i.strip() for i in ids):
        return None
    return f"must be printable texts of 1 to {MAX_ITEM} characters, without blanks at the ends"


def max_body_problem(size: int, largest: int) -> str | None:
    """What is wrong with a source's body limit (bytes); None if nothing."""
    if MIN_BODY_BYTES <= size <= largest:
        return None
    return (
        f"must be a whole number from {MIN_BODY_BYTES} to {largest} bytes "
        "(the upper end is the setting INKWIRE_MAX_BODY_BYTES)"
    )


def overlap_problem(overlap_s: int) -> str | None:
    """What is wrong with a rotation's overlap (seconds); None if nothing."""
    if 0 <= overlap_s <= MAX_OVERLAP_S:
        return None
    return f"must be a whole number from 0 to {MAX_OVERLAP_S} seconds (30 days)"


def secret_problem(described: SecretField, value: str) -> str | None:
    """What is wrong with a pasted secret; None if nothing. Never repeats the value."""
    if not value:
        return f"is needed: {described.label}. {described.help}"
    if value != value.strip():
        return "has a blank or a line break at an end, as pasted text often has; take it away"
    if not value.isprintable():
        return "holds characters that cannot be printed; copy it again"
    if not described.min_length <= len(value) <= described.max_length:
        return (
            f"must be {described.min_length} to {described.max_length} characters; "
            f"this has {len(value)}"
        )
    if described.pattern and not re.fullmatch(described.pattern, value):
        return described.pattern_help or "does not look like one of this provider; copy it again"
    return None


def secrets_problems(
    described: Iterable[SecretField], given: Mapping[str, str], *, can_generate: bool
) -> dict[str, str]:
    """What is wrong with the secrets of a new source, by path `secrets.ROLE`.

    `can_generate`: roles that Inkwire can make up may be absent.
    """
    known = {item.role: item for item in described}
    wrong = {}
    for role, value in given.items():
        if role not in known:
            wrong[f"secrets.{role}"] = unknown_role(known)
        elif problem := secret_problem(known[role], value):
            wrong[f"secrets.{role}"] = problem
    for role, item in known.items():
        if role not in given and item.required and not (can_generate and item.generate):
            wrong[f"secrets.{role}"] = f"is needed: {item.label}. {item.help}"
    return wrong


def unknown_role(known: Iterable[str]) -> str:
    """The sentence for a role of secret that the provider does not have."""
    return f"is no secret of this provider; there are: {', '.join(known) or 'none'}"


def generate_secret(described: SecretField) -> str:
    """A random secret of a length that the provider allows; 190 bits if it allows as many."""
    length = min(max(GENERATED_LENGTH, described.min_length), described.max_length)
    return "".join(random.choice(_ALPHABET) for _ in range(length))
