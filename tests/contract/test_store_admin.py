"""Sources and their secrets; users, sign-ins, API keys and the audit log."""

from dataclasses import replace
from datetime import timedelta

import pytest

from contract.store_kit import START, Hub
from inkwire.errors import Conflict, NotFound
from inkwire.model.access import ApiKey, LoginSession, Role, Scope, User
from inkwire.model.receipt import Rejection
from inkwire.model.source import ManagedBy, Secret, SecretInfo, SourceActivity
from inkwire.model.verdict import Reason

HOUR = timedelta(hours=1)


class TestSources:
    def test_a_source_comes_back_as_it_was_made(self, hub: Hub):
        """Settings keep their types; secrets show what may be shown."""
        secret = hub.secret()
        source = hub.source(
            event_types=("box.FILE.UPLOADED",),
            document_ids=("1", "2"),
            paused=True,
            managed_by=ManagedBy.FILE,
        )
        hub.store.sources.create(source, [secret], audit=hub.audit())
        info = SecretInfo(id=secret.id, role="primary", created_at=START, expires_at=None)
        assert hub.store.sources.get("box") == replace(source, secrets=(info,))
        assert hub.store.sources.all() == [replace(source, secrets=(info,))]

    def test_sources_come_by_id(self, hub: Hub):
        """The same order on every page."""
        for source_id in ("b", "c", "a"):
            hub.add_source(source_id)
        assert [source.id for source in hub.store.sources.all()] == ["a", "b", "c"]

    def test_an_id_is_taken_once(self, hub: Hub):
        """The second is told so, and nothing of it is kept."""
        hub.add_source("box", hub.secret(b"one"))
        before = (hub.store.counters(), hub.store.access.audit())
        with pytest.raises(Conflict, match="choose another id"):
            hub.add_source("box", hub.secret(b"two"), name="Other")
        assert (hub.store.counters(), hub.store.access.audit()) == before
        assert hub.store.sources.get("box").name == "Box"
        assert len(hub.store.sources.open_secrets(START)["box"]) == 1

    def test_an_update_replaces_what_it_may(self, hub: Hub):
        """Provider, creation time and secrets stay, whatever the update says."""
        secret = hub.secret()
        source = hub.add_source("box", secret)
        hub.clock.advance(seconds=60)
        changed = replace(
            source,
            name="New",
            settings={"a": 1},
            event_types=("x",),
            document_ids=("9",),
            max_body_bytes=5000,
            paused=True,
            managed_by=ManagedBy.FILE,
            updated_at=hub.clock.now(),
        )
        wild = replace(changed, provider="other", created_at=hub.clock.now(), secrets=())
        hub.store.sources.update(wild, audit=hub.audit())
        found = hub.store.sources.get("box")
        assert replace(found, secrets=()) == changed
        assert [info.id for info in found.secrets] == [secret.id]

    def test_deleting_keeps_what_came_in(self, hub: Hub):
        """Receipts and events outlive their source; its secrets do not."""
        hub.add_source("box", hub.secret())
        intake = hub.intake()
        hub.put(intake)
        hub.store.sources.delete("box", audit=hub.audit())
        assert hub.store.sources.all() == []
        assert hub.store.sources.open_secrets(START) == {}
        assert hub.store.inbound.open_receipt(intake.receipt_id).body == intake.body
        assert hub.found(source_id="box") == [intake.events[0].id]

    def test_what_is_not_there(self, hub: Hub):
        """Every method says so, and writes no audit entry for what did not happen."""
        sources = hub.store.sources
        for act in (
            lambda: sources.get("none"),
            lambda: sources.update(hub.source("none"), audit=hub.audit()),
            lambda: sources.delete("none", audit=hub.audit()),
            lambda: sources.add_secret(
                "none", hub.secret(), expire_others_at=None, audit=hub.audit()
            ),
            lambda: sources.remove_secret("none", "sec_none", audit=hub.audit()),
        ):
            with pytest.raises(NotFound, match="none"):
                act()
        assert hub.store.access.audit() == []

    def test_every_change_is_audited_and_announced(self, hub: Hub):
        """The log and the config counter move with the change, once each."""
        source = hub.source()
        secret = hub.secret()
        sources = hub.store.sources
        acts = [
            lambda audit: sources.create(source, [], audit=audit),
            lambda audit: sources.update(source, audit=audit),
            lambda audit: sources.add_secret("box", secret, expire_others_at=None, audit=audit),
            lambda audit: sources.remove_secret("box", secret.id, audit=audit),
            lambda audit: sources.delete("box", audit=audit),
        ]
        for number, act in enumerate(acts):
            entry = hub.audit(f"act {number}", "box", name="Bo\nx", note="é")
            act(entry)
            assert hub.store.access.audit(limit=1) == [entry]
            assert hub.store.counters()["config"] == number + 1


