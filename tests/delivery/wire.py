"""What an endpoint really receives of our sender: signed, sent over HTTP, read off the socket."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from delivery.kit import claim
from inkwire.clock import SystemClock
from inkwire.delivery.profiles import PROFILES, signed
from inkwire.model.message import AttemptResult
from inkwire.model.webhook import ProfileName
from inkwire.outbound.http import Outbound
from inkwire.providers.registry import cases, registry
from outbound.kit import OK, answering, endpoint, guard


@dataclass(frozen=True)
class Received:
    """One request as it came off the wire; header names in lower case."""

    headers: dict[str, str]
    body: bytes


async def received(
    name: ProfileName,
    keys: Sequence[str],
    body: bytes,
    *,
    later: timedelta = timedelta(),
    **message,
) -> Received:
    """Sends `body` as the product does to an endpoint of the test's own; signed now plus `later`."""
    clock = SystemClock()
    held = claim(name, keys, body=body, **message)
    async with endpoint(answering(OK)) as sink:
        held = replace(held, target=replace(held.target, address=sink.url))
        request = signed(held, clock.now() + later)
        async with Outbound(guard=guard(), clock=clock) as sender:
            exchange = await sender.post(
                request.url,
                headers=request.headers,
                body=request.body,
                timeout_s=PROFILES[name].timeout_s,
                connect_timeout_s=PROFILES[name].connect_timeout_s,
            )
        assert exchange.result is AttemptResult.OK, exchange.detail
    ((head, sent),) = sink.requests
    return Received(headers=_headers(head), body=sent)


def samples(provider: str) -> dict[str, tuple[str, bytes]]:
    """Topic and body of the provider's samples, by their names."""
    return {
        case.name: (case.event_type.partition(".")[2], case.body)
        for case in cases(registry().get(provider))
    }


def _headers(head: bytes) -> dict[str, str]:
    pairs = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:] if line]
    names = [name.lower() for name, _ in pairs]
    assert len(names) == len(set(names)), "a header came twice"
    return {name.lower(): value for name, value in pairs}
