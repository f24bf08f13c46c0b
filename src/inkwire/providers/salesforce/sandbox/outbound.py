"""Outbound Messages: SOAP to an address when a record is saved, until it is acknowledged.

At least once, in no order, with the record as it is when it is sent, given up after 24 hours.
"""

import asyncio
import re
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inkwire.errors import InvalidInput
from inkwire.moments import from_micros, to_micros
from inkwire.providers.payload import decode_json
from inkwire.providers.salesforce.sandbox.organization import ORGANIZATION, Organization
from inkwire.providers.salesforce.sandbox.records import Records
from inkwire.providers.salesforce.sandbox.schema import SObject
from inkwire.providers.salesforce.sandbox.writing import Change, Writer
from inkwire.providers.sandboxing import Doc, Stage

_RULE, _NOTE = "sf_outbound", "sf_notification"
_BASE = "/_sandbox/salesforce/outbound"
#: Notifications of one message; the longest wait before a repeat; when one is given up.
BATCH, LONGEST, GIVEN_UP = 100, timedelta(hours=2), timedelta(hours=24)
_FIRST_S, _TIMEOUT_S = 15, 60.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ACK = re.compile(rb"<(?:[\w.-]+:)?Ack>\s*(?:true|1)\s*</(?:[\w.-]+:)?Ack>")
_HEADERS = (("content-type", "text/xml; charset=utf-8"), ("soapaction", '""'))
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
    '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
    "<OrganizationId>{organization}</OrganizationId><ActionId>{action}</ActionId>"
    '<SessionId xsi:nil="true"/>'
    "<EnterpriseUrl>{url}/services/Soap/c/66.0/{short}</EnterpriseUrl>"
    "<PartnerUrl>{url}/services/Soap/u/66.0/{short}</PartnerUrl>"
    "{notifications}</notifications></soapenv:Body></soapenv:Envelope>"
)


