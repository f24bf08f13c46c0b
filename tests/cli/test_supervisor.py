"""The supervisor's decisions, on tiny children of our own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from inkwire.cli.supervisor import _impatient, restart_delay_s

TOY = Path(__file__).with_name("toy_supervised.py")
BEGIN = "import os, sys, signal, time; os.read(0, 1); "
READY = BEGIN + "os.write(int(sys.argv[1]), b'{\"x\": 1}'); "
#: A child that notes SIGTERM, says so, and does with it what follows; deaf before it is ready.
ASKED = (
    BEGIN + "asked = []; signal.signal(signal.SIGTERM, lambda *_: asked.append("
    'os.write(1, b\'{"event": "asked"}\\n\'))); '
) + READY.removeprefix(BEGIN)
STUBBORN = ASKED + "time.sleep(60)"


def _next_event(process):
    return json.loads(process.stdout.readline())["event"]


def _start(script, grace=5.0, *more):
    return subprocess.Popen(
        [sys.executable, str(TOY), script, str(grace), *more], stdout=subprocess.PIPE, text=True
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


def test_not_all_are_ready_while_one_of_them_is_dead(tmp_path):
    """It was ready and died: whoever is told that all are would be told of no process."""
    os.mkfifo(gate := tmp_path / "gate")
    late = BEGIN + f"open({str(gate)!r}).read(); os.write(int(sys.argv[1]), b'{{\"x\": 1}}'); "
    late += 'os.write(1, b\'{"event": "late"}\\n\'); os.read(0, 1)'
    process = _start(READY, 5.0, late, "60")
    assert _next_event(process) == "serve.child_died"
    gate.write_text("")
    seen = [_next_event(process)]
    process.send_signal(signal.SIGTERM)
    assert [*seen, *(line["event"] for line in _rest(process))] == ["late", "end"]


def test_a_child_that_does_not_stop_is_killed():
    """After the grace period it is killed, that is told, and the exit code is 1."""
    process = _start(STUBBORN, grace=-1.8)
    assert _next_event(process) == "ready"
    process.send_signal(signal.SIGTERM)
    said = _rest(process)
    assert [line["event"] for line in said] == ["asked", "serve.child_killed", "end"]
    assert "grace period" in said[1]["advice"]
    assert said[-1]["code"] == 1


def test_a_second_ctrl_c_waits_no_longer():
    """Somebody who presses it twice does not want to wait, and the log says why it was killed."""
    process = _start(STUBBORN, 600)
    assert _next_event(process) == "ready"
    process.send_signal(signal.SIGINT)
    assert _next_event(process) == "asked"
    process.send_signal(signal.SIGINT)
    killed = {line["process"]: line["advice"] for line in _rest(process)[:-1]}
    assert "second signal" in killed["odd"]
    assert "grace" not in killed["odd"]


def test_a_doubled_sigterm_is_one_wish():
    """`timeout` sends it to the process and to its group: what is in hand is still finished."""
    process = _start(
        ASKED + "[time.sleep(0.3) for _ in range(200) if len(asked) == 0]; time.sleep(0.3)", 600
    )
    assert _next_event(process) == "ready"
    process.send_signal(signal.SIGTERM)
    assert _next_event(process) == "asked"
    process.send_signal(signal.SIGTERM)
    assert _rest(process) == [{"event": "end", "code": 0}]


def test_signals_in_time_tell_one_wish_from_two():
    """Only Ctrl-C twice, or a signal that comes later than a moment; never the lifeline's end."""
    term, ctrl_c = signal.SIGTERM, signal.SIGINT
    assert not _impatient((term, 10.0), term, 10.1)
    assert not _impatient((term, 10.0), ctrl_c, 10.1)
    assert _impatient((ctrl_c, 10.0), ctrl_c, 10.1)
    assert _impatient((term, 10.0), term, 11.5)
    assert not _impatient((term, 10.0), None, 99.0)


def test_restarts_never_stop_being_tried():
    """However often it died in a row, there is a next time: doubled at first, then every 30 s."""
    assert [restart_delay_s(deaths) for deaths in (1, 2, 3)] == [0.2, 0.4, 0.8]
    assert {restart_delay_s(deaths) for deaths in (9, 1_026, 1_000_000)} == {30.0}


def test_a_signal_that_ended_it_is_named():
    """SIGKILL says that somebody, or the kernel for want of memory, killed it."""
    process = _start(READY + "time.sleep(0.2); os.kill(os.getpid(), signal.SIGKILL)")
    said = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    _rest(process)
    assert said[1]["ended_by"] == "SIGKILL"
