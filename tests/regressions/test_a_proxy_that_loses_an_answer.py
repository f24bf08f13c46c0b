"""A create that an egress proxy passed on, and whose answer it lost, is in doubt and not unsent.

urllib3 forgets that a connection reached its proxy when the other end closes it without an answer,
and then speaks of a proxy that could not be reached: so the create was sent again unseen.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from fakes.box_server import loopback_guard
from fakes.salesforce_server import Kit as SalesforceKit
from inkwire.errors import Ambiguous, Transient
from inkwire.outbound.requests_adapter import session
from providers.box_kit import Kit as BoxKit


@contextmanager
def relay(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that reads a request, says `answer`, and closes; its address, and what it read."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    caller, _ = listening.accept()
                except OSError:
                    return
                with caller:
                    seen.append(caller.recv(1 << 20))
                    caller.sendall(answer)
                    caller.shutdown(socket.SHUT_WR)
                    while caller.recv(1 << 20):
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", seen
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@contextmanager
def through(proxy: str) -> Iterator[requests.Session]:
    """The guarded session of a hub that sends all by a proxy."""
    with session(loopback_guard(), domains=("vendor.test",), proxy=proxy) as made:
        yield made


def test_a_create_in_salesforce_is_doubted():
    """The ledger looks before it sends again."""
    with relay(b"") as (proxy, seen), through(proxy) as by_proxy:
        kit = SalesforceKit(by_proxy)
        with pytest.raises(Ambiguous):
            kit.crm.create("Task", {"Subject": "x"})
        kit.close()
    assert len(seen) == 1 and seen[0].startswith(b"POST ")


def test_a_create_at_box_is_doubted():
    """The same wire, another vendor."""
    with relay(b"") as (proxy, seen), through(proxy) as by_proxy:
        kit = BoxKit((by_proxy, by_proxy))
        with pytest.raises(Ambiguous):
            kit.box.create_folder("x")
        kit.close()
    assert len(seen) == 1 and seen[0].startswith(b"POST ")


def test_a_proxy_that_lets_nobody_through_is_no_doubt():
    """Nothing left; neither where it refuses the tunnel, nor where nobody listens."""
    with relay(b"HTTP/1.1 403 Forbidden\r\n\r\n") as (proxy, seen), through(proxy) as by_proxy:
        with pytest.raises(requests.exceptions.ProxyError):
            by_proxy.post("https://api.vendor.test/x", data=b"{}", timeout=5)
        assert [one[:8] for one in seen] == [b"CONNECT "]
    with through("http://127.0.0.1:1") as by_proxy:
        kit = SalesforceKit(by_proxy)
        with pytest.raises(Transient, match="no connection"):
            kit.crm.create("Task", {"Subject": "x"})
        kit.close()
