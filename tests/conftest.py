"""Fixtures that every test may ask for."""

import os
import sys

from hypothesis import HealthCheck, settings

from postgres_server import postgres_server, postgres_url  # noqa: F401 - fixtures

# Some hundred processes of the product are started: none shall compile what the last one compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

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
