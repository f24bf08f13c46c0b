"""Work in a process of its own: what it answers, and what ends it."""

import os
import signal
import subprocess
import sys

import pytest

from inkwire.apart import ApartFailed, ApartStopped, answer, apart, start

CHILD = "from inkwire.apart import serve; {work}; serve(work{options})"


def child(work, options="", stdin=b""):
    """A child that does `work`, as `apart` starts one."""
    code = CHILD.format(work=work, options=options)
    return subprocess.run(
        [sys.executable, "-I", "-c", code],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_child_answers_what_it_was_given():
    """Bytes in, bytes out."""
    done = child("work = lambda content: content[::-1]", stdin=b"abc")
    assert (done.returncode, done.stdout) == (0, b"cba")


def test_a_child_whose_parent_is_gone_does_not_compute_for_ever():
    """The kernel ends it by its computing time: nobody else would."""
    done = child("work = lambda content: [0 for _ in iter(int, 1)]", ", cpu_s=1")
    assert done.returncode < 0


def test_a_child_gets_no_more_memory_than_allowed():
    """A bomb ends the child, not the machine."""
    done = child("work = lambda content: bytes(10**9)", ", memory_bytes=300 * 2**20")
    assert done.returncode != 0
    assert b"MemoryError" in done.stderr


def test_a_child_that_breaks_is_told_in_words():
    """Whatever it was: a sentence that names the work."""
    with pytest.raises(ApartFailed, match="The thing"):
        apart("inkwire.no_such_module", b"", timeout_s=30, what="The thing")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_child_that_was_told_to_end_says_nothing_about_its_work(number):
    """A hub that is stopped, with all its processes, has found no fault in a document."""
    code = f"import os; os.kill(os.getpid(), {int(number)})"
    with pytest.raises(ApartStopped):
        answer(subprocess.run([sys.executable, "-c", code], capture_output=True, check=False), "x")


def test_a_child_does_not_hear_what_its_terminal_sends():
    """Ctrl-C ends the hub in good order; the document in hand is finished first."""
    code = "import os; print(os.getpgid(0))"
    done = start([sys.executable, "-c", code], b"", timeout_s=60)
    assert int(done.stdout) != os.getpgid(0)
