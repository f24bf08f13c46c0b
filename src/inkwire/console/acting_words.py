"""What the console calls acting: states of work, connections, integrations, creates, workers."""

from collections.abc import Mapping

from inkwire.engine.contract import IntegrationKind
from inkwire.model.work import (
    ErrorKind,
    LedgerState,
    ParkCause,
    StepResult,
    Work,
    WorkState,
)
from inkwire.pages.marks import Mark, Tone

#: What an upkeep run's entity begins with.
UPKEEP = "integration:"

WORK_MARKS: Mapping[WorkState, Mark] = {
    WorkState.NEW: Mark(
        word="Waiting",
        icon="clock",
        tone=Tone.WAITING,
        meaning="It starts by itself when it is due and nothing else about the same thing runs.",
    ),
    WorkState.RUNNING: Mark(
        word="Running", icon="play", tone=Tone.WAITING, meaning="A worker is at it now."
    ),
    WorkState.PARKED: Mark(
        word="Parked",
        icon="circle-pause",
        tone=Tone.ATTENTION,
        meaning="It does not start until its cause clears.",
    ),
    WorkState.DONE: Mark(
        word="Done", icon="circle-check", tone=Tone.OK, meaning="All that it was for is done."
    ),
    WorkState.DEAD: Mark(
        word="Dead letter",
        icon="circle-x",
        tone=Tone.FAILED,
        meaning="It failed for good, and only a person starts it again.",
    ),
    WorkState.CANCELLED: Mark(
        word="Cancelled",
        icon="circle-minus",
        tone=Tone.NEUTRAL,
        meaning="A person ended it; retry starts it again.",
    ),
}
PARKED: Mapping[ParkCause, Mark] = {
    ParkCause.CONNECTION: Mark(
        word="Waits: connection",
        icon="plug",
        tone=Tone.ATTENTION,
        meaning="Its connection needs attention; it goes on once that is well again.",
    ),
    ParkCause.LIMIT: Mark(
        word="Waits: limit",
        icon="circle-pause",
        tone=Tone.WAITING,
        meaning="The vendor's limit is used up; it goes on by itself when that frees.",
    ),
    ParkCause.PERSON: Mark(
        word="Waits for you",
        icon="circle-help",
        tone=Tone.ATTENTION,
        meaning="Only a person can say how it goes on; its page has the question.",
    ),
    ParkCause.MAPPING: Mark(
        word="Waits: no record",
        icon="circle-help",
        tone=Tone.ATTENTION,
        meaning="Nobody knows yet which record it belongs to; it goes on once a folder has one.",
    ),
}
PARKED_WORDS: Mapping[ParkCause, str] = {
    ParkCause.CONNECTION: "Its connection",
    ParkCause.LIMIT: "A vendor's limit",
    ParkCause.PERSON: "A person's decision",
    ParkCause.MAPPING: "A folder's record",
}
STATE_WORDS: Mapping[WorkState, str] = {
    WorkState.NEW: "Waiting",
    WorkState.RUNNING: "Running",
    WorkState.PARKED: "Parked",
    WorkState.DEAD: "Dead letters",
    WorkState.DONE: "Done",
    WorkState.CANCELLED: "Cancelled",
}
#: The end of a title: "Send for signature for order 1042 …".
_ENDS: Mapping[WorkState, str] = {
    WorkState.NEW: "waits to start",
    WorkState.RUNNING: "runs now",
    WorkState.PARKED: "is parked",
    WorkState.DONE: "is done",
    WorkState.DEAD: "failed",
    WorkState.CANCELLED: "was cancelled",
}
_PARKED_ENDS: Mapping[ParkCause, str] = {
    ParkCause.CONNECTION: "waits for its connection",
    ParkCause.LIMIT: "waits for a limit to free",
    ParkCause.PERSON: "waits for your decision",
    ParkCause.MAPPING: "waits until its folder has a record",
}
#: Why something failed, and what helps against all that failed alike.
CAUSES: Mapping[ErrorKind | None, tuple[str, str]] = {
    ErrorKind.TRANSIENT: (
        "The other side did not answer, again and again",
        "Retry once it is reachable; its status page may say when.",
    ),
    ErrorKind.AMBIGUOUS: (
        "Nobody knows whether something was made",
        "Open one and decide; a retry looks for it at the vendor first.",
    ),
    ErrorKind.AUTH: (
        "The connection was refused",
        "Mend the connection, request authentication there, then retry.",
    ),
    ErrorKind.LIMIT: (
        "A limit of the vendor was used up",
        "Retry when it is free again, or ask the vendor for a higher one.",
    ),
    ErrorKind.PERMANENT: (
        "It does not work as it stands",
        "Change what the sentence names, then retry.",
    ),
    None: ("A defect of Inkwire", "Its log says why. Retry after an upgrade."),
}
STEP_MARKS: Mapping[StepResult, tuple[str, str, Tone]] = {
    StepResult.OK: ("Done", "circle-check", Tone.OK),
    StepResult.TRANSIENT: ("Tried again", "rotate-ccw", Tone.WAITING),
    StepResult.AMBIGUOUS: ("Unknown outcome", "circle-help", Tone.ATTENTION),
    StepResult.AUTH: ("Refused", "plug", Tone.ATTENTION),
    StepResult.LIMIT: ("Limit", "circle-pause", Tone.WAITING),
    StepResult.PERMANENT: ("Failed", "circle-x", Tone.FAILED),
    StepResult.HELD: ("Held for you", "circle-help", Tone.ATTENTION),
    StepResult.FENCED: ("Taken over", "arrow-right", Tone.NEUTRAL),
    StepResult.INTERNAL: ("Defect", "triangle-alert", Tone.FAILED),
}
LEDGER_MARKS: Mapping[LedgerState, Mark] = {
    LedgerState.INTENDED: Mark(
        word="Not sent", icon="clock", tone=Tone.NEUTRAL, meaning="Meant, and not sent yet."
    ),
    LedgerState.SENDING: Mark(
        word="Being sent",
        icon="send",
        tone=Tone.WAITING,
        meaning="Sent, and not confirmed yet. It is looked for before anything is sent again.",
    ),
    LedgerState.DONE: Mark(
        word="Made", icon="circle-check", tone=Tone.OK, meaning="It exists at the vendor."
    ),
    LedgerState.DOUBT: Mark(
        word="In doubt",
        icon="circle-help",
        tone=Tone.ATTENTION,
        meaning="It was sent, no answer came, and it was not found. A person decides.",
    ),
    LedgerState.REPEAT: Mark(
        word="To be repeated",
        icon="rotate-ccw",
        tone=Tone.WAITING,
        meaning="A person said: send it once more.",
    ),
    LedgerState.ABANDONED: Mark(
        word="Left",
        icon="circle-minus",
        tone=Tone.NEUTRAL,
        meaning="A person said: leave it as it is.",
    ),
}


