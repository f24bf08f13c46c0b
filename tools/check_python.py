"""Stops early, with what to do, on a Python that Inkwire does not run on."""

import sys
from importlib.util import find_spec

if sys.version_info < (3, 11):
    sys.exit(f"Inkwire needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
if find_spec("ensurepip") is None:
    sys.exit("Python's venv module is incomplete; on Debian run: apt-get install python3-venv")
