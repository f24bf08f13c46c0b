"""Mapped fields by the real engine: from the record to its new folder, and both ways after that."""

import json

import pytest

from fakes.at_work import at_work
from fakes.sandbox import until
from inkwire.model.crm import FieldAgreement
from inkwire.model.work import WorkState
from inkwire.store.acting import WorkQuery
from integrations.folder_kit import town

TEMPLATE = "deal"
MAP = """
amount = Opportunity.Amount number both salesforce
next_step = Opportunity.NextStep text both nobody
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A sandbox with a template for fields, and a hub."""
    with town(tmp_path_factory.mktemp("at_work")) as one:
        keys = {"opportunity_id": "string", "account_id": "string", "object": "string",
                "amount": "float", "next_step": "string"}  # fmt: skip
        fields = [{"type": kind, "key": key, "displayName": key} for key, kind in keys.items()]
        body = {"scope": "enterprise", "templateKey": TEMPLATE, "displayName": "Deal"}
        one.box("POST", "/metadata_templates/schema", json=body | {"fields": fields})
        yield one


def test_values_follow_a_record_into_its_folder_and_back(place):
    """Provisioning, polling and the sweep, as the clock brings them; a change goes over once."""
    office = place.office(mapping_template=TEMPLATE, field_map=MAP)
    with at_work(place.hub):
        until(lambda: bool(office.rows("poll_records")))
        account = office.account("Wonka")
        deal = office.deal("Golden ticket", account, Amount=100)
        place.advance(61)
        until(lambda: len(office.rows("provision")) >= 2)
        place.advance(5)
        folders = office.store.record_folders
        until(lambda: folders.of_record(office.number, deal) is not None)
        folder = office.folder(deal).folder_id
        until(lambda: office.metadata(folder, TEMPLATE).get("amount") == 100)
        office.change("Opportunity", deal, Amount=200.5)
        place.advance(61)
        place.advance(5)
        until(lambda: office.metadata(folder, TEMPLATE)["amount"] == 200.5)
        patch = [{"op": "add", "path": "/next_step", "value": "Call Charlie"}]
        place.box(
            "PUT",
            f"/folders/{folder}/metadata/enterprise/{TEMPLATE}",
            data=json.dumps(patch),
            headers={"Content-Type": "application/json-patch+json"},
        )
        place.advance(3600)
        until(lambda: office.record("Opportunity", deal)["NextStep"] == "Call Charlie")
        until(
            lambda: (
                {one.state for one in office.store.field_states.of_folder(office.number, folder)}
                == {FieldAgreement.IN_STEP}
            )
        )
    dead = WorkQuery(integration_id=office.number, state=WorkState.DEAD)
    assert office.store.works.page(dead) == []
