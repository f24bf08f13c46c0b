"""Attachments: one row a version and record, published once, proven in the end."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from contract.acting_kit import race
from contract.crm_store_kit import Crm
from contract.store_kit import Hub
from inkwire.errors import NotFound, StoreError
from inkwire.model.crm import Attachment, AttachmentState
from inkwire.moments import to_micros
from inkwire.store import crm_lists
from inkwire.store.crm import AttachmentQuery
from inkwire.store.crm_rows import ATTACHMENT_COLUMNS, attachment_row

S = AttachmentState


@pytest.fixture
def crm(hub: Hub) -> Crm:
    """A fresh store."""
    return Crm(hub)


def ids(found: list[Attachment]) -> list[str]:
    """Their ids."""
    return [one.id for one in found]


class TestPlanning:
    def test_kept_whole_and_once(self, crm: Crm):
        """What is there comes back, in the order that was asked for."""
        given = [crm.link("001A"), crm.attachment("006A"), crm.link("001B", version_number=0)]
        kept = []
        assert crm.moved(lambda: kept.extend(crm.plan(*given))) == {"work"}
        assert kept == given
        repeat = [crm.attachment("006A", work_id="wrk_2"), crm.link("001A", work_id="wrk_2")]
        again = []
        assert crm.moved(lambda: again.extend(crm.plan(*repeat))) == set()
        assert again == [given[1], given[0]]
        assert crm.attachments.of_version(1, "21", "31") == [given[1], given[0], given[2]]
        other = crm.plan(crm.attachment(version_id="32"), crm.attachment(integration_id=2))
        assert len(set(ids([*given, *other]))) == 5
        assert crm.plan() == []
        assert crm.attachments.of_version(1, "21", "\x00") == []

    def test_what_cannot_be_kept(self, crm: Crm):
        """A file's name is cleaned; an id is refused, and nothing is written."""
        assert crm.planned(name="a\x00\ud800").name == "a??"
        with pytest.raises(StoreError):
            crm.plan(crm.attachment("006B"), crm.link("\ud800"))
        assert len(crm.attachments.of_version(1, "21", "31")) == 1

    def test_what_failed_is_planned_again(self, crm: Crm):
        """As it is given now; its id and age stay, what was learned of the old try goes."""
        one = crm.stored(crm.planned())
        crm.attachments.failed(one.id, note="Other bytes arrived.", at=crm.now)
        crm.hub.clock.advance(seconds=9)
        given = crm.attachment(work_id="wrk_2", name="New.pdf", size=7, version_number=4)
        [again] = crm.plan(given)
        assert again == replace(given, id=one.id, created_at=one.created_at)
        assert crm.attachments.page(AttachmentQuery(name="new")) == [again]
        assert crm.attachments.page(AttachmentQuery(name="offer")) == []

    def test_what_was_left_out_is_told_and_planned_again(self, crm: Crm):
        """A sentence, and no longer the first; only what is planned is left out."""
        one = crm.planned()
        found = []
        assert crm.moved(
            lambda: found.append(crm.attachments.left_out(one.id, note="Version 2 is there.\x00"))
        ) == {"work"}
        left = replace(one, state=S.LEFT_OUT, first=False, note="Version 2 is there.?")
        assert found == [left]
        assert crm.attachments.page(AttachmentQuery(state=S.LEFT_OUT)) == [left]
        assert crm.attachments.counts(1)[S.LEFT_OUT] == 1
        assert crm.attachments.unsettled(1) == []
        assert crm.attachments.latest(1, one.file_id) is None
        # Another record of the version may be the first now; then this one comes as a link.
        [other] = crm.plan(crm.attachment("006Z"))
        assert other.first
        [again] = crm.plan(crm.attachment(one.record_id, work_id="wrk_2"))
        assert (again.id, again.state, again.first) == (one.id, S.PLANNED, False)
        stored = crm.stored(again)
        assert crm.attachments.left_out(one.id, note="Too late.") == stored
        with pytest.raises(NotFound):
            crm.attachments.left_out("att_none", note="")

    def test_a_version_is_published_once(self, crm: Crm):
        """Of several that are given as the first, one is; a link takes its place if it failed."""
        first, second = crm.plan(crm.attachment("006B"), crm.attachment("006A"))
        assert (first.first, second.first) == (True, False)
        [third] = crm.plan(crm.attachment("006C"))
        assert third.first is False
        crm.attachments.failed(first.id, note="Its record is gone.", at=crm.now)
        assert ids(crm.plan(crm.link("006A"))) == [second.id]
        assert [one.first for one in crm.plan(crm.link("006A"), crm.attachment("006C"))] == [
            False,
            True,
        ]
        [back] = crm.plan(crm.attachment("006B"))
        assert (back.state, back.first) == (S.PLANNED, False)
        assert ids(crm.attachments.of_version(1, "21", "31"))[0] == third.id

    def test_planned_at_the_same_moment(self, crm: Crm):
        """Each record gets one row, one is the first, and all are told the same."""
        batches = [
            [crm.attachment(f"00{record}") for record in (range(4), range(3, -1, -1))[n % 2]]
            for n in range(6)
        ]
        answers = race([lambda rows=rows: crm.attachments.plan(rows) for rows in batches])
        found = crm.attachments.of_version(1, "21", "31")
        assert len(found) == 4
        assert [one.first for one in found] == [True, False, False, False]
        assert {tuple(sorted(ids(rows))) for rows in answers} == {tuple(sorted(ids(found)))}

    def test_two_firsts_at_the_same_moment(self, crm: Crm):
        """Of other records, from other processes: one is published, the other becomes a link."""
        with crm.stores(3) as others:
            stores = [crm.store, *others]
            for n in range(10):
                rows = [crm.attachment(f"006{k}", version_id=f"v{n}") for k in range(len(stores))]
                race(
                    [
                        lambda store=store, one=one: store.attachments.plan([one])
                        for store, one in zip(stores, rows, strict=True)
                    ]
                )
                found = crm.attachments.of_version(1, "21", f"v{n}")
                assert [one.first for one in found] == [True, False, False, False]