def work_mark(work: Work) -> Mark:
    """The state of work, with its cause if it is parked."""
    if work.state is WorkState.PARKED and work.park_cause is not None:
        return PARKED[work.park_cause]
    return WORK_MARKS[work.state]


def work_ends(work: Work) -> str:
    """How its title ends: "waits for your decision"."""
    if work.state is WorkState.PARKED and work.park_cause is not None:
        return _PARKED_ENDS[work.park_cause]
    return _ENDS[work.state]


def workflow_title(workflow: str, titles: Mapping[str, str]) -> str:
    """By `titles` of its kind, or the name made readable: `bring_home` → "Bring home"."""
    plain = workflow.replace("_", " ")
    return titles.get(workflow, plain[:1].upper() + plain[1:])


def titles_of(kind: IntegrationKind) -> Mapping[str, str]:
    """Titles that a kind gives its workflows; it may give none."""
    titles: Mapping[str, str] = getattr(kind, "workflow_titles", {})
    return titles


def step_title(name: str) -> str:
    """`upload:tpl_1` → "Upload tpl_1"."""
    head, _, tail = name.partition(":")
    plain = head.replace("_", " ")
    return f"{plain[:1].upper()}{plain[1:]} {tail}".strip()


def duration(micros: int) -> str:
    """Microseconds as a person reads them: `4 ms`, `1.2 s`, `3 min`."""
    if micros < 1_000_000:
        return f"{max(1, round(micros / 1000))} ms"
    seconds = micros / 1_000_000
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"


def every(seconds: int) -> str:
    """`every 5 minutes`, `every hour`."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            number = seconds // size
            return f"every {unit}" if number == 1 else f"every {number} {unit}s"
    return f"every {seconds} seconds"
