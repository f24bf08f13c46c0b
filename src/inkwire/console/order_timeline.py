"""An order's timeline as a person reads it, and what happens next. Pure but for addresses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from inkwire.console import order_words as words
from inkwire.model.document import SignRequest, SignState
from inkwire.model.order import Order, OrderStatus, TimelineLine
from inkwire.model.work import ParkCause, Work, WorkState
from inkwire.pages import times
from inkwire.pages.marks import Tone

#: An address below the console: path segments and query, as `Visit.url`.
Url = Callable[..., str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """One thing that proves a line."""

    label: str
    value: str
    #: Empty: there is no page for it.
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldLine:
    """One line of the timeline."""

    id: str
    icon: str
    tone: Tone
    text: str
    at: datetime
    #: Time since the line before it.
    gap: str
    actor: str
    proofs: tuple[Proof, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """When something will be."""

    label: str
    at: datetime
    #: What is said once that moment has passed; empty: how long ago.
    late: str = "any moment now"


@dataclass(frozen=True, kw_only=True, slots=True)
class NextLine:
    """Something that will happen, or waits for somebody."""

    icon: str
    tone: Tone
    text: str
    dates: tuple[Due, ...] = ()
    note: str = ""
    url: str = ""
    action: str = ""


def told(
    lines: Sequence[TimelineLine], statuses: Sequence[OrderStatus], url: Url
) -> tuple[ToldLine, ...]:
    """Lines, newest first, as they came."""
    terminal = {status.code: status.terminal for status in statuses}
    found = []
    for line, before in pairwise([*lines, None]):
        if line is None:
            break
        icon, tone = words.line_look(line, terminal)
        found.append(
            ToldLine(
                id=line.id,
                icon=icon,
                tone=tone,
                text=line.text,
                at=line.at,
                gap=times.gap(line.at - before.at) if before else "",
                actor=words.actor_words(line.actor),
                proofs=_proofs(line, url),
            )
        )
    return tuple(found)


def _proofs(line: TimelineLine, url: Url) -> tuple[Proof, ...]:
    """What the line names, each with its page."""
    places: Mapping[str, tuple[str, Callable[[str], str]]] = {
        "event": ("Event", lambda one: url("events", one)),
        "receipt": ("Receipt", lambda one: url("events", q=one)),
        "work": ("Run", lambda one: url("runs", one)),
        "document": ("Document", lambda one: f"#{one}"),
        "message": ("Message", lambda one: url("messages", one)),
        "sign_request": ("Sign request", lambda one: url("orders", q=one)),
        "integration": ("Integration", lambda one: url("integrations", one)),
    }
    return tuple(
        [
            Proof(label=label, value=line.refs[key], url=place(line.refs[key]))
            for key, (label, place) in places.items()
            if line.refs.get(key)
        ]
    )


def coming(
    order: Order, requests: Sequence[SignRequest], work: Sequence[Work], url: Url
) -> tuple[NextLine, ...]:
    """What happens next: what waits for a person first, then what runs, then who is to sign."""
    urgent = {WorkState.DEAD: 0, WorkState.PARKED: 1, WorkState.RUNNING: 2, WorkState.NEW: 3}
    rows = sorted(work, key=lambda one: urgent.get(one.state, 9))
    return (
        *[_of_work(one, url("runs", one.id)) for one in rows],
        *[line for one in requests if (line := _of_request(order, one)) is not None],
    )


def _of_work(work: Work, url: str) -> NextLine:
    who = f"The integration int_{work.integration_id}"
    if work.state is WorkState.DEAD:
        return NextLine(
            icon="circle-x",
            tone=Tone.FAILED,
            text=f"{who} could not do its work and goes no further by itself.",
            note=work.note,
            url=url,
            action="See the run and retry",
        )
    if work.state is WorkState.PARKED:
        return _parked(work, who, url)
    if work.state is WorkState.RUNNING:
        dates = (Due(label="since", at=work.started_at, late=""),) if work.started_at else ()
        return NextLine(
            icon="play",
            tone=Tone.WAITING,
            text=f"{who} is at work.",
            note=work.note,
            dates=dates,
            url=url,
            action="Watch the run",
        )
    return NextLine(
        icon="clock",
        tone=Tone.WAITING,
        text=f"{who} goes on." if work.run_number > 1 else f"{who} begins its work.",
        note=work.note,
        dates=(Due(label="due", at=work.due_at),),
        url=url,
        action="Open the run",
    )


def _parked(work: Work, who: str, url: str) -> NextLine:
    if work.park_cause is ParkCause.PERSON:
        return NextLine(
            icon="circle-help",
            tone=Tone.ATTENTION,
            text=f"{who} waits for your decision.",
            note=work.note,
            url=url,
            action="Decide",
        )
    if work.park_cause is ParkCause.MAPPING:
        return NextLine(
            icon="circle-help",
            tone=Tone.ATTENTION,
            text=f"{who} waits until its folder has a record.",
            note=work.note,
            url=url,
            action="Open the run",
        )
    limit = work.park_cause is ParkCause.LIMIT
    return NextLine(
        icon="circle-pause",
        tone=Tone.WAITING if limit else Tone.ATTENTION,
        text=f"{who} waits until the limit at the other side frees."
        if limit
        else f"{who} waits until its connection is well again.",
        note=work.note,
        dates=(Due(label="tried again", at=work.due_at),),
        url=url,
        action="Open the run",
    )


def _of_request(order: Order, request: SignRequest) -> NextLine | None:
    dates = [("read again", request.next_check_at), ("expires", request.expires_at)]
    given = tuple([Due(label=label, at=at) for label, at in dates if at is not None])
    if request.state is SignState.OPEN:
        who = request.signer_email or words.signer(order, request)
        return NextLine(
            icon="pen-line", tone=Tone.WAITING, text=f"Waits for {who} to sign.", dates=given
        )
    if request.state is SignState.SIGNED and request.next_check_at is not None:
        return NextLine(
            icon="file-text",
            tone=Tone.WAITING,
            text="Signed; its documents are being fetched.",
            dates=given[:1],
        )
    return None
