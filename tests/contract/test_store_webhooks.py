"""Webhooks, their keys and states, on both dialects."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from contract.store_kit import START, Hub
from contract.subscribers_kit import (
    HEADERS,
    HOUR,
    deliveries,
    listed,
    put_delivery,
    put_health,
    set_state,
    together,
    update,
)
from inkwire.errors import CipherError, Conflict, NotFound, StoreError
from inkwire.model.webhook import (
    FIRST_WEBHOOK,
    Filter,
    FilterOp,
    ProfileName,
    Topic,
    WebhookHealth,
    WebhookKeyInfo,
    WebhookState,
)
from inkwire.moments import to_micros
from inkwire.store import schema_sending
from inkwire.store.cipher import place
from inkwire.store.sending import WebhookQuery
from inkwire.store.webhook_seals import headers_place, key_place


class TestWebhooks:
    def test_one_comes_back_as_it_was_made(self, hub: Hub):
        """With its number, its key's info and its headers' names; nothing sealed is shown."""
        app = hub.add_application()
        key = hub.new_key(b"top secret key 1")
        wanted = hub.webhook(
            app.id,
            id=77,
            profile=ProfileName.BOXC,
            state=WebhookState.PAUSED,
            state_reason="é",
            description="é%",
            document_ids=("1", "2"),
            filters=(
                Filter(path="a.b", op=FilterOp.EQUALS, value=None),
                Filter(path="c", op=FilterOp.IN, value=[1, "x", 2.5, True]),
                Filter(path="d.0", op=FilterOp.EXISTS, value=False),
            ),
            rate_per_minute=60,
            max_in_flight=3,
        )
        entry = hub.audit("webhook.add", "soon")
        made = hub.store.subscribers.add_webhook(
            wanted, key=key, headers=HEADERS, most=5, audit=entry
        )
        assert made == replace(
            wanted,
            id=FIRST_WEBHOOK,
            header_names=("Authorization", "X-Team"),
            keys=(WebhookKeyInfo(id=key.id, created_at=START),),
        )
        assert hub.store.subscribers.webhook(made.id, application_id=app.id) == made
        assert hub.store.subscribers.webhooks(WebhookQuery()) == [made]
        assert hub.store.subscribers.open_headers(made.id) == HEADERS
        assert hub.store.access.audit(limit=1) == [replace(entry, target=str(made.id))]
        everything = hub.everything()
        assert b"hooks.example.com" in everything, "the search looks where the data is"
        assert b"top secret key 1" not in everything
        assert "Bearer é".encode() not in everything

    def test_sealed_where_another_room_finds_them(self, hub: Hub):
        """Key and headers open at their published places, and nowhere else."""
        key = hub.new_key(b"value")
        made = hub.add_webhook(hub.add_application().id, key=key, headers=HEADERS)
        cipher = hub.store._rewrapper._cipher
        ((sealed,),) = hub.rows("SELECT sealed FROM webhook_keys")
        assert cipher.unwrap(bytes(sealed), key_place(made.id, key.id)) == b"value"
        assert key_place(1, "k") == place("webhook_keys", "1/k", "sealed")
        assert headers_place(1) == place("webhooks", "1", "headers")
        ((headers,),) = hub.rows("SELECT headers FROM webhooks")
        with pytest.raises(CipherError):
            cipher.unwrap(bytes(headers), headers_place(made.id + 1))

    def test_numbers_are_never_used_again(self, hub: Hub):
        """Neither after a deletion, nor after a refused or failed one took none."""
        app = hub.add_application()
        first = hub.add_webhook(app.id)
        with pytest.raises(Conflict):
            hub.add_webhook(app.id)
        second = hub.add_webhook(app.id, topic="b")
        hub.store.subscribers.delete_application(app.id, audit=hub.audit())
        third = hub.add_webhook(hub.add_application().id)
        assert [first.id, second.id, third.id] == [FIRST_WEBHOOK + n for n in range(3)]

    def test_many_at_once_get_numbers_of_their_own(self, hub: Hub):
        """Threads of two applications: no number twice, and none missing."""
        apps = [hub.add_application().id for _ in range(2)]

        def make(number: int) -> list[int]:
            app = apps[number % 2]
            return [hub.add_webhook(app, topic=f"t{number}.{n}").id for n in range(6)]

        found = sorted(one for made in together(4, make) for one in made)
        assert found == list(range(FIRST_WEBHOOK, FIRST_WEBHOOK + 24))

    def test_an_address_is_taken_once(self, hub: Hub):
        """By application and topic; a deleted one is out of the way, and cannot come back."""
        app, other = hub.add_application(), hub.add_application()
        first = hub.add_webhook(app.id)
        before = (hub.store.counters(), hub.store.access.audit())
        with pytest.raises(Conflict, match=str(first.id)) as caught:
            hub.add_webhook(app.id, id=first.id)
        assert caught.value.code == "webhook_exists"
        assert (hub.store.counters(), hub.store.access.audit()) == before
        hub.add_webhook(other.id)
        hub.add_webhook(app.id, topic="another")
        hub.add_webhook(app.id, address="https://hooks.example.com/IN")
        first = set_state(hub, first, WebhookState.DELETED)
        second = hub.add_webhook(app.id)
        with pytest.raises(Conflict) as caught:
            set_state(hub, first, WebhookState.ACTIVE)
        assert caught.value.code == "webhook_exists"
        assert update(hub, first, description="why").description == "why", "it may lie there"
        moved = hub.add_webhook(app.id, address="https://hooks.example.com/2")
        with pytest.raises(Conflict) as caught:
            update(hub, moved, address=second.address)
        assert caught.value.code == "webhook_exists"
        update(hub, moved, address="https://hooks.example.com/3")

    def test_one_address_from_many_threads(self, hub: Hub):
        """One of them gets it, the others hear who has it."""
        app = hub.add_application()
        results = together(4, lambda _: hub.add_webhook(app.id).id)
        made = [one for one in results if isinstance(one, int)]
        assert len(made) == 1
        assert {one.code for one in results if isinstance(one, Conflict)} == {"webhook_exists"}
        assert listed(hub) == made

    def test_two_moves_to_one_address_at_once(self, hub: Hub):
        """One of them gets it, the other hears who has it."""
        app = hub.add_application()
        for round_ in range(6):
            made = [hub.add_webhook(app.id, address=f"https://{round_}{n}.example") for n in "ab"]
            address = f"https://{round_}.example"
            results = together(2, lambda n: update(hub, made[n], address=address))  # noqa: B023
            refused = [one for one in results if isinstance(one, Conflict)]
            assert [one.code for one in refused] == ["webhook_exists"]

    def test_there_is_a_most(self, hub: Hub):
        """Deleted ones and other applications' do not count; threads cannot get past it."""
        app = hub.add_application()
        hub.add_webhook(hub.add_application().id)
        gone = hub.add_webhook(app.id, topic="gone")
        set_state(hub, gone, WebhookState.DELETED)
        results = together(6, lambda n: hub.add_webhook(app.id, topic=f"t{n}", most=2).id)
        assert sum(isinstance(one, int) for one in results) == 2
        refused = [one for one in results if isinstance(one, Conflict)]
        assert {one.code for one in refused} == {"too_many_webhooks"}
        assert "2 are the most" in refused[0].message

    def test_an_update_replaces_what_it_may(self, hub: Hub):
        """Application, topic, time of making and keys stay, whatever the update says."""
        app = hub.add_application()
        made = hub.add_webhook(app.id, headers=HEADERS)
        changes: dict[str, Any] = {
            "address": "https://other.example.com/",
            "profile": ProfileName.BOX,
            "state": WebhookState.PAUSED,
            "state_reason": "because",
            "state_changed_at": START + HOUR,
            "description": "new",
            "document_ids": ("9",),
            "filters": (Filter(path="a", op=FilterOp.EXISTS),),
            "rate_per_minute": 5,
            "max_in_flight": 1,
        }
        wild = {"topic": "x", "created_at": START + HOUR, "keys": (), "header_names": ("Z",)}
        changed = update(hub, made, **changes, **wild)
        assert changed == replace(made, **changes, updated_at=hub.clock.now())
        assert hub.store.subscribers.webhook(made.id, application_id=None) == changed
        assert hub.store.subscribers.open_headers(made.id) == HEADERS

    def test_headers_are_replaced_or_removed(self, hub: Hub):
        """None leaves them; none at all removes them."""
        made = hub.add_webhook(hub.add_application().id, headers=HEADERS)
        changed = update(hub, made, headers=(("X-New", "1"),))
        assert changed.header_names == ("X-New",)
        assert hub.store.subscribers.open_headers(made.id) == (("X-New", "1"),)
        changed = update(hub, changed, headers=())
        assert changed.header_names == ()
        assert hub.store.subscribers.open_headers(made.id) == ()
        assert hub.rows("SELECT headers FROM webhooks") == [(None,)]

    def test_a_stale_update_is_refused(self, hub: Hub):
        """Who read it before another's change must read again; nothing of theirs is kept."""
        made = hub.add_webhook(hub.add_application().id)
        changed = update(hub, made, description="first")
        before = (hub.store.counters(), hub.store.access.audit())
        with pytest.raises(Conflict, match="changed meanwhile") as caught:
            update(hub, made, description="second", headers=HEADERS)
        assert caught.value.code == "conflict"
        assert (hub.store.counters(), hub.store.access.audit()) == before
        assert hub.store.subscribers.webhook(made.id, application_id=None) == changed

    def test_two_updates_at_once(self, hub: Hub):
        """One of them counts."""
        made = hub.add_webhook(hub.add_application().id)
        results = together(4, lambda n: update(hub, made, description=str(n)).description)
        kept = [one for one in results if isinstance(one, str)]
        assert len(kept) == 1
        assert hub.store.subscribers.webhook(made.id, application_id=None).description == kept[0]

    def test_another_applications_webhook_is_not_there(self, hub: Hub):
        """It reads exactly as one that never was: nobody learns the numbers of others."""
        mine, other = hub.add_application(), hub.add_application()
        made = hub.add_webhook(other.id)
        subscribers = hub.store.subscribers

        def said(act: Callable[[], object]) -> str:
            with pytest.raises(NotFound) as caught:
                act()
            return caught.value.message

        alien = said(lambda: subscribers.webhook(made.id, application_id=mine.id))
        missing = said(lambda: subscribers.webhook(made.id + 1, application_id=mine.id))
        assert alien.replace(str(made.id), "N") == missing.replace(str(made.id + 1), "N")
        assert said(lambda: update(hub, replace(made, application_id=mine.id))) == alien
        assert subscribers.webhook(made.id, application_id=other.id) == made
        assert listed(hub, application_id=mine.id) == []

    @pytest.mark.parametrize("number", [-1, 0, 5, 2**63, 2**200, -(2**80)])
    def test_a_number_that_no_webhook_has(self, hub: Hub, number: int):
        """Also one that no column holds."""
        ghost = replace(hub.add_webhook(hub.add_application().id), id=number)
        subscribers = hub.store.subscribers
        for act in (
            lambda: subscribers.webhook(number, application_id=None),
            lambda: subscribers.open_headers(number),
            lambda: update(hub, ghost),
            lambda: subscribers.add_key(
                number, hub.new_key(), expire_others_at=START, audit=hub.audit()
            ),
        ):
            with pytest.raises(NotFound, match=f"There is no webhook {number}"):
                act()
        assert subscribers.health([number]) == {number: WebhookHealth(webhook_id=number)}
        assert listed(hub, after=number, ascending=True, limit=1) is not None