class TestStates:
    def test_stored_and_verified(self, crm: Crm):
        """A step forward each; a repeat changes nothing."""
        one = crm.planned()
        crm.hub.clock.advance(seconds=1)
        known = []
        assert crm.moved(lambda: known.append(crm.stored(one))) == {"work"}
        kept = replace(
            one,
            state=S.STORED,
            content_version_id="068A",
            md5="cd" * 16,
            stored_at=crm.now,
        )
        assert known == [kept]
        crm.hub.clock.advance(seconds=1)
        assert crm.moved(lambda: known.append(crm.stored(one, "068B"))) == set()
        assert known[-1] == kept
        proven = replace(kept, state=S.VERIFIED, document_id="069A", verified_at=crm.now)
        assert crm.verified(one) == proven
        crm.hub.clock.advance(seconds=1)
        assert crm.verified(one, "068B") == proven
        assert crm.stored(one, "068B") == proven
        assert crm.attachments.failed(one.id, note="Too late.", at=crm.now) == proven
        assert crm.attachments.of_version(1, "21", "31") == [proven]

    def test_a_link_is_verified_at_once(self, crm: Crm):
        """It has its moment of storing, too."""
        _, link = crm.plan(crm.attachment(), crm.link())
        done = crm.verified(link)
        assert (done.state, done.stored_at, done.verified_at) == (S.VERIFIED, crm.now, crm.now)

    def test_failed_is_left_by_planning_only(self, crm: Crm):
        """A late word of another run does not undo it, and the first sentence stays."""
        one = crm.planned()
        failed = crm.attachments.failed(one.id, note="No.\x00", at=crm.now)
        assert failed == replace(one, state=S.FAILED, note="No.?")
        assert crm.stored(one) == failed
        assert crm.verified(one) == failed
        assert crm.attachments.failed(one.id, note="Again.", at=crm.now) == failed
        [again] = crm.plan(crm.attachment())
        assert (again.id, again.note, crm.stored(again).state) == (one.id, "", S.STORED)

    def test_unknown(self, crm: Crm):
        """It is said."""
        one = crm.attachment()
        for call in (crm.stored, crm.verified):
            with pytest.raises(NotFound, match=one.id):
                call(one)
        with pytest.raises(NotFound, match=one.id):
            crm.attachments.failed(one.id, note="", at=crm.now)

    def test_stored_by_several(self, crm: Crm):
        """One word stays, and all hear it."""
        one = crm.planned()
        told = race([lambda n=n: crm.stored(one, f"068{n}") for n in range(6)])
        assert len({found.content_version_id for found in told}) == 1
        assert crm.attachments.of_version(1, "21", "31") == [told[0]]


