"""Mapped fields of folders: kept whole, listed by folder and by state, newest change first."""

from dataclasses import replace
from typing import Any

import pytest

from contract.crm_store_kit import Crm
from contract.store_kit import Hub
from inkwire.errors import StoreError
from inkwire.model.crm import FieldAgreement, FieldSide, FieldState

A = FieldAgreement


@pytest.fixture
def crm(hub: Hub) -> Crm:
    """A fresh store."""
    return Crm(hub)


def field(crm: Crm, name: str = "amount", **more: Any) -> FieldState:
    """A field that is not kept yet."""
    values: dict[str, Any] = {
        "integration_id": 1,
        "folder_id": "11",
        "field": name,
        "target": "Opportunity.Amount",
        "record_id": "006000000000001AAA",
        "state": A.IN_STEP,
        "mark": "ab" * 32,
        "updated_at": crm.now,
        **more,
    }
    return FieldState(**values)


def kept(crm: Crm, *rows: FieldState) -> None:
    """Keeps them, a second after the last."""
    crm.hub.clock.advance(seconds=1)
    crm.store.field_states.put([replace(one, updated_at=crm.now) for one in rows])


def test_comes_back_as_it_was_given(crm: Crm):
    """Every field survives; one of the same place takes its place."""
    states = crm.store.field_states
    full = field(
        crm,
        source=FieldSide.BOX,
        author="Ada 😀",
        note="Both changed.",
        state=A.CONFLICT,
        agreed_at=crm.after(-5),
    )
    bare = field(crm, "next_step", mark="")
    other = field(crm, folder_id="12")
    assert crm.moved(lambda: states.put([full, other, bare])) == {"work"}
    assert states.of_folder(1, "11") == [full, bare]
    assert states.of_folder(1, "12") == [other]
    assert states.of_folder(2, "11") == []
    later = replace(full, state=A.IN_STEP, source=None, author="", note="", mark="cd" * 32)
    states.put([later])
    assert states.of_folder(1, "11") == [later, bare]


def test_unknown_and_unkeepable(crm: Crm):
    """No id makes a database fault; what people wrote is cleaned, a key is refused."""
    states = crm.store.field_states
    for integration_id, folder_id in ((1, "x"), (1, "1\x00"), (2**70, "11")):
        assert states.of_folder(integration_id, folder_id) == []
    states.put([field(crm, note="a\x00b\ud800")])
    assert states.of_folder(1, "11")[0].note == "a?b?"
    with pytest.raises(StoreError):
        states.put([field(crm, "b\x00")])
    assert crm.moved(lambda: states.put([])) == set()


def test_a_person_is_named(crm: Crm):
    """Also who only asked for a look, with no row to keep."""
    crm.store.field_states.put([], audit=crm.hub.audit("fields.sync", "int_1"))
    crm.store.field_states.put([field(crm)], audit=crm.hub.audit("field.take", "int_1"))
    actions = [one.action for one in crm.store.access.audit()[:2]]
    assert actions == ["field.take", "fields.sync"]
    with pytest.raises(StoreError):
        crm.store.field_states.put([field(crm, "\x00")], audit=crm.hub.audit("refused"))
    assert crm.store.access.audit()[0].action == "field.take"


def test_lists_and_counts(crm: Crm):
    """By integration and state, newest change first."""
    kept(crm, field(crm, state=A.CONFLICT))
    kept(crm, field(crm, "b", state=A.FAILED), field(crm, "c"))
    kept(crm, field(crm, "d", integration_id=2, state=A.CONFLICT))
    page = crm.store.field_states.page
    assert [one.field for one in page()] == ["d", "c", "b", "amount"]
    assert [one.field for one in page(state=A.CONFLICT)] == ["d", "amount"]
    assert [one.field for one in page(state=A.CONFLICT, integration_id=1)] == ["amount"]
    assert [one.field for one in page(integration_id=1, limit=2)] == ["c", "b"]
    assert page(limit=0) == []
    assert crm.store.field_states.counts() == {A.IN_STEP: 1, A.CONFLICT: 2, A.FAILED: 1}
    assert crm.store.field_states.counts(1)[A.CONFLICT] == 1


def test_fields_that_are_no_longer_mapped_go(crm: Crm):
    """Only the named ones of that folder."""
    kept(crm, field(crm), field(crm, "b"), field(crm, "b", folder_id="12"))
    crm.store.field_states.forget(1, "11", {"b", "x"})
    assert [one.field for one in crm.store.field_states.of_folder(1, "11")] == ["amount"]
    assert [one.field for one in crm.store.field_states.of_folder(1, "12")] == ["b"]
    assert crm.moved(lambda: crm.store.field_states.forget(1, "11", set())) == set()
