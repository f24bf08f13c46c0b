"""What the contract tests share: explained assertions, and a store of each dialect."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite(
    "contract.order_kit",
    "contract.acting_kit",
    "contract.crm_store_kit",
    "contract.outbox_kit",
    "contract.provider_checks",
    "contract.provider_kit",
    "contract.store_kit",
    "contract.subscribers_kit",
)

from contract.store_kit import Hub, PostgresMaker, SqliteMaker  # noqa: E402
from postgres_server import PostgresServer  # noqa: E402


@pytest.fixture(scope="session")
def sqlite_maker(tmp_path_factory: pytest.TempPathFactory) -> SqliteMaker:
    """Makes migrated SQLite stores."""
    return SqliteMaker(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_maker(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PostgresMaker]:
    """Makes migrated PostgreSQL databases."""
    with postgres_server.database() as template:
        yield PostgresMaker(postgres_server, template, tmp_path_factory.mktemp("postgres"))


@pytest.fixture(params=["sqlite", "postgresql"])
def maker(request: pytest.FixtureRequest) -> SqliteMaker | PostgresMaker:
    """Each dialect in turn: every test that uses a store runs on both."""
    name = "sqlite_maker" if request.param == "sqlite" else "postgres_maker"
    return request.getfixturevalue(name)


@pytest.fixture
def make_hub(maker: SqliteMaker | PostgresMaker, tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    """Makes a hub with a fresh store and the given settings; closed at the end."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Hub:
            hub = Hub(stack.enter_context(maker.fresh(tmp_path / "hub", **settings)))
            stack.callback(_close, hub)
            return hub

        yield make


@pytest.fixture
def hub(make_hub: Callable[..., Hub]) -> Hub:
    """A hub with a fresh store."""
    return make_hub()


def _close(hub: Hub) -> None:
    """Closes the store that the hub has now: a test may have opened another."""
    hub.store.close()
