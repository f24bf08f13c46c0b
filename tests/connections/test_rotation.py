"""Refresh tokens that are good once: whoever refreshes, whatever breaks, no pair is lost.

Each test says what the store holds afterwards, and what the vendor still takes.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connections.kit import ADMIN, TOKEN, Stage
from connections.signing_kit import (
    SALESFORCE_TOKEN,
    Vendor,
    begun,
    box_by_oauth,
    held,
    outlive,
    salesforce,
    signed_in,
)
from fakes.box_server import Reply
from inkwire.config import load_settings
from inkwire.connections.desk import ConnectionDesk, OpenSession
from inkwire.errors import NeedsAttention, StoreBusy, StoreError, StoreFull, Transient
from inkwire.ids import SortableIds
from inkwire.model.connection import ConnectionHealth, Token
from inkwire.providers.registry import registry
from inkwire.store.contract import Store
from inkwire.store.open import open_store


@pytest.fixture
def vendor(stage: Stage) -> Vendor:
    """Box by OAuth; somebody has signed in, and the token has ended since."""
    box_by_oauth(stage)
    found = Vendor(stage)
    signed_in(stage, found)
    outlive(stage)
    stage.knows("/2.0/users/me", {"id": "5", "name": "Jane", "login": "jane@x"})
    return found


@contextmanager
def another_process(stage: Stage, folder: Path, sessions: OpenSession) -> Iterator[ConnectionDesk]:
    """A second store on the same file, with a desk of its own."""
    ids = SortableIds(stage.clock)
    store = open_store(load_settings(data_dir=folder / "data"), clock=stage.clock, ids=ids)
    desk = ConnectionDesk(
        store=store, registry=registry(), clock=stage.clock, ids=ids, sessions=sessions
    )
    try:
        yield desk
    finally:
        desk.close()
        store.close()


class Connections:
    """The real store's connections, but `put_token` does something first."""

    def __init__(self, store: Store, first) -> None:
        self._inner = store.connections
        self._first = first

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def put_token(self, *args, **more):
        """Something first."""
        self._first()
        return self._inner.put_token(*args, **more)


def putting(stage: Stage, monkeypatch: pytest.MonkeyPatch, first) -> None:
    """Whenever the stage's store keeps a token, `first` is called before."""
    monkeypatch.setattr(stage.store, "connections", Connections(stage.store, first))


def used(stage: Stage) -> list[str]:
    """The access tokens that calls were made by."""
    return [one.headers["authorization"] for one in stage.box.sent("GET", "/2.0/users/me")]


