"""Folders, arrivals and Tasks as a test needs them, put straight into the store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from fakes.acted import Acted
from fakes.pages import Pages
from inkwire.access.gate import CLI
from inkwire.auditing import Auditor
from inkwire.hub import Hub
from inkwire.integrations.box_salesforce.field_checks import Facts, as_json
from inkwire.integrations.box_salesforce.field_trying import DESCRIBE, TRY
from inkwire.integrations.desk import IntegrationDraft
from inkwire.model.connection import Connection, ConnectionHealth
from inkwire.model.crm import (
    Activity,
    ActivityState,
    ApiUsage,
    Attachment,
    AttachmentState,
    BulkJob,
    BulkJobState,
    FieldAgreement,
    FieldSide,
    FieldState,
    FolderOrigin,
    FolderState,
    RecordFolder,
)
from inkwire.model.work import (
    Command,
    CommandKind,
    Integration,
    IntegrationState,
    LedgerEntry,
    LedgerState,
    ParkCause,
    WorkState,
)
from inkwire.providers.box.objects import BoxTemplateField
from inkwire.providers.salesforce.objects import Field
from inkwire.store.acting import SecretText

OPPORTUNITY, ACCOUNT, CONTACT = "006Dn000009xYzAIAU", "001Dn00000AbCdEIAV", "003Dn00000QrStUIAV"
MD5, SHA1 = "9e107d9d372bb6826bd81d3542a419d6", "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"


LEFT_OUT = (
    "Left out: version 2 (8006) is attached already, and Salesforce takes no older version after a "
    "newer one."
)


def _fields(*rows: tuple[str, str, str]) -> dict[str, Field]:
    """Fields of an object by name in small letters, from (name, label, type)."""
    return {
        name.lower(): Field(
            name=name, label=label, type=type_, length=255, createable=True,
            updateable=name != "IsWon",
            values=("Web", "Phone", "Partner") if type_ == "picklist" else (),
        )
        for name, label, type_ in rows
    }  # fmt: skip


#: What both vendors say of their fields.
DESCRIBED = Facts(
    template="salesforce_mapping",
    box={
        one.key: one
        for one in (
            BoxTemplateField(key="opportunity_id", type="string"),
            BoxTemplateField(key="amount", type="float"),
            BoxTemplateField(key="next_step", type="string"),
            BoxTemplateField(key="close_date", type="date"),
            BoxTemplateField(key="lead", type="enum", options=("Web", "Fair")),
            BoxTemplateField(key="probability", type="float"),
        )
    },
    objects={
        "Opportunity": _fields(
            ("Amount", "Amount", "currency"),
            ("CloseDate", "Close Date", "date"),
            ("IsWon", "Won", "boolean"),
            ("LeadSource", "Lead Source", "picklist"),
            ("NextStep", "Next Step", "string"),
            ("Probability", "Probability (%)", "percent"),
        ),
        "Account": _fields(
            ("Industry", "Industry", "picklist"), ("NumberOfEmployees", "Employees", "int")
        ),
    },
)


class CrmRows:
    """Puts into the store what runs between Box and Salesforce would."""

    def __init__(self, hub: Hub, integration: Integration) -> None:
        self.hub = hub
        self.integration = integration
        self._now = hub.clock.now

    def folder(self, folder_id: str = "501", **fields: Any) -> RecordFolder:
        """A folder; MAPPED to the opportunity unless `fields` say otherwise."""
        now = self._now()
        given = {
            "name": "Renewal",
            "path": "/Clients/Acme/Renewal",
            "state": FolderState.MAPPED,
            "origin": FolderOrigin.PROVISIONED,
            "object": "Opportunity",
            "record_id": OPPORTUNITY,
            "record_name": "Renewal",
            "account_id": ACCOUNT,
        } | fields
        row = RecordFolder(
            integration_id=self.integration.id,
            folder_id=folder_id,
            checked_at=now,
            created_at=now,
            updated_at=now,
            **given,
        )
        return self.hub.store.record_folders.put(row)

    def unmapped(self, folder_id: str = "502", **fields: Any) -> RecordFolder:
        """A folder without a record."""
        given = {
            "name": "Letters",
            "path": "/Clients/Letters",
            "state": FolderState.UNMAPPED,
            "origin": FolderOrigin.RULE,
            "object": "",
            "record_id": None,
            "record_name": "",
            "account_id": None,
            "note": "No folder above it names a record: /Clients/Letters.",
        }
        return self.folder(folder_id, **(given | fields))

    def attachment(
        self, work_id: str, state: AttachmentState = AttachmentState.VERIFIED, **fields: Any
    ) -> Attachment:
        """A version on the opportunity, as far as `state`."""
        store, now = self.hub.store, self._now()
        given = {
            "file_id": "9001",
            "version_id": "8001",
            "version_number": 1,
            "name": "MSA.pdf",
            "size": 48_213,
            "sha1": SHA1,
            "object": "Opportunity",
            "record_id": OPPORTUNITY,
            "first": True,
        } | fields
        row = Attachment(
            id=self.hub.ids.new("att"),
            integration_id=self.integration.id,
            work_id=work_id,
            created_at=now,
            **given,
        )
        (kept,) = store.attachments.plan([row])
        if state is AttachmentState.FAILED:
            note = "MSA.pdf has 3,000 MB, more than 2048 MB: it stays in Box."
            return store.attachments.failed(kept.id, note=note, at=now)
        if state is AttachmentState.LEFT_OUT:
            return store.attachments.left_out(kept.id, note=LEFT_OUT)
        number = given["version_id"]
        version = f"068Dn0000000{number}AAA"
        if state in (AttachmentState.STORED, AttachmentState.VERIFIED):
            kept = store.attachments.stored(
                kept.id, content_version_id=version, md5=MD5, size=kept.size, at=now
            )
        if state is AttachmentState.VERIFIED:
            document = "069Dn00000001abAAA"
            kept = store.attachments.verified(
                kept.id, document_id=document, content_version_id=version, at=now
            )
        return kept

    def uploaded(self, row: Attachment) -> LedgerEntry:
        """The ledger's entry of a version that was sent once."""
        ledger, now = self.hub.store.ledger, self._now()
        key = f"attachment/{row.integration_id}/{row.file_id}/{row.version_id}"
        ledger.intend(
            LedgerEntry(
                key=key,
                kind="attachment",
                integration_id=row.integration_id,
                work_id=row.work_id,
                entity_key=f"box:file:{row.file_id}",
                state=LedgerState.INTENDED,
                fence=0,
                updated_at=now,
            )
        )
        assert ledger.send(key, fence=0, run_id="int_1/k/1", at=now) is not None
        return ledger.settle(key, remote_id=row.content_version_id, at=now)

    def job(self, job_id: str = "750Dn00000ZyXwVIAV") -> BulkJob:
        """A Bulk job with all Tasks that wait; Salesforce works on it."""
        jobs, now = self.hub.store.bulk_jobs, self._now()
        number = self.integration.id
        made = BulkJob(
            batch_id=self.hub.ids.new("blk"), integration_id=number, created_at=now, look_at=now
        )
        batch = jobs.begin(made).batch_id
        jobs.gather(batch, limit=200)
        jobs.opened(batch, job_id=job_id, look_at=now)
        said = {"said": "InProgress", "processed": 0, "failed": 0, "look_at": now}
        jobs.noted(batch, state=BulkJobState.QUEUED, **said)
        return jobs.of([batch])[batch]

    def task(
        self, work_id: str, state: ActivityState = ActivityState.DONE, **fields: Any
    ) -> Activity:
        """A Task on contact and opportunity, as far as `state`."""
        activities, now = self.hub.store.activities, self._now()
        row_id = self.hub.ids.new("act")
        given = {
            "key": row_id,
            "subject": "Box: Jane Doe uploaded MSA.pdf, version 1",
            "description": f"Inkwire: {row_id}",
            "who_id": CONTACT,
            "what_id": OPPORTUNITY,
        } | fields
        row = Activity(
            id=row_id,
            integration_id=self.integration.id,
            activity_date=date(2026, 11, 20),
            work_id=work_id,
            created_at=now,
            **given,
        )
        assert activities.add([row]) == 1
        if state is not ActivityState.WAITING:
            activities.claim(self.integration.id, batch_id=f"b-{row_id}", limit=200)
        if state is ActivityState.DONE:
            activities.done({row_id: "00TDn00000ZyXwVMAV"}, at=now)
        if state is ActivityState.FAILED:
            note = "Bad value for restricted picklist field: Completed. Choose one of its own."
            activities.failed({row_id: note}, at=now)
        return row

    def field(
        self, state: FieldAgreement = FieldAgreement.IN_STEP, folder_id: str = "501", **fields: Any
    ) -> FieldState:
        """A mapped field of a folder; the map itself is set by `map_fields`."""
        now = self._now()
        given = {
            "field": "amount",
            "target": "Opportunity.Amount",
            "record_id": OPPORTUNITY,
            "mark": "ab" * 32,
            "source": FieldSide.BOX,
            "author": "Jane Doe",
            "note": "" if state is FieldAgreement.IN_STEP else "Both were changed.",
            "agreed_at": now,
        } | fields
        row = FieldState(
            integration_id=self.integration.id,
            folder_id=folder_id,
            state=state,
            updated_at=now,
            **given,
        )
        self.hub.store.field_states.put([row])
        return row

    def map_fields(self, *lines: str) -> None:
        """The integration's field map."""
        now = self.hub.store.integrations.get(self.integration.id)
        self.hub.store.integrations.update(
            replace(now, settings={**now.settings, "field_map": "\n".join(lines)}),
            expected=now.updated_at,
            audit=Auditor(self.hub.clock, self.hub.ids).entry(CLI, "test", "x"),
        )

    def described(self, facts: Facts | None = None, *, error: str = "") -> Command:
        """Both vendors were asked for their fields, and this is what they said."""
        answer = None if error else as_json(facts or DESCRIBED)
        return self._answered(DESCRIBE, {"objects": []}, answer, error=error)

    def tried(self, lines: list[str], records: list[dict[str, Any]]) -> Command:
        """The map of `lines` was tried, and these records were read."""
        answer = {"lines": lines, "asked_for": 10, "problems": [], "records": records}
        return self._answered(TRY, {"lines": lines, "records": 10}, answer)

    def _answered(
        self, question: str, asks: dict[str, Any], answer: Any, *, error: str = ""
    ) -> Command:
        commands, now = self.hub.store.commands, self._now()
        command = Command(
            id=self.hub.ids.new("cmd"),
            kind=CommandKind.ASK,
            target=f"{self.integration.label}/{question}",
            asks=asks,
            created_at=now,
            created_by="user:admin",
        )
        commands.add(command)
        commands.done(command.id, at=now, result=answer, error=error)
        return commands.get(command.id)

    def used(self, used: int, most: int = 100_000, *, at: datetime | None = None) -> None:
        """What the organisation has used of its day."""
        connection = self.integration.second_connection_id
        assert connection is not None
        usage = ApiUsage(connection_id=connection, used=used, most=most, at=at or self._now())
        self.hub.store.api_usages.note(usage)


