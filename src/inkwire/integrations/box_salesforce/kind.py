"""What the engine knows of the integration: its events, its clock, its workflows."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from inkwire.engine.contract import (
    EventHandler,
    OrderWork,
    Outcome,
    Problem,
    Run,
    Services,
    Upkeep,
)
from inkwire.integrations.box_salesforce.activity import note_activity
from inkwire.integrations.box_salesforce.field_sweep import sweep_fields
from inkwire.integrations.box_salesforce.field_sync import sync_fields
from inkwire.integrations.box_salesforce.field_trying import (
    DESCRIBE,
    TRY,
    describe_fields,
    try_fields,
)
from inkwire.integrations.box_salesforce.files import sync_file
from inkwire.integrations.box_salesforce.filling import fill_gaps
from inkwire.integrations.box_salesforce.hearing import handlers
from inkwire.integrations.box_salesforce.keeping import alarms, keep_webhook
from inkwire.integrations.box_salesforce.mapping import refresh_mapping
from inkwire.integrations.box_salesforce.polling import poll_records
from inkwire.integrations.box_salesforce.provisioning import provision, wake_waiting
from inkwire.integrations.box_salesforce.settings import FIELDS, problems
from inkwire.integrations.box_salesforce.settling import settle
from inkwire.integrations.box_salesforce.stage import contract_executed
from inkwire.integrations.box_salesforce.tasks import send_tasks
from inkwire.integrations.box_salesforce.trying import live_checks
from inkwire.model.order import Order
from inkwire.model.work import Integration
from inkwire.providers.contract import Check, SettingField


class BoxSalesforce:
    """See `engine.contract.IntegrationKind`."""

    name = "box_salesforce"
    title = "Box and Salesforce"
    summary = "Files in Box reach their Salesforce records once; new records get their folders."
    provider = "box"
    second_provider = "salesforce"
    settings: tuple[SettingField, ...] = FIELDS
    events: tuple[EventHandler, ...] = (*handlers(), alarms())
    #: Runs ask for `settle` and `send_tasks` themselves; the clock sweeps up what they left.
    upkeep: tuple[Upkeep, ...] = (
        Upkeep(workflow="settle", every_s=300),
        Upkeep(workflow="send_tasks", every_s=300),
        Upkeep(workflow="poll_records", every_s=60),
        Upkeep(workflow="keep_webhook", every_s=3600),
        Upkeep(workflow="fill_gaps", every_s=3600),
        Upkeep(workflow="wake_waiting", every_s=3600),
        Upkeep(workflow="sweep_fields", every_s=3600),
    )
    workflows: Mapping[str, Callable[[Run], Awaitable[Outcome]]] = {
        "sync_file": sync_file,
        "note_activity": note_activity,
        "refresh_mapping": refresh_mapping,
        "contract_executed": contract_executed,
        "settle": settle,
        "send_tasks": send_tasks,
        "poll_records": poll_records,
        "provision": provision,
        "wake_waiting": wake_waiting,
        "keep_webhook": keep_webhook,
        "fill_gaps": fill_gaps,
        "sync_fields": sync_fields,
        "sweep_fields": sweep_fields,
    }
    #: What a person may ask of the vendors, see `engine.contract.IntegrationKind`.
    questions: Mapping[str, Callable[[Run, Mapping[str, Any]], Any]] = {
        DESCRIBE: describe_fields,
        TRY: try_fields,
    }
    #: What people read instead of the workflows' names.
    workflow_titles: Mapping[str, str] = {
        "sync_file": "Attach a file",
        "note_activity": "Note what happened",
        "refresh_mapping": "Read a folder's record again",
        "contract_executed": "Take in an executed contract",
        "settle": "Compare and link attachments",
        "send_tasks": "Send Tasks",
        "poll_records": "Look for new and changed records",
        "provision": "Make or update a record's folder",
        "wake_waiting": "Start what waited for a record",
        "keep_webhook": "Keep the webhook right",
        "fill_gaps": "Look for what no webhook told",
        "sync_fields": "Bring mapped fields in step",
        "sweep_fields": "Look for mapped fields that changed unheard",
    }

    def live_checks(self, integration: Integration, services: Services) -> Iterator[Check]:
        """See `trying.live_checks`."""
        return live_checks(integration, services)

    def problems(self, integration: Integration, services: Services) -> tuple[Problem, ...]:
        """See `settings.problems`."""
        return problems(integration, services)

    def on_order(
        self, integration: Integration, order: Order, *, change_id: str
    ) -> OrderWork | None:
        """Orders are none of its business."""
        return None
