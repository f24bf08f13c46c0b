"""Names to addresses, in threads of its own, one lookup of a name at a time."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

from inkwire.outbound.networks import Address

#: Host and port to addresses as text; blocks; raises OSError if the name does not resolve.
Resolver = Callable[[str, int], Sequence[str]]

#: Names that are looked up at the same time; one that hangs holds one of them. More than two
#: applications can name with all their webhooks, so that their name servers stop nobody else.
_THREADS = 256


def system_resolver(host: str, port: int) -> Sequence[str]:
    """The machine's own resolver. Blocks; raises OSError if the name does not resolve."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as error:
        raise OSError(f"{host!r} cannot be a DNS name") from error
    return [str(entry[4][0]) for entry in found]


def addresses_of(resolver: Resolver, host: str, port: int) -> tuple[Address, ...]:
    """What the resolver finds, each once, in its order. Raises OSError if it finds nothing."""
    found = tuple(dict.fromkeys(ip_address(text) for text in resolver(host, port)))
    if not found:
        raise OSError(f"{host} has no address")
    return found


class Lookups:
    """Looks names up without blocking the loop.

    Callers that ask for the same name meanwhile share one lookup, so that a name server that
    hangs takes one thread per name and not one per delivery. Nothing is kept afterwards.
    """

    def __init__(self, resolver: Resolver) -> None:
        """`resolver`: blocking."""
        self._resolver = resolver
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolve")
        self._running: dict[tuple[str, int], asyncio.Future[tuple[Address, ...]]] = {}

    async def look_up(self, host: str, port: int) -> tuple[Address, ...]:
        """The addresses of a name. Raises OSError if it does not resolve."""
        key = (host, port)
        running = self._running.get(key)
        if running is None:
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._threads, addresses_of, self._resolver, host, port)
            self._running[key] = running
            running.add_done_callback(lambda done: self._ended(key, done))
        # A caller whose time is up leaves; the lookup goes on for the others.
        return await asyncio.shield(running)

    def look_up_now(self, host: str, port: int, *, timeout_s: float) -> tuple[Address, ...]:
        """As `look_up`, for a thread, which waits at most `timeout_s` seconds.

        Raises OSError if the name does not resolve in that time.
        """
        asked = self._threads.submit(addresses_of, self._resolver, host, port)
        try:
            return asked.result(timeout_s)
        except TimeoutError:
            asked.cancel()
            raise OSError(f"{host} was not resolved within {timeout_s:g} s") from None

    def close(self) -> None:
        """Lets go of every lookup; a thread that hangs in one ends by itself."""
        for running in list(self._running.values()):
            running.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self, key: tuple[str, int], done: asyncio.Future[tuple[Address, ...]]) -> None:
        self._running.pop(key, None)
        if not done.cancelled():
            done.exception()  # taken, so that nobody's leaving is logged as a fault
