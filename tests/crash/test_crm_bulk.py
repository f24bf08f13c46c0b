"""kill -9 around every call of a Bulk job of Tasks: each Task is there once (DESIGN §6).

In every run one life through the calls that make something; INKWIRE_CRASH_KILLS (`make crash`)
plays a life for each point, once and twice, and lives in which workers die at any moment, on both
stores.
"""

import contextlib
import os
from collections import Counter

import pytest

from crash.crm_crew import Crew
from crash.nursery import Nursery
from crash.order_harness import settings_of
from inkwire.hub import open_hub
from inkwire.integrations.box_salesforce.texts import activity_in, marked
from inkwire.model.crm import Activity, ActivityState, BulkJobState
from inkwire.model.event import Origin
from inkwire.model.work import Work
from inkwire.store.open import migrate
from integrations.crm_kit import Crm, connect, integrate

KILLS = int(os.environ.get("INKWIRE_CRASH_KILLS", "0"))
STORES = ["sqlite", "postgresql"] if KILLS else ["sqlite"]
pytestmark = pytest.mark.crash
#: From how many on they go as a job, how many a life has, and seconds until Salesforce begins.
LEAST, TASKS, PACE_S = 20, 45, 30.0
CALLS = ("create_job", "fill_job", "close_job", "job", "job_made", "job_refused")
ALL = [
    *((f"call send_tasks {name} {moment}", 1) for name in CALLS for moment in ("before", "after")),
    *((f"step send_tasks send {moment}", 1) for moment in ("before", "unkept", "after")),
    ("ledger send before", 1),
]
#: In every run: after what Salesforce did and nobody noted.
SAMPLE = (
    ("call send_tasks create_job after", 1),
    ("call send_tasks fill_job after", 1),
    ("call send_tasks close_job after", 1),
    ("call send_tasks job_made after", 1),
    ("step send_tasks send unkept", 1),
)


class Bulk(Crew):
    """So many Tasks at once, some of them on a record that is gone."""

    number = 0

    def live(self):
        """From their notes to Salesforce; what is wrong then."""
        account = self.crm.account()
        fine, gone = self.crm.opportunity(account), self.crm.opportunity(account)
        rows = [self._noted(fine if index else gone) for index in range(TASKS)]
        self.crm.delete("Opportunity", gone)
        self.hub.store.activities.add(rows)
        self.hub.store.works.add([self._work()])
        self.carry_out()
        return self.wrong(rows)

    def wrong(self, rows):
        """Each Task once, and as the hub knows it; the refused one refused; no job under way."""
        store = self.hub.store
        tasks = self.seen()["tasks"]
        marks = Counter(activity_in(one["Description"]) for one in tasks)
        ids = {activity_in(one["Description"]): one["Id"] for one in tasks}
        known = {one.id: one for one in self._activities()}
        found = []
        for row in rows[1:]:
            now = known[row.id]
            if marks[row.id] != 1:
                found.append(f"{row.id}: {marks[row.id]} Tasks")
            elif (now.state, now.task_id) != (ActivityState.DONE, ids[row.id]):
                found.append(f"{row.id}: the hub says {now.state} {now.task_id} {now.note}")
        if known[rows[0].id].state is not ActivityState.FAILED:
            found.append(f"the one on nothing is {known[rows[0].id].state}")
        jobs = store.bulk_jobs.newest(1)
        if not any(one.size for one in jobs):
            found.append("nothing went as a job")
        found += [f"{one.batch_id} is {one.state}" for one in jobs
                  if one.state is not BulkJobState.ENDED]  # fmt: skip
        return found

    def _activities(self):
        found, before = [], None
        store = self.hub.store.activities
        while page := store.page(integration_id=1, before=before, limit=200):
            found += page
            before = page[-1].id
        return found

    def _noted(self, record):
        one = self.hub.ids.new("act")
        now = self.hub.clock.now()
        return Activity(
            id=one, integration_id=1, key=one, subject="Task", description=marked("text", one),
            who_id=None, what_id=record, activity_date=now.date(), work_id="wrk_x", created_at=now,
        )  # fmt: skip

    def _work(self):
        now, one = self.hub.clock.now(), self.hub.ids.new("wrk")
        return Work(
            id=one, integration_id=1, key=one, workflow="send_tasks",
            entity_key="integration:1:send_tasks", origin=Origin.RECONCILED, due_at=now,
            created_at=now,
        )  # fmt: skip


@pytest.fixture(params=STORES)
def server(request):
    """None: the hub's store is SQLite; else where its database is made."""
    return request.getfixturevalue("postgres_server") if request.param == "postgresql" else None


@contextlib.contextmanager
def stand(folder, server, **crew):
    """A hub of its own at a sandbox of its own, whose jobs take their time."""
    with contextlib.ExitStack() as closing:
        url = None if server is None else closing.enter_context(server.database())
        crm = closing.enter_context(contextlib.closing(Crm(folder / "sandbox")))
        nursery = closing.enter_context(contextlib.closing(Nursery()))
        crm.process.call("POST", "/salesforce/pace", {"bulk_s": PACE_S})
        settings = settings_of(folder / "hub", url)
        migrate(settings)
        hub = closing.enter_context(open_hub(settings))
        connect(hub, crm)
        integrate(hub, crm, bulk_from=LEAST)
        one = Bulk(hub, crm, nursery, **crew)
        closing.callback(one.stop)
        one.start()
        yield one


def test_kills_around_the_calls_of_a_job_make_every_task_once(tmp_path, server):
    """Five workers die, each where Salesforce has done something and nobody noted it."""
    with stand(tmp_path, server, kills=SAMPLE) as crew:
        found = crew.live()
        assert not found, "\n".join(found)
        assert crew.killed() == len(SAMPLE)


def test_who_does_not_ask_about_the_job_makes_tasks_twice(tmp_path, server):
    """Negative control: after a kill neither the job is asked nor the marks; the judge sees it."""
    kills = (("call send_tasks close_job after", 1),)
    with stand(tmp_path, server, kills=kills, without="probe") as crew:
        found = crew.live()
        assert crew.killed() == 1
        assert any("2 Tasks" in text for text in found), found


if KILLS:

    @pytest.mark.parametrize("point", ALL, ids=lambda one: one[0].replace(" ", "_"))
    @pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
    def test_a_kill_anywhere_makes_every_task_once(tmp_path, server, point, twice):
        """Once, and again where the next worker comes by the same place."""
        with stand(tmp_path, server, kills=(point, point) if twice else (point,)) as crew:
            found = crew.live()
            assert not found, "\n".join(found)
            assert crew.killed() >= 1, "no worker came by"

    def test_kills_at_any_moment_make_every_task_once(tmp_path, server):
        """Workers that live for seconds; lives until enough of them have died."""
        with stand(tmp_path, server, chances=KILLS) as crew:
            for _ in range(max(1, KILLS // 3)):
                found = crew.live()
                assert not found, "\n".join(found)
            assert crew.by_chance >= KILLS // 4
