"""Handing events on: each once, none lost, whatever happens in between."""

import threading
from dataclasses import replace

import pytest

from contract.store_kit import START, Hub
from inkwire.errors import Conflict, NotFound, StoreError
from inkwire.model.event import DedupeKind, EventState, Term, TermKind
from inkwire.model.verdict import Accepted, MatchedOn
from inkwire.store.contract import Dispatched


def given_ids(given) -> list[str]:
    """Ids of the events that dispatch was given."""
    return [item.event.id for item in given]


class TestTake:
    def test_oldest_first_and_once(self, hub: Hub):
        """Events go out in order, opened, at most as many as asked for, and never again."""
        ids = [hub.put_event(b"%d" % n, body=b"body %d" % n) for n in range(5)]
        first = hub.dispatch(2)
        rest = hub.dispatch()
        assert given_ids(first) == ids[:2]
        assert given_ids(rest) == ids[2:]
        assert [item.opened.body for item in first] == [b"body 0", b"body 1"]
        assert first[0].opened.headers == ((b"content-type", b"application/json"),)
        assert hub.dispatch() == []
        assert hub.store.dispatch.backlog() == 0

    def test_how_many_were_done(self, hub: Hub):
        """The worker learns whether there is more; nothing is asked of `work` when nothing waits."""
        for number in range(3):
            hub.put_event(b"%d" % number)
        take = hub.store.dispatch.take

        def work(waiting):
            return [Dispatched(event_id=item.event.id) for item in waiting]

        assert [take(2, work), take(2, work), take(2, work)] == [2, 1, 0]
        assert take(5, pytest.fail) == 0
        assert take(0, pytest.fail) == 0

    def test_a_take_is_bounded(self, hub: Hub):
        """At most 100 rows a transaction, whatever is asked for."""
        hub.put(*(hub.intake(hub.event(b"%d" % n)) for n in range(130)))
        assert len(hub.dispatch(1000)) == 100

    def test_the_canonical_text_comes_along(self, hub: Hub):
        """If only the re-serialised text was signed, that is what gets parsed."""
        hub.put(
            hub.intake(
                body=b'{"a": 1}',
                proof=Accepted(
                    secret_id="s", matched_on=MatchedOn.RESERIALIZED, canonical=b'{"a":1}'
                ),
            ),
            hub.intake(hub.event(b"2"), body=b"raw"),
        )
        first, second = hub.dispatch()
        assert (first.opened.body, first.canonical) == (b'{"a": 1}', b'{"a":1}')
        assert (second.opened.body, second.canonical) == (b"raw", None)

    def test_what_was_found_is_kept(self, hub: Hub):
        """Terms, entity, type, time: what dispatch found can be searched at once."""
        event_id = hub.put_event(entity_key="box:file:Q1", type="box.FILE.COPIED")
        hub.clock.advance(seconds=5)
        before = hub.store.counters()["dispatched"]
        hub.store.dispatch.take(
            10,
            lambda waiting: [
                Dispatched(
                    event_id=event_id,
                    terms=(
                        Term(kind=TermKind.EMAIL, value="Ada@Example.com"),
                        Term(kind=TermKind.EMAIL, value="ada@example.com"),
                        Term(kind=TermKind.NUMBER, value="7\x00"),
                    ),
                )
            ],
        )
        event = hub.store.events.get(event_id)
        assert (event.dispatched_at, event.dispatch_error) == (hub.clock.now(), None)
        assert hub.store.events.terms(event_id) == [
            Term(kind=TermKind.EMAIL, value="ada@example.com"),
            Term(kind=TermKind.ENTITY, value="box:file:q1"),
            Term(kind=TermKind.NUMBER, value="7?"),
        ]
        assert hub.store.events.types() == ["box.FILE.COPIED"]
        assert hub.found(text="ada@") == hub.found(entity_key="box:file:Q1") == [event_id]
        assert hub.store.counters()["dispatched"] == before + 1

    def test_an_error_is_noted_and_stops_nothing(self, hub: Hub):
        """What fails for one event stands on it, for a person; those behind it go on."""
        bad, good = hub.put_event(b"1"), hub.put_event(b"2")
        hub.store.dispatch.take(
            10,
            lambda waiting: [
                Dispatched(event_id=bad, error="Its body cannot be read.\x00"),
                Dispatched(event_id=good),
            ],
        )
        assert hub.store.events.get(bad).dispatch_error == "Its body cannot be read.?"
        assert hub.store.events.get(bad).dispatched_at == START
        assert hub.store.events.get(good).dispatch_error is None

    def test_if_work_raises_all_stay_waiting(self, hub: Hub):
        """A crash in the middle costs nothing but time."""
        event_id = hub.put_event()

        def work(waiting):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            hub.store.dispatch.take(10, work)
        assert hub.store.dispatch.backlog() == 1
        assert given_ids(hub.dispatch()) == [event_id]

    def test_what_work_leaves_out_stays_waiting(self, hub: Hub):
        """Only events that were given, and that `work` answered for, are done."""
        first, second = hub.put_event(b"1"), hub.put_event(b"2")
        done = hub.store.dispatch.take(
            10, lambda waiting: [Dispatched(event_id=second), Dispatched(event_id="evt_unknown")]
        )
        assert done == 1
        assert given_ids(hub.dispatch()) == [first]

    def test_paused_sources_wait(self, hub: Hub):
        """A pause keeps everything and hands on nothing; other sources go on."""
        source = hub.add_source("box")
        hub.add_source("other")
        paused = [hub.put_event(b"%d" % n) for n in range(3)]
        going = hub.put_event(b"x", source_id="other")
        orphan = hub.put_event(b"x", source_id="deleted")
        audit = hub.audit()
        hub.store.sources.update(replace(source, paused=True), audit=audit)
        assert hub.store.dispatch.backlog() == 2
        assert given_ids(hub.dispatch()) == [going, orphan]
        hub.store.sources.update(replace(source, paused=False), audit=hub.audit())
        assert given_ids(hub.dispatch()) == paused

    def test_the_order_holds_across_sources(self, hub: Hub):
        """Oldest first means of all sources together."""
        ids = [hub.put_event(b"%d" % n, source_id=f"s{n % 3}") for n in range(12)]
        assert given_ids(hub.dispatch(5)) == ids[:5]
        assert given_ids(hub.dispatch(50)) == ids[5:]

    def test_the_backlog_is_counted(self, hub: Hub):
        """What a person sees on the front page."""
        assert hub.store.dispatch.backlog() == 0
        hub.put(*(hub.intake(hub.event(b"%d" % n)) for n in range(7)))
        assert hub.store.dispatch.backlog() == 7


