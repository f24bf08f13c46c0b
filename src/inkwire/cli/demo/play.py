"""Plays the demo: the sending part, then the acts one after the other; compares what came."""

import asyncio
import contextlib
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

from inkwire.access.gate import CLI
from inkwire.cli.demo import acts
from inkwire.cli.demo.acts import Shot
from inkwire.cli.demo.instep import InStep
from inkwire.cli.demo.oracle import Oracle, Outcome, Tally
from inkwire.cli.demo.sending import Sending
from inkwire.cli.demo.signing import Signing
from inkwire.cli.demo.sink import Sink, open_sink
from inkwire.cli.demo.stage import Stage, stage
from inkwire.cli.demo.vendor import Vendor, vendor
from inkwire.cli.outgoing import Answer, post, session
from inkwire.model.document import DocumentKind
from inkwire.model.event import EventState
from inkwire.model.source import Secret
from inkwire.store.contract import MAX_PAGE, EventQuery, RejectionQuery

if TYPE_CHECKING:
    from inkwire.cli.demo.stage import Actor

#: Seconds that a rotated-out key still counts; all of the act must fit in.
OVERLAP_S = 5
#: Seconds in which a changed source is in effect in every process (it should take a tenth).
IN_EFFECT_S = 1.2
#: Seconds that the worker and the rejected log get to catch up.
SETTLE_S = 8.0
#: What is put into the opportunity's folder if no order was made.
_PLAIN = b"%PDF-1.4\n%%EOF\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """One request that was sent, what must come of it, and what the hub said."""

    shot: Shot
    outcome: Outcome
    answer: Answer
    body: bytes = field(default=b"", repr=False)

    @property
    def problem(self) -> str:
        """What is not as it must be: the answer, or what comes of the act; empty if all is."""
        what = f"{self.shot.act.title}, {self.shot.source_id}"
        if self.answer.status != self.outcome.status:
            return f"{what}: must be answered {self.outcome.status}, came: {self.answer.line}"
        if not self.shot.act.fits(self.outcome):
            states = ", ".join(self.outcome.states) or str(self.outcome.reason)
            return f"{what}: by its provider's own code this is {self.outcome.status}, {states}"
        return ""


@dataclass(kw_only=True, slots=True)
class Play:
    """Everything that was sent, and what the store holds now."""

    oracle: Oracle = field(default_factory=Oracle)
    sent: list[Sent] = field(default_factory=list)
    stored: dict[str, Tally] = field(default_factory=dict)
    #: Events that the worker has not handed on.
    waiting: int = 0
    seconds: float = 0.0
    #: The sending part, once it began.
    sending: Sending | None = None
    #: The signing part, once it began.
    signing: Signing | None = None
    #: The Salesforce part, once it began.
    instep: InStep | None = None

    def differences(self) -> list[str]:
        """Every way in which the hub is not as it must be, in words."""
        wrong = [one.problem for one in self.sent if one.problem]
        if self.sending is not None:
            wrong += self.sending.differences()
        if self.signing is not None:
            wrong += self.signing.differences()
        if self.instep is not None:
            wrong += self.instep.differences()
        return wrong + self.unsettled()

    def unsettled(self) -> list[str]:
        """What the store does not hold as it must, or not yet."""
        wrong = [
            f"{source_id}: the store must hold {_counted(tally)}, "
            f"it holds {_counted(self.stored.get(source_id, Tally()))}"
            for source_id, tally in sorted(self.oracle.tallies.items())
            if self.stored.get(source_id) != tally
        ]
        if self.waiting:
            wrong.append(f"the worker has not handed on {self.waiting} events")
        return wrong


def perform(*, end: bool, port: int, folder: Path | None) -> bool:
    """The whole demo; returns whether everything was as it must be.

    Raises ConfigError for a folder that is not empty, InkwireError if the hub does not start.
    """
    out = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clears the folder away, too
    with contextlib.suppress(KeyboardInterrupt):
        started = time.monotonic()
        out.print("[bold]Starting a hub on an empty folder …[/bold]")
        with stage(port=port, folder=folder) as built, vendor(built.folder) as box:
            return asyncio.run(_perform(built, box, out, started=started, end=end))
    return True


async def _perform(built: Stage, box: Vendor, out: Console, *, started: float, end: bool) -> bool:
    """Plays, reports and, unless it is to end, stays: the subscriber, too, keeps listening."""
    from inkwire.cli.demo import report

    async with session(timeout_s=10) as client, open_sink() as sink:
        play = await _play(built, box, out, client, sink)
        play.seconds = time.monotonic() - started
        report.tables(out, built, play)
        right = not play.differences()
        report.farewell(out, built, play, stays=not end)
        while not end and built.process.poll() is None:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.2)
        return right


async def _play(
    built: Stage, box: Vendor, out: Console, client: aiohttp.ClientSession, sink: Sink
) -> Play:
    play = Play()
    with _bar(out) as bar:
        play.sending = Sending(built=built, sink=sink, client=client, bar=bar)
        await play.sending.perform()
        play.signing = Signing(
            built=built,
            vendor=box,
            sink=sink,
            client=client,
            bar=bar,
            application_id=play.sending.application.id,
        )
        await play.signing.perform()
        play.instep = InStep(
            built=built,
            vendor=box,
            client=client,
            bar=bar,
            content=await asyncio.to_thread(_contract, built),
        )
        await play.instep.perform()
        show = _Show(built=built, play=play, client=client, bar=bar)
        await show.send(s for actor in built.actors for s in acts.samples(actor))
        await show.send(s for actor in built.actors for s in acts.duplicates(actor))
        old, ends_at = _rotate(built), time.monotonic() + OVERLAP_S
        await show.wait("the rotated keys take effect", time.monotonic() + IN_EFFECT_S)
        await show.send(_with_new_key(built))
        await show.send(_with(acts.OLD_KEY, old))
        now = built.hub.clock.now()
        await show.send(
            s for actor in built.actors for s in acts.forgeries(actor, play.oracle, now)
        )
        await show.send(acts.strayed(built.actors[0]))
        await show.wait("the old keys end", ends_at + 0.1)
        await show.send(_with(acts.ENDED_KEY, old))
        await show.settle()
        await play.sending.forwarded({one.body for one in play.sent})
    return play


def _contract(built: Stage) -> bytes:
    """The PDF that was made for the first order: a contract as good as any."""
    documents = built.hub.store.orders.by_number("1042")
    kept = built.hub.documents.of_order(documents.id) if documents is not None else []
    found = next((one for one in kept if one.kind is DocumentKind.PREPARED), None)
    return built.hub.documents.content(found.id) if found is not None else _PLAIN


def _rotate(built: Stage) -> list[tuple["Actor", Secret]]:
    """Gives every source a new key; returns the old ones, which count for a while yet."""
    old = []
    for actor in built.actors:
        first, value = actor.secrets[0], actor.another_secret()
        info, _ = built.hub.desk.rotate(
            CLI, actor.source_id, role=first.role, value=value, overlap_s=OVERLAP_S
        )
        actor.rotated(
            Secret(id="second", role=first.role, value=value.encode()),
            old_ends_at=info.created_at + timedelta(seconds=OVERLAP_S),
        )
        old.append((actor, first))
    return old


def _with_new_key(built: Stage) -> Iterator[Shot]:
    for actor in built.actors:
        yield from acts.signed_with(acts.NEW_KEY, actor, actor.secrets[0])


def _with(act: acts.Act, secrets: list[tuple["Actor", Secret]]) -> Iterator[Shot]:
    for actor, secret in secrets:
        yield from acts.signed_with(act, actor, secret)


@dataclass(kw_only=True, slots=True)
class _Show:
    """The sending, with a progress bar."""

    built: Stage
    play: Play
    client: aiohttp.ClientSession
    bar: Progress

    async def send(self, shots: Iterable[Shot]) -> None:
        """Sends each, act by act, and notes what must come of it."""
        made: dict[str, list[Shot]] = {}
        for shot in shots:
            made.setdefault(shot.act.title, []).append(shot)
        for title, same in made.items():
            await self._send_all(same, self.bar.add_task(title, total=len(same)))

    async def _send_all(self, shots: list[Shot], task: TaskID) -> None:
        for shot in shots:
            now = self.built.hub.clock.now()
            request = shot.make(now)
            if shot.act in (acts.OVERSIZED, acts.UNKNOWN):
                outcome = Outcome(status=shot.act.status, reason=shot.act.reason)
                self.play.oracle.note(shot.source_id, outcome)
            else:
                outcome = self.play.oracle.sent(shot.actor, request, now)
            answer = await post(self.client, f"{self.built.url}/in/{shot.source_id}", request)
            self.play.sent.append(
                Sent(shot=shot, outcome=outcome, answer=answer, body=request.body)
            )
            self.bar.advance(task)

    async def wait(self, why: str, until: float) -> None:
        """Waits, and says for what. `until`: monotonic seconds."""
        left = until - time.monotonic()
        if left <= 0:
            return
        task = self.bar.add_task(f"[dim]waiting until {why}[/dim]", total=None)
        await asyncio.sleep(left)
        self.bar.update(task, total=1, completed=1)

    async def settle(self) -> None:
        """Reads the store until it agrees with the oracle, or the patience ends."""
        task = self.bar.add_task("comparing the store with what was sent", total=None)
        give_up_at = time.monotonic() + SETTLE_S
        while True:
            await asyncio.to_thread(_read_store, self.built, self.play)
            if not self.play.unsettled() or time.monotonic() > give_up_at:
                break
            await asyncio.sleep(0.1)
        self.bar.update(task, total=1, completed=1)


def _read_store(built: Stage, play: Play) -> None:
    store = built.hub.store
    for source_id in play.oracle.tallies:
        refusals = store.events.rejections(RejectionQuery(source_id=source_id, limit=MAX_PAGE))
        play.stored[source_id] = Tally(
            states=Counter(_states(built, source_id)),
            refusals=Counter(row.reason for row in refusals),
        )
    play.waiting = store.dispatch.backlog()


def _states(built: Stage, source_id: str) -> Iterator[EventState]:
    query = EventQuery(source_id=source_id, limit=MAX_PAGE)
    while page := built.hub.store.events.page(query):
        yield from (event.state for event in page)
        query = EventQuery(source_id=source_id, limit=MAX_PAGE, before=page[-1].id)


def _counted(tally: Tally) -> str:
    parts = [f"{number} {state.value}" for state, number in sorted(tally.states.items())]
    parts += [
        f"{number} refused {reason.value}" for reason, number in sorted(tally.refusals.items())
    ]
    return ", ".join(parts) or "nothing"


def _bar(out: Console) -> Progress:
    return Progress(
        TextColumn("  {task.description}", table_column=Column(min_width=42)),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=out,
    )
