"""The stores of both dialects, for the defects that only showed on a real one."""

from contract.conftest import (  # noqa: F401 - fixtures
    hub,
    make_hub,
    maker,
    postgres_maker,
    sqlite_maker,
)
