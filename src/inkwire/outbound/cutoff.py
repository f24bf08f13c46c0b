"""A time for a whole call: connecting, headers and body, however slowly they come.

A time-out of `requests` begins anew with each byte that comes. Here the call's sockets are shut
when its time is up, so that whoever reads from them goes on at once.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, socket

_calls = threading.local()


class Cutoff:
    """The sockets that one call uses, and whether its time is up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket] = []
        self._ended = False
        #: Whether it was cut off; what came of it means nothing then.
        self.late = False

    def add(self, one: socket) -> None:
        """A socket that the call uses from now on."""
        with self._lock:
            self._sockets.append(one)
            if self.late:
                _shut(one)

    def cut(self) -> None:
        """Its time is up."""
        with self._lock:
            if not self._ended:
                self.late = True
                for one in self._sockets:
                    _shut(one)

    def end(self) -> None:
        """It is over: its sockets are others' now."""
        with self._lock:
            self._ended = True
            self._sockets.clear()


@contextmanager
def cut_off(after_s: float) -> Iterator[Cutoff]:
    """What this thread calls within, by a guarded session, is cut off after so many seconds.

    Whoever calls looks at `late` afterwards: a body without a length only seems to end.
    """
    one = Cutoff()
    timer = threading.Timer(max(0.0, after_s), one.cut)
    timer.daemon = True
    _calls.cutoff = one
    timer.start()
    try:
        yield one
    finally:
        _calls.cutoff = None
        one.end()
        timer.cancel()


def watch(one: socket) -> None:
    """Notes a socket of this thread's call, if that has a time."""
    cutoff: Cutoff | None = getattr(_calls, "cutoff", None)
    if cutoff is not None:
        cutoff.add(one)


def _shut(one: socket) -> None:
    with suppress(OSError):
        # Not the TLS socket's own: that changes what another thread reads from.
        socket.shutdown(one, SHUT_RDWR)
