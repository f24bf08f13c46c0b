"""The standard objects, with the fields that integrations of files and deals use."""

from collections.abc import Iterable
from typing import Any

from inkwire.providers.salesforce.sandbox.schema import Field, SObject, read_only, reference

#: (MasterLabel, closed, won, probability, forecast).
STAGES = (
    ("Prospecting", False, False, 10, "Pipeline"),
    ("Qualification", False, False, 10, "Pipeline"),
    ("Needs Analysis", False, False, 20, "Pipeline"),
    ("Value Proposition", False, False, 50, "Pipeline"),
    ("Id. Decision Makers", False, False, 60, "Pipeline"),
    ("Perception Analysis", False, False, 70, "Pipeline"),
    ("Proposal/Price Quote", False, False, 75, "Pipeline"),
    ("Negotiation/Review", False, False, 90, "Pipeline"),
    ("Closed Won", True, True, 100, "Closed"),
    ("Closed Lost", True, False, 0, "Omitted"),
)
#: (MasterLabel, closed, default).
TASK_STATUSES = (
    ("Not Started", False, True),
    ("In Progress", False, False),
    ("Completed", True, False),
    ("Waiting on someone else", False, False),
    ("Deferred", False, False),
)
SHARE_TYPES = ("V", "C", "I")
_ADDRESS = ("Street", "City", "State", "PostalCode", "Country")


def _text(name: str, length: int = 255, **more: Any) -> Field:
    return Field(name=name, length=length, **more)


def _long(name: str, length: int = 32_000, **more: Any) -> Field:
    return Field(name=name, type="textarea", length=length, filter=False, **more)


def _pick(name: str, *values: str, **more: Any) -> Field:
    return Field(name=name, type="picklist", length=255, values=values, **more)


def _typed(type_: str, *names: str, **more: Any) -> Iterable[Field]:
    return (Field(name=name, type=type_, **more) for name in names)


_OWNER = reference("OwnerId", "User", label="Owner ID")
_ACCOUNT = reference("AccountId", "Account", label="Account ID")


def standard_objects() -> list[SObject]:
    """Fresh ones: custom fields are added to them."""
    return [
        SObject("Account", "001", _account_fields(), files=True),
        SObject("Contact", "003", _person_fields(_ACCOUNT, contact=True), files=True),
        SObject("Lead", "00Q", _lead_fields(), files=True),
        SObject("Opportunity", "006", _deal_fields(), files=True),
        SObject("OpportunityContactRole", "00K", _role_fields(), label="Opportunity Contact Role"),
        SObject("Task", "00T", _task_fields()),
        *_file_objects(),
        *_set_up_objects(),
    ]


def _account_fields() -> list[Field]:
    return [
        _text("Name", required=True, label="Account Name"),
        _pick("Type", "Prospect", "Customer - Direct", "Customer - Channel", "Other"),
        reference("ParentId", "Account", label="Parent Account ID"),
        reference("MasterRecordId", "Account", create=False, update=False),
        *(_text(f"Billing{part}") for part in _ADDRESS),
        _text("AccountNumber", 40),
        _text("Site", 80),
        *_typed("phone", "Phone", "Fax", length=40),
        *_typed("url", "Website", length=255),
        _pick("Industry", "Banking", "Consulting", "Education", "Technology", "Other"),
        *_typed("currency", "AnnualRevenue"),
        *_typed("int", "NumberOfEmployees"),
        _long("Description"),
        _OWNER,
    ]


def _lead_fields() -> list[Field]:
    return [
        *_person_fields(_text("Company", required=True), contact=False),
        _pick("Status", "Open - Not Contacted", "Working - Contacted", "Closed"),
        read_only("IsConverted", "boolean", default=False),
    ]


def _deal_fields() -> list[Field]:
    stages = tuple(stage[0] for stage in STAGES)
    return [
        _text("Name", 120, required=True),
        _ACCOUNT,
        _pick("StageName", *stages, required=True, label="Stage"),
        *_typed("date", "CloseDate", required=True, label="Close Date"),
        *_typed("currency", "Amount"),
        *_typed("percent", "Probability"),
        _pick("Type", "Existing Business", "New Business"),
        _pick("LeadSource", "Web", "Phone Inquiry", "Partner Referral", "Other"),
        _text("NextStep"),
        _pick("ForecastCategoryName", "Omitted", "Pipeline", "Closed"),
        read_only("IsClosed", "boolean", default=False),
        read_only("IsWon", "boolean", default=False),
        _long("Description"),
        _OWNER,
    ]


def _role_fields() -> list[Field]:
    return [
        reference("OpportunityId", "Opportunity", required=True, update=False),
        reference("ContactId", "Contact", required=True),
        _pick("Role", "Decision Maker", "Economic Buyer", "Evaluator", "Other"),
        Field(name="IsPrimary", type="boolean", default=False),
    ]


def _person_fields(first: Field, *, contact: bool) -> list[Field]:
    return [
        first,
        _text("FirstName", 40),
        _text("LastName", 80, required=True),
        read_only("Name", length=121, label="Full Name"),
        Field(name="Email", type="email", length=80),
        *_typed("phone", "Phone", "MobilePhone", length=40),
        _text("Title", 128),
        *([_text("Department", 80)] if contact else []),
        _long("Description"),
        _OWNER,
    ]


