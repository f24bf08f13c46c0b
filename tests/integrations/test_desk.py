"""The desk of integrations: what is kept, what is refused, what a person is told."""

from dataclasses import replace

import pytest

from fakes.acting import add_connection, add_integration
from fakes.hub import BASE_URL
from fakes.kinds import KINDS
from inkwire.access.gate import CLI
from inkwire.errors import Conflict, Forbidden, InvalidInput, NotFound
from inkwire.integrations.desk import IntegrationChange, IntegrationDesk, IntegrationDraft
from inkwire.model.access import ROLE_SCOPES, Caller, Role, Scope
from inkwire.model.work import IntegrationState

ACTIVE, PAUSED, INACTIVE = IntegrationState


@pytest.fixture
def desk(rooms):
    """The hub's desk."""
    return rooms.hub.integrations


def draft(**fields):
    """A toy that lacks nothing."""
    given = {"kind": "toy_copy", "name": "Copies", "settings": {"word": "go", "ids": "1, 2"}}
    return IntegrationDraft(**given | fields)


def audits(rooms):
    """Actions and targets of the newest changes first."""
    return [(one.action, one.target) for one in rooms.store.access.audit()]


def test_a_new_integration_is_inactive_and_numbered(rooms, desk):
    """Its settings are complete and typed; what is missing is said, and does not keep it out."""
    judged = desk.add(CLI, draft(settings={"days": "7"}))
    made = judged.integration
    assert (made.label, made.state) == ("int_1", INACTIVE)
    assert made.settings == {
        "word": "", "days": 7, "ids": "", "map": "", "mail": "", "page": "",
    }  # fmt: skip
    assert [(one.field, one.blocks) for one in judged.problems] == [
        ("word", True),
        ("connection", True),
        ("ids", False),
    ]
    assert desk.get(CLI, 1) == made
    assert desk.all(CLI) == [made]
    assert desk.add(CLI, draft()).integration.label == "int_2"
    assert audits(rooms)[:2] == [("integration.create", "int_2"), ("integration.create", "int_1")]


def test_every_wrong_field_is_named_at_once(rooms, desk):
    """Settings, name, connection and sources; and nothing is kept."""
    add_connection(rooms, "other", provider="acme")
    wrong = draft(
        name=" x", settings={"days": 1000, "hue": 1}, connection_id="other", source_ids=["gone"]
    )
    with pytest.raises(InvalidInput) as refusal:
        desk.add(CLI, wrong)
    assert set(refusal.value.fields) == {
        "name", "settings.days", "settings.hue", "connection_id", "source_ids",
    }  # fmt: skip
    assert "to silent; this one is to acme" in refusal.value.fields["connection_id"]
    with pytest.raises(InvalidInput, match="no connection 'none'"):
        desk.add(CLI, draft(connection_id="none"))
    with pytest.raises(InvalidInput, match="calls nobody"):
        desk.add(CLI, draft(kind="lonely", settings={}, connection_id="other"))
    with pytest.raises(InvalidInput, match="there are: lonely, toy_copy"):
        desk.add(CLI, draft(kind="tango"))
    assert desk.all(CLI) == []


def test_it_becomes_active_only_without_what_blocks(rooms, desk):
    """Each field that keeps it from acting is named; a warning is told and does not hinder."""
    add_integration(rooms, settings={})
    with pytest.raises(InvalidInput) as refusal:
        desk.move(CLI, 1, ACTIVE)
    assert refusal.value.fields == {
        "settings.word": "Say a word.",
        "connection_id": "Choose a connection.",
    }
    assert desk.get(CLI, 1).state is INACTIVE
    add_connection(rooms)
    change = IntegrationChange(settings={"word": "go"}, connection_id="silent-main")
    assert desk.change(CLI, 1, change).integration.connection_id == "silent-main"
    judged = desk.move(CLI, 1, ACTIVE)
    assert judged.integration.state is ACTIVE
    assert [one.field for one in judged.problems] == ["ids"]
    assert audits(rooms)[0] == ("integration.activate", "int_1")


@pytest.fixture
def active(rooms, desk):
    """An active integration."""
    add_connection(rooms)
    add_integration(rooms, connection_id="silent-main")
    return desk.move(CLI, 1, ACTIVE).integration


def test_what_acts_cannot_be_broken(rooms, desk, active):
    """A change that blocks is refused while it is active, and passes once it is not."""
    with pytest.raises(InvalidInput) as refusal:
        desk.change(CLI, 1, IntegrationChange(settings={"word": None}))
    assert list(refusal.value.fields) == ["settings.word"]
    with pytest.raises(InvalidInput) as refusal:
        desk.change(CLI, 1, IntegrationChange(connection_id=""))
    assert list(refusal.value.fields) == ["connection_id"]
    assert desk.get(CLI, 1) == active
    desk.move(CLI, 1, INACTIVE)
    changed = desk.change(CLI, 1, IntegrationChange(settings={"word": None}, connection_id=""))
    assert (changed.integration.settings["word"], changed.integration.connection_id) == ("", None)
    assert changed.integration.settings["ids"] == "1"