class TestFinding:
    def test_the_latest(self, crm: Crm):
        """By the version's number, then by age; what has not arrived is none."""
        latest = crm.attachments.latest
        assert latest(1, "21") is None
        crm.arrived(S.FAILED, version_id="v9", version_number=9)
        crm.arrived(S.PLANNED, version_id="v8", version_number=8)
        assert latest(1, "21") is None
        three = crm.arrived(S.VERIFIED, version_id="v3", version_number=3)
        crm.arrived(S.STORED, version_id="v2", version_number=2)
        crm.arrived(S.STORED, version_id="v4", version_number=4, file_id="22")
        crm.arrived(S.STORED, version_id="v5", version_number=5, integration_id=2)
        assert latest(1, "21") == three
        unnumbered = [
            crm.arrived(S.STORED, version_id=f"u{n}", version_number=0, file_id="23")
            for n in range(2)
        ]
        assert latest(1, "23") == unnumbered[1]
        assert latest(2**70, "\x00") is None

    def test_what_is_to_be_settled(self, crm: Crm):
        """Stored rows, and links whose version has arrived somewhere, oldest first."""
        link_a, first_a = crm.plan(crm.link("001A"), crm.attachment("006A"))
        first_b, link_b = crm.plan(
            crm.attachment("006A", version_id="b"), crm.link("001A", version_id="b")
        )
        crm.plan(crm.attachment("006A", version_id="c"), crm.link("001A", version_id="c"))
        crm.arrived(S.STORED, integration_id=2)
        unsettled = crm.attachments.unsettled
        assert unsettled(1) == []
        crm.stored(first_a)
        crm.verified(first_b)
        assert ids(unsettled(1)) == [link_a.id, first_a.id, link_b.id]
        assert ids(unsettled(1, limit=2)) == [link_a.id, first_a.id]
        assert unsettled(1, limit=0) == []
        crm.attachments.failed(link_a.id, note="No.", at=crm.now)
        crm.attachments.failed(first_a.id, note="No.", at=crm.now)
        crm.stored(link_b)
        assert ids(unsettled(1)) == [link_b.id]
        crm.verified(link_b)
        assert unsettled(1) == []

    def test_pages(self, crm: Crm):
        """Newest first; every filter narrows."""
        a = crm.arrived(S.STORED, file_id="1", version_id="1", name="Äpfel.pdf")
        b = crm.arrived(S.PLANNED, file_id="1", version_id="2", work_id="wrk_2", name="äpfel 2")
        c = crm.arrived(S.STORED, file_id="2", version_id="3", integration_id=2, record_id="001")

        def page(**query: object) -> list[str]:
            return ids(crm.attachments.page(AttachmentQuery(**query)))

        assert page() == [c.id, b.id, a.id]
        assert page(integration_id=1) == [b.id, a.id]
        assert page(state=S.STORED) == [c.id, a.id]
        assert page(state=S.STORED, integration_id=1) == [a.id]
        assert page(file_id="1") == [b.id, a.id]
        assert page(version_id="3") == [c.id]
        assert page(record_id="006A") == [b.id, a.id]
        assert page(work_id="wrk_2") == [b.id]
        assert page(name="ÄPFEL") == [b.id, a.id]
        assert page(name="ÄPFEL", state=S.STORED) == [a.id]
        assert page(before=c.id, limit=1) == [b.id]
        assert page(after=a.id) == [c.id, b.id]
        assert page(after=a.id, before=c.id, name="äpfel") == [b.id]
        assert page(file_id="\x00", work_id="\ud800", before="\x00") == []
        assert page(integration_id=2**70) == []

    def test_a_name_that_many_have(self, crm: Crm, monkeypatch: pytest.MonkeyPatch):
        """The list is walked instead, and gives the same."""
        monkeypatch.setattr(crm_lists, "FEW", 2)
        kept = [crm.planned(version_id=str(n), name=f"A{n % 2}%") for n in range(8)]
        for name, wanted in (("a", kept), ("a0", kept[::2]), ("a1%", kept[1::2]), ("%", [])):
            found = crm.attachments.page(AttachmentQuery(name=name))
            assert ids(found) == ids(wanted)[::-1]

    def test_counts(self, crm: Crm):
        """By state, of one integration or of all."""
        crm.arrived(S.STORED, version_id="1")
        crm.arrived(S.FAILED, version_id="2")
        crm.arrived(S.FAILED, integration_id=2)
        nothing = dict.fromkeys(S, 0)
        assert crm.attachments.counts() == nothing | {S.STORED: 1, S.FAILED: 2}
        assert crm.attachments.counts(1) == nothing | {S.STORED: 1, S.FAILED: 1}


