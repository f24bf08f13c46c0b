"""Integrations: numbered, changed only by who read them last, their finds merged."""

from dataclasses import replace

import pytest

from contract.acting_kit import Acting, race
from contract.store_kit import Hub
from inkwire.errors import Conflict, NotFound
from inkwire.model.work import IntegrationState


@pytest.fixture
def acting(hub: Hub) -> Acting:
    """A fresh store."""
    return Acting(hub)


class TestRecords:
    def test_numbered_from_one_and_kept_whole(self, acting: Acting):
        """People write the number: `int_1`; the audit log names it; every process hears of it."""
        acting.connection()
        made = []
        topics = acting.moved(
            lambda: made.append(
                acting.integration(
                    id=77,
                    connection_id="box-main",
                    remote={"folder_id": "9"},
                    settings={"days": 7, "on": True, "names": ["é", "b"]},
                )
            )
        )
        assert topics == {"config", "work"}
        [one] = made
        assert (one.id, one.label, one.remote) == (1, "int_1", {"folder_id": "9"})
        assert one.settings == {"days": 7, "on": True, "names": ["é", "b"]}
        assert acting.store.access.audit()[0].target == "int_1"
        two = acting.integration(name="Two")
        assert acting.store.integrations.all() == [one, two]
        assert acting.store.integrations.get(2) == two

    def test_numbers_are_given_once(self, acting: Acting):
        """Two that are added at the same moment get two numbers."""
        made = race([lambda n=n: acting.integration(name=str(n)) for n in range(6)])
        assert sorted(one.id for one in made) == [1, 2, 3, 4, 5, 6]

    def test_unknown_numbers(self, acting: Acting):
        """No number makes a database fault."""
        for number in (0, -1, 5, 2**63, 2**200):
            with pytest.raises(NotFound, match=f"int_{number}"):
                acting.store.integrations.get(number)

    def test_its_connection_must_be_there(self, acting: Acting):
        """Neither a new one nor a changed one names what is not there."""
        with pytest.raises(NotFound, match="box-main"):
            acting.integration(connection_id="box-main")
        one = acting.integration()
        assert one.id == 1, "a refused one takes no number"
        with pytest.raises(NotFound, match="box-main"):
            acting.put_integration(replace(one, connection_id="box-main"))
        assert acting.store.integrations.get(1) == one

    def test_two_connections(self, acting: Acting):
        """Both must be there; they may change places, and either may go."""
        acting.connection("box-main")
        for missing in ({"second_connection_id": "crm"}, {"connection_id": "crm"}):
            with pytest.raises(NotFound, match="crm"):
                acting.integration(**{"second_connection_id": "box-main", **missing})
        acting.connection("crm", provider="salesforce")
        one = acting.integration(connection_id="box-main", second_connection_id="crm")
        assert (one.id, one.connection_id, one.second_connection_id) == (1, "box-main", "crm")
        for first, second in (("crm", "box-main"), (None, "crm"), ("crm", None), ("crm", "crm")):
            changed = acting.put_integration(
                replace(one, connection_id=first, second_connection_id=second)
            )
            assert (changed.connection_id, changed.second_connection_id) == (first, second)
            assert acting.store.integrations.all() == [changed]
        with pytest.raises(NotFound, match="none"):
            acting.put_integration(replace(one, second_connection_id="none"))


class TestChanges:
    def test_update(self, acting: Acting):
        """Everything but number, kind, age and what its runs found."""
        acting.connection()
        one = acting.integration(remote={"webhook_id": "5"})
        acting.hub.clock.advance(seconds=1)
        wanted = replace(
            one,
            kind="other",
            name="New",
            state=IntegrationState.PAUSED,
            settings={},
            connection_id="box-main",
            source_ids=("a", "b"),
            remote={},
            updated_at=acting.now,
        )
        changed = acting.put_integration(wanted)
        assert changed == replace(wanted, kind=one.kind, remote={"webhook_id": "5"})
        assert acting.store.integrations.get(1) == changed
        with pytest.raises(NotFound, match="int_9"):
            acting.store.integrations.update(
                replace(one, id=9), expected=one.updated_at, audit=acting.hub.audit()
            )

    def test_of_two_who_read_the_same_one_changes_it(self, acting: Acting):
        """The other hears that it was changed, and writes nothing."""
        one = acting.integration()

        def change(number: int) -> bool:
            mine = replace(one, name=str(number), updated_at=acting.after(number + 1))
            try:
                acting.store.integrations.update(
                    mine, expected=one.updated_at, audit=acting.hub.audit("change", str(number))
                )
            except Conflict as error:
                assert "int_1 was changed meanwhile" in error.message
                return False
            return True

        outcomes = race([lambda n=n: change(n) for n in range(4)])
        assert sorted(outcomes) == [False, False, False, True]
        winner = str(outcomes.index(True))
        assert acting.store.integrations.get(1).name == winner
        said = [entry.target for entry in acting.store.access.audit() if entry.action == "change"]
        assert said == [winner]

    def test_remote_is_merged(self, acting: Acting):
        """Runs that find things at the same moment lose none; an empty value removes its key."""
        one = acting.integration(remote={"old": "1"})
        set_remote = acting.store.integrations.set_remote
        race([lambda n=n: set_remote(1, {f"k{n}": str(n)}) for n in range(6)])
        found = set_remote(1, {"old": "", "k0": "new"})
        assert found.remote == {"k0": "new", **{f"k{n}": str(n) for n in range(1, 6)}}
        assert acting.store.integrations.get(1) == replace(one, remote=found.remote)
        assert acting.moved(lambda: set_remote(1, {"k0": "new", "none": ""})) == set()
        with pytest.raises(NotFound, match="int_2"):
            set_remote(2, {})