class TestSecrets:
    def test_opened_newest_first(self, hub: Hub):
        """Any bytes come back; the newest stands first; sources without any are left out."""
        hub.add_source("box", hub.secret(b"\x00\xff old", "primary"), hub.secret(b"k", "key"))
        hub.add_source("empty")
        hub.clock.advance(seconds=1)
        newest = hub.secret(b"new", "primary")
        hub.store.sources.add_secret("box", newest, expire_others_at=None, audit=hub.audit())
        opened = hub.store.sources.open_secrets(hub.clock.now())
        assert list(opened) == ["box"]
        assert opened["box"][0] == Secret(id=newest.id, role="primary", value=b"new")
        assert {secret.value for secret in opened["box"]} == {b"new", b"\x00\xff old", b"k"}
        assert "old" not in repr(opened)

    def test_rotation_with_overlap(self, hub: Hub):
        """The old one of the same role ends; one that ends sooner keeps its end."""
        old, key = hub.secret(b"1", "primary"), hub.secret(b"k", "key")
        hub.add_source("box", old, key)
        sources = hub.store.sources

        def rotate(value: bytes, end) -> str:
            hub.clock.advance(seconds=1)
            secret = hub.secret(value)
            sources.add_secret("box", secret, expire_others_at=end, audit=hub.audit())
            return secret.id

        second = rotate(b"2", START + HOUR)
        third = rotate(b"3", START + 2 * HOUR)
        ends = {info.id: info.expires_at for info in sources.get("box").secrets}
        assert ends == {old.id: START + HOUR, second: START + 2 * HOUR, third: None, key.id: None}

        def valid(at) -> set[bytes]:
            return {secret.value for secret in sources.open_secrets(at)["box"]}

        assert valid(START) == {b"1", b"2", b"3", b"k"}
        assert valid(START + HOUR) == {b"2", b"3", b"k"}
        assert valid(START + 2 * HOUR) == {b"3", b"k"}

    def test_removed_at_once(self, hub: Hub):
        """A leaked secret stops counting now; another source's of that id cannot be hit."""
        secret = hub.secret()
        hub.add_source("box", secret)
        hub.add_source("other")
        with pytest.raises(NotFound):
            hub.store.sources.remove_secret("other", secret.id, audit=hub.audit())
        hub.store.sources.remove_secret("box", secret.id, audit=hub.audit())
        assert hub.store.sources.open_secrets(START) == {}
        assert hub.store.sources.get("box").secrets == ()


class TestActivity:
    def test_when_each_source_was_last_heard_of(self, hub: Hub):
        """Last receipt and rejection, and the counts of a day, source by source."""
        hub.add_source("box")
        hub.add_source("quiet")
        hub.put_event(b"old")
        hub.clock.advance(seconds=86_400)
        hub.put(
            hub.intake(hub.event(b"1"), hub.event(b"2")),
            hub.intake(hub.event(b"1")),
            hub.intake(hub.event(b"1"), source_id="unknown"),
        )
        last = hub.clock.now()
        hub.clock.advance(seconds=60)
        hub.put(hub.stale(body=b"late"))
        hub.store.inbound.reject([_rejection(hub, "box"), _rejection(hub, "nowhere")])
        hub.clock.advance(seconds=30)
        found = hub.store.sources.activity(hub.clock.now())
        assert found == {
            "box": SourceActivity(
                last_receipt_at=last + timedelta(seconds=60),
                last_rejection_at=last + timedelta(seconds=60),
                last_rejection_reason="bad_signature",
                receipts_24h=3,
                rejections_24h=1,
                quarantined=1,
            ),
            "quiet": SourceActivity(
                last_receipt_at=None,
                last_rejection_at=None,
                last_rejection_reason=None,
                receipts_24h=0,
                rejections_24h=0,
                quarantined=0,
            ),
        }


