"""Orders: kept whole, changed whole or not at all, found again; statuses; timelines."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from contract.order_kit import Office
from contract.store_kit import Hub
from inkwire.errors import CipherError, Conflict, NotFound, StoreBusy, StoreError
from inkwire.model.document import SignState
from inkwire.model.evidence import first_broken
from inkwire.model.order import Order, OrderStatus, Party
from inkwire.store import schema_orders as tables
from inkwire.store.contract import CONFIG, MESSAGE, ORDER, WORK
from inkwire.store.keys import rotate
from inkwire.store.order_rows import sealed_order
from inkwire.store.ordering import OrderChange, OrderQuery

THREADS = 8


@pytest.fixture
def office(hub: Hub) -> Office:
    """Keeps orders in a fresh store."""
    return Office(hub)


def at_once(*calls: Callable[[], object]) -> list[object]:
    """What the calls return or raise, all begun at the same moment on threads of their own."""
    ready = threading.Barrier(len(calls))

    def one(call: Callable[[], object]) -> object:
        ready.wait()
        try:
            return call()
        except Conflict as conflict:
            return conflict

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


class TestKeeping:
    def test_an_order_comes_back_as_it_went_in(self, office: Office):
        """Every member, whatever its letters; by id and by number."""
        order = office.add(
            number="Ä/1 🙂",
            fields={"k": "v\x00", "🔑": ""},
            customer=Party(name="Ⅻ", address="1\n2"),
            deleted_at=None,
        )
        assert office.orders.get(order.id) == order
        assert office.orders.by_number("Ä/1 🙂") == order
        assert office.orders.page(OrderQuery()) == [order]

    def test_numbers_by_id(self, office: Office):
        """Of those that are there, deleted ones too; nothing is opened for it."""
        one, two = office.add(number="1042"), office.add(number="1043")
        assert office.orders.numbers([one.id, two.id, "ord_none"]) == {
            one.id: "1042",
            two.id: "1043",
        }
        assert office.orders.numbers([]) == {}

    def test_nobody_is_found(self, office: Office):
        """What is not there is said so, also for texts that no store keeps."""
        for order_id in ("ord_1", "a\x00", "\ud800"):
            with pytest.raises(NotFound):
                office.orders.get(order_id)
            with pytest.raises(NotFound):
                office.orders.apply(OrderChange(order_id=order_id))
            assert office.orders.by_number(order_id) is None
            assert office.found(text=order_id, status=order_id, before=order_id) == []
            assert office.orders.timeline(order_id, before=order_id) == []

    def test_content_is_sealed(self, office: Office):
        """On the disk are the number, name and address to search by, and nothing else of it."""
        office.add(
            number="N-4711", customer=Party(name="Ada", email="a@b.example", phone="0170-55")
        )
        disk = office.hub.everything()
        for plain in (b"N-4711", b"a@b.example"):
            assert plain in disk
        for hidden in (b"0170-55", b"Analytical", b"brass", b"Wheels"):
            assert hidden not in disk

    def test_half_characters_are_refused(self, office: Office):
        """With a sentence, and nothing is kept."""
        for fields in ({"number": "\ud800"}, {"customer": Party(name="\ud800")}):
            order = office.order(**fields)
            with pytest.raises(StoreError, match="half a character"):
                office.orders.add(order, OrderChange(order_id=order.id))
        assert office.found() == []

    def test_an_erased_order(self, office: Office):
        """Its page says so, and the list with its neighbours still opens."""
        erased, well = office.add(number="1"), office.add(number="2")
        office.hub.sql("UPDATE orders SET content = NULL WHERE id = %s", erased.id)
        with pytest.raises(CipherError, match="order 1 was erased"):
            office.orders.get(erased.id)
        assert office.orders.get(well.id) == well
        assert office.found() == ["2", "1"]

    def test_what_was_changed_or_moved_does_not_open(self, office: Office):
        """A row under another row's key, or with other bytes, is no order."""
        first, second = office.add(number="1"), office.add(number="2")
        swap = "UPDATE orders SET {0} = (SELECT {0} FROM orders WHERE id = %s) WHERE id = %s"
        for column in ("data_key", "content"):
            office.hub.sql(swap.format(column), second.id, first.id)
            with pytest.raises(CipherError, match=r"Order 1 does not open\. .* from a backup"):
                office.orders.get(first.id)
        listed = office.orders.page(OrderQuery())[1]
        assert listed.customer == Party(name="ada lovelace", email="ada@example.com")

    def test_after_a_rotation(self, office: Office):
        """Once re-wrapped, orders and documents open without the old key."""
        hub = office.hub
        order = office.add()
        sealed = hub.store.documents.seal("doc_1", b"bytes")
        new = replace(office.document(order.id, id="doc_1"), data_key=sealed.data_key)
        office.orders.apply(OrderChange(order_id=order.id, documents=(new,)))
        signing = hub.store.evidence.hub_key()
        hub.store.close()
        rotate(hub.settings)
        hub.store = hub.open()
        while hub.store.rewrap():
            pass
        key = hub.settings.data_dir / "master.key"
        key.write_text(key.read_text().splitlines()[0] + "\n")
        hub.store.close()
        hub.store = hub.open()
        assert office.orders.get(order.id) == order
        assert hub.store.documents.open("doc_1", sealed.content) == b"bytes"
        assert hub.store.evidence.hub_key() == signing


