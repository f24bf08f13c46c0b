"""Bulk API 2.0: jobs that take a CSV, work through it by themselves, and keep their results."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inkwire.moments import to_micros
from inkwire.providers.salesforce.sandbox import ids
from inkwire.providers.salesforce.sandbox.answers import Reply, SalesforceError, not_found
from inkwire.providers.salesforce.sandbox.api import Call, Entry
from inkwire.providers.salesforce.sandbox.files import Keeper
from inkwire.providers.salesforce.sandbox.records import Records
from inkwire.providers.salesforce.sandbox.schema import SObject
from inkwire.providers.salesforce.sandbox.writing import Writer
from inkwire.providers.sandboxing import Doc, Stage

_JOB, _DONE, _PACE = "sf_job", "sf_job_rows", "sf_job_pace"
_OPERATIONS = ("insert", "update", "upsert", "delete")
_ENDS = {"LF": "\n", "CRLF": "\r\n"}
_DELIMITERS = {
    "COMMA": ",",
    "TAB": "\t",
    "SEMICOLON": ";",
    "PIPE": "|",
    "CARET": "^",
    "BACKQUOTE": "`",
}
#: Rows of one transaction; characters of one field.
_ROWS, LONGEST_FIELD = 200, 32_000
_SHOWN = (
    "id", "operation", "object", "createdById", "createdDate", "systemModstamp", "state",
    "externalIdFieldName", "concurrencyMode", "contentType", "apiVersion", "contentUrl",
    "lineEnding", "columnDelimiter", "jobType", "numberRecordsProcessed", "numberRecordsFailed",
    "errorMessage", "retries",
)  # fmt: skip


class Bulk:
    """`/jobs/ingest`."""

    def __init__(self, stage: Stage, records: Records, writer: Writer) -> None:
        """`writer`: writes the rows."""
        self._stage = stage
        self._state = stage.state
        self._records = records
        self._writer = writer
        #: Whether a job may be waiting: spares a look at the state.
        self._busy = True
        #: (job, header, rows) of the CSV that was read last.
        self._last: tuple[str, list[str], list[list[str]]] = ("", [], [])

    def entries(self) -> list[Entry]:
        """The calls."""
        one = "/jobs/ingest/{id}"
        return [
            Entry(path="/jobs/ingest", handlers={"GET": self._list, "POST": self._create}),
            Entry(path=f"{one}/batches", handlers={"PUT": self._take}),
            Entry(path=f"{one}/{{results}}", handlers={"GET": self._results}),
            Entry(
                path=one,
                handlers={"GET": self._show, "PATCH": self._close, "DELETE": self._delete},
            ),
        ]

    def routes(self) -> list[Route]:
        """Bulk API 1.0, which is here only to be refused as Salesforce refuses it."""
        path = "/services/async/{rest:path}"
        return [Route(path, self._first_api, methods=["GET", "POST", "PUT"], name="bulk-1")]

    def delay(self, seconds: float) -> None:
        """Jobs begin that many seconds of the clock after their upload is complete."""
        self._state.put(_PACE, "1", {"seconds": seconds})

    def tick(self) -> None:
        """Works on every job that is due: one transaction of each."""
        if not self._busy:
            return
        self._busy = False
        now = to_micros(self._stage.clock.now())
        for _, job in self._state.find(_JOB):
            if job["state"] not in ("UploadComplete", "InProgress"):
                continue
            self._busy = True
            if job["due"] <= now:
                self._work(job)

    async def _first_api(self, request: Request) -> Response:
        if request.headers.get("x-sfdc-session") is None:
            code, message = "InvalidSessionId", "Invalid session id"
        else:
            code, message = "FeatureNotEnabled", "Bulk API 1.0 is not in the sandbox: use 2.0"
        return JSONResponse({"exceptionCode": code, "exceptionMessage": message}, 400)

    def _create(self, call: Call) -> Reply:
        asked = self._asked(call.json)
        job_id, now = self._records.new_id("750"), self._records.now()
        job: Doc = asked | {
            "id": job_id,
            "createdById": call.caller.user_id,
            "createdDate": now,
            "systemModstamp": now,
            "state": "Open",
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(call.version),
            "contentUrl": f"services/data/v{call.version}/jobs/ingest/{job_id}/batches",
            "jobType": "V2Ingest",
            "numberRecordsProcessed": 0,
            "numberRecordsFailed": 0,
            "retries": 0,
            "pieces": None,
            "at": 0,
            "due": 0,
        }
        self._state.put(_JOB, job_id, job)
        return Reply(body=_shown(job))

    def _asked(self, body: Doc) -> Doc:
        """What a job is to do. Raises SalesforceError INVALIDJOB."""
        one = self._records.schema.object(str(body.get("object")))
        operation, ends = body.get("operation"), body.get("lineEnding", "LF")
        delimiter, key = body.get("columnDelimiter", "COMMA"), body.get("externalIdFieldName")
        if one is None:
            raise _invalid(f"Unable to find object: {body.get('object')}")
        if operation not in _OPERATIONS or body.get("contentType", "CSV") != "CSV":
            raise _invalid(
                "The only content type supported is CSV, and the operation must be one of "
                f"{', '.join(_OPERATIONS)}"
            )
        if ends not in _ENDS or delimiter not in _DELIMITERS:
            raise _invalid("lineEnding or columnDelimiter is invalid")
        asked: Doc = {
            "operation": operation,
            "object": one.name,
            "lineEnding": ends,
            "columnDelimiter": delimiter,
        }
        if operation == "upsert":
            field = one.field(str(key))
            if field is None or not (field.external or field.name == "Id"):
                raise _invalid(
                    f"InvalidBatch : Field name provided, {key} does not match an External ID, "
                    f"Salesforce Id, or indexed field for {one.name}"
                )
            asked["externalIdFieldName"] = field.name
        return asked

    def _list(self, call: Call) -> Reply:
        found = [_shown(job) for _, job in self._state.find(_JOB, newest=True)]
        return Reply(body={"done": True, "records": found, "nextRecordsUrl": None})

    def _show(self, call: Call) -> Reply:
        return Reply(body=_shown(self._job(call)))

    def _take(self, call: Call) -> Reply:
        """The CSV: once, while the job is open."""
        job = self._job(call)
        if call.text is None:
            raise SalesforceError(
                "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be text/csv", None, status=415
            )
        if job["state"] != "Open" or job["pieces"] is not None:
            raise _wrong_state(
                f"Found multiple contents for job: <{job['id'][:15]}>, please "
                "'Close' / 'Abort' / 'Delete' the current Job"
            )
        keeper = Keeper(self._state)
        keeper.take(call.text)
        self._put(job, pieces=list(keeper.done().pieces))
        return Reply(status=201)

    def _close(self, call: Call) -> Reply:
        job, wanted = self._job(call), call.json.get("state")
        if wanted == "Aborted" and job["state"] in ("Open", "UploadComplete", "InProgress"):
            return Reply(body=_shown(self._put(job, state="Aborted")))
        if wanted != "UploadComplete" or job["state"] != "Open":
            raise _wrong_state(f"Updating Job State from {job['state']} to {wanted} not allowed")
        if job["pieces"] is None:
            raise _wrong_state("Closing Job not allowed. No data was uploaded")
        pause = float((self._state.get(_PACE, "1") or {"seconds": 0})["seconds"])
        due = to_micros(self._stage.clock.now() + timedelta(seconds=pause))
        self._busy = True
        return Reply(body=_shown(self._put(job, state="UploadComplete", due=due)))

    def _delete(self, call: Call) -> Reply:
        job = self._job(call)
        if job["state"] in ("UploadComplete", "InProgress", "Open"):
            raise _wrong_state(f"Deleting a Job that is {job['state']} not allowed")
        for _, part in self._state.find(_DONE, owner=job["id"]):
            self._state.drop(_DONE, part["key"])
        self._state.drop(_JOB, job["id"])
        return Reply(status=204)

    def _results(self, call: Call) -> Reply:
        """What became of the rows, as CSV; not in the order in which they came."""
        job, kind = self._job(call), call.given["results"].lower()
        heads = {
            "successfulresults": ["sf__Id", "sf__Created"],
            "failedresults": ["sf__Id", "sf__Error"],
            "unprocessedrecords": [],
        }
        if kind not in heads:
            raise not_found()
        if job["state"] not in ("JobComplete", "Failed", "Aborted"):
            raise _wrong_state(f"Results of a Job that is {job['state']} are not available")
        header, rows = self._read(job)
        parts = [part for _, part in self._state.find(_DONE, owner=job["id"])]
        done = [each for part in parts for each in reversed(part["results"])]
        out = io.StringIO(newline="")
        ends, sign = _ENDS[job["lineEnding"]], _DELIMITERS[job["columnDelimiter"]]
        writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator=ends, delimiter=sign)
        writer.writerow([*heads[kind], *header])
        if kind == "unprocessedrecords":
            writer.writerows(rows[job["at"] :] if header else [])
        for index, record_id, created, error in done:
            if kind == "successfulresults" and not error:
                writer.writerow([record_id, str(created).lower(), *rows[index]])
            if kind == "failedresults" and error:
                writer.writerow([record_id, error, *rows[index]])
        return Reply(raw=Response(out.getvalue(), media_type="text/csv"))

    def _work(self, job: Doc) -> None:
        """The next rows of a job, or its end."""
        one = self._records.schema.object(job["object"])
        if one is None:
            return
        header, rows = self._read(job)
        if job["at"] == 0 and (problem := self._problem(job, one, header, rows)):
            self._put(job, state="Failed", errorMessage=problem)
            return
        start = job["at"]
        chunk = rows[start : start + _ROWS]
        self._records.settle()
        self._writer.locked, self._writer.patient = set(), False
        with self._records.change():
            results = [
                [start + at, *self._row(job, one, dict(zip(header, row, strict=True)))]
                for at, row in enumerate(chunk)
            ]
            failed = sum(bool(result[3]) for result in results)
            key = f"{job['id']}/{start}"
            part = {"key": key, "results": results}
            self._state.put(_DONE, key, part, owner=job["id"])
            end = start + len(chunk)
            self._put(
                job,
                at=end,
                state="JobComplete" if end >= len(rows) else "InProgress",
                numberRecordsProcessed=end,
                numberRecordsFailed=job["numberRecordsFailed"] + failed,
            )

    def _row(self, job: Doc, one: SObject, row: Mapping[str, str]) -> tuple[str, bool, str]:
        """(id, whether it was made, the error) of one row."""
        given: dict[str, Any] = {
            name: None if value == "#N/A" else value for name, value in row.items() if value != ""
        }
        user, operation = job["createdById"], job["operation"]
        record_id = str(next((value for name, value in given.items() if name.lower() == "id"), ""))
        try:
            with self._records.change():
                if operation == "delete":
                    self._writer.delete(one, record_id, user)
                    return ids.read(record_id) or record_id, False, ""
                fields = {name: value for name, value in given.items() if name.lower() != "id"}
                key = job.get("externalIdFieldName", "Id")
                if operation == "upsert" and key != "Id":
                    found = self._records.by(one.name, key, [given.get(key)])
                    record_id = next((each["Id"] for each in found if not each["IsDeleted"]), "")
                if operation == "update" or record_id:
                    done = self._writer.update(one, record_id, fields, user)
                    return done["Id"], False, ""
                return self._writer.create(one, fields, user)["Id"], True, ""
        except SalesforceError as error:
            fields_text = ", ".join(error.fields or ())
            shown = f"{fields_text} --" if fields_text else "--"
            return record_id, False, f"{error.code}:{error.message}:{shown}"

    def _problem(
        self, job: Doc, one: SObject, header: Sequence[str], rows: Sequence[Sequence[str]]
    ) -> str:
        """Why the whole job fails; empty if it can begin."""
        text = self._text(job)
        if ("\r\n" in text) != (job["lineEnding"] == "CRLF") and "\n" in text:
            return (
                "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting "
                f"is {job['lineEnding']}"
            )
        if not header or not any(header):
            return "InvalidBatch : Unable to find any header"
        for name in header:
            field = one.field(name)
            if field is None:
                return f"InvalidBatch : Field name not found : {name}"
            if field.type == "base64":
                return "FeatureNotEnabled : Binary field not supported"
        for row in rows:
            if len(row) != len(header):
                return "InvalidBatch : The number of columns of a row is not that of the header"
            if any(len(value) > LONGEST_FIELD for value in row):
                return f"InvalidBatch : A field is longer than {LONGEST_FIELD} characters"
        return ""

    def _read(self, job: Doc) -> tuple[list[str], list[list[str]]]:
        """Header and rows of what was uploaded; empty of what cannot be read."""
        if job["id"] != self._last[0] or job["state"] == "Open":
            try:
                found = list(_lines(self._text(job), _DELIMITERS[job["columnDelimiter"]]))
            except csv.Error:
                found = []
            self._last = (job["id"], found[0] if found else [], found[1:])
        return self._last[1], self._last[2]

    def _text(self, job: Doc) -> str:
        content = b"".join(self._state.content(sha1) for sha1 in job["pieces"] or [])
        return content.decode("utf-8", "replace").removeprefix("\ufeff")

    def _job(self, call: Call) -> Doc:
        job = self._state.get(_JOB, ids.read(call.given["id"]) or "")
        if job is None:
            raise not_found()
        return job

    def _put(self, job: Doc, **changed: Any) -> Doc:
        done = job | changed | {"systemModstamp": self._records.now()}
        self._state.put(_JOB, done["id"], done)
        return done


def _lines(text: str, sign: str) -> Iterator[list[str]]:
    csv.field_size_limit(10_000_000)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    return (row for row in reader if row)


def _shown(job: Doc) -> Doc:
    return {name: job[name] for name in _SHOWN if name in job}


def _invalid(message: str) -> SalesforceError:
    return SalesforceError("INVALIDJOB", message, None)


def _wrong_state(message: str) -> SalesforceError:
    return SalesforceError("INVALIDJOBSTATE", message, None)
