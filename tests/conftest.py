"""Fixtures that every test may ask for."""

import os
import sys
import tempfile

from hypothesis import HealthCheck, settings

from postgres_server import memory, postgres_server, postgres_url  # noqa: F401 - fixtures

# Some hundred processes of the product are started: none shall compile what the last one compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Stores are synced to the disk at each commit, as in production. In memory that costs nothing, and
# a process that is killed loses no more there: only the machine's end could tell them apart.
if "TMPDIR" not in os.environ and (folder := memory()):
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)

# `ci` is repeatable and short; `INKWIRE_HYPOTHESIS=long` searches anew for minutes.
settings.register_profile(
    "ci",
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long", max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("INKWIRE_HYPOTHESIS", "ci"))
