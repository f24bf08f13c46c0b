"""What the console calls connections, integrations and workers, and what it says was done."""

from collections.abc import Mapping
from datetime import datetime

from inkwire.model.connection import Connection, ConnectionHealth
from inkwire.model.work import Executor, IntegrationState
from inkwire.pages.marks import Mark, Tone

HEALTH: Mapping[ConnectionHealth, Mark] = {
    ConnectionHealth.UNCHECKED: Mark(
        word="Not checked",
        icon="circle-help",
        tone=Tone.NEUTRAL,
        meaning="Nobody knows yet whether it works. Press “Request authentication”.",
    ),
    ConnectionHealth.OK: Mark(
        word="Working",
        icon="circle-check",
        tone=Tone.OK,
        meaning="The last call by it was let in.",
    ),
    ConnectionHealth.NEEDS_ATTENTION: Mark(
        word="Needs attention",
        icon="triangle-alert",
        tone=Tone.ATTENTION,
        meaning="Its calls are refused. Work that needs it waits and is not lost.",
    ),
}
INTEGRATIONS: Mapping[IntegrationState, Mark] = {
    IntegrationState.ACTIVE: Mark(
        word="Active",
        icon="circle-check",
        tone=Tone.OK,
        meaning="New work is made and started.",
    ),
    IntegrationState.PAUSED: Mark(
        word="Paused",
        icon="circle-pause",
        tone=Tone.WAITING,
        meaning="New work is made and waits; none is started until it is resumed.",
    ),
    IntegrationState.INACTIVE: Mark(
        word="Inactive",
        icon="circle-minus",
        tone=Tone.NEUTRAL,
        meaning="Orders make no new work. What is under way is still seen through.",
    ),
}


def health_mark(connection: Connection) -> Mark:
    """How a connection does, its own sentence as the meaning."""
    mark = HEALTH[connection.health]
    note = connection.health_note
    if connection.health is not ConnectionHealth.NEEDS_ATTENTION or not note:
        return mark
    return Mark(word=mark.word, icon=mark.icon, tone=mark.tone, meaning=note)


def worker_mark(executor: Executor, now: datetime, *, dead_after_s: float) -> Mark:
    """Whether a worker is there; `dead_after_s`: without a heartbeat its runs are taken over."""
    if executor.stopped_at is not None:
        return Mark(
            word="Stopped",
            icon="circle-minus",
            tone=Tone.NEUTRAL,
            meaning="It ended in good order; nothing of it has to be taken over.",
        )
    if (now - executor.beat_at).total_seconds() > dead_after_s:
        return Mark(
            word="Silent",
            icon="triangle-alert",
            tone=Tone.ATTENTION,
            meaning="No heartbeat for too long: another worker takes its runs over.",
        )
    return Mark(word="Working", icon="circle-check", tone=Tone.OK, meaning="Its heart beats.")


#: What the next page says after something was done.
SAID: Mapping[str, str] = {
    "connection_made": "Kept, encrypted. A worker tries it now; the result stands below.",
    "connection_saved": "Saved. A worker tries it now; the result stands below.",
    "connection_asked": "Asked. A worker fetches a token and tries every scope.",
    "connection_to_sign_in": "Kept, encrypted. Now connect it: sign in at the vendor.",
    "connection_signed_in": "Signed in. A worker tries it now; the result stands below.",
    "connection_deleted": "Deleted, with its secrets.",
    "integration_made": "Made, inactive. See below what is missing, then activate it.",
    "integration_saved": "Saved. It counts from the next run on.",
    "integration_active": "Active. New work is made and started from now on.",
    "integration_paused": "Paused. New work is kept and waits until you resume it.",
    "integration_inactive": "Inactive. What is under way is still seen through.",
    "upkeep_asked": "Started. It runs as soon as a worker is free.",
    "work_retried": "Started again. It runs as soon as a worker is free.",
    "work_replayed": "Runs once more. What was made at the vendor is not made twice.",
    "work_cancelled": "Cancelled. Nothing more is done about it.",
    "work_ends": "Asked. The run ends before its next step.",
    "work_decided": "Noted. It goes on as you said.",
    "dry_run_asked": "Asked. A worker plays the run through without sending anything.",
    "dead_retried": "Started {n} dead letters again.",
    "dead_retried_some": "Started {n} dead letters again. There are others: press it once more.",
}
