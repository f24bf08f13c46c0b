"""The life of one order from its trigger to its documents, and the judgement of its end.

Sent for signature, signed by the customer at the sandbox, found by reconciliation, brought home.
The checker asks the sandbox what really happened there, and the hub's store what it believes.
"""

import contextlib
import json
import sqlite3
from datetime import timedelta
from typing import Any

import psycopg

from crash.nursery import Nursery, until
from crash.order_harness import Cell
from fakes.sandbox import SandboxProcess
from inkwire.access.gate import CLI
from inkwire.config import Settings
from inkwire.engine.desk import Decision
from inkwire.hub import Hub
from inkwire.model.document import DocumentKind, SignState
from inkwire.model.evidence import first_broken
from inkwire.model.work import LedgerState, ParkCause, Work, WorkState
from inkwire.store.acting import WorkQuery


def play(cell: Cell) -> None:
    """The whole life of the order; whatever becomes of it is for `wrong` to judge."""
    work = begin(cell)
    cell.start()
    finish(cell, work)


def begin(cell: Cell) -> Work:
    """The order comes into the trigger status; its work."""
    cell.hub.orders.move(CLI, cell.order.id, "request_signature")
    return cell.row("request_signature")


def finish(cell: Cell, work: Work) -> None:
    """From there to the end, which no worker outlives."""
    row = cell.ended(work)
    if row.park_cause is ParkCause.PERSON:
        _ask_a_person(cell, work)
    _done(cell, work)
    if cell.late:
        cell.commit_late()
    sign(cell)
    cell.move_to(cell.hub.clock.now() + timedelta(minutes=16))
    _done(cell, cell.add("reconcile"))
    _done(cell, cell.row("bring_home"))
    _done(cell, cell.add("set_up"))
    until(lambda: not pending(cell), "the end of the engine's runs")
    cell.stop()
    for index in range(len(cell.kills)):
        assert cell.flag(index).exists(), f"{cell.kills[index]} was never come by"


def open_engine(hub: Hub, sandbox: SandboxProcess, nursery: Nursery) -> None:
    """Lets a worker make the engine's tables, so that copies have them."""
    cell = Cell(hub=hub, sandbox=sandbox, nursery=nursery)
    cell.start()
    _done(cell, cell.add("find_orphans"))
    until(lambda: not pending(cell), "the end of the engine's runs")
    cell.stop()


def _done(cell: Cell, work: Work) -> None:
    row = cell.ended(work)
    assert row.state is WorkState.DONE, f"{row.workflow} is {row.state}: {row.note}"


def _ask_a_person(cell: Cell, work: Work) -> None:
    """The doubt ends: by what the sandbox commits even now, or by somebody's word."""
    (entry,) = cell.hub.store.ledger.of_work(work.id)
    assert entry.state is LedgerState.DOUBT
    assert not cell.requests(), "a person is asked only while Box shows nothing"
    if cell.late:
        cell.commit_late()
        _done(cell, cell.add("find_orphans"))
        cell.doubt = "asked a person; then Box committed, and it was found"
    else:
        cell.hub.work.decide(CLI, entry.key, Decision.REPEAT)
        cell.doubt = "asked a person, who had it sent"


def sign(cell: Cell) -> None:
    """The customer signs what they were asked to; returns when Box has finished that."""
    until(cell.signing_mails, "the signing mail")
    for request in cell.requests():
        until(lambda request=request: _signed(cell, request["id"]), "the signature")


def _signed(cell: Cell, request_id: str) -> bool:
    (now,) = [one for one in cell.requests() if one["id"] == request_id]
    if now["status"] in ("sent", "viewed"):
        cell.sandbox.sign(request_id)
    return now["status"] == "signed" and now["ready"]


