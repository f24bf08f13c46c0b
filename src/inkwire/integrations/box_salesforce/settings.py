"""The settings of the integration "Box and Salesforce" (R37–R86), and what can be wrong."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from inkwire.engine.contract import Problem, Services
from inkwire.errors import Permanent
from inkwire.integrations.box_salesforce.field_map import FieldMap
from inkwire.integrations.box_salesforce.field_map import parse as parse_map
from inkwire.integrations.box_salesforce.tree import parse
from inkwire.integrations.checks import connection_problems, folder_problem, source_problems
from inkwire.model.work import Integration, IntegrationState
from inkwire.providers.contract import SettingField, SettingKind
from inkwire.providers.settings import lines_of, list_of

#: Where trees are made when nothing else is set (R50): below the root folder.
DEFAULT_TREE = (
    "{Account.Name}/{Opportunity.Name}/Contracts\n{Account.Name}/{Opportunity.Name}/Proposals"
)

#: Field of the template that holds the object's name, where it has one.
OBJECT_FIELD = "object"
#: Keys of Box's templates and their fields; API names of Salesforce's fields; labels.
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_LABEL = re.compile(r"\S[^\x00-\x1f\x7f]{0,254}")

FIELDS = (
    SettingField(
        key="root_folder",
        label="Root folder",
        help="Folder at the top of Box that holds all folders of records. Its webhook hears of "
        "everything below it.",
        kind=SettingKind.TEXT,
        default="Clients",
    ),
    SettingField(
        key="mapping_template",
        label="Metadata template",
        help="Key of the metadata template whose fields on a folder name its records.",
        kind=SettingKind.TEXT,
        default="salesforce_mapping",
    ),
    SettingField(
        key="record_fields",
        label="Fields that name the record",
        help="Fields of that template, the first that is filled counts; each holds a record's id.",
        kind=SettingKind.LIST,
        default="opportunity_id, record_id, account_id",
    ),
    SettingField(
        key="account_field",
        label="Field that names the account",
        help="Field of that template that holds the account's id.",
        kind=SettingKind.TEXT,
        default="account_id",
    ),
    SettingField(
        key="path_rule",
        label="Folders without metadata",
        help="off: their files wait. account_id: a folder whose name holds an Account's id. name: "
        "a folder called like exactly one Opportunity or Account.",
        kind=SettingKind.CHOICE,
        default="off",
        choices=("off", "account_id", "name"),
    ),
    SettingField(
        key="attach_to_account",
        label="Also on the account",
        help="A file of an opportunity is linked to its account, too.",
        kind=SettingKind.SWITCH,
        default=False,
    ),
    SettingField(
        key="share_type",
        label="Access by the record",
        help="V: those who see the record may read the file. C: they may also edit it. I: as they "
        "may the record.",
        kind=SettingKind.CHOICE,
        default="V",
        choices=("V", "C", "I"),
    ),
    SettingField(
        key="visibility",
        label="Visible to",
        help="InternalUsers hides files from users of a customers' or partners' site.",
        kind=SettingKind.CHOICE,
        default="AllUsers",
        choices=("AllUsers", "InternalUsers", "SharedUsers"),
    ),
    SettingField(
        key="most_megabytes",
        label="Largest file",
        help="Megabytes; a larger file stays in Box, and its work says so. Salesforce takes 2 GB.",
        kind=SettingKind.INTEGER,
        default=2048,
        minimum=1,
        maximum=2048,
    ),
    SettingField(
        key="log_activity",
        label="Tasks for what happens",
        help="Uploads, moves, versions and collaborations become Tasks on contact and record.",
        kind=SettingKind.SWITCH,
        default=True,
    ),
    SettingField(
        key="log_views",
        label="Tasks for views",
        help="Previews and downloads too, one Task for each viewer and day.",
        kind=SettingKind.SWITCH,
        default=False,
    ),
    SettingField(
        key="task_status",
        label="Status of Tasks",
        help="One of the organisation's own; it is checked before the first Task is made.",
        kind=SettingKind.TEXT,
        default="Completed",
    ),
    SettingField(
        key="bulk_from",
        label="Tasks for a Bulk job",
        help="When so many Tasks wait they go as a job of Bulk API 2.0, up to 10,000 in each. "
        "Fewer go in batches of 200, as Salesforce advises below 2,000.",
        kind=SettingKind.INTEGER,
        default=2000,
        minimum=10,
        maximum=1_000_000,
    ),
    SettingField(
        key="executed_stage",
        label="Stage when signed",
        help="Stage of an opportunity once a contract in its folder is executed. Empty: the stage "
        "stays.",
        kind=SettingKind.TEXT,
        default="Closed Won",
    ),
    SettingField(
        key="executed_by_lock",
        label="A lock executes, too",
        help="A file that is locked below a folder called Contracts counts as executed, as a "
        "completed sign request does.",
        kind=SettingKind.SWITCH,
        default=False,
    ),
    SettingField(
        key="provision",
        label="Make folders",
        help="New accounts and opportunities get a folder tree in Box.",
        kind=SettingKind.SWITCH,
        default=True,
    ),
    SettingField(
        key="folder_tree",
        label="Folder tree",
        help="One path on each line, below the root folder, from {Account.Name} and "
        "{Opportunity.Name}.",
        kind=SettingKind.LINES,
        default=DEFAULT_TREE,
    ),
    SettingField(
        key="provision_existing",
        label="Also for records that are there",
        help="Records from before the integration became active get folders, too.",
        kind=SettingKind.SWITCH,
        default=False,
    ),
    SettingField(
        key="owner_role",
        label="Access of the owner",
        help="The record's owner gets this role on its folder, by e-mail; none: nobody does.",
        kind=SettingKind.CHOICE,
        default="editor",
        choices=("none", "editor", "viewer", "viewer uploader", "co-owner"),
    ),
    SettingField(
        key="link_field",
        label="Field for the folder's address",
        help="API name of a field of the record that gets the folder's address. Empty: none does.",
        kind=SettingKind.TEXT,
        default="",
        example="Box_Folder__c",
    ),
    SettingField(
        key="field_map",
        label="Field map",
        help="Fields that say the same on both sides, one on each line: template_field = "
        "Object.Field type direction winner. Types: text, number, date, flag. Directions: to_box, "
        "to_salesforce, both. Winner when both changed: box, salesforce, nobody. The page "
        "Field map has them as a table, with checks and a dry run.",
        kind=SettingKind.LINES,
        default="",
        example="amount = Opportunity.Amount number both salesforce",
    ),
    SettingField(
        key="budget_percent",
        label="Share of the daily calls",
        help="Per cent of the organisation's daily API calls from which nothing but files is sent "
        "until the window frees.",
        kind=SettingKind.INTEGER,
        default=90,
        minimum=10,
        maximum=100,
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """An integration's settings, typed."""

    root_folder: str
    mapping_template: str
    record_fields: tuple[str, ...]
    account_field: str
    path_rule: str
    attach_to_account: bool
    share_type: str
    visibility: str
    most_megabytes: int
    log_activity: bool
    log_views: bool
    task_status: str
    bulk_from: int
    executed_stage: str
    executed_by_lock: bool
    provision: bool
    folder_tree: tuple[str, ...]
    provision_existing: bool
    owner_role: str
    link_field: str
    field_map: tuple[str, ...]
    budget_percent: int

    @property
    def mapped(self) -> FieldMap:
        """The field map, and what is wrong with it."""
        return self.mapped_by(self.field_map)

    def mapped_by(self, lines: Sequence[str]) -> FieldMap:
        """The map of other lines than those that are kept, and what is wrong with it."""
        return parse_map(lines, reserved=self.naming)

    @property
    def naming(self) -> tuple[str, ...]:
        """Fields of the template that name the record, so that no value stands in them."""
        return (*self.record_fields, self.account_field, OBJECT_FIELD)