def crm_connections(hub: Hub) -> tuple[str, str]:
    """A connection to Box and one to Salesforce, both well."""
    for connection_id, provider, name, method in (
        ("box-crm", "box", "Box – clients", "ccg"),
        ("salesforce-main", "salesforce", "Salesforce – main", "client_credentials"),
    ):
        now = hub.clock.now()
        made = Connection(
            id=connection_id,
            provider=provider,
            name=name,
            method=method,
            settings={},
            created_at=now,
            updated_at=now,
        )
        audit = Auditor(hub.clock, hub.ids).entry(CLI, "connection.create", connection_id)
        secret = SecretText(name="client_secret", value="a-client-secret")
        hub.store.connections.add(made, [secret], audit=audit)
        hub.store.connections.set_health(connection_id, ConnectionHealth.OK, "", at=now)
    return "box-crm", "salesforce-main"


def bare_integration(hub: Hub) -> Integration:
    """One between the two without the rest of it, for hubs that know other kinds only."""
    crm_connections(hub)
    now = hub.clock.now()
    made = Integration(
        id=0,
        kind="box_salesforce",
        name="Clients",
        state=IntegrationState.ACTIVE,
        settings={},
        connection_id="box-crm",
        second_connection_id="salesforce-main",
        created_at=now,
        updated_at=now,
    )
    audit = Auditor(hub.clock, hub.ids).entry(CLI, "integration.create", "")
    return hub.store.integrations.add(made, audit=audit)