def wrong(cell: Cell, *, orders: int = 1) -> list[str]:
    """Everything that is not as it must be in the end, in words. `orders`: that the hub has."""
    store, order_id = cell.hub.store, cell.order.id
    order = store.orders.get(order_id)
    requests = cell.requests()
    kinds = [one.kind for one in store.documents.of_order(order_id)]
    sent = [(one.state, one.next_check_at) for one in store.sign_requests.of_order(order_id)]
    rows = store.works.page(WorkQuery(limit=200, upkeep=False))
    to_signed = [
        line for line in store.orders.timeline(order_id) if line.refs.get("to") == "signed"
    ]
    ledger = [one for one in store.ledger.page() if order_id in one.key]
    entries = [(one.state, one.remote_id) for one in ledger]
    messages = {"document.filed": 2, "order.signed": 1, "order.status_changed": 2}
    first = requests[0]["id"] if requests else None
    found = {
        "sign requests at Box": (len(requests), 1),
        "signing mails": (cell.signing_mails(), 1),
        "the order field": (order.fields.get("sign_request_id"), first),
        "the order's status": (order.status, "signed"),
        "lines that say signed": (len(to_signed), 1),
        "prepared PDFs": (kinds.count(DocumentKind.PREPARED), 1),
        "signed PDFs": (kinds.count(DocumentKind.SIGNED), 1),
        "signing logs": (kinds.count(DocumentKind.SIGNING_LOG), 1),
        "kept sign requests": (sent, [(SignState.SIGNED, None)]),
        "the ledger": (entries, [(LedgerState.DONE, first)]),
        "first broken link": (first_broken(store.evidence.chain(order_id)), None),
        "unfinished work": ([row.note for row in rows if row.state is not WorkState.DONE], []),
        "runs left in the engine": (pending(cell), 0),
        "messages": (
            _messages(cell),
            {topic: orders * count for topic, count in messages.items()},
        ),
        "folders, uploads and webhooks at Box": (_items(cell), (1, orders, 1)),
    }
    return [f"{what}: {is_}, not {must}" for what, (is_, must) in found.items() if is_ != must]


def ask(settings: Settings, sql: str, *, file: str = "inkwire.db") -> list[tuple[Any, ...]]:
    """Rows of a hub's database, or of another file of its folder on SQLite."""
    if settings.database_url is not None:
        with psycopg.connect(settings.database_url.get_secret_value()) as conn:
            return conn.execute(sql).fetchall()
    with contextlib.closing(sqlite3.connect(settings.data_dir / file)) as conn:
        return conn.execute(sql).fetchall()


def pending(cell: Cell) -> int:
    """Runs that the engine has not ended."""
    schema = "" if cell.hub.settings.database_url is None else "inkwire_engine."
    sql = (
        f"SELECT count(*) FROM {schema}workflow_status "
        "WHERE status NOT IN ('SUCCESS', 'ERROR', 'CANCELLED')"
    )
    return int(ask(cell.hub.settings, sql, file="engine.db")[0][0])


def _messages(cell: Cell) -> dict[str, int]:
    sql = "SELECT topic, count(*) FROM messages GROUP BY topic"
    return dict(ask(cell.hub.settings, sql))  # type: ignore[arg-type]


def _items(cell: Cell) -> tuple[int, int, int]:
    """Folders of the cell's name at the sandbox, what we uploaded into them, their webhooks."""
    path = cell.sandbox.folder / "sandbox.db"
    with contextlib.closing(sqlite3.connect(path)) as conn:
        rows = conn.execute("SELECT kind, body FROM doc").fetchall()
    items = [json.loads(body) for kind, body in rows if kind == "box_item"]
    hooks = [json.loads(body) for kind, body in rows if kind == "box_webhook"]
    folders = [one for one in items if one["name"] == cell.folder_name]
    ids = {one["id"] for one in folders}
    makers = {one["created_by"] for one in folders}
    files = [one for one in items if one["parent"] in ids and one["created_by"] in makers]
    return len(folders), len(files), sum(one["target"]["id"] in ids for one in hooks)
