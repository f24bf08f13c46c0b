"""The durable workflows' library, DBOS: the only module that names it (DESIGN §4).

Opened when there is something to run, because it costs memory, and inside the worker's event loop,
which it then uses for every workflow. Kept in `engine.db` beside the SQLite store, or in the schema
`inkwire_engine` of the PostgreSQL store. What it holds are ids, never payloads or tokens.
"""

import asyncio
import contextvars
import json
import logging
import os
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from inkwire.engine.runs import Outdated, Stopped
from inkwire.engine.turns import in_turns

#: Part of every open run's record. A run is only continued under the version that it began with,
#: so this changes only together with a migration of open runs; never with a release by itself.
APPLICATION_VERSION = "1"
#: Starts of one run after which it counts as what kills its worker.
MAX_RECOVERY_ATTEMPTS = 5
SCHEMA = "inkwire_engine"
_WORKFLOW = "inkwire_run"
_IDS = 500

#: What executes a run: (work id, run number) → what the journal keeps of its end.
Body = Callable[[str, int], Awaitable[dict[str, Any]]]

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Journalled:
    """What the library knows of one run."""

    #: PENDING, ENQUEUED, SUCCESS, ERROR, CANCELLED, MAX_RECOVERY_ATTEMPTS_EXCEEDED …
    state: str
    executor_id: str | None
    queue: str | None
    #: What its body returned, if it came to its end.
    output: Any = None


class JsonSerializer:
    """Values and errors as JSON text; the library's own default would execute what it reads."""

    def name(self) -> str:
        """Kept beside each value."""
        return "inkwire_json"

    def serialize(self, data: Any) -> str:
        """Raises TypeError for what is no JSON."""
        if isinstance(data, BaseException):
            return json.dumps({"error": f"{type(data).__name__}: {data}"})
        return json.dumps({"value": data}, ensure_ascii=False)

    def deserialize(self, serialized_data: str) -> Any:
        """The value; an error comes back as a RuntimeError with its text."""
        kept = json.loads(serialized_data)
        return RuntimeError(kept["error"]) if "error" in kept else kept["value"]


