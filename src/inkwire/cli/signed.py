"""Requests as a provider would send them, and what an attacker or an accident makes of them.

`send`, `verify` and `demo` share this. Everything but `local_source` is pure.
"""

import base64
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from inkwire.errors import InvalidInput, NotFound
from inkwire.model.request import SignedRequest
from inkwire.model.source import Secret
from inkwire.providers.contract import Provider, Receiver, Settings
from inkwire.providers.registry import Case, Registry, cases
from inkwire.providers.settings import check_settings

if TYPE_CHECKING:
    from inkwire.hub import Hub

_SHIFT = re.compile(r"([+-])(\d+(?:\.\d+)?)(ms|s|m|min|h|d)?")
_UNIT_S = {"ms": 0.001, "s": 1, None: 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """A provider with the settings and secrets of one source: it can sign as the vendor does."""

    provider: str
    receiver: Receiver
    settings: Settings
    secrets: tuple[Secret, ...] = field(repr=False)

    def sign(
        self, body: bytes, *, at: datetime, event_type: str, delivery_id: str
    ) -> SignedRequest:
        """The request for `body`, signed at `at`. Raises InvalidInput without its secrets."""
        self._require_secrets()
        return self.receiver.sign(
            body,
            self.secrets,
            self.settings,
            at,
            event_type=event_type,
            delivery_id=delivery_id,
        )

    def _require_secrets(self) -> None:
        held = {secret.role for secret in self.secrets}
        for role in self.receiver.secrets:
            if role.required and role.role not in held:
                raise InvalidInput(
                    f"{self.provider} signs with the secret {role.role!r} ({role.label}). Give it "
                    "with --secret, or name a source of this hub with --source."
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What is to be sent: a body, the event it is about, and the settings it needs."""

    name: str
    event_type: str
    body: bytes = field(repr=False)
    settings: Mapping[str, Any]


def sample_of(registry: Registry, target: str, body: bytes | None) -> tuple[Provider, Sample]:
    """What `PROVIDER[:EVENT]` names; with a `body`, EVENT is only the event's type.

    EVENT is a sample's name or an event type, with or without the provider's prefix.
    Raises NotFound, naming what there is.
    """
    name, _, event = target.partition(":")
    provider = registry.get(name)
    registry.receiver(name)
    found = _case(provider, event)
    if body is not None:
        kind = found.event_type if found else _full_type(name, event)
        settings = found.settings if found else {}
        return provider, Sample(name="body", event_type=kind, body=body, settings=settings)
    if found is None:
        known = ", ".join(case.name for case in cases(provider))
        raise NotFound(f"{provider.title} has no sample {event!r}; there are: {known}.")
    return provider, Sample(
        name=found.name, event_type=found.event_type, body=found.body, settings=found.settings
    )


def _case(provider: Provider, event: str) -> Case | None:
    found = cases(provider)
    if not event:
        return found[0] if found else None
    for case in found:
        if event in (case.name, case.event_type, case.event_type.partition(".")[2]):
            return case
    return None


def _full_type(provider: str, event: str) -> str:
    return event if event.startswith(f"{provider}.") else f"{provider}.{event or 'unknown'}"


def given_secrets(
    receiver: Receiver, values: Sequence[str], roles: Sequence[str]
) -> tuple[Secret, ...]:
    """Secrets from the command line: the n-th value with the n-th role, in the provider's order.

    Raises InvalidInput for a role that the provider does not have, or too many values.
    """
    known = [secret.role for secret in receiver.secrets]
    names = [*roles, *(role for role in known if role not in roles)]
    unknown = [role for role in roles if role not in known]
    if unknown or len(values) > len(names):
        wrong = f"there is no secret {unknown[0]!r}" if unknown else f"{len(values)} secrets given"
        raise InvalidInput(f"{wrong}; this provider has: {', '.join(known) or 'none'}.")
    return tuple(
        Secret(id=f"given-{role}", role=role, value=value.encode())
        for role, value in zip(names, values, strict=False)
    )


def sender_with(
    registry: Registry,
    provider: str,
    *,
    settings: Mapping[str, Any],
    secrets: Sequence[str],
    roles: Sequence[str],
) -> Sender:
    """A sender with given settings and secrets. Raises InvalidInput, NotFound."""
    receiver = registry.receiver(provider)
    return Sender(
        provider=provider,
        receiver=receiver,
        settings=check_settings(receiver.settings, settings),
        secrets=given_secrets(receiver, secrets, roles),
    )


def sender_of_source(hub: "Hub", source_id: str, settings: Mapping[str, Any]) -> Sender:
    """A sender with the settings and the secrets of a source of the local store.

    Raises NotFound, CipherError.
    """
    source = hub.store.sources.get(source_id)
    receiver = hub.registry.receiver(source.provider)
    return Sender(
        provider=source.provider,
        receiver=receiver,
        settings=check_settings(receiver.settings, {**source.settings, **settings}),
        secrets=hub.store.sources.open_secrets(hub.clock.now()).get(source_id, ()),
    )


def moment(text: str | None, now: datetime) -> datetime:
    """`now`, moved: `-11m`, `+2h`, `-700` (seconds), or an RFC 3339 time. Raises InvalidInput."""
    if not text or text == "now":
        return now
    shift = _SHIFT.fullmatch(text)
    try:
        if shift:
            sign, number, unit = shift.groups()
            seconds = float(number) * _UNIT_S[unit]
            return now + timedelta(seconds=-seconds if sign == "-" else seconds)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidInput(
            f"{text!r} is no time. Write a shift such as -11m or +2h, or a full time such as "
            "2026-03-01T12:00:00Z."
        )
    return found.astimezone(UTC)


def tampered(request: SignedRequest) -> SignedRequest:
    """The request with one character of its body changed after it was signed.

    A letter or digit is changed, not a blank: a scheme that signs the meaning of JSON would accept
    another blank with good reason.
    """
    body = bytearray(request.body)
    for at in range(len(body) * 2 // 3, len(body)):
        if chr(body[at]).isascii() and chr(body[at]).isalnum():
            body[at] = ord("8") if body[at] != ord("8") else ord("9")
            return replace(request, body=bytes(body))
    return replace(request, body=request.body + b"8")


def with_query(url: str, query: str) -> str:
    """The URL with the signed query behind it."""
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{query}"


def as_curl(url: str, request: SignedRequest) -> str:
    """The request as a shell command. A body that is no plain text goes through base64."""
    lines = [f"curl -i -X POST {shlex.quote(with_query(url, request.query))}"]
    lines += [f"  -H {shlex.quote(f'{name}: {value}')}" for name, value in request.headers]
    text = _plain(request.body)
    if text is not None:
        return " \\\n".join([*lines, f"  --data-binary {shlex.quote(text)}"])
    encoded = base64.b64encode(request.body).decode("ascii")
    return f"echo {encoded} | base64 -d | " + " \\\n".join([*lines, "  --data-binary @-"])


def _plain(body: bytes) -> str | None:
    """The body as text that a shell takes as it is; None if it is binary or like a file name."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text or text.startswith("@") else text


def as_http(url: str, request: SignedRequest) -> bytes:
    """The request as it goes over the wire (HTTP/1.1), for `inkwire verify` or a file."""
    from urllib.parse import urlsplit

    parts = urlsplit(with_query(url, request.query))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = [f"POST {path} HTTP/1.1", f"Host: {parts.netloc}"]
    head += [f"{name}: {value}" for name, value in request.headers]
    head.append(f"Content-Length: {len(request.body)}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + request.body
