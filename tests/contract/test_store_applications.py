"""Applications, topics, grants, keys and portal tokens, on both dialects."""

from dataclasses import replace
from datetime import timedelta

import pytest

from contract.store_kit import START, Hub
from contract.subscribers_kit import (
    HEADERS,
    HOUR,
    api_key,
    deliveries,
    failed,
    publish,
    put_delivery,
    put_health,
    put_job,
    set_state,
    together,
    token,
    unexpected,
)
from inkwire.errors import Conflict, NotFound
from inkwire.model.access import PortalTokenKind
from inkwire.model.message import (
    Target,
)
from inkwire.model.webhook import (
    Topic,
    WebhookKey,
    WebhookState,
)
from inkwire.moments import to_micros
from inkwire.store.keys import key_file, rotate


class TestApplications:
    def test_they_come_back_newest_first(self, hub: Hub):
        """In pages, with all that was said of each."""
        apps = [
            hub.add_application(
                f"é {n}", frame_ancestors=("https://a.example", "https://b.example")
            )
            for n in range(5)
        ]
        subscribers = hub.store.subscribers
        newest = apps[::-1]
        assert subscribers.applications() == newest
        assert subscribers.applications(before=newest[1].id, limit=2) == newest[2:4]
        assert subscribers.applications(limit=-1) == []
        assert subscribers.application(apps[2].id) == apps[2]

    def test_an_update_replaces_what_it_may(self, hub: Hub):
        """Name and frame ancestors; the time of its making stays."""
        app = hub.add_application()
        hub.clock.advance(seconds=5)
        changed = replace(
            app, name="New", frame_ancestors=("https://x.example",), updated_at=hub.clock.now()
        )
        wild = replace(changed, created_at=hub.clock.now())
        hub.store.subscribers.update_application(wild, audit=hub.audit())
        assert hub.store.subscribers.application(app.id) == changed

    def test_every_change_is_audited_and_announced(self, hub: Hub):
        """The log and the config counter move with each change, once."""
        app = hub.add_application()
        webhook = hub.add_webhook(app.id, topic="t")
        subscribers, topic = hub.store.subscribers, Topic(name="t")
        later = replace(webhook, updated_at=START + HOUR)
        acts = [
            lambda audit: subscribers.update_application(app, audit=audit),
            lambda audit: subscribers.set_grants(app.id, frozenset("t"), at=START, audit=audit),
            lambda audit: subscribers.put_topic(topic, at=START, audit=audit),
            lambda audit: subscribers.update_webhook(
                later, headers=None, expected=webhook.updated_at, audit=audit
            ),
            lambda audit: subscribers.add_key(
                webhook.id, hub.new_key(), expire_others_at=START, audit=audit
            ),
            lambda audit: subscribers.delete_application(app.id, audit=audit),
            lambda audit: subscribers.delete_topic("t", audit=audit),
        ]
        before = hub.store.counters()["config"]
        for number, act in enumerate(acts, 1):
            entry = hub.audit(f"act {number}", "x", note="é")
            act(entry)
            assert hub.store.access.audit(limit=1) == [entry]
            assert hub.store.counters()["config"] == before + number

    def test_what_is_not_there(self, hub: Hub):
        """Every method says so, and leaves no trace of what did not happen."""
        subscribers = hub.store.subscribers
        ghost = replace(hub.add_application(), id="app_none")
        before = (hub.store.counters(), hub.store.access.audit())
        for act in (
            lambda: subscribers.application("app_none"),
            lambda: subscribers.update_application(ghost, audit=hub.audit()),
            lambda: subscribers.delete_application("app_none", audit=hub.audit()),
            lambda: subscribers.grants("app_none"),
            lambda: subscribers.set_grants("app_none", frozenset("t"), at=START, audit=hub.audit()),
            lambda: hub.add_webhook("app_none"),
        ):
            with pytest.raises(NotFound, match="There is no application app_none"):
                act()
        with pytest.raises(NotFound, match=r"no topic app\.none"):
            subscribers.delete_topic("app.none", audit=hub.audit())
        assert (hub.store.counters(), hub.store.access.audit()) == before