def test_threads_of_two_processes_refresh_once(
    stage: Stage, vendor: Vendor, tmp_path: Path, sessions: OpenSession
):
    """Eight calls at once with an ended token: one refresh, and all go by the new pair."""
    with another_process(stage, tmp_path, sessions) as other:
        stage.desk._calling._sleep = lambda _: threading.Event().wait(0.01)
        at_once = threading.Barrier(8)
        found: list[str] = []

        def call(desk: ConnectionDesk) -> None:
            client = desk.box("box-main")
            at_once.wait()
            found.append(client.me().id)

        threads = [
            threading.Thread(target=call, args=(desk,))
            for desk in (stage.desk, other)
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == ["5"] * 8
    assert [form["grant_type"] for form in vendor.forms] == ["authorization_code", "refresh_token"]
    assert set(used(stage)) == {"Bearer A2"}
    assert held(stage).refresh == "R2" and vendor.good == {"R2"}


def test_a_pair_is_stored_before_it_is_used(
    stage: Stage, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
):
    """At the moment that the store is asked to keep it, nothing was called by it."""
    calls_then: list[int] = []
    putting(stage, monkeypatch, lambda: calls_then.append(len(used(stage))))
    stage.desk.box("box-main").me()
    assert calls_then == [0] and used(stage) == ["Bearer A2"]


def test_a_crash_between_answer_and_store_parks(
    stage: Stage,
    vendor: Vendor,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    sessions: OpenSession,
):
    """The old pair still stands; the vendor refuses it; a person is asked, and mends it."""

    class Killed(BaseException):
        """The process ends here."""

    def die() -> None:
        raise Killed

    with monkeypatch.context() as patched:
        putting(stage, patched, die)
        with pytest.raises(Killed):
            stage.desk.box("box-main").me()
    assert held(stage).refresh == "R1" and vendor.good == {"R2"}
    stage.clock.advance(seconds=31)  # the dead process's lease
    with another_process(stage, tmp_path, sessions) as after:
        with pytest.raises(NeedsAttention, match="Sign in again"):
            after.box("box-main").me()
        now = stage.store.connections.get("box-main")
        assert now.health is ConnectionHealth.NEEDS_ATTENTION and used(stage) == []
        signed_in(stage, vendor)
        assert after.box("box-main").me().id == "5"


def test_a_vendor_that_takes_the_old_pair_again_needs_nobody(
    stage: Stage, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
):
    """After the same crash: some vendors let the last refresh token be used until the new is."""
    with monkeypatch.context() as patched:
        putting(stage, patched, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            stage.desk.box("box-main").me()
    vendor.good.add("R1")
    stage.desk._calling._turns.clear()  # a new process
    stage.clock.advance(seconds=31)
    assert stage.desk.box("box-main").me().id == "5"
    assert held(stage).refresh == "R3" and vendor.forms[-1]["refresh_token"] == "R1"


def test_a_store_that_is_busy_for_a_moment_loses_nothing(
    stage: Stage, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
):
    """The answer is offered to it again, and the vendor is asked once."""
    busy = iter([True, True, False])

    def maybe_busy() -> None:
        if next(busy):
            raise StoreBusy

    putting(stage, monkeypatch, maybe_busy)
    assert stage.desk.box("box-main").me().id == "5"
    assert held(stage).refresh == "R2" and len(vendor.forms) == 2


@pytest.mark.parametrize("fault", [StoreBusy, StoreFull])
def test_a_store_that_takes_nothing_holds_calls_up(
    stage: Stage, vendor: Vendor, monkeypatch: pytest.MonkeyPatch, fault: type[StoreError]
):
    """The pair stays in this process; no call is made by it until it is stored."""

    def refuse() -> None:
        raise fault

    with monkeypatch.context() as patched:
        putting(stage, patched, refuse)
        for _ in range(3):
            with pytest.raises(fault):
                stage.desk.box("box-main").me()
    assert used(stage) == [] and len(vendor.forms) == 2, "asked once"
    assert stage.desk.box("box-main").me().id == "5"
    assert held(stage).refresh == "R2" and len(vendor.forms) == 2
    assert used(stage) == ["Bearer A2"]


def test_our_pair_follows_the_one_that_was_sent(stage: Stage, vendor: Vendor):
    """Another wrote the same old pair under the next generation: ours is its successor."""
    before = stage.store.connections.token("box-main")
    assert before.token

    def same_again() -> None:
        vendor.meanwhile = lambda: None
        stage.store.connections.put_token("box-main", before.token, generation=before.generation)

    vendor.meanwhile = same_again
    assert stage.desk.box("box-main").me().id == "5"
    assert held(stage).refresh == "R2" and used(stage) == ["Bearer A2"]


def test_a_newer_sign_in_wins_over_a_refresh(stage: Stage, vendor: Vendor):
    """Somebody signs in while we refresh: their pair stays, and our call goes by it."""

    def sign_in() -> None:
        vendor.meanwhile = lambda: None
        signed_in(stage, vendor)

    state = begun(stage)["state"]
    assert state
    vendor.meanwhile = sign_in
    assert stage.desk.box("box-main").me().id == "5"
    assert held(stage).refresh == "R3" and used(stage) == ["Bearer A3"]


def test_a_sign_in_wins_over_a_refresh_that_was_faster(stage: Stage, vendor: Vendor):
    """The other way round: a refresh stores its pair while the code is exchanged."""
    older = held(stage)
    held_then = stage.store.connections.token("box-main")

    def refreshed() -> None:
        vendor.meanwhile = lambda: None
        token = replace(older, access="A9", refresh="R9")
        assert stage.store.connections.put_token("box-main", token, generation=held_then.generation)

    vendor.meanwhile = refreshed
    signed_in(stage, vendor)
    assert held(stage).access == "A2"


def test_a_refusal_is_none_if_another_was_faster(stage: Stage, vendor: Vendor):
    """Our lease ran out and another has stored the successor: theirs is used, nobody is asked."""
    held_then = stage.store.connections.token("box-main")
    theirs = Token(access="A7", refresh="R7", expires_at=stage.clock.now() + timedelta(hours=1))

    def faster() -> None:
        stage.store.connections.put_token("box-main", theirs, generation=held_then.generation)

    vendor.good.clear()
    vendor.meanwhile = faster
    assert stage.desk.box("box-main").me().id == "5"
    assert held(stage).refresh == "R7" and used(stage) == ["Bearer A7"]
    assert stage.store.connections.get("box-main").health is ConnectionHealth.UNCHECKED


def test_a_revoked_refresh_token_needs_a_person(stage: Stage, vendor: Vendor):
    """One request, one sentence; the lease is free, so that a sign-in is used at once."""
    vendor.good.clear()
    with pytest.raises(NeedsAttention, match="Sign in again"):
        stage.desk.box("box-main").me()
    now = stage.store.connections.get("box-main")
    assert now.health is ConnectionHealth.NEEDS_ATTENTION and "Sign in again" in now.health_note
    assert len(vendor.forms) == 2
    assert stage.store.connections.token("box-main").leased_until is None
    signed_in(stage, vendor)
    assert stage.desk.box("box-main").me().id == "5"


def test_a_failure_after_the_lease_leaves_the_other_s(
    stage: Stage, vendor: Vendor, tmp_path: Path, sessions: OpenSession
):
    """Ours ran out and another took it: our late failure gives only our own back."""
    connections, taken = stage.store.connections, []

    def taken_over() -> None:
        vendor.meanwhile = lambda: None
        stage.clock.advance(seconds=31)
        generation = connections.token("box-main").generation
        now = stage.clock.now()
        assert connections.lease_refresh("box-main", generation=generation, now=now, lease_s=30)
        taken.append(now + timedelta(seconds=30))

    vendor.good.clear()
    vendor.meanwhile = taken_over
    with pytest.raises(NeedsAttention):
        stage.desk.box("box-main").me()
    assert [connections.token("box-main").leased_until] == taken


def test_a_store_that_keeps_the_lease_hides_no_refusal(
    stage: Stage, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
):
    """What the vendor says is what the operator reads; the lease ends by itself."""

    class Busy(Connections):
        """Gives no lease back."""

        def drop_lease(self, *_, **__):
            """Never."""
            raise StoreBusy

    vendor.good.clear()
    monkeypatch.setattr(stage.store, "connections", Busy(stage.store, lambda: None))
    with pytest.raises(NeedsAttention, match="Sign in again"):
        stage.desk.box("box-main").me()


def test_an_answer_in_hand_shows_no_secret(
    stage: Stage, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
):
    """Neither the pair nor the refresh token that it was asked by."""

    def refuse() -> None:
        raise StoreFull

    putting(stage, monkeypatch, refuse)
    with pytest.raises(StoreFull):
        stage.desk.box("box-main").me()
    shown = repr(stage.desk._calling._turns["box-main"])
    assert "_Answer" in shown and all(one not in shown for one in ("R1", "R2", "A2"))


def test_credentials_that_changed_meanwhile_end_the_call(stage: Stage, vendor: Vendor):
    """The answer belongs to the old app: it is neither kept nor used."""

    def changed() -> None:
        vendor.meanwhile = lambda: None
        stage.desk.change(ADMIN, "box-main", settings={"client_id": "other"})

    vendor.meanwhile = changed
    with pytest.raises(Transient, match="changed while"):
        stage.desk.box("box-main").me()
    assert stage.store.connections.token("box-main").token is None and used(stage) == []


def test_a_check_refreshes_in_turn(
    stage: Stage, vendor: Vendor, tmp_path: Path, sessions: OpenSession
):
    """“Request authentication” while a call refreshes: a pair is sent once, by either."""
    with another_process(stage, tmp_path, sessions) as other:
        both = threading.Barrier(2)
        checked: list[bool] = []

        def renew() -> None:
            both.wait()
            checked.append(other.check("box-main")[0].ok)

        thread = threading.Thread(target=renew)
        stage.desk._calling._sleep = lambda _: threading.Event().wait(0.01)
        thread.start()
        both.wait()
        assert stage.desk.box("box-main").me().id == "5"
        thread.join()
    assert checked == [True], "it has a token"
    spent = [form["refresh_token"] for form in vendor.forms[1:]]
    assert len(set(spent)) == len(spent) and vendor.good == {held(stage).refresh}


def test_without_rotation_the_refresh_token_stays(stage: Stage):
    """Salesforce's answer names none: the old one is good on; its `instance_url` wins."""
    salesforce(stage, "web_server")
    vendor = Vendor(stage, path=SALESFORCE_TOKEN, rotates=False)
    vendor.more = {"instance_url": stage.box.url}
    signed_in(stage, vendor, "crm")
    outlive(stage)
    vendor.more = {"instance_url": "https://moved.my.salesforce.com"}
    connection = stage.desk._whole("crm")
    _, tokens, _ = stage.desk._calls(connection)
    token = tokens.token()
    assert (token.access, token.refresh) == ("A2", "R1")
    assert token.base_url == "https://moved.my.salesforce.com"
    assert held(stage, "crm") == token


def test_a_token_that_salesforce_withdrew_is_replaced(stage: Stage):
    """A session time-out of 15 minutes shows as 401 only: the refused token is not given again."""
    salesforce(stage)
    given = iter(("A1", "A2"))

    def reply(_: object) -> Reply:
        return Reply(json={"access_token": next(given), "instance_url": stage.box.url})

    stage.box.on("POST", SALESFORCE_TOKEN, reply)
    _, tokens, _ = stage.desk._calls(stage.desk._whole("crm"))
    assert tokens.token().access == "A1" == tokens.access()
    assert tokens.token(refused="A1").access == "A2" == tokens.token(refused="A1").access
    assert len(stage.box.sent("POST", SALESFORCE_TOKEN)) == 2
    assert stage.box.sent("POST", TOKEN) == []