class TestLists:
    def test_pages_in_both_orders(self, hub: Hub):
        """Each page goes on behind the last id, whichever way one walks."""
        app = hub.add_application()
        ids = [hub.add_webhook(app.id, topic=f"t{n}").id for n in range(5)]

        def walk(*, ascending: bool) -> list[int]:
            found: list[int] = []
            while page := listed(
                hub, ascending=ascending, limit=2, after=found[-1] if found else None
            ):
                assert len(page) <= 2
                found += page
            return found

        assert walk(ascending=True) == ids
        assert walk(ascending=False) == ids[::-1]
        assert listed(hub, limit=0) == listed(hub, limit=-3) == []
        assert listed(hub, after=2**70) == ids[::-1]
        assert listed(hub, after=-(2**70), ascending=True) == ids

    def test_a_page_is_bounded(self, hub: Hub):
        """Whatever limit is asked for."""
        app = hub.add_application()
        made = hub.add_webhook(app.id)
        with hub.store._database.writing() as conn:
            table = schema_sending.webhooks
            row = dict(conn.execute(table.select()).one()._mapping)
            for n in range(1, 205):
                conn.execute(table.insert().values(**row | {"id": made.id + n, "topic": f"t{n}"}))
        assert len(listed(hub, limit=10_000)) == 200

    def test_filters(self, hub: Hub):
        """All given ones hold; deleted ones come only by that state."""
        app, other = hub.add_application(), hub.add_application()
        one = hub.add_webhook(app.id, topic="a", address="https://One.example/%5B_x")
        two = hub.add_webhook(app.id, topic="b", description="The ÉCLAIR shop")
        three = hub.add_webhook(other.id, topic="a")
        two = set_state(hub, two, WebhookState.PAUSED)
        gone = set_state(hub, hub.add_webhook(app.id, topic="c"), WebhookState.DELETED)
        assert listed(hub) == [three.id, two.id, one.id]
        assert listed(hub, application_id=app.id) == [two.id, one.id]
        assert listed(hub, topic="a") == [three.id, one.id]
        assert listed(hub, topic="a", application_id=app.id) == [one.id]
        assert listed(hub, state=WebhookState.PAUSED) == [two.id]
        assert listed(hub, state=WebhookState.DELETED) == [gone.id]
        assert listed(hub, text="ONE.example") == [one.id]
        assert listed(hub, text="%5b_") == [one.id]
        assert listed(hub, text="_") == [one.id], "a wildcard is a character like any other"
        assert listed(hub, text="ÉClair") == [two.id]
        assert listed(hub, text="eclair") == []
        put_health(hub, one, failures=2)
        put_health(hub, two, failures=0)
        put_health(hub, gone, failures=9)
        assert listed(hub, failing=True) == [one.id]
        assert listed(hub, failing=True, topic="b") == []