class TestDeletingAnApplication:
    def test_all_that_was_its_own_goes(self, hub: Hub):
        """Webhooks, keys of webhooks, health, grants and portal tokens; nothing of another's."""
        gone, kept = hub.add_application(), hub.add_application("Other")
        for app in (gone, kept):
            put_health(hub, hub.add_webhook(app.id, headers=HEADERS))
            hub.store.subscribers.set_grants(app.id, frozenset({"a"}), at=START, audit=hub.audit())
            hub.store.access.add_portal_token(token(hub, app.id, app.id.encode()))
        hub.store.subscribers.delete_application(gone.id, audit=hub.audit())
        assert hub.store.subscribers.applications() == [kept]
        assert hub.store.subscribers.granted("a") == [kept.id]
        for table in ("webhooks", "webhook_keys", "webhook_health", "grants", "portal_tokens"):
            assert len(hub.rows(f"SELECT * FROM {table}")) == 1, table

    def test_its_keys_end(self, hub: Hub):
        """A key of the application is revoked; one that had ended keeps its time."""
        app, other = hub.add_application(), hub.add_application()
        keys = [api_key(hub, n, owner) for n, owner in enumerate((app.id, app.id, other.id, None))]
        for key in keys:
            hub.store.access.add_api_key(key, audit=hub.audit())
        hub.store.access.revoke_api_key(keys[1].id, at=START, audit=hub.audit())
        hub.clock.advance(seconds=60)
        hub.store.subscribers.delete_application(app.id, audit=hub.audit())
        ends = [hub.store.access.api_key(key.key_hash).revoked_at for key in keys]
        assert ends == [START + timedelta(seconds=60), START, None, None]

    def test_what_waits_is_cancelled_and_the_log_stays(self, hub: Hub):
        """Deliveries that ended stay as they were; jobs that ran are over."""
        app = hub.add_application()
        webhook, other = hub.add_webhook(app.id), hub.add_webhook(hub.add_application().id)
        waits, done, alien = (
            put_delivery(hub, webhook),
            put_delivery(hub, webhook, "evicted", done_at=START),
            put_delivery(hub, other),
        )
        put_job(hub, webhook)
        hub.clock.advance(seconds=60)
        hub.store.subscribers.delete_application(app.id, audit=hub.audit())
        at = to_micros(hub.clock.now())
        assert deliveries(hub) == {
            waits: ("cancelled", at, None),
            done: ("evicted", to_micros(START), None),
            alien: ("waiting", None, None),
        }
        assert hub.rows("SELECT state FROM jobs") == [("cancelled",)]

    def test_while_webhooks_are_made(self, hub: Hub):
        """No webhook outlives its application, however the two calls meet."""
        for round_ in range(8):
            app = hub.add_application(f"{round_}")

            def act(number: int, app_id: str = app.id):
                if number == 0:
                    hub.store.subscribers.delete_application(app_id, audit=hub.audit())
                    return None
                return hub.add_webhook(app_id, topic=f"t{number}").id

            results = together(3, act)
            assert results[0] is None
            for result in results[1:]:
                assert isinstance(result, int | NotFound), result
            assert hub.rows("SELECT id FROM webhooks WHERE application_id = %s", app.id) == []
            assert hub.rows("SELECT webhook_id FROM webhook_keys") == []


class TestTopics:
    def test_added_and_replaced(self, hub: Hub):
        """By name; a schema, and a sample of any JSON kind, come back as they were."""
        subscribers = hub.store.subscribers
        schema = {"type": "object", "properties": {"é": {"enum": [1, 2.5, None, "\x00"]}}}
        topics = [
            Topic(name="a.b", description="é", schema=schema, example={"é": [1, None]}),
            Topic(name="b", example=False, granted_to_all=True),
            Topic(name="c", example="text"),
        ]
        for topic in reversed(topics):
            subscribers.put_topic(topic, at=START, audit=hub.audit())
        assert subscribers.topics() == topics
        changed = Topic(name="b", description="new", schema={}, example=[1])
        subscribers.put_topic(changed, at=START + HOUR, audit=hub.audit())
        assert subscribers.topics() == [topics[0], changed, topics[2]]
        subscribers.delete_topic("a.b", audit=hub.audit())
        assert subscribers.topics() == [changed, topics[2]]

    def test_the_same_new_topic_at_once(self, hub: Hub):
        """Both callers succeed; one of them stands at the end."""
        for name in "abcdefgh":

            def put(number: int, name: str = name) -> None:
                topic = Topic(name=name, description=str(number))
                hub.store.subscribers.put_topic(topic, at=START, audit=hub.audit())

            assert together(4, put) == [None] * 4
        assert [topic.name for topic in hub.store.subscribers.topics()] == list("abcdefgh")
        assert len(hub.store.access.audit()) == 32

    def test_a_topic_in_use_stays(self, hub: Hub):
        """Until the last webhook of it is deleted; the message names one."""
        subscribers = hub.store.subscribers
        webhook = hub.add_webhook(hub.add_application().id, topic="mine")
        subscribers.put_topic(Topic(name="mine"), at=START, audit=hub.audit())
        webhook = set_state(hub, webhook, WebhookState.DISABLED)
        with pytest.raises(Conflict, match=str(webhook.id)):
            subscribers.delete_topic("mine", audit=hub.audit())
        assert [topic.name for topic in subscribers.topics()] == ["mine"]
        set_state(hub, webhook, WebhookState.DELETED)
        subscribers.delete_topic("mine", audit=hub.audit())
        assert subscribers.topics() == []


