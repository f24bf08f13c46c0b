"""The operator's page: accounts, deals, their files and tasks, and the forms that change them."""

from collections.abc import Mapping
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from inkwire.errors import InkwireError
from inkwire.providers.salesforce.sandbox.control import described
from inkwire.providers.salesforce.sandbox.parts import Parts
from inkwire.providers.sandboxing import Doc

#: Accounts that are shown, the newest first; tasks of one record.
_SHOWN, _TASKS = 50, 20
_OPPORTUNITY = ("Name", "AccountId", "StageName", "CloseDate", "Amount", "OwnerId")


class OperatorPage:
    """`/salesforce`."""

    def __init__(self, parts: Parts) -> None:
        """`parts`: what is shown and changed."""
        self._parts = parts
        self._records = parts.records

    def routes(self) -> list[Route]:
        """The page, its form, its style."""
        return [
            Route("/salesforce", self._show, name="page:salesforce"),
            Route("/salesforce", self._do, methods=["POST"], name="page:salesforce-do"),
            Route("/salesforce/style.css", self._style, name="page:salesforce-style"),
        ]

    async def _show(self, request: Request) -> Response:
        return self._page()

    async def _style(self, request: Request) -> Response:
        folder = resources.files(__package__ or "").joinpath("templates")
        style = folder.joinpath("salesforce.css").read_text("utf-8")
        return Response(style, media_type="text/css")

    async def _do(self, request: Request) -> Response:
        async with request.form(max_files=0, max_fields=20) as form:
            given = {key: value for key, value in form.items() if isinstance(value, str)}
        try:
            place = self._done(given)
        except InkwireError as problem:
            return self._page(problem.message, 422)
        return RedirectResponse(f"/salesforce#{place}", 303)

    def _done(self, given: Mapping[str, str]) -> str:
        """Does what a form asks for; the id that the page goes back to."""
        parts, user = self._parts, self._parts.other_user(given.get("by") or None)
        action, record_id = given.get("action"), given.get("id", "")
        if action == "new-account":
            fields: Doc = {"Name": given.get("Name"), "OwnerId": given.get("OwnerId")}
            account = parts.object("Account")
            made = parts.write(lambda: parts.writer.create(account, fields, user))
            return str(made["Id"])
        deal = parts.object("Opportunity")
        fields = {name: given[name].strip() for name in _OPPORTUNITY if name in given}
        if action == "new-opportunity":
            made = parts.write(lambda: parts.writer.create(deal, fields, user))
            return str(made["Id"])
        name = "Account" if action == "change-account" else "Opportunity"
        one = parts.object(name)
        wanted = ("Name", "OwnerId") if name == "Account" else _OPPORTUNITY
        fields = {key: value for key, value in fields.items() if key in wanted}
        done = parts.write(lambda: parts.writer.update(one, record_id, fields, user))
        return str(done["Id"])

    def _page(self, problem: str = "", status: int = 200) -> Response:
        self._records.settle()
        records = self._records
        accounts = [one for one in records.all("Account") if not one["IsDeleted"]]
        loose = [
            one
            for one in records.all("Opportunity")
            if not one["IsDeleted"] and not one["AccountId"]
        ]
        limits = self._parts.limits
        context = {
            "problem": problem,
            "facts": described(self._parts),
            "accounts": [self._account(one) for one in reversed(accounts[-_SHOWN:])],
            "more": max(0, len(accounts) - _SHOWN),
            "loose": [self._deal(one) for one in loose[-_SHOWN:]],
            "choices": [(one["Id"], one["Name"]) for one in reversed(accounts)],
            "stages": self._stages(),
            "people": [(one["Id"], one["Name"]) for one in self._parts.organization.users()],
            "seller": self._parts.other_user(),
            "used": limits.used(),
            "most": limits.most,
            "close": self._parts.stage.clock.now().date().replace(month=12, day=31).isoformat(),
            "totals": self._totals(),
        }
        html = self._parts.stage.render(__package__ or "", "salesforce.html", context)
        return HTMLResponse(html, status)

    def _totals(self) -> list[tuple[str, int]]:
        names = (
            ("Accounts", "Account"),
            ("Opportunities", "Opportunity"),
            ("Files", "ContentDocument"),
            ("Tasks", "Task"),
        )
        return [
            (title, sum(not one["IsDeleted"] for one in self._records.all(name)))
            for title, name in names
        ]

    def _stages(self) -> list[str]:
        return [str(one["MasterLabel"]) for one in self._records.all("OpportunityStage")]

    def _account(self, account: Doc) -> Doc:
        deals = self._records.linked("Opportunity", "AccountId", account["Id"])
        return self._common(account) | {"deals": [self._deal(one) for one in deals]}

    def _deal(self, deal: Doc) -> Doc:
        stages = self._stages()
        stage = deal["StageName"]
        at = stages.index(stage) if stage in stages else -1
        # The two closed stages end the path: one of them is its last step.
        shown = [one for one in stages if not one.startswith("Closed")]
        shown.append(stage if deal["IsClosed"] else "Closed")
        path = [
            {"name": name, "done": number < at or deal["IsClosed"], "now": name == stage}
            for number, name in enumerate(shown)
        ]
        state = "won" if deal["IsWon"] else "lost" if deal["IsClosed"] else "open"
        amount = deal.get("Amount")
        return self._common(deal) | {
            "stage": stage,
            "state": state,
            "path": path,
            "close": deal["CloseDate"],
            "amount": "" if amount is None else f"{amount:,.0f}",
            "account": deal.get("AccountId"),
        }

    def _common(self, record: Doc) -> Doc:
        """What an account and a deal both show."""
        owner = self._records.get("User", record["OwnerId"])
        tasks = self._records.linked("Task", "WhatId", record["Id"])
        return {
            "id": record["Id"],
            "name": record["Name"],
            "owner": owner["Name"] if owner else "",
            "owner_id": record["OwnerId"],
            "files": self._files(record["Id"]),
            "tasks": [self._task(one) for one in reversed(tasks[-_TASKS:])],
            "tasks_more": max(0, len(tasks) - _TASKS),
            "custom": {
                key: value for key, value in record.items() if key.endswith("__c") and value
            },
        }

    def _files(self, record_id: str) -> list[Doc]:
        found = []
        for link in self._records.linked("ContentDocumentLink", "LinkedEntityId", record_id):
            document = self._records.alive("ContentDocument", link["ContentDocumentId"])
            if document is None:
                continue
            version = self._records.get("ContentVersion", document["LatestPublishedVersionId"])
            if version is None:
                continue
            extension = version["FileExtension"]
            found.append(
                {
                    "title": version["Title"],
                    "type": (extension or "file").upper()[:5],
                    "version": version["VersionNumber"],
                    "size": _size(version["ContentSize"]),
                    "checksum": version["Checksum"],
                    "at": _moment(version["CreatedDate"]),
                    "by": self._name(version["CreatedById"]),
                    "document": document["Id"],
                }
            )
        return found

    def _task(self, task: Doc) -> Doc:
        who = self._records.of_any(task.get("WhoId"))
        return {
            "subject": task["Subject"] or "Task",
            "who": who[1]["Name"] if who else "",
            "status": task["Status"],
            "at": _moment(task["CreatedDate"]),
            "text": task.get("Description") or "",
        }

    def _name(self, user_id: Any) -> str:
        user = self._records.get("User", user_id)
        return str(user["Name"]) if user else ""


def _moment(stamp: str) -> str:
    return f"{stamp[:10]} {stamp[11:16]}"


def _size(count: int) -> str:
    """Bytes as people read them."""
    size = float(count)
    for unit in ("bytes", "KB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.2f} GB"
