"""What a store keeps of what comes in: receipts, duplicates, quarantine, the rejected log."""

from datetime import timedelta

import pytest

from contract.store_kit import START, Hub
from inkwire.errors import CipherError, Conflict, NotFound, StoreError
from inkwire.model.event import DedupeKind, EventState, Origin, TermKind
from inkwire.model.receipt import ReceiptState, Rejection, Stored
from inkwire.model.verdict import Accepted, MatchedOn, Reason
from inkwire.store.contract import RejectionQuery

NEW, DUPLICATE = EventState.NEW, EventState.DUPLICATE
PROBABLE = EventState.PROBABLE_DUPLICATE
DERIVED = DedupeKind.DERIVED


def states(outcomes):
    """The states of each outcome."""
    return [outcome.states for outcome in outcomes]


class TestReceipts:
    def test_a_receipt_comes_back_as_it_came(self, hub: Hub):
        """Headers keep case, order and repeats; the body keeps every byte."""
        body = bytes(range(256)) * 3
        headers = ((b"x-a", b"1"), (b"x-a", b"\xff\x00"), (b"authorization", b"Bearer x"))
        intake = hub.intake(
            body=body,
            headers=headers,
            query=b"a=%20b",
            proof=Accepted(
                secret_id="sec_9", matched_on=MatchedOn.ESCAPED, signed_at=START, canonical=None
            ),
        )
        (stored,) = hub.put(intake)
        opened = hub.store.inbound.open_receipt(intake.receipt_id)
        assert stored == Stored(receipt_id=intake.receipt_id, states=(NEW,))
        assert (opened.body, opened.headers) == (body, headers)
        receipt = opened.receipt
        assert receipt == hub.store.events.receipt(intake.receipt_id)
        assert (receipt.source_id, receipt.provider, receipt.state) == (
            "box",
            "box",
            ReceiptState.ACCEPTED,
        )
        assert (receipt.remote, receipt.method, receipt.path, opened.query) == (
            "203.0.113.9",
            "POST",
            "/in/box",
            b"a=%20b",
        )
        assert (receipt.body_size, receipt.has_body, len(receipt.body_hash)) == (768, True, 64)
        assert (receipt.secret_id, receipt.matched_on, receipt.signed_at) == (
            "sec_9",
            MatchedOn.ESCAPED,
            START,
        )
        assert (receipt.received_at, receipt.quarantine, receipt.released_at) == (START, None, None)

    def test_an_event_comes_back_with_every_field(self, hub: Hub):
        """What a provider read out of the body is what lists show."""
        happened = START - timedelta(days=400, microseconds=1)
        event = hub.event(
            type="box.SIGN_REQUEST.COMPLETED",
            entity_key="box:sign_request:7",
            occurred_at=happened,
            test=True,
        )
        intake = hub.intake(event, origin=Origin.RECONCILED)
        hub.put(intake)
        found = hub.store.events.get(event.id)
        assert (found.receipt_id, found.source_id, found.provider, found.position) == (
            intake.receipt_id,
            "box",
            "box",
            0,
        )
        assert (found.type, found.state, found.origin) == (
            "box.SIGN_REQUEST.COMPLETED",
            NEW,
            Origin.RECONCILED,
        )
        assert (found.received_at, found.occurred_at) == (START, happened)
        assert (found.entity_key, found.dedupe_kind) == ("box:sign_request:7", DedupeKind.HARD)
        assert (found.test, found.conflict, found.duplicate_of) == (True, False, None)
        assert (found.dispatched_at, found.dispatch_error) == (None, None)

    def test_an_empty_body_is_a_body(self, hub: Hub):
        """Nothing sent is kept as nothing, not as missing."""
        intake = hub.intake(body=b"")
        hub.put(intake)
        opened = hub.store.inbound.open_receipt(intake.receipt_id)
        assert (opened.body, opened.receipt.has_body) == (b"", True)

    def test_the_events_of_a_receipt_keep_their_positions(self, hub: Hub):
        """A body with several elements gives several events, in the body's order."""
        events = [hub.event(b"%d" % number) for number in range(5)]
        intake = hub.intake(*events)
        (stored,) = hub.put(intake)
        found = hub.store.events.of_receipt(intake.receipt_id)
        assert stored.states == (NEW,) * 5
        assert [(event.id, event.position) for event in found] == [
            (event.id, position) for position, event in enumerate(events)
        ]

    def test_text_from_strangers_cannot_break_a_row(self, hub: Hub):
        """NUL, lone surrogates and endless text are made safe; the rest is kept."""
        event = hub.event(type="box.\x00\ud800é", entity_key="box:file:\x00" + "x" * 9000)
        intake = hub.intake(
            event, remote="\x00", method="\ud800", path="/in/\x00" + "p" * 9000, query=b"\x00\xff"
        )
        hub.put(intake)
        receipt = hub.store.events.receipt(intake.receipt_id)
        found = hub.store.events.get(event.id)
        assert (receipt.remote, receipt.method) == ("?", "?")
        assert hub.store.inbound.open_receipt(intake.receipt_id).query == b"\x00\xff"
        assert receipt.path.startswith("/in/?ppp")
        assert len(receipt.path) <= 2048
        assert found.type == "box.??é"
        assert found.entity_key.startswith("box:file:?xxx")
        assert len(found.entity_key) <= 300

    def test_a_receipt_that_is_not_there(self, hub: Hub):
        """Unknown ids are said to be unknown, by every method."""
        for ask in (
            hub.store.inbound.open_receipt,
            hub.store.events.receipt,
            hub.store.events.get,
        ):
            with pytest.raises(NotFound, match="nothing_here"):
                ask("nothing_here")
        assert hub.store.events.of_receipt("nothing_here") == []

    def test_a_changed_or_moved_body_does_not_open(self, hub: Hub):
        """A sealed value is tied to its row and column: no swapping behind the store's back."""
        one, two = hub.intake(body=b"one"), hub.intake(hub.event(b"key-2"), body=b"two")
        hub.put(one, two)
        hub.sql(
            "UPDATE receipts SET body = (SELECT body FROM receipts WHERE id = %s) WHERE id = %s",
            two.receipt_id,
            one.receipt_id,
        )
        with pytest.raises(CipherError, match="changed or moved"):
            hub.store.inbound.open_receipt(one.receipt_id)
        hub.sql(
            "UPDATE receipts SET data_key = (SELECT data_key FROM receipts WHERE id = %s) "
            "WHERE id = %s",
            one.receipt_id,
            two.receipt_id,
        )
        with pytest.raises(CipherError, match="changed or moved"):
            hub.store.inbound.open_receipt(two.receipt_id)


