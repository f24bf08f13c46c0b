"""`serve` with two children of ours, for test_serve: arguments are the worker's script."""

import os
import sys

from inkwire.cli.service import _Service

#: It loads, is told to begin, and is never ready; it ends as it is told.
WEB = "import os, sys; [0 for _ in iter(lambda: os.read(0, 1), b'')]"


def run(name, *arguments):
    """The command line of a child; its ready pipe is the only argument that it needs."""
    ready = arguments[arguments.index("--ready-fd") + 1]
    return [sys.executable, "-c", sys.argv[1] if name == "worker" else WEB, ready]


service = _Service(os.environ, run=run, ready_file=None, ready_fd=None, lifeline=False)
sys.exit(service.run())