class TestGrants:
    def test_replaced_as_a_whole(self, hub: Hub):
        """What is new comes, what is left out goes, what stays keeps its time."""
        subscribers = hub.store.subscribers
        one, two = hub.add_application(), hub.add_application()
        subscribers.set_grants(one.id, frozenset({"a", "b"}), at=START, audit=hub.audit())
        subscribers.set_grants(two.id, frozenset({"b"}), at=START, audit=hub.audit())
        later = START + HOUR
        subscribers.set_grants(one.id, frozenset({"b", "c"}), at=later, audit=hub.audit())
        assert subscribers.grants(one.id) == {"b", "c"}
        assert subscribers.grants(two.id) == {"b"}
        assert subscribers.granted("b") == [one.id, two.id]
        assert subscribers.granted("a") == []
        assert subscribers.granted_topics() == {"b", "c"}
        kept = hub.rows("SELECT topic, created_at FROM grants WHERE application_id = %s", one.id)
        assert set(kept) == {("b", to_micros(START)), ("c", to_micros(later))}
        subscribers.set_grants(one.id, frozenset(), at=START, audit=hub.audit())
        assert subscribers.grants(one.id) == frozenset()


class TestPortalTokens:
    def test_a_link_opens_one_session(self, hub: Hub):
        """However many browsers follow it at the same moment."""
        app = hub.add_application()
        link = token(hub, app.id, b"l" * 32)
        hub.store.access.add_portal_token(link, audit=hub.audit("portal.link", app.id))
        assert hub.store.access.audit(limit=1)[0].action == "portal.link"
        access = hub.store.access
        assert access.portal_session(b"l" * 32) is None, "a link is no session"
        found = together(4, lambda _: access.take_portal_token(b"l" * 32))
        assert sorted(found, key=str) == sorted([link, None, None, None], key=str)
        assert access.take_portal_token(b"l" * 32) is None

    def test_sessions_come_and_go(self, hub: Hub):
        """Kept by hash, ended on request, and forgotten some time after they expired."""
        app, access = hub.add_application(), hub.store.access
        short = token(hub, app.id, b"1" * 32, kind=PortalTokenKind.SESSION, csrf="c")
        access.add_portal_token(short)
        assert access.take_portal_token(b"1" * 32) is None, "a session is no link"
        hub.clock.advance(seconds=3600)
        assert access.portal_session(b"1" * 32) == short, "expired, but the desk decides that"
        access.add_portal_token(token(hub, app.id, b"2" * 32, kind=PortalTokenKind.SESSION))
        assert access.portal_session(b"1" * 32) is None
        access.end_portal_session(b"2" * 32)
        access.end_portal_session(b"2" * 32)
        assert access.portal_session(b"2" * 32) is None
        access.add_portal_token(token(hub, app.id, b"3" * 32))
        access.end_portal_session(b"3" * 32)
        assert access.take_portal_token(b"3" * 32) is not None

    def test_none_for_an_application_that_is_gone(self, hub: Hub):
        """Neither a link nor an API key outlives it."""
        app = hub.add_application()
        hub.store.subscribers.delete_application(app.id, audit=hub.audit())
        before = hub.store.access.audit()
        with pytest.raises(NotFound, match=app.id):
            hub.store.access.add_portal_token(token(hub, app.id, b"x"), audit=hub.audit())
        with pytest.raises(NotFound, match=app.id):
            hub.store.access.add_api_key(api_key(hub, 1, app.id), audit=hub.audit())
        assert hub.store.access.audit() == before
        assert hub.store.access.api_keys() == []