class TestBatches:
    def test_an_empty_batch(self, hub: Hub):
        """Nothing to do is no error."""
        assert hub.store.inbound.append([]) == []

    def test_outcomes_come_in_the_order_of_the_batch(self, hub: Hub):
        """Each waiter hears its own row's outcome."""
        intakes = [hub.intake(hub.event(b"%d" % (number % 7))) for number in range(20)]
        stored = hub.put(*intakes)
        assert [item.receipt_id for item in stored] == [item.receipt_id for item in intakes]
        assert states(stored) == [(NEW,)] * 7 + [(DUPLICATE,)] * 13

    def test_one_bad_row_does_not_take_the_others_with_it(self, hub: Hub):
        """When the transaction fails for one row's sake, every other row is kept."""
        taken = hub.put_event(b"earlier")
        good, bad, last = (
            hub.intake(hub.event(b"a")),
            hub.intake(hub.event(b"b", id=taken)),
            hub.intake(hub.event(b"c")),
        )
        first, second, third = hub.append(good, bad, last)
        assert isinstance(second, StoreError)
        assert (first, third) == (
            Stored(receipt_id=good.receipt_id, states=(NEW,)),
            Stored(receipt_id=last.receipt_id, states=(NEW,)),
        )
        with pytest.raises(NotFound):
            hub.store.events.receipt(bad.receipt_id)
        assert hub.put(hub.intake(hub.event(b"b")))[0].states == (NEW,), "its key was kept"

    def test_what_was_answered_is_there_for_everyone(self, hub: Hub):
        """After append returns, another connection sees receipt, event and counter."""
        before = hub.store.counters()["event"]
        intake = hub.intake()
        hub.put(intake)
        other = hub.open()
        try:
            assert other.inbound.open_receipt(intake.receipt_id).body == intake.body
            assert other.counters()["event"] == before + 1
        finally:
            other.close()

    def test_a_large_batch_and_a_large_body(self, hub: Hub):
        """Five hundred rows and a body of 2 MiB go through in one call."""
        intakes = [hub.intake(hub.event(b"%d" % number)) for number in range(500)]
        big = hub.intake(hub.event(b"big"), body=b"\x00\xff" * 1024 * 1024)
        hub.put(*intakes, big)
        assert hub.store.inbound.open_receipt(big.receipt_id).body == big.body
        assert hub.store.dispatch.backlog() == 501

    def test_what_another_room_made_up_is_refused(self, hub: Hub):
        """Only what `seal` returned can be appended."""
        with pytest.raises(TypeError):
            hub.store.inbound.append([object()])


