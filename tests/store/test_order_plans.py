"""Hot queries about orders walk their index, whatever is stored; see `test_plans`."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from fakes.empty import empty_folder
from inkwire.clock import ManualClock
from inkwire.config import load_settings
from inkwire.ids import SortableIds
from inkwire.model.document import SignState
from inkwire.store.open import SqlStore, open_store
from inkwire.store.ordering import OrderQuery

NOW = datetime(2026, 3, 1, tzinfo=UTC)
Call = Callable[[SqlStore], object]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """An empty store: SQLite tells its plan without data."""
    clock = ManualClock(NOW)
    settings = load_settings(data_dir=empty_folder(tmp_path_factory.mktemp("plans")))
    store = open_store(settings, clock=clock, ids=SortableIds(clock))
    yield store
    store.close()


def plans(store: SqlStore, call: Call) -> list[str]:
    """How SQLite runs each query of the call."""
    said: list[tuple[str, object]] = []
    engine = store._database.engine

    def hear(_conn, _cursor, statement, values, *_) -> None:
        said.append((statement, values))

    sa.event.listen(engine, "before_cursor_execute", hear)
    call(store)
    sa.event.remove(engine, "before_cursor_execute", hear)
    with engine.connect() as conn:
        driver = conn.connection.driver_connection
        return [
            row[3]
            for statement, values in said
            for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        ]


def page(**query: object) -> Call:
    """A call for one page of orders."""
    return lambda store: store.orders.page(OrderQuery(**query))


@pytest.mark.parametrize(
    ("call", "index"),
    [
        (page(), "SCAN orders USING INDEX sqlite_autoindex_orders_1"),
        (page(before="ord_1"), "sqlite_autoindex_orders_1 (id<?)"),
        (page(status="new"), "ix_orders_status (status=?)"),
        (page(status="new", before="ord_1"), "ix_orders_status (status=? AND id<?)"),
        (page(status="new", after="ord_1"), "ix_orders_status (status=? AND id>?)"),
        (page(waiting=True), "sqlite_autoindex_orders_1 (id=?)"),
        (page(waiting=True), "ix_sign_requests_open"),
        (page(text="ada"), "ix_orders_number_term (number_term>? AND number_term<?)"),
        (page(text="ada"), "ix_orders_name_term (name_term>? AND name_term<?)"),
        (page(text="ada"), "ix_orders_email_term (email_term>? AND email_term<?)"),
        (page(text="ada", status="new"), "ix_orders_email_term (email_term>? AND email_term<?)"),
        (lambda store: store.orders.by_number("1"), "uq_orders_number (number=?)"),
        (lambda store: store.orders.count_by_status(), "SCAN orders USING INDEX ix_orders_status"),
        (lambda store: store.orders.timeline("ord_1"), "ix_order_lines_order (order_id=?)"),
        (
            lambda store: store.orders.timeline("ord_1", before="lin_1"),
            "ix_order_lines_order (order_id=? AND id<?)",
        ),
        (lambda store: store.documents.of_order("ord_1"), "ix_documents_order (order_id=?)"),
        (
            lambda store: store.documents.by_origin("ord_1", "x"),
            "uq_documents_origin (order_id=? AND origin=?)",
        ),
        (lambda store: store.documents.unjudged(9), "ix_documents_unjudged"),
        (lambda store: store.sign_requests.of_order("ord_1"), "ix_sign_requests_order"),
        (lambda store: store.sign_requests.latest(["ord_1"]), "ix_sign_requests_order"),
        (lambda store: store.works.unfinished(["order:1"]), "ix_work_entity (entity_key=?)"),
        (
            lambda store: store.sign_requests.open_since(7, "ord_1", [SignState.OPEN]),
            "ix_sign_requests_order",
        ),
        (
            lambda store: store.sign_requests.due(7, now=NOW, limit=9),
            "ix_sign_requests_due (integration_id=? AND next_check_at>? AND next_check_at<?)",
        ),
        (lambda store: store.evidence.chain("ord_1"), "PRIMARY KEY (order_id=?)"),
    ],
)
def test_it_walks_its_index(store: SqlStore, call: Call, index: str):
    """In the order of the list: it reads what it returns, and the sealed rows are not sorted."""
    found = plans(store, call)
    assert any(index in plan for plan in found), found
    assert not [plan for plan in found if plan.startswith("SCAN ") and "INDEX" not in plan], found
    assert not [plan for plan in found if plan == "USE TEMP B-TREE FOR ORDER BY"], found