def _task_fields() -> list[Field]:
    statuses = tuple(status[0] for status in TASK_STATUSES)
    subtypes = ("Task", "Email", "ListEmail", "Cadence", "Call", "LinkedIn")
    return [
        _text("Subject", type="combobox"),
        reference("WhoId", "Contact", "Lead", label="Name ID"),
        reference("WhatId", "Account", "Opportunity", label="Related To ID"),
        reference("AccountId", "Account", create=False, update=False, label="Account ID"),
        *_typed("date", "ActivityDate", label="Due Date Only"),
        _pick("Status", *statuses, default="Not Started"),
        _pick("Priority", "High", "Normal", "Low", default="Normal"),
        _pick("TaskSubtype", *subtypes, restricted=True, update=False, default="Task"),
        _pick("Type", "Call", "Email", "Meeting", "Other"),
        _text("CallObject"),
        read_only("IsClosed", "boolean", default=False),
        read_only("IsHighPriority", "boolean", default=False),
        read_only("CompletedDateTime", "datetime"),
        _long("Description", label="Comments"),
        _OWNER,
    ]


def _file_objects() -> list[SObject]:
    return [
        SObject("ContentVersion", "068", _version_fields(), label="Content Version"),
        SObject(
            "ContentDocument",
            "069",
            [
                _text("Title", create=False),
                read_only("FileType", length=20),
                read_only("FileExtension", length=40),
                read_only("ContentSize", "int"),
                reference("LatestPublishedVersionId", "ContentVersion", create=False, update=False),
                read_only("PublishStatus", "picklist", default="P"),
                read_only("ContentModifiedDate", "datetime"),
                read_only("IsArchived", "boolean", default=False),
                Field(name="Description", type="textarea", length=1000, create=False),
                reference("OwnerId", "User", create=False, label="Owner ID"),
            ],
            create=False,
            label="Content Document",
        ),
        SObject(
            "ContentDocumentLink",
            "06A",
            [
                reference(
                    "ContentDocumentId",
                    "ContentDocument",
                    required=True,
                    update=False,
                    label="ContentDocument ID",
                ),
                reference("LinkedEntityId", required=True, update=False, label="Linked Entity ID"),
                _pick("ShareType", *SHARE_TYPES, required=True, restricted=True),
                _pick("Visibility", "AllUsers", "InternalUsers", "SharedUsers", restricted=True),
            ],
            label="Content Document Link",
        ),
    ]


def _version_fields() -> list[Field]:
    return [
        reference("ContentDocumentId", "ContentDocument", update=False),
        read_only("IsLatest", "boolean"),
        Field(name="ContentUrl", type="url", length=1300),
        read_only("VersionNumber", length=20),
        _text("Title"),
        Field(name="Description", type="textarea", length=1000),
        _text("ReasonForChange", 1000),
        _pick("SharingOption", "A", "R", restricted=True, default="A"),
        _text("PathOnClient", 500, update=False, required=True),
        read_only("RatingCount", "int", default=0),
        Field(name="VersionData", type="base64", update=False, filter=False),
        read_only("FileType", length=20),
        read_only("FileExtension", length=40),
        read_only("ContentSize", "int"),
        read_only("Checksum", length=50),
        read_only("PublishStatus", "picklist", default="P"),
        read_only("ContentLocation", "picklist", default="S"),
        read_only("ContentModifiedDate", "datetime"),
        reference("FirstPublishLocationId", update=False, label="First Publish Location ID"),
        _pick("Origin", "C", "H", restricted=True, update=False, default="C"),
        Field(name="IsMajorVersion", type="boolean", update=False, default=True),
        reference("OwnerId", "User", label="Owner ID"),
    ]


def _set_up_objects() -> list[SObject]:
    """People and lists: made by an administrator, not by the API."""
    closed: dict[str, Any] = {"create": False, "update": False, "delete": False}
    stage, status = "Opportunity Stage", "Task Status Value"
    return [
        SObject("User", "005", _user_fields(), create=False, delete=False, files=True),
        SObject("OpportunityStage", "01J", _stage_fields(), label=stage, **closed),
        SObject("TaskStatus", "01T", _status_fields(), label=status, **closed),
    ]


def _user_fields() -> list[Field]:
    return [
        _text("Username", 80),
        _text("FirstName", 40),
        _text("LastName", 80, required=True),
        read_only("Name", length=121),
        Field(name="Email", type="email", length=128),
        Field(name="IsActive", type="boolean", default=True),
        _pick("UserType", "Standard", default="Standard"),
        _text("TimeZoneSidKey", default="Europe/Berlin"),
    ]


def _stage_fields() -> list[Field]:
    return [
        read_only("MasterLabel"),
        read_only("ApiName"),
        read_only("IsActive", "boolean", default=True),
        read_only("SortOrder", "int"),
        read_only("IsClosed", "boolean", default=False),
        read_only("IsWon", "boolean", default=False),
        read_only("DefaultProbability", "percent"),
        read_only("ForecastCategoryName", "picklist"),
    ]


def _status_fields() -> list[Field]:
    return [
        read_only("MasterLabel"),
        read_only("ApiName"),
        read_only("SortOrder", "int"),
        read_only("IsDefault", "boolean", default=False),
        read_only("IsClosed", "boolean", default=False),
    ]