class TestNumbers:
    def test_a_number_is_taken(self, office: Office):
        """One order of a number at a time: another waits until the first is deleted."""
        first = office.add(number="7")
        other = office.order(number="7")
        with pytest.raises(Conflict, match="order 7 already") as caught:
            office.orders.add(other, OrderChange(order_id=other.id, audit=office.hub.audit()))
        assert caught.value.code == "order_number_taken"
        assert office.hub.store.access.audit() == []
        first = office.move(first, deleted_at=office.hub.clock.now())
        office.orders.add(other, OrderChange(order_id=other.id))
        assert office.orders.by_number("7") == other
        assert office.orders.get(first.id).deleted_at is not None
        with pytest.raises(Conflict, match="order 7 already"):
            office.move(first, deleted_at=None)

    def test_a_number_that_changes(self, office: Office):
        """It may not become another's; the order stays as it was."""
        office.add(number="7")
        order = office.add(number="8")
        with pytest.raises(Conflict, match="order 7 already"):
            office.move(order, number="7")
        assert office.orders.get(order.id) == order
        assert office.found(text="7") == ["7"]

    def test_many_want_one_number(self, office: Office):
        """One gets it, each other hears why."""
        wanted = [office.order(number="7") for _ in range(THREADS)]
        outcomes = at_once(
            *(
                lambda order=order: office.orders.add(order, OrderChange(order_id=order.id))
                for order in wanted
            )
        )
        refused = [one for one in outcomes if isinstance(one, Conflict)]
        assert len(refused) == THREADS - 1
        assert {one.code for one in refused} == {"order_number_taken"}
        assert office.found() == ["7"]