def test_a_long_history_costs_nothing(crm: Crm):
    """Among 40,000 attachments every step and page walks an index, by the dialect's statistics."""
    names = list(ATTACHMENT_COLUMNS)
    row = dict(zip(names, attachment_row(crm.attachment()), strict=True))
    at = to_micros(crm.now)
    states = ["verified"] * 97 + ["stored", "planned", "failed"]
    rows = [
        tuple(
            (
                row
                | {
                    "id": f"att_{n:06}",
                    "integration_id": n % 3 + 1,
                    "file_id": f"f{n // 4}",
                    "version_id": f"v{n // 2}",
                    "version_number": n % 9,
                    "record_id": f"r{n % 997}-{n % 2}",
                    "first": n % 2 == 0,
                    "state": states[n % 100],
                    "work_id": f"w{n // 2}",
                    "name_term": f"n{n % 5000}",
                    "created_at": at + n,
                }
            ).values()
        )
        for n in range(40_000)
    ]
    crm.raw("attachments", names, rows)
    with crm.database.writing() as conn:
        conn.exec_driver_sql("ANALYZE")

    def everything() -> None:
        [one] = crm.plan(crm.attachment(file_id="new"))
        crm.stored(one)
        crm.verified(one)
        crm.attachments.of_version(1, "f9", "v9")
        crm.attachments.latest(1, "f9")
        assert len(crm.attachments.unsettled(1)) > 100
        for query in (
            {},
            {"integration_id": 1},
            {"state": S.FAILED},
            {"state": S.FAILED, "integration_id": 2},
            {"file_id": "f9"},
            {"version_id": "v9"},
            {"record_id": "r9-1"},
            {"work_id": "w9"},
            {"name": "n49"},
            {"name": "n49", "integration_id": 1},
            {"before": "att_020000"},
        ):
            assert crm.attachments.page(AttachmentQuery(**query)), query

    found = crm.plans(everything)
    walked = [
        plan
        for plan in found
        if "Seq Scan on attachments" in plan
        or ("SCAN attachments" in plan and "USING" not in plan.split("SCAN attachments", 1)[1])
    ]
    assert not walked, walked
    with crm.database.reading() as conn:
        assert conn.scalar(sa.text("SELECT count(*) FROM attachments")) == 40_001
