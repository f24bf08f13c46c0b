"""The event list: filters, pages and search, alike on both dialects."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.store_kit import START, Hub
from inkwire.model.event import EventState
from inkwire.store import search
from inkwire.store.contract import MAX_PAGE
from inkwire.store.search import after_prefix


def fill(hub: Hub, count: int, **fields) -> list[str]:
    """`count` events, a second apart, in batches; their ids, oldest first."""
    events = []
    for at in range(0, count, 500):
        intakes = []
        for number in range(at, min(at + 500, count)):
            hub.clock.advance(seconds=1)
            values = {name: f(number) if callable(f) else f for name, f in fields.items()}
            of_intake = {key: values.pop(key) for key in ("source_id",) if key in values}
            event = hub.event(b"fill-%d" % number, **values)
            events.append(event.id)
            intakes.append(hub.intake(event, **of_intake))
        hub.put(*intakes)
    return events


def dispatch_all(hub: Hub, terms: dict[str, Sequence[str]]) -> None:
    """Hands on everything, noting the terms of each event."""
    while hub.dispatch(terms=terms):
        pass


class TestFilters:
    def test_newest_first_and_on_from_there(self, hub: Hub):
        """Pages join without gap or overlap, in both directions."""
        newest = fill(hub, 23)[::-1]
        pages, before = [], None
        while page := hub.found(limit=5, before=before):
            pages += page
            before = page[-1]
        assert pages == newest
        assert hub.found(after=newest[4]) == newest[:4]
        assert hub.found(after=newest[10], before=newest[4]) == newest[5:10]

    def test_a_page_has_its_limits(self, hub: Hub):
        """However much is asked for, a page stays small; none is none."""
        newest = fill(hub, MAX_PAGE + 20)[::-1]
        assert hub.found(limit=10_000) == newest[:MAX_PAGE]
        assert hub.found(limit=0) == hub.found(limit=-1) == []
        assert len(hub.found()) == 50

    def test_every_filter_and_all_together(self, hub: Hub):
        """All given filters must hold."""
        ids = fill(
            hub,
            60,
            source_id=lambda n: "a" if n % 2 else "b",
            type=lambda n: f"box.T{n % 3}",
            entity_key=lambda n: f"box:file:{n % 5}",
            state=lambda n: EventState.FILTERED if n % 4 == 0 else EventState.NEW,
        )
        dispatch_all(hub, {})

        def expected(*wanted) -> list[str]:
            return [ids[n] for n in range(59, -1, -1) if all(test(n) for test in wanted)]

        def of_a(n):
            return n % 2 == 1

        def of_type(n):
            return n % 3 == 2

        def of_entity(n):
            return n % 5 == 3

        def filtered(n):
            return n % 4 == 0

        def recent(n):
            return 20 <= n < 40

        since, until = START + timedelta(seconds=21), START + timedelta(seconds=41)
        assert hub.found(source_id="a", limit=200) == expected(of_a)
        assert hub.found(type="box.T2", limit=200) == expected(of_type)
        assert hub.found(entity_key="box:file:3", limit=200) == expected(of_entity)
        assert hub.found(state=EventState.FILTERED, limit=200) == expected(filtered)
        assert hub.found(state=EventState.NEW, limit=200) == expected(lambda n: not filtered(n))
        assert hub.found(since=since, until=until, limit=200) == expected(recent)
        assert hub.found(source_id="b", state=EventState.FILTERED, limit=200) == expected(filtered)
        assert hub.found(
            source_id="a", type="box.T2", entity_key="box:file:3", since=since, limit=200
        ) == expected(of_a, of_type, of_entity, lambda n: n >= 20)
        assert hub.found(source_id="nobody") == hub.found(entity_key="box:file:99") == []

    def test_times_decide_to_the_microsecond(self, hub: Hub):
        """`since` is included, `until` is not, whatever the ids say."""
        ids = [
            hub.put_event(b"%d" % number, received_at=START + timedelta(microseconds=number))
            for number in range(4)
        ]
        moment = START + timedelta(microseconds=2)
        assert hub.found(since=moment) == [ids[3], ids[2]]
        assert hub.found(until=moment) == [ids[1], ids[0]]
        assert hub.found(since=moment, until=moment) == []

    def test_an_entity_key_is_exact(self, hub: Hub):
        """Keys that differ only in case, or by more characters, are other entities."""
        one = hub.put_event(b"1", entity_key="bolosign:document:AbC")
        hub.put_event(b"2", entity_key="bolosign:document:abc")
        hub.put_event(b"3", entity_key="bolosign:document:AbCd")
        hub.dispatch()
        assert hub.found(entity_key="bolosign:document:AbC") == [one]


class TestText:
    def test_by_prefix_whatever_the_case(self, hub: Hub):
        """What a person types finds the terms that begin with it."""
        one, two, three = (hub.put_event(b"%d" % n) for n in range(3))
        dispatch_all(
            hub,
            {
                one: ["ada lovelace", "ada@example.com"],
                two: ["adam", "10042"],
                three: ["grace", "ünal"],
            },
        )
        assert hub.found(text="ADA") == [two, one]
        assert hub.found(text="  ada   LOVE ") == [one]
        assert hub.found(text="1004") == [two]
        assert hub.found(text="Ün") == [three]
        assert hub.found(text="lovelace") == []
        assert hub.found(text="ada", before=two) == [one]
        assert hub.found(text="ada", after=one) == [two]

    @pytest.mark.parametrize("text", ["%", "_", "\\", "*", "'", '"', "a%", "ada\x00"])
    def test_no_character_is_a_pattern(self, hub: Hub, text: str):
        """Search text is data: nothing in it matches anything but itself."""
        event_id = hub.put_event()
        hub.dispatch(terms=["ada"])
        assert hub.found(text=text) == []
        assert hub.found(text="ada") == [event_id]

    def test_by_a_whole_id(self, hub: Hub):
        """An event's or a receipt's id, pasted, finds it; the other filters still hold."""
        events = [hub.event(b"%d" % n) for n in range(2)]
        intake = hub.intake(*events)
        hub.put(intake)
        assert hub.found(text=events[0].id) == [events[0].id]
        assert hub.found(text=f" {events[0].id.upper()} ") == [events[0].id]
        assert hub.found(text=intake.receipt_id) == [events[1].id, events[0].id]
        assert hub.found(text=intake.receipt_id, source_id="other") == []
        assert hub.found(text=events[0].id[:-1]) == []

    def test_with_other_filters(self, hub: Hub):
        """Text and filters must both hold."""
        ids = fill(
            hub, 40, source_id=lambda n: "a" if n % 2 else "b", type=lambda n: f"box.T{n % 3}"
        )
        dispatch_all(hub, dict.fromkeys(ids, ("order 7",)))
        assert hub.found(text="order", source_id="a", type="box.T1", limit=200) == [
            ids[n] for n in range(39, -1, -1) if n % 2 and n % 3 == 1
        ]

    def test_blank_text_filters_nothing(self, hub: Hub):
        """An empty search box is no search."""
        event_id = hub.put_event()
        assert hub.found(text="") == hub.found(text="   ") == [event_id]

    def test_one_value_of_very_many_events(self, hub: Hub):
        """One customer with thousands of events: the newest come first, and pages go on."""
        ids = fill(hub, search.FEW + 600, source_id=lambda n: "rare" if n % 500 == 7 else "box")
        dispatch_all(hub, {event_id: (f"ada{n % 3}",) for n, event_id in enumerate(ids)})
        newest = ids[::-1]
        assert hub.found(text="ada", limit=200) == newest[:200]
        assert hub.found(text="ada", limit=200, before=newest[199]) == newest[200:400]
        assert hub.found(text="ada1", limit=5) == [i for i in newest if ids.index(i) % 3 == 1][:5]
        assert hub.found(text="ada", source_id="nobody") == []
        assert hub.found(text="ada", source_id="rare") == [
            ids[n] for n in range(len(ids) - 1, -1, -1) if n % 500 == 7
        ]

    def test_very_many_values(self, hub: Hub):
        """A short prefix that half of all events have: the newest come first, and pages go on."""
        count = 2 * search.FEW + 600
        ids = fill(hub, count, type=lambda n: f"box.T{n % 2}")
        dispatch_all(
            hub, {event_id: (f"{'an' if n % 2 else 'b'}{n}",) for n, event_id in enumerate(ids)}
        )
        wanted = [ids[n] for n in range(count - 1, -1, -1) if n % 2]
        assert hub.found(text="a", limit=200) == wanted[:200]
        assert hub.found(text="an", limit=50, before=wanted[199]) == wanted[200:250]
        assert hub.found(text="an", limit=50, until=START) == []
        assert hub.found(text="a", type="box.T1", limit=20) == wanted[:20]
        assert hub.found(text="a", type="box.T0", limit=20) == []

    def test_what_was_handed_on_late_is_listed_by_its_age(self, hub: Hub):
        """A paused source's old events, found last, stand where they belong."""
        source = hub.add_source("paused")
        hub.store.sources.update(replace(source, paused=True), audit=hub.audit())
        ids = fill(hub, 2600, source_id=lambda n: "paused" if n % 3 == 0 else "box")
        dispatch_all(hub, dict.fromkeys(ids, ("ada",)))
        hub.store.sources.update(source, audit=hub.audit())
        dispatch_all(hub, dict.fromkeys(ids, ("ada",)))
        found, before = [], None
        while page := hub.found(text="ad", limit=200, before=before):
            found += page
            before = page[-1]
        assert found == ids[::-1]
        assert hub.found(text="ada", after=ids[-4]) == ids[:-4:-1]

    @given(st.text(min_size=1, max_size=6), st.text(max_size=4))
    def test_the_end_of_a_prefix(self, prefix: str, rest: str):
        """Every text with the prefix, and no other, lies between it and its end, byte by byte."""

        def order(text: str) -> bytes:
            return text.encode("utf-8", "surrogatepass")

        end = after_prefix(prefix)
        assert order(prefix) <= order(prefix + rest) < order(end)
        assert not end.startswith(prefix)