class TestDuplicates:
    def test_a_vendors_id_counts_once_for_good(self, hub: Hub):
        """A hard repeat is a duplicate, linked, its body held by the first only."""
        first = hub.put_event(b"id-1")
        hub.clock.advance(seconds=400 * 86_400)
        again = hub.event(b"id-1")
        intake = hub.intake(again, headers=((b"attempt", b"2"),))
        (stored,) = hub.put(intake)
        found = hub.store.events.get(again.id)
        opened = hub.store.inbound.open_receipt(intake.receipt_id)
        assert stored == Stored(receipt_id=intake.receipt_id, states=(DUPLICATE,))
        assert (found.duplicate_of, found.conflict) == (first, False)
        assert (opened.body, opened.receipt.has_body) == (None, False)
        assert opened.headers == ((b"attempt", b"2"),)
        assert opened.receipt.body_size == len(intake.body)
        assert found.dispatched_at == hub.clock.now()

    def test_the_same_id_with_another_body_is_flagged(self, hub: Hub):
        """Two bodies under one id: somebody should look, so both are kept."""
        first = hub.put_event(b"id-1", body=b"one")
        again = hub.event(b"id-1")
        intake = hub.intake(again, body=b"two")
        hub.put(intake)
        found = hub.store.events.get(again.id)
        assert (found.state, found.duplicate_of, found.conflict) == (DUPLICATE, first, True)
        assert hub.store.inbound.open_receipt(intake.receipt_id).body == b"two"

    def test_equal_content_is_a_probable_duplicate(self, hub: Hub):
        """A derived repeat within the window is kept, linked and still handed on."""
        first = hub.put_event(b"text", dedupe_kind=DERIVED)
        hub.clock.advance(seconds=hub.settings.dedupe_window_s)
        again = hub.event(b"text", dedupe_kind=DERIVED)
        intake = hub.intake(again)
        (stored,) = hub.put(intake)
        found = hub.store.events.get(again.id)
        assert stored.states == (PROBABLE,)
        assert (found.duplicate_of, found.conflict, found.dispatched_at) == (first, False, None)
        assert hub.store.inbound.open_receipt(intake.receipt_id).body == intake.body
        assert [item.event.id for item in hub.dispatch()] == [first, again.id]

    def test_equal_content_after_the_window_is_new(self, hub: Hub):
        """A year's reminder is no repeat; it starts a window of its own."""
        hub.put_event(b"text", dedupe_kind=DERIVED)
        hub.clock.advance(seconds=hub.settings.dedupe_window_s + 1)
        second = hub.put_event(b"text", dedupe_kind=DERIVED)
        hub.clock.advance(seconds=hub.settings.dedupe_window_s)
        third = hub.put_event(b"text", dedupe_kind=DERIVED)
        assert hub.state(second) is NEW
        assert hub.store.events.get(third).duplicate_of == second

    def test_the_first_of_a_batch_comes_first(self, hub: Hub):
        """Repeats inside one batch are decided in order of arrival."""
        events = [hub.event(b"same") for _ in range(3)]
        outcomes = hub.put(*(hub.intake(event) for event in events))
        assert states(outcomes) == [(NEW,), (DUPLICATE,), (DUPLICATE,)]
        assert hub.store.events.get(events[2].id).duplicate_of == events[0].id

    def test_repeats_inside_one_body(self, hub: Hub):
        """Two equal elements of one body: the body is kept, the second is a probable duplicate."""
        intake = hub.intake(
            hub.event(b"x", dedupe_kind=DERIVED), hub.event(b"x", dedupe_kind=DERIVED)
        )
        (stored,) = hub.put(intake)
        assert stored.states == (NEW, PROBABLE)
        assert hub.store.inbound.open_receipt(intake.receipt_id).body is not None

    def test_a_body_is_kept_while_one_of_its_events_needs_it(self, hub: Hub):
        """Old and new elements in one body: it stays."""
        hub.put_event(b"old", body=b"both")
        intake = hub.intake(hub.event(b"old"), hub.event(b"new"), body=b"both")
        (stored,) = hub.put(intake)
        assert stored.states == (DUPLICATE, NEW)
        assert hub.store.inbound.open_receipt(intake.receipt_id).body == b"both"

    @pytest.mark.parametrize(
        "other",
        [{"source_id": "box-2"}, {"test": True}, {"dedupe_kind": DERIVED}],
        ids=["another source", "a test click", "another kind"],
    )
    def test_keys_are_not_shared(self, hub: Hub, other: dict[str, object]):
        """A test click must not swallow the contract that follows, nor one source another's."""
        first = hub.put_event(b"same", **other)
        second = hub.put_event(b"same")
        assert (hub.state(first), hub.state(second)) == (NEW, NEW)

    def test_an_unparsable_body_stays_unparsable(self, hub: Hub):
        """A repeat of what cannot be read is linked, not renamed, and never handed on."""
        made = [
            hub.event(b"bytes", dedupe_kind=DERIVED, state=EventState.UNPARSABLE) for _ in range(2)
        ]
        outcomes = hub.put(*(hub.intake(event) for event in made))
        assert states(outcomes) == [(EventState.UNPARSABLE,)] * 2
        assert hub.store.events.get(made[1].id).duplicate_of == made[0].id
        assert hub.store.events.get(made[0].id).dispatched_at == START
        assert hub.store.dispatch.backlog() == 0

    def test_a_filtered_event_takes_no_key(self, hub: Hub):
        """Widening the source's filter lets the vendor's repeat in."""
        filtered = hub.put_event(b"id-1", state=EventState.FILTERED)
        assert hub.state(hub.put_event(b"id-1")) is NEW
        late = hub.put_event(b"id-1", state=EventState.FILTERED)
        assert (hub.state(filtered), hub.state(late)) == (EventState.FILTERED,) * 2
        assert hub.store.events.get(late).duplicate_of is None

    def test_what_is_not_handed_on_is_found_all_the_same(self, hub: Hub):
        """Duplicates and filtered events show in the lists by entity and type."""
        hub.put_event(b"id-1", entity_key="box:file:7")
        events = [
            hub.put_event(b"id-1", entity_key="box:file:7"),
            hub.put_event(b"id-2", entity_key="box:file:7", state=EventState.FILTERED),
        ]
        assert hub.found(entity_key="box:file:7") == events[::-1]
        assert hub.store.events.types() == ["box.FILE.UPLOADED"]
        assert [term.kind for term in hub.store.events.terms(events[0])] == [TermKind.ENTITY]

    def test_all_deliveries_of_an_event(self, hub: Hub):
        """From any of them the whole row of deliveries is found, oldest first."""
        ids = [hub.put_event(b"id-1") for _ in range(4)]
        hub.put_event(b"id-2")
        for event_id in ids:
            event = hub.store.events.get(event_id)
            assert [item.id for item in hub.store.events.deliveries(event)] == ids