class TestTheOutboxReadsThem:
    def test_a_claim_opens_keys_and_headers(self, hub: Hub):
        """What is sealed here opens there: the newest key first, ended ones not at all."""
        old = hub.new_key(b"old key")
        webhook = hub.add_webhook(hub.add_application().id, key=old, headers=HEADERS)
        publish(hub, webhook)

        def target() -> Target:
            now = hub.clock.now()
            (claimed,) = hub.store.outbox.claim(now=now, limit=5, share=5, lease_s=30)
            hub.store.outbox.let_go([claimed])
            return claimed.target

        assert target().headers == HEADERS
        assert target().keys == (WebhookKey(id=old.id, value=b"old key"),)
        hub.clock.advance(seconds=1)
        key = hub.new_key(b"new key")
        hub.store.subscribers.add_key(
            webhook.id, key, expire_others_at=START + HOUR, audit=hub.audit()
        )
        assert [one.value for one in target().keys] == [b"new key", b"old key"]
        hub.clock.advance(seconds=3600)
        assert [one.value for one in target().keys] == [b"new key"]

    def test_what_is_being_sent_is_still_recorded(self, hub: Hub):
        """A webhook deleted meanwhile: the attempt stands in the log, nothing goes out again."""
        webhook = hub.add_webhook(hub.add_application().id)
        delivery_id = publish(hub, webhook)
        (claimed,) = hub.store.outbox.claim(now=START, limit=5, share=5, lease_s=30)
        set_state(hub, webhook, WebhookState.DELETED)
        done = failed(hub, claimed)
        assert hub.store.outbox.complete([done], notice=unexpected) == [True]
        assert [one.id for one in hub.store.outbox.attempts(delivery_id)] == [done.attempt_id]
        hub.clock.advance(seconds=3600)
        assert hub.store.outbox.claim(now=hub.clock.now(), limit=5, share=5, lease_s=30) == []
        assert deliveries(hub)[delivery_id][0] == "cancelled"

    def test_an_application_deleted_while_sending(self, hub: Hub):
        """Its last attempt harms nobody, and nothing goes out again."""
        webhook = hub.add_webhook(hub.add_application().id)
        delivery_id = publish(hub, webhook)
        (claimed,) = hub.store.outbox.claim(now=START, limit=5, share=5, lease_s=30)
        hub.store.subscribers.delete_application(webhook.application_id, audit=hub.audit())
        hub.store.outbox.complete([failed(hub, claimed)], notice=unexpected)
        hub.clock.advance(seconds=3600)
        assert hub.store.outbox.claim(now=hub.clock.now(), limit=5, share=5, lease_s=30) == []
        assert deliveries(hub)[delivery_id][0] == "cancelled"


class TestANewMasterKey:
    def test_all_that_sending_seals_is_sealed_anew(self, hub: Hub):
        """Keys, headers, messages and attempts open by the new key alone."""
        app = hub.add_application()
        bare = hub.add_webhook(app.id, topic="bare")
        webhooks = [
            hub.add_webhook(app.id, topic=f"t{n}", headers=HEADERS, key=hub.new_key(b"key %d" % n))
            for n in range(3)
        ]
        sent = [publish(hub, webhook) for webhook in webhooks]
        for claimed in hub.store.outbox.claim(now=START, limit=5, share=5, lease_s=30):
            assert hub.store.outbox.complete([failed(hub, claimed)], notice=unexpected) == [True]
        hub.store.close()
        rotate(hub.settings)
        hub.store = hub.open()
        counts = []
        while done := hub.store.rewrap(limit=2):
            counts.append(done)
        assert sum(counts) == 1 + 4 + 3 + 3 + 3, "hub, keys, headers, messages, attempts"
        assert max(counts) <= 3
        assert hub.store.rewrap() == 0
        hub.store.close()
        rotate(hub.settings)
        hub.store = hub.open()
        assert (hub.store.rewrap(), hub.store.rewrap()) == (14, 0), "at one go, table after table"
        hub.store.close()
        path = key_file(hub.settings)
        path.write_text(path.read_text().splitlines()[0])
        hub.store = hub.open()
        outbox = hub.store.outbox
        hub.clock.advance(seconds=3600)
        claims = outbox.claim(now=hub.clock.now(), limit=5, share=5, lease_s=30)
        found = {one.delivery.id: one for one in claims}
        for n, (webhook, delivery_id) in enumerate(zip(webhooks, sent, strict=True)):
            assert found[delivery_id].target.keys[0].value == b"key %d" % n
            assert found[delivery_id].target.headers == HEADERS
            assert found[delivery_id].body == b'{"id": 1}'
            assert hub.store.subscribers.open_headers(webhook.id) == HEADERS
            (attempt,) = outbox.attempts(delivery_id)
            opened = outbox.open_attempt(attempt.id, application_id=None)
            assert opened.response_body == b"no"
        assert hub.store.subscribers.open_headers(bare.id) == ()


class TestApiKeys:
    def test_a_key_says_whom_it_speaks_for(self, hub: Hub):
        """An application's, or an operator's."""
        keys = [api_key(hub, 1, hub.add_application().id), api_key(hub, 2, None)]
        for key in keys:
            hub.store.access.add_api_key(key, audit=hub.audit())
        assert hub.store.access.api_keys() == keys[::-1]
        assert [hub.store.access.api_key(key.key_hash) for key in keys] == keys