class DurableJournal:
    """See `runs.Journal`; valid inside the body of a run."""

    async def step(self, name: str, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Keeps the outcome under the run, the step's place and its name."""
        from dbos import DBOS, error  # noqa: PLC0415 - loaded when it is used

        try:
            return await DBOS.run_step_async({"name": name}, do)
        except (error.DBOSUnexpectedStepError, error.DBOSStepNondeterminismError) as fault:
            raise Outdated from fault
        except (error.DBOSWorkflowConflictIDError, error.DBOSWorkflowCancelledError) as fault:
            raise Stopped from fault
        except Exception as fault:
            # `do` raises none, so its outcome could not be kept: the run is resumed from before it.
            log.warning("engine.not_journalled", step=name, error=str(fault))
            raise Stopped from fault

    async def sleep(self, seconds: float) -> None:
        """Keeps the moment of waking."""
        from dbos import DBOS  # noqa: PLC0415
        from dbos import error as errors  # noqa: PLC0415

        try:
            await DBOS.sleep_async(seconds)
        except (errors.DBOSUnexpectedStepError, errors.DBOSStepNondeterminismError) as fault:
            raise Outdated from fault
        except (errors.DBOSWorkflowConflictIDError, errors.DBOSWorkflowCancelledError) as fault:
            raise Stopped from fault
        except Exception as fault:
            log.warning("engine.not_journalled", step="sleep", error=str(fault))
            raise Stopped from fault


class Runtime:
    """The library, opened once in a process."""

    def __init__(self, store_url: str, *, threads: int, poll_s: float = 1.0) -> None:
        """`store_url`: of the main store. `threads`: for steps and for the rest of the loop.

        `poll_s`: seconds between looks for runs that were resumed.
        """
        self._store_url = store_url
        self._threads = threads
        self._poll_s = poll_s
        self._executor_id = ""
        self._engine: Any = None
        self._run: Any = None

    @property
    def opened(self) -> bool:
        """Whether `open` was called."""
        return self._run is not None

    @property
    def queue(self) -> str:
        """Of this executor alone: what it resumes, it runs."""
        return f"inkwire-{self._executor_id}"

    async def open(self, executor_id: str, body: Body) -> None:
        """Opens it and continues what this executor left behind. Call it in the worker's loop.

        Raises whatever the library raises; nothing of it is open then.
        """
        self._executor_id = executor_id
        await asyncio.to_thread(_load)
        where = await asyncio.to_thread(self._place)
        try:
            self._run = await self._launch(where, body)
        except BaseException:
            await self._let_go()
            raise
        log.info("engine.opened", executor_id=executor_id)

    async def _launch(self, where: Mapping[str, Any], body: Body) -> Any:
        from dbos import DBOS  # noqa: PLC0415

        async def run(work_id: str, run_number: int) -> dict[str, Any]:
            return await body(work_id, run_number)

        registered = DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=MAX_RECOVERY_ATTEMPTS)(run)
        config: Any = {
            "name": "inkwire",
            "application_version": APPLICATION_VERSION,
            "executor_id": self._executor_id,
            "serializer": JsonSerializer(),
            "dbos_system_schema": SCHEMA,
            "use_listen_notify": False,
            "max_executor_threads": self._threads,
            "log_level": "WARNING",
            **where,
        }
        DBOS(config=config)
        DBOS.listen_queues([self.queue])
        DBOS.launch()  # on the loop's own thread: that is how it learns which loop to use
        await DBOS.register_queue_async(
            self.queue, polling_interval_sec=self._poll_s, on_conflict="always_update"
        )
        return registered

    async def start(self, run_id: str, work_id: str, run_number: int) -> None:
        """Starts a run; nothing happens if that id is known."""
        from dbos import DBOS, SetWorkflowID  # noqa: PLC0415

        with SetWorkflowID(run_id):
            await DBOS.start_workflow_async(self._run, work_id, run_number)

    def known(self, run_ids: Sequence[str]) -> Mapping[str, Journalled]:
        """What is known of these runs. Not to be called on the loop."""
        from dbos import DBOS  # noqa: PLC0415

        found: dict[str, Journalled] = {}
        for start in range(0, len(run_ids), _IDS):
            for row in DBOS.list_workflows(
                workflow_ids=list(run_ids[start : start + _IDS]), load_input=False
            ):
                found[row.workflow_id] = Journalled(
                    state=row.status,
                    executor_id=row.executor_id,
                    queue=row.queue_name,
                    output=row.output,
                )
        return found

    def tries(self, run_id: str) -> list[tuple[str, Any]]:
        """Names and values of a run's entries, in order. Not to be called on the loop.

        Nor within a run, as far as the library can tell: it would count the call as a step.
        """
        from dbos import DBOS  # noqa: PLC0415

        found = contextvars.Context().run(DBOS.list_workflow_steps, run_id)
        return [(one["function_name"], one["output"]) for one in found]

    def resume(self, run_ids: Sequence[str]) -> None:
        """Has runs that nobody executes continued here. Not to be called on the loop."""
        from dbos import DBOS  # noqa: PLC0415

        if run_ids:
            DBOS.resume_workflows(list(run_ids), queue_name=self.queue)

    def pending(self, executor_id: str) -> list[str]:
        """Runs that an executor had in hand. Not to be called on the loop."""
        from dbos import DBOS  # noqa: PLC0415

        rows = DBOS.list_workflows(
            status="PENDING", executor_id=executor_id, load_input=False, load_output=False
        )
        return [row.workflow_id for row in rows]

    def forget(self, *, before: datetime, limit: int) -> int:
        """Deletes up to `limit` runs that ended before; how many. Not to be called on the loop."""
        from dbos import DBOS  # noqa: PLC0415

        rows = DBOS.list_workflows(
            completed_before=before.isoformat(),
            status=["SUCCESS", "ERROR", "CANCELLED"],
            limit=limit,
            load_input=False,
            load_output=False,
        )
        if rows:
            DBOS.delete_workflows([row.workflow_id for row in rows])
        return len(rows)

    async def close(self) -> None:
        """Lets go of everything; what is in hand stays as it is, to be continued later."""
        if self.opened:
            await self._let_go()

    async def _let_go(self) -> None:
        from dbos import DBOS  # noqa: PLC0415

        self._run = None
        loop = asyncio.get_running_loop()
        # It had made its own threads the loop's; those end now, and others still need some.
        loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix="inkwire"))
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        if self._engine is not None:
            await asyncio.to_thread(self._engine.dispose)
            self._engine = None

    def _place(self) -> dict[str, Any]:
        """Where it keeps its tables."""
        import sqlalchemy as sa  # noqa: PLC0415

        url = sa.make_url(self._store_url)
        if url.get_backend_name() == "sqlite":
            path = Path(url.database or "").with_name("engine.db")
            # For nobody else, as the store beside it: it holds signers' addresses and reasons.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            with closing(sqlite3.connect(path)) as conn:
                conn.execute("PRAGMA journal_mode = WAL")  # it stays; the library never sets it
            return {
                "system_database_url": f"sqlite:///{path.absolute()}",
                "db_engine_kwargs": {
                    "connect_args": {"factory": in_turns()},
                    "pool_pre_ping": False,  # a file does not go away
                },
            }
        # An engine of ours: it needs no right to look into other databases or to make one.
        self._engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=8,
            max_overflow=24,
            pool_timeout=30,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"application_name": "inkwire-engine", "connect_timeout": 5},
        )
        return {"system_database_engine": self._engine}


def _load() -> None:
    """Imports the library off the loop, with its log in ours: warnings only."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())  # else it adds one that writes to the console
    import dbos  # noqa: F401, PLC0415 - loaded when it is used
