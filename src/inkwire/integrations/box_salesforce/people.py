"""Whom a Task is about (R64), asked for many Tasks at once.

The Contact with the actor's or collaborator's e-mail, else one of the opportunity's contact roles,
the primary one first.
"""

from collections.abc import Iterable, Sequence

from inkwire.engine.contract import Run
from inkwire.integrations.box_salesforce.clients import salesforce
from inkwire.model.crm import Activity
from inkwire.providers.salesforce.objects import Record
from inkwire.providers.salesforce.soql import one_of, select
from inkwire.store.contract import MAX_PAGE

#: Values of one IN: a query has at most 100,000 characters, an e-mail address mostly some twenty.
_MOST_EMAILS, _MOST_IDS = 250, 200
_OPPORTUNITY = "006"


def contacts_of(run: Run, rows: Sequence[Activity]) -> dict[str, str]:
    """The Contact of each activity (by id) that has one."""
    emails = _emails(run, [row for row in rows if row.who_id is None])
    by_email, roles = _asked(run, rows, emails.values())
    accounts = _accounts(run, rows)
    found: dict[str, str] = {}
    for row in rows:
        here = by_email.get(emails.get(row.id, ""), ())
        if here:
            account = accounts.get(row.what_id or "")
            found[row.id] = next((i for i, of in here if of == account and account), here[0][0])
    for row in rows:
        if row.id not in found and row.what_id in roles and row.who_id is None:
            found[row.id] = roles[row.what_id]
    return found


def _emails(run: Run, rows: Sequence[Activity]) -> dict[str, str]:
    """Whom the event of each names: who was given access, else who acted; "" for nobody."""
    of_work = {row.work_id: "" for row in rows}  # also of one that was forgotten since
    for part in _parts(list(of_work), MAX_PAGE):
        for work in run.services.store.works.of(part).values():
            who = work.subject.get("collaborator") or work.subject.get("actor_email") or ""
            of_work[work.id] = who.casefold()
    return {row.id: of_work[row.work_id] for row in rows}


def _asked(
    run: Run, rows: Sequence[Activity], emails: Iterable[str]
) -> tuple[dict[str, tuple[tuple[str, str | None], ...]], dict[str, str]]:
    """(Contact, its account) by e-mail, the oldest first; the contact of each opportunity.

    All in one call if it can be, so roles are asked for whether they will be needed or not.
    """
    wanted = sorted({one for one in emails if "@" in one})
    deals = {row.what_id for row in rows if row.who_id is None and row.what_id is not None}
    opportunities = sorted(one for one in deals if one.startswith(_OPPORTUNITY))
    people = [
        select(
            "Contact",
            ["Id", "Email", "AccountId"],
            one_of("Email", part),
            order=["CreatedDate", "Id"],
        )
        for part in _parts(wanted, _MOST_EMAILS)
    ]
    roles = [
        select(
            "OpportunityContactRole",
            ["OpportunityId", "ContactId", "IsPrimary"],
            one_of("OpportunityId", part),
            order=["CreatedDate", "Id"],
        )
        for part in _parts(opportunities, _MOST_IDS)
    ]
    answers = salesforce(run).queries([*people, *roles])
    return _by_email(answers[: len(people)]), _by_role(answers[len(people) :])


def _parts(values: Sequence[str], most: int) -> list[Sequence[str]]:
    return [values[start : start + most] for start in range(0, len(values), most)]


def _by_email(
    answers: Sequence[Sequence[Record]],
) -> dict[str, tuple[tuple[str, str | None], ...]]:
    """A Lead is none of them: it has no account."""
    found: dict[str, tuple[tuple[str, str | None], ...]] = {}
    for row in (row for rows in answers for row in rows):
        email = str(row["Email"]).casefold()
        found[email] = (*found.get(email, ()), (str(row["Id"]), row.get("AccountId")))
    return found


def _by_role(answers: Sequence[Sequence[Record]]) -> dict[str, str]:
    """The primary contact of each opportunity, else that of the oldest role."""
    found: dict[str, str] = {}
    primary: set[str] = set()
    for row in (row for rows in answers for row in rows):
        of = str(row["OpportunityId"])
        if of not in found or (row["IsPrimary"] and of not in primary):
            found[of] = _contact(row)
        if row["IsPrimary"]:
            primary.add(of)
    return found


def _contact(row: Record) -> str:
    return str(row["ContactId"])


def _accounts(run: Run, rows: Sequence[Activity]) -> dict[str, str]:
    """The account of each record that a Task is on, as far as a folder's row knows it."""
    records = sorted({row.what_id for row in rows if row.what_id is not None})
    found: dict[str, str] = {}
    for part in _parts(records, MAX_PAGE):
        folders = run.services.store.record_folders.of_records(run.integration.id, part)
        found |= {record: one.account_id for record, one in folders.items() if one.account_id}
    return found