def crm_integration(
    hub: Hub, state: IntegrationState = IntegrationState.ACTIVE, name: str = "Clients", **more: Any
) -> Integration:
    """An integration between the two, in that state whatever its kind thinks of it."""
    draft = IntegrationDraft(
        kind="box_salesforce",
        name=name,
        **({"connection_id": "box-crm", "second_connection_id": "salesforce-main"} | more),
    )
    made = hub.store.integrations.get(hub.integrations.add(CLI, draft).integration.id)
    audit = Auditor(hub.clock, hub.ids).entry(CLI, "integration.activate", made.label)
    later = made.updated_at + timedelta(microseconds=1)
    return hub.store.integrations.update(
        replace(made, state=state, updated_at=later), expected=made.updated_at, audit=audit
    )


def tried_record(
    folder_id: str, name: str, *fields: tuple[str, str, str, str, str, str | None, str]
) -> dict[str, Any]:
    """A record as a dry run tells of it: fields with both values, verdict, value and note."""
    return {
        "folder_id": folder_id,
        "folder": f"/Clients/Acme/{name}",
        "object": "Opportunity",
        "record_id": OPPORTUNITY,
        "record": name,
        "problem": "",
        "fields": [
            {
                "field": field,
                "target": f"Opportunity.{target}",
                "box": box,
                "salesforce": salesforce,
                "verdict": verdict,
                "value": value,
                "note": note,
            }
            for field, target, box, salesforce, verdict, value, note in fields
        ],
    }


