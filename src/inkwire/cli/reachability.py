"""Doctor's questions over the network: does the web process answer, and do providers reach it?"""

import http.client
import secrets
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from inkwire.cli.checks import Finding, fail, ok, warn
from inkwire.cli.service import reached_at
from inkwire.config import Settings
from inkwire.store.contract import RejectionQuery

if TYPE_CHECKING:
    from inkwire.hub import Hub

TIMEOUT_S = 5.0
#: Seconds that the rejected log may take to reach the store (it is written each second).
LOG_PATIENCE_S = 4.0
#: Seconds that two clocks may differ.
CLOCK_TOLERANCE_S = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """An HTTP answer, as far as it matters here."""

    status: int
    date: datetime | None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """A redirect is an answer like any other."""


def _ask(url: str, *, body: bytes | None = None) -> Heard | str:
    """The answer, or in one sentence why there was none."""
    request = urllib.request.Request(  # noqa: S310 # the operator's own http(s) setting
        url, data=body, headers={"User-Agent": "inkwire-doctor"}
    )
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            return _heard(answer.status, answer.headers.get("Date"))
    except urllib.error.HTTPError as error:
        with error:
            return _heard(error.code, error.headers.get("Date"))
    except urllib.error.URLError as error:
        return f"{error.reason}"
    except (OSError, http.client.HTTPException) as error:
        return f"{str(error) or type(error).__name__}"


def _heard(status: int, date: str | None) -> Heard:
    try:
        moment = parsedate_to_datetime(date) if date else None
    except ValueError:
        moment = None
    return Heard(status=status, date=moment)


def local_web(settings: Settings) -> Iterator[Finding]:
    """The web process on this machine."""
    host = reached_at(settings.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/healthz"
    answer = _ask(url)
    if isinstance(answer, Heard) and answer.status == 200:
        yield ok("web", f"{url} answers")
        return
    said = f"answers {answer.status}" if isinstance(answer, Heard) else f"does not answer: {answer}"
    yield warn(
        "web",
        f"{url} {said}.",
        "Start `inkwire serve`; if it runs with another address, set INKWIRE_HOST and INKWIRE_PORT "
        "for the doctor too.",
    )


def public_address(hub: "Hub") -> Iterator[Finding]:
    """The public address resolves, is public, and what is sent there arrives here."""
    url = hub.settings.public_url or ""
    host = urlsplit(url).hostname or ""
    try:
        found = {row[4][0] for row in socket.getaddrinfo(host, None)}
    except OSError as error:
        advice = "Correct the DNS entry or INKWIRE_PUBLIC_URL."
        yield fail("public address", f"{host} does not resolve: {error}.", advice)
        return
    private = sorted(str(a) for a in found if not ip_address(str(a).partition("%")[0]).is_global)
    if private:
        yield warn(
            "public address",
            f"{host} resolves here to {', '.join(private)}, which the internet cannot reach.",
            "Fine behind a split DNS; else providers cannot reach this hub.",
        )
    yield from _round_trip(hub, url)


def _round_trip(hub: "Hub", url: str) -> Iterator[Finding]:
    """Sends to a source that cannot exist; this hub notes that, another server does not."""
    mark = f"doctor-{secrets.token_hex(12)}"
    answer = _ask(f"{url}/in/{mark}", body=b"{}")
    if isinstance(answer, str):
        yield fail(
            "reachability",
            f"{url} does not answer: {answer}.",
            "Start the hub; check the proxy, the firewall and the certificate.",
        )
        return
    yield from _clock(answer, hub.clock.now())
    if _noted(hub, mark):
        yield ok("reachability", f"what is sent to {url}/in/… arrives at this hub")
    else:
        yield fail(
            "reachability",
            f"{url} answers {answer.status}, but what was sent there did not arrive at this hub.",
            "Another server answers: check where the proxy sends /in/, and that the web process "
            "uses this store.",
        )


def _noted(hub: "Hub", mark: str) -> bool:
    give_up_at = time.monotonic() + LOG_PATIENCE_S
    while True:
        if hub.store.events.rejections(RejectionQuery(source_id=mark, limit=1)):
            return True
        if time.monotonic() >= give_up_at:
            return False
        time.sleep(0.2)


def _clock(answer: Heard, now: datetime) -> Iterator[Finding]:
    if answer.date is None:
        return
    date = answer.date if answer.date.tzinfo else answer.date.replace(tzinfo=UTC)
    off = round((now - date).total_seconds())
    if abs(off) <= CLOCK_TOLERANCE_S:
        yield ok("clock", "agrees with the public address")
        return
    yield warn(
        "clock",
        f"This machine's clock is {abs(off)} s {'ahead of' if off > 0 else 'behind'} the public "
        "address's.",
        "Let both follow a time server (NTP): signatures are judged by age.",
    )