def chosen(integration: Integration) -> Chosen:
    """The settings of an integration; a missing one has its default."""
    given = {field.key: integration.settings.get(field.key, field.default) for field in FIELDS}
    given["record_fields"] = list_of(str(given["record_fields"]))  # type: ignore[assignment]
    for key in ("folder_tree", "field_map"):
        given[key] = lines_of(str(given[key]))  # type: ignore[assignment]
    return Chosen(**given)  # type: ignore[arg-type] # each is checked by its field's kind


def problems(integration: Integration, services: Services) -> tuple[Problem, ...]:
    """What is wrong, with the way out; warnings do not block."""
    given = chosen(integration)
    return (
        *connection_problems(
            services, integration.connection_id, field="connection", provider="box", title="Box"
        ),
        *connection_problems(
            services,
            integration.second_connection_id,
            field="second_connection",
            provider="salesforce",
            title="Salesforce",
        ),
        *source_problems(integration, services, also=("salesforce",)),
        *_names(given),
        *_neighbours(integration, given, services),
    )


def _names(given: Chosen) -> list[Problem]:
    """Names that neither side would take."""
    found = []
    if (wrong := folder_problem(given.root_folder)) is not None:
        found.append(Problem(field="root_folder", text=wrong))
    if not _KEY.fullmatch(given.mapping_template):
        text = "A template's key has letters, digits, _ and -, at most 64; Box shows it in the "
        text += "address of the template's page."
        found.append(Problem(field="mapping_template", text=text))
    try:
        parse(given.folder_tree)
    except Permanent as error:
        found.append(Problem(field="folder_tree", text=error.message))
    found += [Problem(field="field_map", text=one) for one in given.mapped.problems]
    if not given.record_fields:
        text = "Name at least one field of the template that holds a record's id."
        found.append(Problem(field="record_fields", text=text))
    for field in ("record_fields", "account_field"):
        names = given.record_fields if field == "record_fields" else (given.account_field,)
        if wrong_one := next((name for name in names if not _KEY.fullmatch(name)), None):
            text = f"{wrong_one!r} is no field's key: letters, digits, _ and -, at most 64."
            found.append(Problem(field=field, text=text))
    if not given.account_field:
        text = "Name the field of the template that holds the account's id."
        found.append(Problem(field="account_field", text=text))
    if given.link_field and not _API_NAME.fullmatch(given.link_field):
        text = "A field's API name has letters, digits and _, such as Box_Folder__c."
        found.append(Problem(field="link_field", text=text))
    return [*found, *_labels(given)]


