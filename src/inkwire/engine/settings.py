"""What an operator and a test can set about the engine."""

from dataclasses import dataclass
from pathlib import Path

from inkwire.config import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSettings:
    """Times are in seconds."""

    #: URL of the main store; the engine's own tables lie beside it.
    store_url: str
    #: Where the executor's id is kept.
    data_dir: Path
    runs_in_flight: int = 32
    #: After which a create whose outcome is unknown may be looked for.
    settle_s: float = 120.0
    #: Between two heartbeats of an executor.
    beat_s: float = 5.0
    #: Without a heartbeat, after which its runs are taken over.
    dead_after_s: float = 25.0
    #: Longest wait without asking the store: what a dead worker held moves no counter.
    sweep_s: float = 5.0
    #: Between two looks for runs of ours that nobody executes.
    repair_s: float = 5.0
    #: Longest time for which the note of a step waits for others, so that they share a commit.
    note_s: float = 0.3
    retention_days: int = 30
    grace_s: float = 15.0
    #: Length of a second of the pauses within a run; less only in tests.
    unit_s: float = 1.0
    #: Between looks for runs that were resumed.
    poll_s: float = 1.0


def engine_settings(settings: Settings) -> EngineSettings:
    """The engine's part of a hub's settings."""
    return EngineSettings(
        store_url=settings.store_url,
        data_dir=settings.data_dir,
        runs_in_flight=settings.runs_in_flight,
        settle_s=settings.settle_s,
        dead_after_s=settings.executor_dead_after_s,
        retention_days=settings.run_retention_days,
        grace_s=settings.shutdown_grace_s,
    )