class TestTwoAtOnce:
    def test_no_event_is_kept_twice(self, hub: Hub):
        """Another worker comes in while one works: each event is done once, by one of them."""
        ids = {hub.put_event(b"%d" % n) for n in range(6)}
        other = hub.open()
        done: list[str] = []

        def note(waiting):
            return [Dispatched(event_id=item.event.id) for item in waiting]

        def work(waiting):
            inner = threading.Thread(
                target=lambda: done.append(str(other.dispatch.take(3, note))), daemon=True
            )
            inner.start()
            inner.join(timeout=20)
            return note(waiting)

        try:
            outer = hub.store.dispatch.take(3, work)
        finally:
            other.close()
        left = hub.dispatch()
        assert outer + int(done[0]) + len(left) == len(ids)
        if hub.dialect == "postgresql":
            assert (outer, done) == (3, ["3"]), "locked rows are passed over, not waited for"
        assert hub.store.dispatch.backlog() == 0

    def test_a_lost_connection_loses_nothing(self, hub: Hub):
        """The database goes away while events are handed on: they stay waiting."""
        event_id = hub.put_event()
        if hub.dialect == "sqlite":
            hub.sql(
                "CREATE TRIGGER gone BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT,'x'); END"
            )

        def work(waiting):
            if hub.dialect == "postgresql":
                with pytest.raises(Exception, match="terminating"):
                    hub.sql(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() ORDER BY pid = pg_backend_pid()"
                    )
            return [Dispatched(event_id=event_id)]

        with pytest.raises(StoreError):
            hub.store.dispatch.take(10, work)
        if hub.dialect == "sqlite":
            hub.sql("DROP TRIGGER gone")
        assert given_ids(hub.dispatch()) == [event_id]


class TestAgain:
    def test_an_event_can_be_handed_on_again(self, hub: Hub):
        """A person asks for it; the log says who; the old error is gone."""
        event_id = hub.put_event()
        hub.dispatch(error="failed")
        before = hub.store.counters()["event"]
        audit = hub.audit("event.dispatch", event_id)
        hub.store.dispatch.again(event_id, audit=audit)
        event = hub.store.events.get(event_id)
        assert (event.dispatched_at, event.dispatch_error) == (None, None)
        assert hub.store.access.audit() == [audit]
        assert hub.store.counters()["event"] == before + 1
        assert given_ids(hub.dispatch()) == [event_id]

    def test_a_probable_duplicate_too(self, hub: Hub):
        """It is handed on like a new one."""
        hub.put_event(b"x", dedupe_kind=DedupeKind.DERIVED)
        repeat = hub.put_event(b"x", dedupe_kind=DedupeKind.DERIVED)
        hub.dispatch()
        hub.store.dispatch.again(repeat, audit=hub.audit())
        assert given_ids(hub.dispatch()) == [repeat]

    def test_what_may_not_be_handed_on(self, hub: Hub):
        """Duplicates, quarantined, filtered and unreadable events are a conflict; no trace."""
        hub.put_event(b"1")
        held = hub.event(b"2")
        hub.put(hub.stale(held))
        refused = [
            hub.put_event(b"1"),
            held.id,
            hub.put_event(b"3", state=EventState.FILTERED),
            hub.put_event(b"4", state=EventState.UNPARSABLE),
        ]
        for event_id in refused:
            with pytest.raises(Conflict, match=event_id):
                hub.store.dispatch.again(event_id, audit=hub.audit())
        with pytest.raises(NotFound, match="evt_none"):
            hub.store.dispatch.again("evt_none", audit=hub.audit())
        assert hub.store.access.audit() == []