def _labels(given: Chosen) -> list[Problem]:
    """Labels of the organisation's own lists; whether they are there is asked before the use."""
    found = []
    if not _LABEL.fullmatch(given.task_status):
        text = "Name a status of Tasks, at most 255 characters in one line."
        found.append(Problem(field="task_status", text=text))
    if given.executed_stage and not _LABEL.fullmatch(given.executed_stage):
        text = "Name a stage of opportunities, at most 255 characters in one line."
        found.append(Problem(field="executed_stage", text=text))
    if given.log_views and not given.log_activity:
        text = "Views become Tasks only while “Tasks for what happens” is on."
        found.append(Problem(field="log_views", text=text, blocks=False))
    return found


def _neighbours(integration: Integration, given: Chosen, services: Services) -> list[Problem]:
    """Two for the same folder and organisation would attach each file twice."""
    others = [
        other.label
        for other in services.store.integrations.all()
        if other.kind == integration.kind
        and other.id != integration.id
        and other.state is not IntegrationState.INACTIVE
        and other.second_connection_id == integration.second_connection_id
        and chosen(other).root_folder == given.root_folder
    ]
    if not others:
        return []
    text = (
        f"{', '.join(others)} has the same root folder and organisation, so every file would be "
        "attached twice. Make one of them inactive, or give it another folder."
    )
    return [Problem(field="root_folder", text=text)]
