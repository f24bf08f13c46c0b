"""A supervisor with two children, for test_supervisor: one odd, one that does as it is told.

Arguments: the odd one's script, and the seconds of grace; perhaps the other's script, and the
seconds before a dead one is started again. Prints one JSON object a line.
"""

import json
import sys

from inkwire.cli.supervisor import Child, Supervisor

STEADY = """
import os, sys
os.read(0, 1)
os.write(int(sys.argv[1]), b'{"ready": true}')
sys.exit(len(os.read(0, 1)))
"""


def say(event, level="info", **facts):
    """What test_supervisor reads."""
    print(json.dumps({"event": event, **facts}), flush=True)


def child(name, script):
    """A child that runs `script`, given the ready pipe as its argument."""
    return Child(name=name, command=lambda ready: [sys.executable, "-c", script, str(ready)])


odd, grace, other, delay = (*sys.argv[1:], STEADY, "0.01") if len(sys.argv) == 3 else sys.argv[1:]
supervisor = Supervisor(
    [child("odd", odd), child("steady", other)],
    report=say,
    on_ready=lambda: say("ready"),
    first_delay_s=float(delay),
)
say("end", code=supervisor.run(grace_s=float(grace)))