def test_pause_resume_deactivate(rooms, desk, active):
    """Paused and back; an inactive one cannot be paused; the same state twice changes nothing."""
    assert desk.move(CLI, 1, PAUSED).integration.state is PAUSED
    before = audits(rooms)
    assert desk.move(CLI, 1, PAUSED).integration.state is PAUSED
    assert audits(rooms) == before
    assert desk.move(CLI, 1, ACTIVE).integration.state is ACTIVE
    assert desk.move(CLI, 1, INACTIVE).integration.state is INACTIVE
    with pytest.raises(Conflict, match="int_1 is inactive"):
        desk.move(CLI, 1, PAUSED)
    assert [action for action, _ in audits(rooms)[:3]] == [
        "integration.deactivate",
        "integration.activate",
        "integration.pause",
    ]


def test_a_change_meets_what_somebody_read(rooms, desk):
    """Two people with the same form open: the second is told, and nothing is overwritten."""
    first = add_integration(rooms)
    desk.change(CLI, 1, IntegrationChange(name="Mine", expected=first.updated_at))
    with pytest.raises(Conflict, match="changed int_1 meanwhile"):
        desk.change(CLI, 1, IntegrationChange(name="Yours", expected=first.updated_at))
    assert desk.get(CLI, 1).name == "Mine"
    before = audits(rooms)
    desk.change(CLI, 1, IntegrationChange(name="Mine"))
    assert audits(rooms) == before
    newest = rooms.store.access.audit()[0]
    assert newest.detail["changed"] == "name"


def test_settings_outlive_an_upgrade(rooms, desk):
    """A setting that a new release dropped is left out, and one that it added has its default."""
    add_integration(rooms)
    stored = rooms.store.integrations.get(1)
    old = replace(stored, settings={"word": "go", "gone": 1}, updated_at=rooms.clock.now())
    audit = rooms.store.access.audit()[0]
    audit = replace(audit, id=rooms.ids.new("aud"))
    rooms.store.integrations.update(old, expected=stored.updated_at, audit=audit)
    assert desk.get(CLI, 1).settings["days"] == 30
    assert "gone" not in desk.change(CLI, 1, IntegrationChange(name="New")).integration.settings


def test_a_kind_that_is_gone_is_said_so(rooms):
    """Its integrations can be looked at and stopped, but not started or changed."""
    add_connection(rooms)
    add_integration(rooms, connection_id="silent-main")
    rooms.hub.integrations.move(CLI, 1, ACTIVE)
    bare = IntegrationDesk(
        store=rooms.store, kinds={}, services=dict, clock=rooms.clock, ids=rooms.ids
    )
    assert bare.get(CLI, 1).settings["word"] == "go"
    assert bare.move(CLI, 1, INACTIVE).integration.state is INACTIVE
    with pytest.raises(NotFound, match="'toy_copy' is not installed; there are: none"):
        bare.move(CLI, 1, ACTIVE)
    with pytest.raises(NotFound, match="is not installed"):
        bare.change(CLI, 1, IntegrationChange(name="x"))


def test_scopes(rooms, desk, active):
    """A reader reads, an operator does not change; nobody else sees anything."""
    reader = Caller(actor="key:1", scopes=frozenset({Scope.INTEGRATIONS_READ}))
    nobody = Caller(actor="key:2", scopes=frozenset(Scope) - {Scope.INTEGRATIONS_READ})
    assert desk.get(reader, 1) == active
    assert [kind.name for kind in desk.kinds(reader)] == sorted(KINDS)
    assert desk.problems(reader, 1) == ()
    for act in (
        lambda who: desk.add(who, draft()),
        lambda who: desk.change(who, 1, IntegrationChange(name="x")),
        lambda who: desk.move(who, 1, PAUSED),
    ):
        for who in (reader, Caller(actor="user:o", scopes=ROLE_SCOPES[Role.OPERATOR])):
            with pytest.raises(Forbidden, match="integrations:write"):
                act(who)
    for look in (desk.kinds, desk.all, lambda who: desk.get(who, 1), lambda w: desk.problems(w, 1)):
        with pytest.raises(Forbidden, match="integrations:read"):
            look(nobody)
    with pytest.raises(NotFound, match="int_9"):
        desk.get(reader, 9)


def test_kinds_judge_by_the_hubs_services(rooms):
    """What a kind is handed knows the hub's own address and its store."""
    seen = []

    class Curious(type(KINDS["lonely"])):
        def problems(self, integration, services):
            """Looks, and says nothing."""
            seen.append(services)
            return ()

    desk = rooms.hub.integrations
    curious = IntegrationDesk(
        store=rooms.store,
        kinds={"lonely": Curious()},
        services=desk._services,
        clock=rooms.clock,
        ids=rooms.ids,
    )
    curious.add(CLI, draft(kind="lonely", settings={}))
    assert seen[0].store is rooms.store
    assert seen[0].base_url.rstrip("/") == BASE_URL


def test_all_are_judged_and_a_kind_that_is_gone_is_told(rooms, desk):
    """Each with its problems; of one whose kind was taken away, that it was."""
    lost = add_integration(rooms)
    add_integration(rooms, name="Lost")
    without = IntegrationDesk(
        store=rooms.store,
        kinds={name: kind for name, kind in KINDS.items() if name != lost.kind},
        services=rooms.hub.services,
        clock=rooms.clock,
        ids=rooms.ids,
    )
    assert [[one.field for one in judged.problems] for judged in desk.judged_all(CLI)] == [
        ["connection"],
        ["connection"],
    ]
    assert desk.judged(CLI, 1) == desk.judged_all(CLI)[0]
    (first, second) = without.judged_all(CLI)
    assert first.problems[0].blocks
    assert "toy_copy is not installed" in first.problems[0].text
    assert second.integration.name == "Lost"
    with pytest.raises(NotFound):
        desk.judged(CLI, 9)