class TestChanging:
    def test_all_of_a_change(self, office: Office):
        """Everything that one happening brings is there, and everybody is woken."""
        store = office.hub.store
        order, before = office.add(), store.counters()
        change = office.everything(order, once="run/step")
        assert office.orders.apply(change)
        assert office.orders.get(order.id) == change.order
        assert office.orders.timeline(order.id) == list(reversed(change.lines))
        assert [link.item for link in store.evidence.chain(order.id)] == list(change.evidence)
        assert store.documents.of_order(order.id) == [change.documents[0].document]
        assert store.sign_requests.get(change.sign_request.id) == change.sign_request
        assert store.works.get(change.work[0].id) == change.work[0]
        assert office.hub.rows("SELECT id FROM messages") == [(change.messages[0].message.id,)]
        assert store.access.audit() == [change.audit]
        after = store.counters()
        moved = {topic for topic in after if after[topic] != before[topic]}
        assert moved == {ORDER, WORK, MESSAGE}

    def test_a_new_order_with_its_change(self, office: Office):
        """The first change is kept with the order itself."""
        order = office.order()
        change = office.everything(order, order=None, once="made")
        office.orders.add(order, change)
        assert office.orders.get(order.id) == order
        assert len(office.orders.timeline(order.id)) == 2
        before = office.snapshot()
        assert not office.orders.apply(change)
        assert office.snapshot() == before

    def test_once(self, office: Office):
        """A step that runs again changes nothing at all, though its ids are new."""
        order = office.add()
        assert office.orders.apply(office.everything(order, once="run/step"))
        before = office.snapshot()
        assert not office.orders.apply(office.everything(order, once="run/step"))
        assert office.snapshot() == before
        other = office.add(number="other")
        assert office.orders.apply(office.everything(other, once="run/step"))

    def test_a_step_that_many_run_at_once(self, office: Office):
        """Exactly one of them does it."""
        order = office.add()
        second = office.hub.open()
        try:
            outcomes = at_once(
                *(
                    lambda store=store: store.orders.apply(
                        OrderChange(
                            order_id=order.id,
                            once="run/step",
                            lines=(office.line(order.id),),
                            evidence=(office.item(),),
                        )
                    )
                    for store in (office.hub.store, second) * (THREADS // 2)
                )
            )
        finally:
            second.close()
        assert sorted(outcomes) == [False] * (THREADS - 1) + [True]
        assert len(office.orders.timeline(order.id)) == 1
        assert len(office.hub.store.evidence.chain(order.id)) == 1

    def test_a_stale_change_keeps_nothing(self, office: Office):
        """Who read an older version is told so; `once` is not used up by that."""
        order = office.add()
        newer = office.move(order, status="open")
        before = office.snapshot()
        change = office.everything(order, once="run/step")
        with pytest.raises(Conflict, match="read it again") as caught:
            office.orders.apply(change)
        assert caught.value.code == "order_changed"
        assert office.snapshot() == before
        assert office.orders.apply(office.everything(newer, once="run/step"))

    def test_what_is_there_is_left_out(self, office: Office):
        """Documents by their origin, messages by their id, work by its key: each is kept once."""
        order = office.add()
        change = office.everything(order)
        office.orders.apply(change)
        document, work = change.documents[0].document, change.work[0]
        before = office.hub.store.counters()
        again = OrderChange(
            order_id=order.id,
            documents=(
                # As `keep` returns one that is there: without a key.
                replace(change.documents[0], data_key=b""),
                office.document(order.id, origin=document.origin),
                office.document(order.id, origin="new"),
                office.document(order.id, origin="new"),
            ),
            messages=change.messages,
            work=(office.work(order.id, key=work.key),),
        )
        assert office.orders.apply(again)
        kept = office.hub.store.documents.of_order(order.id)
        assert [one.id for one in kept] == [document.id, again.documents[2].document.id]
        assert len(office.hub.rows("SELECT id FROM messages")) == 1
        assert office.hub.rows("SELECT id FROM work") == [(work.id,)]
        after = office.hub.store.counters()
        assert {topic for topic in after if after[topic] != before[topic]} == {ORDER}

    def test_a_document_without_its_key(self, office: Office):
        """It could never be opened again, so it is refused."""
        order = office.add()
        keyless = replace(office.document(order.id), data_key=b"")
        with pytest.raises(StoreError, match="without its key"):
            office.orders.apply(OrderChange(order_id=order.id, documents=(keyless,)))

    def test_a_change_of_two_orders(self, office: Office):
        """What belongs to one order never lands on another."""
        first, second = office.add(), office.add()
        for fields in (
            {"order": office.next(second)},
            {"lines": (office.line(second.id),)},
            {"documents": (office.document(second.id),)},
            {"sign_request": office.request(second.id)},
        ):
            with pytest.raises(StoreError, match="one change for each order"):
                office.orders.apply(OrderChange(order_id=first.id, **fields))
        request = office.keep(office.request(second.id))
        with pytest.raises(Conflict, match=second.id) as caught:
            office.keep(replace(request, order_id=first.id))
        assert caught.value.code == "sign_request_taken"

    def test_many_change_one_order(self, office: Office):
        """No update is lost and the chain has no fork, from two processes with eight threads."""
        order = office.add(fields={"count": "0"})
        second, all_have_read = office.hub.open(), threading.Barrier(THREADS)

        def worker(store) -> int:
            done = conflicts = 0
            now = store.orders.get(order.id)
            all_have_read.wait()
            while done < 5:
                count = str(int(now.fields["count"]) + 1)
                change = OrderChange(
                    order_id=order.id,
                    order=office.next(now, fields={"count": count}),
                    evidence=(office.item(facts={"count": count}), office.item()),
                )
                try:
                    done += store.orders.apply(change)
                except StoreBusy:
                    continue
                except Conflict as conflict:
                    assert conflict.code == "order_changed"
                    conflicts += 1
                now = store.orders.get(order.id)
            return conflicts

        try:
            stores = (office.hub.store, second) * (THREADS // 2)
            conflicts = at_once(*(lambda store=store: worker(store) for store in stores))
        finally:
            second.close()
        made = THREADS * 5
        assert sum(conflicts) >= THREADS - 1
        assert office.orders.get(order.id).fields == {"count": str(made)}
        assert office.orders.get(order.id).version == made + 1
        chain = office.hub.store.evidence.chain(order.id)
        assert [link.seq for link in chain] == list(range(1, 2 * made + 1))
        assert first_broken(chain) is None
        counts = [link.item.facts["count"] for link in chain if "count" in link.item.facts]
        assert counts == [str(count) for count in range(1, made + 1)]


class TestFinding:
    def test_ten_thousand_orders(self, office: Office):
        """Page after page gives each once, newest first, and each page walks one index."""
        cipher, first = office.orders._cipher, office.order(status="s0")
        many = [
            replace(first, id=f"ord_{n:024}", number=f"N{n:05}", status=f"s{n % 100}")
            for n in range(10_000)
        ]
        with office.database.writing() as conn:
            conn.execute(tables.orders.insert(), [sealed_order(cipher, one) for one in many])
        office.hub.sql("ANALYZE")
        for query, expected in (
            ({"limit": 200}, many),
            ({"limit": 7, "status": "s42"}, many[42::100]),
            ({"limit": 50, "text": "n012"}, many[1200:1300]),
        ):
            found: list[Order] = []
            before = None
            while page := office.orders.page(OrderQuery(before=before, **query)):
                assert len(page) <= query["limit"]
                found += page
                before = page[-1].id
            assert found == list(reversed(expected))
        assert office.orders.page(OrderQuery(after=many[-3].id)) == [many[-1], many[-2]]
        if office.hub.dialect == "postgresql":
            for query in ({}, {"before": many[5000].id}, {"status": "s42"}, {"text": "n012"}):
                plan = _plan(office, OrderQuery(**query))
                assert "Seq Scan on orders" not in plan, plan
                assert query or "Sort" not in plan, plan

    def test_by_a_prefix(self, office: Office):
        """Of number, name or address, whatever its case; no letter is a wildcard."""
        office.add(number="A-1", customer=Party(name="Zoë  Ångström", email="Z@Example.com"))
        office.add(number="b_2", customer=Party(name="Bob%", email="bob@example.com"))
        office.add(number="Z-3", customer=Party())
        for text, expected in {
            "a-": ["A-1"],
            " zoë ÅNG": ["A-1"],
            "z": ["Z-3", "A-1"],
            "z@EXAMPLE": ["A-1"],
            "B": ["b_2"],
            "b_": ["b_2"],
            "bob%": ["b_2"],
            "_": [],
            "%": [],
            "ob": [],
            "  ": ["Z-3", "b_2", "A-1"],
            "x" * 3000: [],
        }.items():
            assert office.found(text=text) == expected, text

    def test_by_an_id(self, office: Office):
        """Its own, or that of its sign request as the vendor writes it."""
        order, _ = office.add(number="1"), office.add(number="2")
        office.keep(office.request(order.id, id="SR-Upper"))
        assert office.found(text=order.id) == ["1"]
        assert office.found(text="SR-Upper") == ["1"]
        assert office.found(text="SR-Upp") == []

    def test_those_that_wait(self, office: Office):
        """An order waits while one of its sign requests is open."""
        waits, done, _ = (office.add(number=number) for number in "123")
        office.keep(office.request(done.id, state=SignState.SIGNED))
        office.keep(office.request(waits.id, state=SignState.DECLINED))
        request = office.keep(office.request(waits.id))
        assert office.found(waiting=True) == ["1"]
        assert office.found(waiting=True, text="ada") == ["1"]
        assert office.found(waiting=True, text="ada", status="other") == []
        office.keep(replace(request, state=SignState.EXPIRED))
        assert office.found(waiting=True) == []

    def test_deleted_orders_are_not_listed(self, office: Office):
        """Nor counted, nor found by anything but their id."""
        order = office.add(number="1")
        office.keep(office.request(order.id, id="sr_1"))
        office.move(order, deleted_at=office.hub.clock.now())
        for query in ({}, {"text": "1"}, {"text": "sr_1"}, {"text": order.id}, {"waiting": True}):
            assert office.found(**query) == []
        assert office.orders.count_by_status() == {}
        assert office.orders.by_number("1") is None
        assert office.orders.get(order.id).number == "1"

    def test_what_changed_is_found_anew(self, office: Office):
        """The terms follow the order."""
        order = office.add(customer=Party(name="Old"))
        office.move(order, customer=Party(name="New", email="n@example.com"))
        assert office.found(text="old") == []
        assert office.found(text="n@") == [order.number]

    def test_a_timeline(self, office: Office):
        """Newest first, page by page, one order's alone; texts of vendors never break it."""
        order, other = office.add(), office.add()
        lines = [office.line(order.id, text=f"{n}") for n in range(5)]
        for line in (*lines, office.line(other.id)):
            office.orders.apply(OrderChange(order_id=line.order_id, lines=(line,)))
        newest = list(reversed(lines))
        assert office.orders.timeline(order.id, limit=2) == newest[:2]
        assert office.orders.timeline(order.id, before=newest[1].id) == newest[2:]
        odd = office.line(other.id, text="a\x00\ud800", refs={"event": "\x00"})
        office.orders.apply(OrderChange(order_id=other.id, lines=(odd,)))
        assert office.orders.timeline(other.id)[0] == replace(odd, text="a??", refs={"event": "?"})


class TestStatuses:
    def test_they_come_back_in_order(self, office: Office):
        """As the site set them, the whole set at a time."""
        statuses = [
            OrderStatus(code="b", name="B 🙂", transitions=("a",), terminal=True, position=1),
            OrderStatus(code="a", name="A", transitions=("b", "a"), position=0),
        ]
        before = office.hub.store.counters()[CONFIG]
        office.orders.set_statuses(statuses, audit=office.hub.audit("statuses.set"))
        assert office.orders.statuses() == [statuses[1], statuses[0]]
        assert office.hub.store.counters()[CONFIG] > before
        office.orders.set_statuses([], audit=office.hub.audit())
        assert office.orders.statuses() == []

    def test_one_that_is_in_use(self, office: Office):
        """It stays, and the message names it and how many orders are in it."""
        office.statuses("new", "open", "done")
        for status in ("new", "open", "open"):
            office.add(status=status)
        before = office.snapshot()
        with pytest.raises(Conflict, match=r"new \(1 order\), open \(2 orders\)") as caught:
            office.statuses("done")
        assert caught.value.code == "status_in_use"
        assert office.snapshot() == before
        assert [status.code for status in office.orders.statuses()] == ["new", "open", "done"]
        assert office.orders.count_by_status() == {"new": 1, "open": 2}

    def test_one_that_is_gone(self, office: Office):
        """Nobody puts an order into it; an order of another status changes freely."""
        office.statuses("new")
        order = office.add()
        with pytest.raises(Conflict, match="no status open any more") as caught:
            office.move(order, status="open")
        assert caught.value.code == "status_gone"
        with pytest.raises(Conflict, match="choose one of new"):
            office.add(status="open")
        assert office.move(order, currency="CHF").version == 2

    def test_taken_away_while_an_order_goes_there(self, office: Office):
        """Whoever comes first, no order is left in a status that is gone."""
        second = office.hub.open()
        try:
            for _ in range(10):
                office.statuses("new", "open")
                order = office.add()
                moved = OrderChange(order_id=order.id, order=office.next(order, status="open"))
                at_once(
                    lambda moved=moved: second.orders.apply(moved),
                    lambda: office.statuses("new"),
                )
                left = {status.code for status in office.orders.statuses()}
                assert set(office.orders.count_by_status()) <= left
                office.move(
                    office.orders.get(order.id),
                    status="new",
                    deleted_at=office.hub.clock.now() + timedelta(seconds=1),
                )
        finally:
            second.close()


def _plan(office: Office, query: OrderQuery) -> str:
    """How PostgreSQL runs that page."""
    said: list[tuple[str, object]] = []
    engine = office.database.engine

    def hear(_conn, _cursor, statement, values, *_) -> None:
        said.append((statement, values))

    sa.event.listen(engine, "before_cursor_execute", hear)
    office.orders.page(query)
    sa.event.remove(engine, "before_cursor_execute", hear)
    statement, values = next(one for one in said if one[0].startswith("SELECT orders"))
    with engine.connect() as conn:
        return "\n".join(row[0] for row in conn.exec_driver_sql(f"EXPLAIN {statement}", values))