class TestKeys:
    def test_rotation_with_overlap(self, hub: Hub):
        """The newest stands first; the others end, and one that ends sooner keeps its end."""
        first = hub.new_key()
        made = hub.add_webhook(hub.add_application().id, key=first)

        def rotate(end: datetime) -> str:
            hub.clock.advance(seconds=1)
            key = hub.new_key()
            hub.store.subscribers.add_key(made.id, key, expire_others_at=end, audit=hub.audit())
            return key.id

        second = rotate(START + HOUR)
        third = rotate(START + 2 * HOUR)
        keys = hub.store.subscribers.webhook(made.id, application_id=None).keys
        assert [(key.id, key.expires_at) for key in keys] == [
            (third, None),
            (second, START + 2 * HOUR),
            (first.id, START + HOUR),
        ]
        fourth = rotate(START)
        keys = hub.store.subscribers.webhook(made.id, application_id=None).keys
        assert [key.expires_at for key in keys] == [None, START, START, START]
        assert keys[0].id == fourth

    def test_two_rotations_at_once(self, hub: Hub):
        """They take turns: one key is left without an end."""
        made = hub.add_webhook(hub.add_application().id)

        def rotate(_number: int) -> None:
            hub.store.subscribers.add_key(
                made.id, hub.new_key(), expire_others_at=START + HOUR, audit=hub.audit()
            )

        together(4, rotate)
        keys = hub.store.subscribers.webhook(made.id, application_id=None).keys
        assert len(keys) == 5
        assert sum(key.expires_at is None for key in keys) == 1

    def test_another_webhooks_keys_stay(self, hub: Hub):
        """A rotation ends only the keys of its own webhook."""
        app = hub.add_application()
        one, two = hub.add_webhook(app.id), hub.add_webhook(app.id, topic="b")
        hub.store.subscribers.add_key(
            one.id, hub.new_key(), expire_others_at=START, audit=hub.audit()
        )
        assert hub.store.subscribers.webhook(two.id, application_id=None) == two