class TestQuarantine:
    def test_a_quarantined_request_is_kept_but_does_nothing(self, hub: Hub):
        """Stale: its body is there, its events neither wait nor hold their keys."""
        event = hub.event(b"id-1")
        intake = hub.stale(event, body=b"late")
        (stored,) = hub.put(intake)
        opened = hub.store.inbound.open_receipt(intake.receipt_id)
        assert stored == Stored(receipt_id=intake.receipt_id, states=(EventState.QUARANTINED,))
        assert (opened.body, opened.receipt.state) == (b"late", ReceiptState.QUARANTINED)
        assert opened.receipt.quarantine is Reason.STALE
        assert hub.store.events.get(event.id).dispatched_at is None
        assert hub.store.dispatch.backlog() == 0
        assert hub.dispatch() == []
        assert hub.state(hub.put_event(b"id-1")) is NEW

    def test_a_replay_is_counted_not_kept(self, hub: Hub):
        """The very same request again, in the batch or later, takes no room."""
        one, two = hub.stale(body=b"x"), hub.stale(body=b"x")
        first, second = hub.put(one, two)
        (third,) = hub.put(hub.stale(body=b"x"))
        other_body, other_time = hub.put(
            hub.stale(body=b"y"),
            hub.stale(
                body=b"x", proof=Accepted(secret_id="s", signed_at=START + timedelta(seconds=1))
            ),
        )
        assert [item.kept for item in (first, second, third)] == [True, False, False]
        assert third.states == (EventState.QUARANTINED,)
        assert (other_body.kept, other_time.kept) == (True, True)
        with pytest.raises(NotFound):
            hub.store.events.receipt(two.receipt_id)

    def test_a_full_quarantine_keeps_no_more(self, make_hub):
        """One source's flood stops at its limit, across batches, and leaves others room."""
        hub = make_hub(quarantine_rows=10)
        outcomes = hub.put(*(hub.stale(body=b"%d" % number) for number in range(8)))
        outcomes += hub.put(*(hub.stale(body=b"%d" % number) for number in range(8, 14)))
        (other,) = hub.put(hub.stale(source_id="box-2"))
        assert [item.kept for item in outcomes] == [True] * 10 + [False] * 4
        assert other.kept
        hub.store.inbound.release(outcomes[0].receipt_id, at=START, audit=hub.audit())
        assert hub.put(hub.stale(body=b"13"))[0].kept, "what was turned away can come again"

    def test_release_lets_the_events_in(self, hub: Hub):
        """One click after an outage: the events wait for dispatch, and the log says who did it."""
        event = hub.event(b"id-1", entity_key="box:file:1")
        intake = hub.stale(event)
        hub.put(intake)
        hub.clock.advance(seconds=60)
        before = hub.store.counters()["event"]
        audit = hub.audit("receipt.release", intake.receipt_id)
        receipt = hub.store.inbound.release(intake.receipt_id, at=hub.clock.now(), audit=audit)
        assert receipt == hub.store.events.receipt(intake.receipt_id)
        assert (receipt.state, receipt.released_by) == (ReceiptState.RELEASED, "user:ada")
        assert receipt.released_at == hub.clock.now()
        assert hub.state(event.id) is NEW
        assert hub.store.counters()["event"] == before + 1
        assert hub.store.access.audit() == [audit]
        assert [item.event.id for item in hub.dispatch()] == [event.id]
        assert hub.state(hub.put_event(b"id-1")) is DUPLICATE, "the key is taken now"

    def test_release_after_the_vendor_repeated_it(self, hub: Hub):
        """The fresh repeat came first: the released one is its duplicate, not a second effect."""
        held = hub.event(b"id-1")
        intake = hub.stale(held)
        hub.put(intake)
        fresh = hub.put_event(b"id-1")
        hub.store.inbound.release(intake.receipt_id, at=START, audit=hub.audit())
        assert hub.store.events.get(held.id).duplicate_of == fresh
        assert hub.state(held.id) is DUPLICATE
        assert [item.event.id for item in hub.dispatch()] == [fresh]

    def test_release_keeps_what_the_endpoint_decided(self, hub: Hub):
        """An unparsable or filtered event of a held request does not become a new one."""
        made = [
            hub.event(b"a", state=EventState.FILTERED),
            hub.event(b"b", state=EventState.UNPARSABLE),
            hub.event(b"c"),
        ]
        intake = hub.stale(*made)
        hub.put(intake)
        hub.store.inbound.release(intake.receipt_id, at=START, audit=hub.audit())
        assert [hub.state(event.id) for event in made] == [
            EventState.FILTERED,
            EventState.UNPARSABLE,
            NEW,
        ]
        assert [item.event.id for item in hub.dispatch()] == [made[2].id]

    def test_release_happens_once(self, hub: Hub):
        """A second click is a conflict; neither it nor an unknown id leaves a trace."""
        intake = hub.stale()
        accepted = hub.intake(hub.event(b"other"))
        hub.put(intake, accepted)
        hub.store.inbound.release(intake.receipt_id, at=START, audit=hub.audit("one"))
        for receipt_id in (intake.receipt_id, accepted.receipt_id):
            with pytest.raises(Conflict, match="not quarantined"):
                hub.store.inbound.release(receipt_id, at=START, audit=hub.audit("two"))
        with pytest.raises(NotFound):
            hub.store.inbound.release("rcp_none", at=START, audit=hub.audit("three"))
        assert [entry.action for entry in hub.store.access.audit()] == ["one"]


