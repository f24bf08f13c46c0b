"""What goes on with a sign request: converting → sent → viewed → finalizing → signed, and ends.

Slow work (PDFs) runs in a thread; what it gives is kept only if the request is still where it was.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial

from inkwire.moments import to_micros
from inkwire.providers.box.sandbox import sign_mails
from inkwire.providers.box.sandbox.answers import BoxError
from inkwire.providers.box.sandbox.apps import BOX_SIGN, stamp
from inkwire.providers.box.sandbox.events import SETTLED, WAITING
from inkwire.providers.box.sandbox.parts import Parts
from inkwire.providers.box.sandbox.pdf import (
    Mark,
    Notary,
    NotConvertible,
    as_pdf,
    filled,
    signing_log,
)
from inkwire.providers.box.sandbox.sign_facts import (
    current,
    decides,
    input_of,
    plain_name,
    values_of,
)
from inkwire.providers.sandboxing import Doc

SIGN, TOKEN = "box_sign", "box_sign_token"
#: Statuses in which signers decide.
DECIDING = ("sent", "viewed")
#: Statuses that end without a signature, as a test or an operator may set them.
ERRORS = ("error_converting", "error_sending", "error_finalizing")
FINAL = ("signed", "declined", "cancelled", "expired", "error", *ERRORS)
#: Days after which those who have not decided are reminded (developer.box.com/guides/box-sign).
_REMINDERS = (3, 8, 13, 18)
_PACE = "box_pace"
#: Seconds that a step takes unless `POST /_sandbox/pace` says otherwise.
PACE = {"convert_s": 0.2, "finalize_s": 0.2, "ready_after_s": 0.0}
#: Box's specification and its guides spell these differently (developer.box.com/guides/box-sign).
_ASKED = ("SIGN_REQUEST.SIGNATURE_REQUESTED", "SIGN_REQUEST.SIGN_DOCUMENT_CREATED")
_SIGNED = ("SIGN_REQUEST.SIGNER_SIGNED", "SIGN_REQUEST.SIGN_SIGNER_SIGNED")
_BROKEN = ("SIGN_REQUEST.ERROR_FINALIZING", "SIGN_REQUEST.SIGN_ERROR_FINALIZING")


class NotNow(Exception):
    """The request does not allow this, or no longer; says why."""


class Signing:
    """The life of sign requests."""

    def __init__(self, parts: Parts) -> None:
        """`parts`: the Box of this sandbox."""
        self._parts = parts
        self._state = parts.stage.state
        self._clock = parts.stage.clock
        self._items = parts.items
        self._notary: Notary | None = None
        self._locks: dict[str, asyncio.Lock] = {}
        self._going: dict[str, asyncio.Task[None]] = {}

    @property
    def notary(self) -> Notary:
        """Made on first use: its keys take a moment."""
        if self._notary is None:
            self._notary = Notary(self._state, self._clock.wall())
        return self._notary

    def pace(self) -> dict[str, float]:
        """Seconds that conversion and finalising take, and the files are late by."""
        return PACE | (self._state.get(_PACE, "1") or {})

    def set_pace(self, changed: Mapping[str, float]) -> dict[str, float]:
        """Changes the pace; returns it."""
        self._state.put(_PACE, "1", self.pace() | dict(changed))
        return self.pace()

    async def tick(self) -> None:
        """Starts the steps that are due; waits for nothing."""
        now = to_micros(self._clock.now())
        for _, sign in self._state.find(SIGN, up_to=f"{WAITING}{now:020d}", limit=64):
            if sign["id"] not in self._going:
                task = asyncio.create_task(self._step(sign["id"]))
                self._going[sign["id"]] = task
                task.add_done_callback(partial(self._done, sign["id"]))

    def _done(self, sign_id: str, task: asyncio.Task[None]) -> None:
        # After a defect, which shows in the log, it waits a while before the next try.
        later_s = 0 if task.exception() is None else 1
        asyncio.get_running_loop().call_later(later_s, self._going.pop, sign_id, None)
        task.result()

    # Beginning and mails

    def begin(self, sign: Doc) -> None:
        """A new request: keeps it, with a page for each signer. Converts soon."""
        for index, signer in enumerate(sign["signers"]):
            token = secrets.token_urlsafe(18)
            signer |= {
                "token": token,
                "asked": False,
                "has_viewed_document": False,
                "signer_decision": None,
                "inputs": [],
            }
            self._state.put(TOKEN, token, {"sign": sign["id"], "signer": index})
        sign["mailed"] = to_micros(self._clock.now())
        sign["reminders"] = []
        self._note(sign, sign["sender"], "created the request", "API")
        self._save(sign, due_s=self.pace()["convert_s"])

    def remind(self, sign: Doc) -> None:
        """Sends the signing mail once more to those who have not decided."""
        for signer in current(sign):
            self._parts.stage.mail(*sign_mails.request(sign, signer, reminder=True))
        sign["mailed"] = to_micros(self._clock.now())
        self._save(sign)

    def cancel(self, sign: Doc, *, reason: str = "") -> None:
        """Ends it for the sender."""
        self._note(sign, sign["sender"], f"cancelled {reason}".strip(), "API")
        with self._state.change():
            self._end(sign, "cancelled")
            for signer in sign["signers"]:
                if signer["asked"]:
                    self._parts.stage.mail(*sign_mails.over(sign, signer, "was cancelled"))

    # What signers do

    def by_token(self, token: str) -> tuple[Doc, int] | None:
        """The request and the signer's place in it."""
        found = self._state.get(TOKEN, token)
        sign = self._state.get(SIGN, found["sign"]) if found else None
        return (sign, found["signer"]) if sign and found else None

    def view(self, sign_id: str, index: int, where: str) -> Doc:
        """A signer looks at the documents."""
        sign = self._loaded(sign_id)
        signer = sign["signers"][index]
        if sign["status"] in DECIDING and signer["asked"] and not signer["has_viewed_document"]:
            signer["has_viewed_document"] = True
            sign["status"] = "viewed"
            self._note(sign, signer["email"], "viewed the documents", where)
            self._save(sign)
        return sign

    async def sign(self, sign_id: str, index: int, *, written: str, where: str) -> Doc:
        """A signer signs, an approver approves. Raises NotNow."""
        async with self._locks.setdefault(sign_id, asyncio.Lock()):
            sign, signer = self._decidable(sign_id, index)
            self.view(sign_id, index, where)
            files = [self._raw_file(file_id) for file_id in sign["sign_files"]]
            made: list[bytes] = []
            if signer["role"] == "signer":
                mark = self._mark(sign, index, written)
                contents = [self._items.content(file) for file in files]
                try:
                    made = await asyncio.to_thread(_all_signed, self.notary, contents, mark)
                except NotConvertible as error:
                    raise NotNow(str(error)) from error
            sign, signer = self._decidable(sign_id, index)
            with self._state.change():
                for file, content in zip(files, made, strict=bool(made)):
                    self._items.new_version(self._raw_file(file["id"]), content, BOX_SIGN)
                what = "signed" if made else "approved"
                self._decide(sign, signer, "signed", None)
                self._note(sign, signer["email"], f"{what} as {written}", where)
                self._tell(sign, *_SIGNED)
                self._go_on(sign)
            return sign

    def decline(self, sign_id: str, index: int, *, reason: str, where: str) -> Doc:
        """A signer declines: the request is over. Raises NotNow."""
        sign, signer = self._decidable(sign_id, index)
        with self._state.change():
            self._decide(sign, signer, "declined", reason or None)
            self._note(sign, signer["email"], f"declined: {reason}", where)
            self._end(sign, "declined")
            self._tell(sign, "SIGN_REQUEST.DECLINED")
        return sign

    # What only the sandbox can do

    def fail(self, sign_id: str, status: str) -> Doc:
        """One of `ERRORS`. Raises NotNow."""
        sign = self._undecided(sign_id)
        with self._state.change():
            sign["error_code"] = f"sandbox_{status}"
            self._end(sign, status)
            if status == "error_finalizing":
                self._tell(sign, *_BROKEN)
        return sign

    def expire(self, sign_id: str) -> Doc:
        """As if its days were over. Raises NotNow."""
        sign = self._undecided(sign_id)
        with self._state.change():
            self._expired(sign)
        return sign

    def bounce(self, sign_id: str) -> Doc:
        """The mail to its current signers comes back. Raises NotNow."""
        sign = self._undecided(sign_id)
        self._tell(sign, "SIGN_REQUEST.SIGNER_EMAIL_BOUNCED")
        return sign

    def to_decide(self, sign: Doc, email: str | None) -> list[int]:
        """Places of the signers who are asked and have not decided; of one, if named."""
        waiting = current(sign)
        return [
            index
            for index, signer in enumerate(sign["signers"])
            if signer in waiting and email in (None, signer["email"])
        ]

    def finish_after(self, sign_id: str, pace: Mapping[str, float]) -> None:
        """Sets how long this request's end takes, before its last signer signs."""
        sign = self._loaded(sign_id)
        sign["pace"] = dict(pace)
        self._save(sign)

    # Steps that come by themselves

    async def _step(self, sign_id: str) -> None:
        async with self._locks.setdefault(sign_id, asyncio.Lock()):
            sign = self._loaded(sign_id)
            now = to_micros(self._clock.now())
            if sign["status"] == "converting":
                await self._convert(sign)
            elif sign["status"] == "finalizing":
                await self._finalize(sign)
            elif sign["status"] == "signed":
                sign["ready"] = True
                self._save(sign)
            elif sign["status"] in DECIDING and (sign["expires"] or now + 1) <= now:
                with self._state.change():
                    self._expired(sign)
            elif sign["status"] in DECIDING:
                sign["reminders"] = [day for day in sign["reminders"] if day > now]
                self.remind(sign)

    async def _convert(self, sign: Doc) -> None:
        """Copies the sources as PDFs into the folder, and asks the first signers."""
        sources = [self._raw_file(file_id) for file_id in sign["source_files"]]
        try:
            contents = [(file["name"], self._items.content(file)) for file in sources]
            values = values_of(sign)
            made = await asyncio.to_thread(
                lambda: [filled(as_pdf(*one), values) for one in contents]
            )
        except NotConvertible as error:
            sign = self._loaded(sign["id"])
            if sign["status"] == "converting":
                self._note(sign, "Box Sign", str(error), "")
                sign["error_code"] = "document_conversion_failed"
                self._end(sign, "error_converting")
            return
        sign = self._loaded(sign["id"])
        if sign["status"] != "converting":
            return
        try:
            with self._state.change():
                self._prepare(sign, sources, made)
        except BoxError as error:  # the folder is gone
            sign["error_code"] = error.code
            sign["sign_files"] = []
            self._end(sign, "error_sending")

    def _prepare(self, sign: Doc, sources: list[Doc], made: list[bytes]) -> None:
        for file, content in zip(sources, made, strict=True):
            stem = file["name"].rpartition(".")[0] or file["name"]
            name = self._items.free_name(sign["folder"], f"{stem}.pdf", sign["user"])
            copy = self._items.create_file(
                sign["folder"], name, content, sign["user"], maker=BOX_SIGN
            )
            self._parts.events.about("FILE.UPLOADED", copy, self._parts.apps.user(BOX_SIGN))
            sign["sign_files"].append(copy["id"])
        first = next(one for one in sign["signers"] if decides(one))
        first["inputs"] = [input_of(tag) for tag in sign["prefill_tags"]]
        sign["status"] = "sent"
        if sign["are_reminders_enabled"]:
            now = self._clock.now()
            sign["reminders"] = [to_micros(now + timedelta(days=day)) for day in _REMINDERS]
        self._ask(sign)
        self._save(sign)

    def _ask(self, sign: Doc) -> None:
        """Mails those whose turn it is."""
        asked = [signer for signer in current(sign) if not signer["asked"]]
        for signer in asked:
            signer["asked"] = True
            self._note(sign, "Box Sign", f"asked {signer['email']}", "")
            if not signer["suppress_notifications"]:
                self._parts.stage.mail(*sign_mails.request(sign, signer))
        if asked:
            sign["mailed"] = to_micros(self._clock.now())
            self._tell(sign, *_ASKED)

    def _go_on(self, sign: Doc) -> None:
        """After a decision: the next signers, or the end."""
        if current(sign):
            self._ask(sign)
            self._save(sign)
            return
        sign["status"] = "finalizing"
        self._save(sign, due_s=self._own_pace(sign)["finalize_s"])

    async def _finalize(self, sign: Doc) -> None:
        """The signing log; then everybody is told."""
        log = await asyncio.to_thread(signing_log, self._facts(sign))
        sign = self._loaded(sign["id"])
        if sign["status"] != "finalizing":
            return
        late_s = self._own_pace(sign)["ready_after_s"]
        with self._state.change():
            name = f"{sign['name'].removesuffix('.pdf')[:200]} Signing Log.pdf"
            with suppress(BoxError):  # the folder is gone: there is no log, but they have signed
                free = self._items.free_name(sign["folder"], plain_name(name), sign["user"])
                made = self._items.create_file(
                    sign["folder"], free, log, sign["user"], maker=BOX_SIGN
                )
                self._parts.events.about("FILE.UPLOADED", made, self._parts.apps.user(BOX_SIGN))
                sign["signing_log"] = made["id"]
            sign["ready"] = late_s <= 0
            sign["status"] = "signed"
            sign["finished_at"] = stamp(self._clock.now())
            self._save(sign, due_s=None if sign["ready"] else late_s)
            self._tell(sign, "SIGN_REQUEST.COMPLETED")
            for signer in sign["signers"]:
                self._parts.stage.mail(*sign_mails.copy(sign, signer))

    # Inside

    def _facts(self, sign: Doc) -> Doc:
        files = [self._raw_file(file_id) for file_id in sign["sign_files"]]
        hashes = [hashlib.sha256(self._items.content(file)).hexdigest() for file in files]
        return {
            "name": sign["name"],
            "id": sign["id"],
            "sender": sign["sender"],
            "history": sign["history"],
            "files": [
                {"name": file["name"], "sha256": sha256}
                for file, sha256 in zip(files, hashes, strict=True)
            ],
            "values": [{"tag": tag, "value": value} for tag, value in values_of(sign)],
        }

    def _expired(self, sign: Doc) -> None:
        self._note(sign, "Box Sign", "the request expired", "")
        self._end(sign, "expired")
        self._tell(sign, "SIGN_REQUEST.EXPIRED")

    def _end(self, sign: Doc, status: str) -> None:
        sign["status"] = status
        sign["finished_at"] = stamp(self._clock.now())
        self._save(sign)

    def _tell(self, sign: Doc, *triggers: str) -> None:
        """One event for each of the files. How many Box sends is not known: be ready for all."""
        info = {
            "sign_request_id": sign["id"],
            "signer_emails": [one["email"] for one in sign["signers"] if decides(one)],
            "external_id": sign["external_id"],
        }
        sender = self._parts.apps.user(sign["user"])
        for file_id in sign["sign_files"] or sign["source_files"]:
            for trigger in triggers:
                self._parts.events.about(trigger, self._raw_file(file_id), sender, info)

    def _save(self, sign: Doc, *, due_s: float | None = None) -> None:
        """Keeps it, to be looked at again in `due_s` seconds, or when it expires or reminds."""
        moments = []
        if due_s is not None:
            moments.append(to_micros(self._clock.now() + timedelta(seconds=due_s)))
            sign["due"] = moments[0]
        elif sign["status"] in ("converting", "finalizing"):
            moments.append(sign["due"])
        elif sign["status"] in DECIDING:
            moments += sign["reminders"]
            moments += [sign["expires"]] if sign["expires"] else []
        name = f"{WAITING}{min(moments):020d}" if moments else SETTLED
        self._state.put(SIGN, sign["id"], sign, owner=sign["user"], name=name)

    def _loaded(self, sign_id: str) -> Doc:
        sign = self._state.get(SIGN, sign_id)
        if sign is None:
            raise NotNow("There is no such sign request")
        return sign

    def _undecided(self, sign_id: str) -> Doc:
        sign = self._loaded(sign_id)
        if sign["status"] in FINAL:
            raise NotNow(f"The request is {sign['status']}, and stays so")
        return sign

    def _decidable(self, sign_id: str, index: int) -> tuple[Doc, Doc]:
        sign = self._loaded(sign_id)
        signer = sign["signers"][index]
        if sign["status"] not in DECIDING:
            raise NotNow(f"The request is {sign['status']}")
        if signer["signer_decision"] is not None:
            raise NotNow("You have decided already")
        if not signer["asked"]:
            raise NotNow("It is not your turn yet")
        return sign, signer

    def _mark(self, sign: Doc, index: int, written: str) -> Mark:
        signers = [one for one in sign["signers"] if one["role"] == "signer"]
        return Mark(
            number=1 + signers.index(sign["signers"][index]),
            name=written,
            email=sign["signers"][index]["email"],
            written=written,
            when=self._clock.now(),
            sign_request_id=sign["id"],
        )

    def _decide(self, sign: Doc, signer: Doc, kind: str, info: str | None) -> None:
        at = stamp(self._clock.now())
        signer["has_viewed_document"] = True
        signer["signer_decision"] = {"type": kind, "finalized_at": at, "additional_info": info}

    def _note(self, sign: Doc, who: str, what: str, where: str) -> None:
        at = f"{self._clock.now():%Y-%m-%d %H:%M:%S}"
        sign["history"].append({"at": at, "who": who, "what": what, "where": where})

    def _own_pace(self, sign: Doc) -> dict[str, float]:
        own: dict[str, float] = sign.get("pace", {})
        return self.pace() | own

    def _raw_file(self, file_id: str) -> Doc:
        """A file, wherever it is now."""
        file = self._state.get("box_item", f"file/{file_id}")
        if file is None:
            raise NotNow("A file of the request is gone")
        return file


def _all_signed(notary: Notary, contents: list[bytes], mark: Mark) -> list[bytes]:
    return [notary.signed(content, mark) for content in contents]