class Outbound:
    """Rules of what is told to whom, and the sending."""

    def __init__(
        self, stage: Stage, records: Records, writer: Writer, organization: Organization
    ) -> None:
        """Hangs itself into `writer`; `organization`: whose own changes may be kept quiet."""
        self._stage = stage
        self._state = stage.state
        self._records = records
        self._organization = organization
        self._going: dict[str, asyncio.Task[None]] = {}
        self._rules = {rule["id"]: rule for _, rule in stage.state.find(_RULE)}
        for one in records.schema.all():
            writer.after.setdefault(one.name, []).append(self._saved)

    def routes(self) -> list[Route]:
        """The controls."""
        return [
            Route(_BASE, self._list),
            Route(_BASE, self._add, methods=["POST"]),
            Route(_BASE, self._clear, methods=["DELETE"]),
        ]

    async def tick(self) -> None:
        """Starts a message for every rule that has something due; waits for nothing."""
        now = self._stage.clock.now()
        for rule in list(self._rules.values()):
            if rule["id"] in self._going:
                continue
            up_to = f"{to_micros(now):020d}"
            found = self._state.find(_NOTE, owner=rule["id"], up_to=up_to, limit=BATCH)
            notes = [note for _, note in found]
            for note in notes:
                if from_micros(note["made"]) <= now - GIVEN_UP:
                    self._state.drop(_NOTE, note["id"])
            notes = [note for note in notes if from_micros(note["made"]) > now - GIVEN_UP]
            if notes:
                task = asyncio.create_task(self._send(rule, notes))
                self._going[rule["id"]] = task
                task.add_done_callback(partial(self._done, rule["id"]))

    def _done(self, rule_id: str, task: asyncio.Task[None]) -> None:
        self._going.pop(rule_id, None)
        task.result()

    def _saved(self, change: Change) -> None:
        ours = change.user_id == self._organization.app["run_as"]
        quiet = ours and not self._organization.app.get("send_outbound", True)
        for rule in self._rules.values():
            if rule["object"] == change.one.name and not quiet:
                now = to_micros(self._stage.clock.now())
                note = {
                    "id": self._records.new_id("04l"),
                    "rule": rule["id"],
                    "record": change.record["Id"],
                    "made": now,
                    "tries": 0,
                }
                self._state.put(_NOTE, note["id"], note, owner=rule["id"], name=f"{now:020d}")

    async def _send(self, rule: Doc, notes: list[Doc]) -> None:
        """One message, the newest first; all of it is acknowledged, or all comes again."""
        one = self._records.schema.object(rule["object"])
        shown = "".join(self._shown(rule, one, note) for note in reversed(notes)) if one else ""
        body = _ENVELOPE.format(
            organization=ORGANIZATION,
            short=ORGANIZATION[:15],
            action=rule["id"],
            url=self._stage.url,
            notifications=shown,
        )
        answer = await self._stage.post.exchange(
            rule["url"], headers=_HEADERS, body=body.encode(), timeout_s=_TIMEOUT_S
        )
        acknowledged = answer is not None and 200 <= answer[0] <= 299 and _ACK.search(answer[1])
        now = self._stage.clock.now()
        with self._state.change():
            for note in notes:
                if acknowledged:
                    self._state.drop(_NOTE, note["id"])
                    continue
                wait = min(timedelta(seconds=_FIRST_S * 2 ** note["tries"]), LONGEST)
                due = f"{to_micros(now + wait):020d}"
                tried = note | {"tries": min(note["tries"] + 1, 20)}
                self._state.put(_NOTE, note["id"], tried, owner=rule["id"], name=due)

    def _shown(self, rule: Doc, one: SObject, note: Doc) -> str:
        """A notification with the record as it is now."""
        record = self._records.get(one.name, note["record"]) or {"Id": note["record"]}
        fields = []
        for name in ("Id", *(name for name in rule["fields"] if name != "Id")):
            value = record.get(name)
            if value is not None:
                text = str(value).lower() if isinstance(value, bool) else str(value)
                fields.append(f"<sf:{name}>{escape(text)}</sf:{name}>")
        return (
            f'<Notification><Id>{note["id"]}</Id><sObject xsi:type="sf:{one.name}" '
            f'xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{"".join(fields)}</sObject>'
            "</Notification>"
        )

    async def _list(self, request: Request) -> Response:
        waiting = {rule: len(self._state.find(_NOTE, owner=rule)) for rule in self._rules}
        found = [rule | {"waiting": waiting[key]} for key, rule in self._rules.items()]
        return JSONResponse(found)

    async def _add(self, request: Request) -> Response:
        body = decode_json(await request.body())
        given = body if isinstance(body, dict) else {}
        one = self._records.schema.object(str(given.get("object")))
        if one is None:
            raise InvalidInput(fields={"object": "must be an object of the sandbox's Salesforce"})
        fields = given.get("fields", ["Id"])
        if not isinstance(fields, list) or not all(str(name) in one.fields for name in fields):
            raise InvalidInput(fields={"fields": f"must be a list of fields of {one.name}"})
        url = given.get("url")
        if not isinstance(url, str) or not _allowed(url):
            raise InvalidInput(fields={"url": "must be https, or http to this machine"})
        rule: Doc = {
            "id": self._records.new_id("04k"),
            "object": one.name,
            "fields": fields,
            "url": url,
            "organization_id": ORGANIZATION,
        }
        self._state.put(_RULE, rule["id"], rule)
        self._rules[rule["id"]] = rule
        return JSONResponse(rule, 201)

    async def _clear(self, request: Request) -> Response:
        for key in self._rules:
            self._state.drop(_RULE, key)
            for _, note in self._state.find(_NOTE, owner=key):
                self._state.drop(_NOTE, note["id"])
        self._rules.clear()
        return Response(status_code=204)


def _allowed(url: str) -> bool:
    try:
        split = urlsplit(url)
        return split.scheme == "https" or (split.scheme == "http" and split.hostname in _LOOPBACK)
    except ValueError:
        return False