def fill_crm(pages: Pages, later: Callable[[float], None]) -> dict[str, str]:
    """A day between Box and Salesforce, everything in every state; ids by what they are."""
    hub = pages.hub
    crm_connections(hub)
    integration = crm_integration(hub, settings={"root_folder": "Clients"})
    crm, day = CrmRows(hub, integration), Acted(pages, later, integration)
    crm.folder("501")
    crm.map_fields(
        "amount = Opportunity.Amount number both nobody",
        "next_step = Opportunity.NextStep text both nobody",
        "close_date = Opportunity.CloseDate date to_box",
        "lead = Opportunity.LeadSource text both box",
    )
    crm.field()
    crm.field(FieldAgreement.CONFLICT, field="next_step", target="Opportunity.NextStep")
    crm.field(
        FieldAgreement.FAILED,
        field="lead",
        target="Opportunity.LeadSource",
        note="Opportunity.LeadSource has no active value “Fair”; take one of these in Box: Web.",
    )
    crm.described()
    trial = crm.tried(
        [
            "amount = Opportunity.Amount number both nobody",
            "next_step = Opportunity.NextStep text both nobody",
            "close_date = Opportunity.CloseDate date to_box",
            "lead = Opportunity.LeadSource text both box",
        ],
        [
            tried_record(
                "501",
                "Renewal",
                ("amount", "Amount", "48000", "52500.5", "to_box", "52500.5", ""),
                ("next_step", "NextStep", "Call Jane", "Send the offer to Kim", "conflict", None,
                 "Both were changed since they last had the same value."),
                ("close_date", "CloseDate", "2027-01-31", "2027-01-31", "agreed", None, ""),
                ("lead", "LeadSource", "Fair", "", "failed", None,
                 "Opportunity.LeadSource has no active value “Fair”; take one of these in Box: "
                 "Web, Phone, Partner"),
            ),
            tried_record(
                "503",
                "Globex – worldwide framework agreement 2026 to 2029, renewal and extension",
                ("amount", "Amount", "1200000", "", "to_salesforce", "1200000", ""),
                ("close_date", "CloseDate", "", "2027-03-01", "to_box",
                 "2027-03-01T00:00:00.000Z", ""),
                ("next_step", "NextStep", "Sign", "Sign", "agreed", None, ""),
            ),
        ],
    )  # fmt: skip
    crm.folder(
        "503",
        name="A folder with a name that is rather long, as folders of big deals tend to be",
        path="/Clients/Globex Corporation/A folder with a name that is rather long",
        origin=FolderOrigin.METADATA,
        record_id="006Dn00000AbCdEIAV",
        record_name="Globex – worldwide framework agreement 2026 to 2029, renewal and extension",
    )
    crm.unmapped("502")
    crm.unmapped(
        "504",
        name="Initech",
        path="/Clients/Initech",
        state=FolderState.CONFLICT,
        note="More than one record fits /Clients/Initech: Account 001Dn00000AbCdEIAV, "
        "Account 001Dn00000FgHiJIAV. Set the metadata on the folder.",
    )
    crm.unmapped("505", name="Old", path="/Clients/Old", state=FolderState.GONE, note="Deleted.")
    for number in range(6):
        done = day.run(f"evt_{number}", "sync_file", f"box:file:{number}")
        day.end(done, WorkState.DONE, "MSA.pdf, version 1, is on Opportunity Renewal.")
    arrived = day.run("evt_a", "sync_file", "box:file:9001")
    first = crm.attachment(arrived.id)
    crm.uploaded(first)
    crm.attachment(
        arrived.id, AttachmentState.PLANNED, first=False, object="Account", record_id=ACCOUNT
    )
    later(1)
    crm.attachment(arrived.id, AttachmentState.STORED, version_id="8002", version_number=2)
    later(1)
    long_name = "Annex 3 – List of premises, contacts and emergency procedures (final, signed).docx"
    failed = crm.attachment(
        arrived.id, AttachmentState.FAILED, file_id="9002", version_id="8003", name=long_name
    )
    offer = {"file_id": "9005", "name": "Offer.pdf"}
    crm.attachment(arrived.id, version_id="8006", version_number=2, **offer)
    later(1)
    left = crm.attachment(arrived.id, AttachmentState.LEFT_OUT, version_id="8005", **offer)
    later(1)
    for state in (ActivityState.DONE, ActivityState.FAILED, ActivityState.WAITING):
        later(1)
        crm.task(arrived.id, state)
    day.end(arrived, WorkState.DONE, "MSA.pdf, version 1, is on Opportunity Renewal.")
    waiting = day.run("evt_u", "sync_file", "box:file:9003")
    day.end(
        waiting,
        WorkState.PARKED,
        "No folder above it names a record: /Clients/Letters.",
        park_cause=ParkCause.MAPPING,
    )
    day.add("evt_n", "sync_file", "box:file:9004")
    crm.used(78_412)
    label = integration.label
    return {
        "crm": label,
        "crm_folder": "501",
        "crm_work": waiting.id,
        "crm_trial": trial.id,
        "crm_left_out": f"{label}/{left.file_id}/{left.version_id}",
        "crm_arrival": f"{label}/{first.file_id}/{first.version_id}",
        "crm_failed": f"{label}/{failed.file_id}/{failed.version_id}",
    }
