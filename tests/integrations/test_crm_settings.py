"""What can be wrong with the settings of Box and Salesforce, and the way out of each."""

from dataclasses import replace

import pytest

from inkwire.access.gate import CLI
from inkwire.config import load_settings
from inkwire.hub import open_hub
from inkwire.integrations.box_salesforce import INTEGRATION
from inkwire.integrations.box_salesforce.settings import FIELDS, chosen
from inkwire.model.access import AuditEntry
from inkwire.model.work import Integration, IntegrationState
from inkwire.sources.desk import SourceDraft
from inkwire.store.open import migrate


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub with one connection to each, both unchecked, and a Box source."""
    settings = load_settings(
        data_dir=tmp_path_factory.mktemp("hub"), public_url="https://hooks.example.com"
    )
    migrate(settings)
    with open_hub(settings) as hub:
        furnish(hub)
        yield hub


def furnish(hub):
    """Connections and source."""
    hub.connections.add(
        CLI, connection_id="box", provider="box", name="Box", method="ccg",
        settings={"client_id": "a" * 32, "enterprise_id": "1"},
        secrets={"client_secret": "b" * 32},
    )  # fmt: skip
    hub.connections.add(
        CLI, connection_id="crm", provider="salesforce", name="Sales", method="client_credentials",
        settings={"client_id": "3MVG9x", "my_domain": "https://acme.my.salesforce.com"},
        secrets={"client_secret": "s" * 40},
    )  # fmt: skip
    keys = {"primary": "p" * 32, "secondary": "q" * 32}
    hub.desk.create(CLI, SourceDraft(id="boxes", provider="box", name="Box", secrets=keys))


def integration(hub, **more):
    """One that lacks nothing, but what `more` changes."""
    given = {
        "id": 1, "kind": INTEGRATION.name, "name": "x", "state": IntegrationState.INACTIVE,
        "settings": {}, "connection_id": "box", "second_connection_id": "crm",
        "source_ids": ("boxes",), "created_at": hub.clock.now(), "updated_at": hub.clock.now(),
    }  # fmt: skip
    return Integration(**(given | more))


def blocking(hub, made):
    """What keeps it from being active: sentences by field."""
    return {one.field: one.text for one in INTEGRATION.problems(made, hub.services) if one.blocks}


def test_one_that_lacks_nothing_may_be_active(hub):
    """That a connection is unchecked only warns."""
    made = integration(hub)
    assert blocking(hub, made) == {}
    warned = {one.field for one in INTEGRATION.problems(made, hub.services)}
    assert {"connection", "second_connection"} <= warned


@pytest.mark.parametrize(
    ("more", "field", "says"),
    [
        ({"connection_id": None}, "connection", "Choose the connection to Box"),
        ({"second_connection_id": None}, "second_connection", "connection to Salesforce"),
        ({"connection_id": "nope"}, "connection", "There is no connection nope"),
        ({"connection_id": "crm"}, "connection", "Sales is no connection to Box"),
        ({"second_connection_id": "box"}, "second_connection", "no connection to Salesforce"),
        ({"source_ids": ()}, "sources", "Choose the one Box source"),
        ({"source_ids": ("nope",)}, "sources", "There is no source nope"),
    ],
)
def test_what_it_calls_by_must_be_chosen_and_right(hub, more, field, says):
    """Both connections of their providers, and one source of Box's."""
    assert says in blocking(hub, integration(hub, **more))[field]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("root_folder", "Clients/All", "Leave out"),
        ("root_folder", "", "1 to 255 characters"),
        ("mapping_template", "my template", "A template's key"),
        ("record_fields", "", "at least one field"),
        ("record_fields", "opportunity_id, which one?", "'which one?' is no field's key"),
        ("account_field", "", "holds the account's id"),
        ("link_field", "Box Folder", "A field's API name"),
        ("task_status", "", "Name a status"),
        ("task_status", "x" * 256, "at most 255"),
        ("executed_stage", "two\nlines", "one line"),
    ],
)
def test_names_that_neither_side_takes_are_refused(hub, key, value, says):
    """Each with what would be right."""
    assert says in blocking(hub, integration(hub, settings={key: value}))[key]


def test_a_hub_that_box_cannot_reach_is_told_so(hub):
    """Webhooks come to https only; the sandbox next door needs none."""
    services = replace(hub.services, base_url="http://hub.local:8000")
    problems = {one.text for one in INTEGRATION.problems(integration(hub), services) if one.blocks}
    assert any("INKWIRE_PUBLIC_URL" in text for text in problems)


def test_two_of_the_same_folder_and_organisation_would_attach_twice(hub):
    """Unless the other is inactive, or has another folder."""
    first = hub.store.integrations.add(
        integration(hub, state=IntegrationState.ACTIVE), audit=entry(hub)
    )
    second = integration(hub, id=first.id + 1)
    assert "every file would be attached twice" in blocking(hub, second)["root_folder"]
    elsewhere = replace(second, settings={"root_folder": "Partners"})
    assert blocking(hub, elsewhere) == {}
    hub.store.integrations.update(
        replace(first, state=IntegrationState.INACTIVE), expected=first.updated_at,
        audit=entry(hub),
    )  # fmt: skip
    assert blocking(hub, second) == {}


def entry(hub):
    """An audit entry."""
    return AuditEntry(
        id=hub.ids.new("aud"), at=hub.clock.now(), actor="test", action="x", target="x"
    )


def test_every_setting_has_a_typed_value():
    """And no default that could not be chosen."""
    made = Integration(
        id=1, kind=INTEGRATION.name, name="x", state=IntegrationState.ACTIVE, settings={},
        connection_id=None, created_at=None, updated_at=None,  # type: ignore[arg-type]
    )  # fmt: skip
    given = chosen(made)
    assert {field.key for field in FIELDS} == set(given.__slots__)
    assert given.record_fields == ("opportunity_id", "record_id", "account_id")


def test_each_wrong_line_of_the_field_map_is_told(hub):
    """With its number; a folder tree may have names with commas."""
    lines = "amount = Opportunity.Amount number both\n\nbad\nrecord_id = Opportunity.Id text to_box"
    made = integration(hub, settings={"field_map": lines})
    told = [
        one.text for one in INTEGRATION.problems(made, hub.services) if one.field == "field_map"
    ]
    assert [text[:8] for text in told] == ["Line 2: ", "Line 3: "]
    assert "names the record itself" in told[1]
    assert [one.field for one in chosen(made).mapped.lines] == ["amount"]
    tree = {"folder_tree": "{Account.Name}/Offers, open"}
    assert blocking(hub, integration(hub, settings=tree)) == {}
    assert chosen(integration(hub, settings=tree)).folder_tree == ("{Account.Name}/Offers, open",)