class TestUsers:
    def user(self, hub: Hub, name: str = "ada", **fields) -> User:
        values = {
            "id": hub.ids.new("usr"),
            "name": name,
            "role": Role.ADMIN,
            "password_hash": "$argon2id$x",
            "created_at": hub.clock.now(),
            **fields,
        }
        return User(**values)

    def session(self, hub: Hub, user: User, token: bytes = b"t" * 32, hours: int = 12):
        return LoginSession(
            token_hash=token,
            user_id=user.id,
            csrf="c" * 20,
            created_at=hub.clock.now(),
            expires_at=hub.clock.now() + hours * HOUR,
        )

    def test_users_come_back(self, hub: Hub):
        """By name, by id, and all of them in order."""
        access = hub.store.access
        ada, bob = self.user(hub), self.user(hub, "bob", role=Role.VIEWER, disabled=True)
        access.add_user(bob, audit=hub.audit())
        access.add_user(ada, audit=hub.audit())
        assert access.users() == [ada, bob]
        assert (access.user("bob"), access.user_by_id(ada.id)) == (bob, ada)
        assert (access.user("eve"), access.user_by_id("usr_none")) == (None, None)

    def test_a_name_is_taken_once(self, hub: Hub):
        """Two people cannot share a sign-in name."""
        hub.store.access.add_user(self.user(hub), audit=hub.audit())
        with pytest.raises(Conflict, match="choose another name"):
            hub.store.access.add_user(self.user(hub), audit=hub.audit())
        assert len(hub.store.access.audit()) == 1

    def test_a_change_ends_the_sessions(self, hub: Hub):
        """A new role or password counts from now on, in every browser; other users stay in."""
        access = hub.store.access
        ada, bob = self.user(hub), self.user(hub, "bob")
        for user, token in ((ada, b"a" * 32), (bob, b"b" * 32)):
            access.add_user(user, audit=hub.audit())
            access.add_session(self.session(hub, user, token))
        changed = replace(ada, role=Role.VIEWER, password_hash="$new", disabled=True)
        access.update_user(replace(changed, name="x", created_at=START), audit=hub.audit())
        assert access.user_by_id(ada.id) == changed
        assert access.session(b"a" * 32) is None
        assert access.session(b"b" * 32) == self.session(hub, bob, b"b" * 32)
        with pytest.raises(NotFound):
            access.update_user(self.user(hub, "eve"), audit=hub.audit())

    def test_sessions_come_and_go(self, hub: Hub):
        """Kept by hash, ended on request, and forgotten some time after they expired."""
        access = hub.store.access
        ada = self.user(hub)
        access.add_user(ada, audit=hub.audit())
        short = self.session(hub, ada, b"1" * 32, hours=1)
        access.add_session(short)
        hub.clock.advance(seconds=3600)
        assert access.session(b"1" * 32) == short, "expired, but the gate decides that"
        long = self.session(hub, ada, b"2" * 32)
        access.add_session(long)
        assert access.session(b"1" * 32) is None
        assert access.session(b"2" * 32) == long
        access.end_session(b"2" * 32)
        access.end_session(b"2" * 32)
        assert access.session(b"2" * 32) is None


class TestApiKeys:
    def key(self, hub: Hub, **fields) -> ApiKey:
        values = {
            "id": hub.ids.new("key"),
            "name": "CI",
            "key_hash": hub.ids.new("h").encode(),
            "hint": "ink_ab",
            "scopes": frozenset({Scope.EVENTS_READ, Scope.SOURCES_READ}),
            "created_at": hub.clock.now(),
            "created_by": "user:ada",
            **fields,
        }
        return ApiKey(**values)

    def test_keys_come_back_newest_first(self, hub: Hub):
        """All of them in the list, one by its hash."""
        access = hub.store.access
        keys = [self.key(hub) for _ in range(3)]
        for key in keys:
            access.add_api_key(key, audit=hub.audit())
        assert access.api_keys() == keys[::-1]
        assert access.api_key(keys[1].key_hash) == keys[1]
        assert access.api_key(b"unknown") is None

    def test_a_revoked_key_stays_revoked(self, hub: Hub):
        """It is found with its end, which a second click does not move."""
        access = hub.store.access
        key = self.key(hub)
        access.add_api_key(key, audit=hub.audit())
        access.revoke_api_key(key.id, at=START + HOUR, audit=hub.audit())
        access.revoke_api_key(key.id, at=START + 2 * HOUR, audit=hub.audit())
        assert access.api_key(key.key_hash) == replace(key, revoked_at=START + HOUR)
        with pytest.raises(NotFound, match="key_none"):
            access.revoke_api_key("key_none", at=START, audit=hub.audit())

    def test_its_use_is_noted_once_a_minute(self, hub: Hub):
        """A busy key does not write at every call."""
        access = hub.store.access
        key = self.key(hub)
        access.add_api_key(key, audit=hub.audit())

        def used(seconds: int):
            access.touch_api_key(key.id, at=START + timedelta(seconds=seconds))
            return (access.api_key(key.key_hash).last_used_at - START).total_seconds()

        assert [used(0), used(59), used(60), used(61), used(130)] == [0, 0, 60, 60, 130]


class TestAudit:
    def test_newest_first_in_pages(self, hub: Hub):
        """The log reads backwards, on from where a page ended, and stays bounded."""
        entries = [hub.audit(f"a{n}") for n in range(210)]
        for entry in entries:
            hub.store.access.add_api_key(
                TestApiKeys().key(hub, key_hash=entry.id.encode()), audit=entry
            )
        newest = entries[::-1]
        access = hub.store.access
        assert access.audit() == newest[:50]
        assert access.audit(before=newest[9].id, limit=3) == newest[10:13]
        assert len(access.audit(limit=5000)) == 200


def _rejection(hub: Hub, source_id: str) -> Rejection:
    return Rejection(
        id=hub.ids.new("rej"),
        source_id=source_id,
        provider=None,
        at=hub.clock.now(),
        status=401,
        reason=Reason.BAD_SIGNATURE,
        detail="",
        hint="",
        remote="",
        method="POST",
        path="/in/box",
        body_size=0,
        headers=(),
    )