class TestRejected:
    def rejection(self, hub: Hub, **fields: object) -> Rejection:
        values = {
            "id": hub.ids.new("rej"),
            "source_id": "box",
            "provider": "box",
            "at": hub.clock.now(),
            "status": 401,
            "reason": Reason.BAD_SIGNATURE,
            "detail": "No signature matches.",
            "hint": "Compare the keys.",
            "remote": "203.0.113.9",
            "method": "POST",
            "path": "/in/box",
            "body_size": 12,
            "headers": (("content-type", "text/plain"), ("x-a", "é")),
            **fields,
        }
        return Rejection(**values)

    def test_a_rejection_comes_back(self, hub: Hub):
        """Everything that an operator needs to see is kept."""
        one = self.rejection(hub, provider=None, reason=Reason.UNKNOWN_SOURCE)
        before = hub.store.counters()["rejected"]
        hub.store.inbound.reject([one])
        hub.store.inbound.reject([])
        assert hub.store.events.rejection(one.id) == one
        assert hub.store.counters()["rejected"] == before + 1

    def test_the_log_keeps_the_newest(self, make_hub):
        """A flood of bad requests cannot fill the disk."""
        hub = make_hub(rejected_rows=100)
        rows = [self.rejection(hub) for _ in range(230)]
        for at in range(0, 230, 23):
            hub.store.inbound.reject(rows[at : at + 23])
        found = hub.store.events.rejections(RejectionQuery(limit=200))
        assert [row.id for row in found] == [row.id for row in reversed(rows[-100:])]
        with pytest.raises(NotFound, match="newest"):
            hub.store.events.rejection(rows[0].id)

    def test_filters_and_pages(self, hub: Hub):
        """By source, by reason, and on from the last of the page before."""
        rows = [
            self.rejection(
                hub,
                source_id="a" if number % 2 else "b",
                reason=Reason.STALE if number % 3 else Reason.METHOD,
            )
            for number in range(12)
        ]
        hub.store.inbound.reject(rows)

        def ids(**query: object) -> list[str]:
            return [row.id for row in hub.store.events.rejections(RejectionQuery(**query))]

        newest = [row.id for row in reversed(rows)]
        assert ids() == newest
        assert ids(limit=3, before=newest[2]) == newest[3:6]
        assert ids(source_id="a") == [row.id for row in reversed(rows) if row.source_id == "a"]
        assert ids(reason=Reason.METHOD, source_id="b") == [
            row.id for row in reversed(rows) if row.reason is Reason.METHOD and row.source_id == "b"
        ]
        assert ids(limit=0) == []

    def test_strangers_text_is_made_safe(self, hub: Hub):
        """The log takes whatever stood in the URL and the headers."""
        one = self.rejection(
            hub, source_id="\x00" * 500, path="/\ud800", headers=(("x", "\x00" * 9000),)
        )
        hub.store.inbound.reject([one])
        found = hub.store.events.rejection(one.id)
        assert (found.source_id, found.path) == ("?" * 64, "/?")
        assert found.headers == (("x", "?" * 4096),)
