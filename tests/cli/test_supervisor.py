"""The supervisor's decisions, on tiny children of our own."""

import json
import signal
import subprocess
import sys
from pathlib import Path

TOY = Path(__file__).with_name("toy_supervised.py")
BEGIN = "import os, sys, signal, time; os.read(0, 1); "
READY = BEGIN + "os.write(int(sys.argv[1]), b'{\"x\": 1}'); "


def _start(script, grace=5.0):
    return subprocess.Popen(
        [sys.executable, str(TOY), script, str(grace)], stdout=subprocess.PIPE, text=True
    )


def _rest(process):
    lines = [json.loads(line) for line in process.stdout]
    process.stdout.close()
    process.wait(20)
    return lines


def test_gives_up_on_a_child_that_never_starts():
    """Five deaths before it was ever ready: it stops, says which and what to read, and fails."""
    said = _rest(_start(BEGIN + "sys.exit(1)"))
    assert [line["event"] for line in said] == [
        *["serve.child_died", "serve.child_restarted"] * 4,
        "serve.gave_up",
        "end",
    ]
    assert said[-2]["process"] == "odd"
    assert said[-1]["code"] == 1
    assert said[-2]["deaths"] == 5
    delays = [line["restart_in_s"] for line in said if line["event"] == "serve.child_died"]
    assert delays == sorted(delays)


def test_a_wrong_configuration_is_not_tried_again():
    """Exit code 2 before it was ready: no second try, the same code."""
    said = _rest(_start(BEGIN + "sys.exit(2)"))
    assert [line["event"] for line in said] == ["serve.gave_up", "end"]
    assert said[-1]["code"] == 2


def test_a_child_that_was_ready_is_always_tried_again():
    """What worked once is worth more tries: the others go on meanwhile."""
    process = _start(READY + "sys.exit(2)")
    seen = []
    while sum(line["event"] == "serve.child_restarted" for line in seen) < 7:
        seen.append(json.loads(process.stdout.readline()))
    process.send_signal(signal.SIGTERM)
    said = seen + _rest(process)
    assert "serve.gave_up" not in {line["event"] for line in said}
    assert said[-1] == {"event": "end", "code": 0}


def test_a_child_that_does_not_stop_is_killed():
    """After the grace period it is killed, that is told, and the exit code is 1."""
    process = _start(
        READY + "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)", grace=-1.8
    )
    said = [json.loads(process.stdout.readline())]
    process.send_signal(signal.SIGTERM)
    said += _rest(process)
    assert [line["event"] for line in said] == ["ready", "serve.child_killed", "end"]
    assert said[-1]["code"] == 1


def test_a_second_signal_waits_no_longer():
    """Somebody who presses Ctrl-C twice does not want to wait."""
    process = _start(READY + "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)", 600)
    json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert [line["event"] for line in _rest(process)] == ["serve.child_killed", "end"]


def test_a_signal_that_ended_it_is_named():
    """SIGKILL says that somebody, or the kernel for want of memory, killed it."""
    process = _start(READY + "time.sleep(0.2); os.kill(os.getpid(), signal.SIGKILL)")
    said = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    _rest(process)
    assert said[1]["ended_by"] == "SIGKILL"