class TestStates:
    @pytest.mark.parametrize("state", [WebhookState.DISABLED, WebhookState.DELETED])
    def test_ending_cancels_what_waits(self, hub: Hub, state: WebhookState):
        """What is due now or later, and what a dead worker held; the rest stays as it is."""
        app = hub.add_application()
        webhook, other = hub.add_webhook(app.id), hub.add_webhook(app.id, topic="b")
        hub.clock.advance(seconds=60)
        now = hub.clock.now()
        waits = [
            put_delivery(hub, webhook),
            put_delivery(hub, webhook, due_at=now + HOUR),
            put_delivery(hub, webhook, claimed_until=START),
        ]
        sending = put_delivery(hub, webhook, due_at=now + HOUR, claimed_until=now + HOUR)
        done = put_delivery(hub, webhook, "delivered", done_at=START)
        alien = put_delivery(hub, other)
        before = hub.store.counters()["delivery"]
        set_state(hub, webhook, state)
        at = to_micros(hub.clock.now())
        found = deliveries(hub)
        assert {found[one] for one in waits} == {("cancelled", at, None)}
        assert found[sending] == ("waiting", None, to_micros(now + HOUR))
        assert found[done] == ("delivered", to_micros(START), None)
        assert found[alien] == ("waiting", None, None)
        assert hub.store.counters()["delivery"] == before + 1

    def test_a_long_queue_is_cancelled(self, hub: Hub):
        """More than one step of it."""
        webhook = hub.add_webhook(hub.add_application().id)
        first = put_delivery(hub, webhook)
        table = schema_sending.deliveries
        with hub.store._database.writing() as conn:
            row = dict(conn.execute(table.select()).one()._mapping)
            conn.execute(table.insert(), [row | {"id": f"{first}{n}"} for n in range(1200)])
        set_state(hub, webhook, WebhookState.DELETED)
        assert {one[0] for one in deliveries(hub).values()} == {"cancelled"}

    def test_pausing_keeps_what_waits(self, hub: Hub):
        """It goes out when the webhook goes on."""
        webhook = hub.add_webhook(hub.add_application().id)
        waits = put_delivery(hub, webhook)
        set_state(hub, webhook, WebhookState.PAUSED)
        assert deliveries(hub)[waits] == ("waiting", None, None)

    @pytest.mark.parametrize(
        "state", [WebhookState.DISABLED, WebhookState.DELETED, WebhookState.PAUSED]
    )
    def test_back_to_active_starts_afresh(self, hub: Hub, state: WebhookState):
        """The breaker closes and no failure counts; when it last did well or ill stays known."""
        webhook = hub.add_webhook(hub.add_application().id)
        bad = put_health(
            hub,
            webhook,
            failures=12,
            last_success_at=START,
            last_failure_at=START + HOUR,
            breaker_until=START + 2 * HOUR,
            breaker_opens=3,
        )
        webhook = set_state(hub, webhook, state)
        assert hub.store.subscribers.health([webhook.id]) == {webhook.id: bad}
        webhook = set_state(hub, webhook, WebhookState.ACTIVE)
        fresh = replace(bad, failures=0, breaker_until=None, breaker_opens=0)
        assert hub.store.subscribers.health([webhook.id]) == {webhook.id: fresh}

    def test_an_edit_of_an_active_one_keeps_its_health(self, hub: Hub):
        """A new description heals nothing."""
        webhook = hub.add_webhook(hub.add_application().id)
        bad = put_health(hub, webhook, failures=12, breaker_until=START + HOUR)
        update(hub, webhook, description="new")
        assert hub.store.subscribers.health([webhook.id, 1]) == {
            webhook.id: bad,
            1: WebhookHealth(webhook_id=1),
        }


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"], ids=["nul", "surrogate"])
class TestTextThatCannotBeKept:
    def test_it_is_told_in_our_own_words(self, hub: Hub, text: str):
        """On both dialects alike, before anything is written."""
        app = hub.add_application()
        made = hub.add_webhook(app.id, topic="t")
        subscribers = hub.store.subscribers
        before = (hub.store.counters(), hub.store.access.audit())
        acts: list[Callable[[], object]] = [
            lambda: hub.add_application(text),
            lambda: subscribers.update_application(replace(app, name=text), audit=hub.audit()),
            lambda: subscribers.application(text),
            lambda: subscribers.applications(before=text),
            lambda: subscribers.delete_application(text, audit=hub.audit()),
            lambda: subscribers.put_topic(Topic(name=text), at=START, audit=hub.audit()),
            lambda: subscribers.put_topic(
                Topic(name="x", description=text), at=START, audit=hub.audit()
            ),
            lambda: subscribers.delete_topic(text, audit=hub.audit()),
            lambda: subscribers.grants(text),
            lambda: subscribers.granted(text),
            lambda: subscribers.set_grants(app.id, frozenset({text}), at=START, audit=hub.audit()),
            lambda: hub.add_webhook(text),
            lambda: hub.add_webhook(app.id, address=text),
            lambda: hub.add_webhook(app.id, topic=text),
            lambda: hub.add_webhook(app.id, state_reason=text),
            lambda: hub.add_webhook(app.id, headers=(("X", text),)),
            lambda: update(hub, made, description=text),
            lambda: update(hub, made, headers=((text, "x"),)),
            lambda: subscribers.webhook(made.id, application_id=text),
            lambda: listed(hub, topic=text),
            lambda: listed(hub, text=text),
            lambda: listed(hub, application_id=text),
        ]
        for act in acts:
            with pytest.raises(StoreError, match="NUL or half a character"):
                act()
        assert (hub.store.counters(), hub.store.access.audit()) == before

    def test_in_lists_and_json(self, hub: Hub, text: str):
        """JSON escapes NUL; half a character is refused there too."""
        app = hub.add_application()
        acts: list[Callable[[], object]] = [
            lambda: hub.add_application(frame_ancestors=(text,)),
            lambda: hub.add_webhook(app.id, document_ids=(text,)),
            lambda: hub.add_webhook(
                app.id, topic="f", filters=(Filter(path=text, op=FilterOp.IN, value=[text]),)
            ),
            lambda: hub.store.subscribers.put_topic(
                Topic(name="x", example={text: [text]}), at=START, audit=hub.audit()
            ),
        ]
        for act in acts:
            if "\x00" in text:
                act()
            else:
                with pytest.raises(StoreError):
                    act()
