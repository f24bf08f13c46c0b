"""Work on what strangers wrote, in a process of its own: bounded in time and memory.

Templates can loop and PDFs can be bombs; a process that is killed costs neither the worker nor its
memory. The child is `python -m MODULE`, and its module ends with `serve(work)`.
"""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

from inkwire.errors import InkwireError

MIB = 1024 * 1024
#: Exit code of a child whose `work` raised an error of ours; its sentence stands on stderr.
_REFUSED = 3
#: What ends a child without saying anything about its work: a service manager signals them all.
_STOPS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


class ApartFailed(InkwireError):
    """It took too long or too much memory; make the document simpler or smaller."""

    code = "apart"


class ApartRefused(ApartFailed):
    """The content does not work; the sentence says why."""


class ApartStopped(InkwireError):
    """It was told to end, as all of Inkwire is at a stop; it is done again later."""

    status = 503
    code = "apart_stopped"


def apart(module: str, content: bytes, *, timeout_s: float, what: str) -> bytes:
    """What the child answers to `content`.

    `what`: names the work in the error, e.g. "The template". Raises ApartRefused with the child's
    sentence, ApartStopped if somebody ended it, ApartFailed if it was too slow, too large or died.
    """
    command = [sys.executable, "-I", "-m", module]
    try:
        done = start(command, content, timeout_s=timeout_s)
    except subprocess.TimeoutExpired:
        raise ApartFailed(
            f"{what} took more than {timeout_s:g} seconds; make it simpler."
        ) from None
    return answer(done, what)


def start(
    command: Sequence[str], content: bytes, *, timeout_s: float
) -> subprocess.CompletedProcess[bytes]:
    """Runs the child to its end, apart from our terminal: Ctrl-C is for us. TimeoutExpired."""
    return subprocess.run(  # noqa: S603 - our own module
        command,
        input=content,
        capture_output=True,
        timeout=timeout_s,
        check=False,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        start_new_session=True,
    )


def answer(done: subprocess.CompletedProcess[bytes], what: str) -> bytes:
    """What the child answered. Raises as `apart`."""
    if done.returncode == _REFUSED:
        raise ApartRefused(done.stderr.decode("utf-8", "replace"))
    if -done.returncode in _STOPS:
        raise ApartStopped
    if done.returncode != 0:
        raise ApartFailed(f"{what} needs more memory than it may take, or broke the tool for it.")
    return done.stdout


def serve(
    work: Callable[[bytes], bytes], *, memory_bytes: int = 1024 * MIB, cpu_s: int = 120
) -> None:
    """The child's side: reads stdin, answers on stdout, within its memory.

    `cpu_s`: seconds of computing after which the kernel ends it, should the parent be gone.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    content = sys.stdin.buffer.read()
    try:
        answer = work(content)
    except InkwireError as error:
        sys.stderr.buffer.write(error.message.encode())
        sys.exit(_REFUSED)
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
