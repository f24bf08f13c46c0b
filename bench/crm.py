"""Files and Tasks from Box to Salesforce through the sandbox: calls, speed, memory.

    python -m bench.crm                     300 files and 1,000 Tasks, then 10,000 as a Bulk job
    python -m bench.crm --files 2000        more of them
    python -m bench.crm --large             one file of 2 GB, and what the worker's memory grows by

A real worker does it; the calls are those that the sandbox's Salesforce counted against the day.
Exits with 1 if a bar of DESIGN §10 is missed, or anything came twice or not at all.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from bench.house import started
from inkwire.access.gate import CLI
from inkwire.config import load_settings
from inkwire.hub import open_hub
from inkwire.integrations.box_salesforce.texts import activity_in, marked
from inkwire.integrations.desk import IntegrationChange
from inkwire.model.crm import Activity, ActivityState, AttachmentState
from inkwire.model.work import Work, WorkState
from inkwire.store.crm import AttachmentQuery
from inkwire.store.open import migrate
from integrations.crm_kit import Crm, bytes_of, connect, integrate

#: Bars of DESIGN §10.
CALLS_A_FILE, CALLS_A_THOUSAND, GROWTH_MB = 1.1, 10.0, 64.0
ACCOUNTS, FILE_BYTES, MEGABYTE = 10, 50_000, 1024 * 1024
STALLED_S = 600.0
#: Calls that Salesforce counts begin so in the sandbox's journal.
API = "/services/data/"


class Place:
    """A hub, a sandbox, and opportunities whose folders are known."""

    def __init__(self, hub, crm, number):
        self.hub = hub
        self.crm = crm
        self.records = [crm.opportunity(crm.account()) for _ in range(number)]
        self.deals = [crm.deal(opportunity_id=one) for one in self.records]

    def row(self, workflow, entity, number, **subject):
        """A row, as an event would make it."""
        now = self.hub.clock.now()
        return Work(
            id=self.hub.ids.new("wrk"),
            integration_id=1,
            key=f"bench/{workflow}/{number}",
            workflow=workflow,
            entity_key=entity,
            subject={"actor": "Jane Doe", "actor_email": "jane@example.com",
                     "at": now.isoformat(), **subject},
            due_at=now,
            created_at=now,
        )  # fmt: skip

    def uploaded(self, made):
        """The row of an upload."""
        file_id, version_id = str(made["id"]), str(made["file_version"]["id"])
        return self.row("sync_file", f"box:file:{file_id}", version_id, file_id=file_id,
                        version_id=version_id, trigger="FILE.UPLOADED")  # fmt: skip


def until(count, found, what):
    """Waits until `found()` is `count`, or stands still for ten minutes; seconds."""
    begun = moved = time.monotonic()
    last = -1
    while (now := found()) < count:
        if now != last:
            last, moved = now, time.monotonic()
            print(f"\r  {what}: {now:,} of {count:,}", end="", flush=True)
        if time.monotonic() - moved > STALLED_S:
            raise SystemExit(f"\n{what}: nothing more happens")
        time.sleep(0.5)
    took = time.monotonic() - begun
    print(f"\r  {what}: {found():,} of {count:,} in {took:.1f} s")
    return took


@contextlib.contextmanager
def counted(crm):
    """What Salesforce counted in the block, and by which calls of its API."""
    found, before, by = {}, crm.calls(), Counter(crm.process.counts())
    yield found
    calls = Counter(crm.process.counts()) - by
    found["used"] = crm.calls(since=before)
    found["by"] = {name: count for name, count in calls.items() if f" {API}" in name}


def bar(text, value, most, unit=""):
    """Prints a figure beside its bar; whether it is held."""
    held = value <= most
    print(f"  {text}: {value:.2f}{unit} (bar: {most:g}{unit}{'' if held else ', MISSED'})")
    return held


def by_call(found):
    """The calls, the most frequent first."""
    for name, count in sorted(found["by"].items(), key=lambda item: -item[1]):
        print(f"    {count:8,}  {name}")


def files(place, count):
    """So many files through Box to their records, and compared there."""
    print(f"{count:,} files of {FILE_BYTES // 1000} kB to {len(place.deals)} opportunities:")
    rows = [
        place.uploaded(
            place.crm.upload(place.deals[number % len(place.deals)], f"File {number}.pdf",
                             bytes_of(FILE_BYTES))
        )
        for number in range(count)
    ]  # fmt: skip
    attachments = place.hub.store.attachments
    with counted(place.crm) as found:
        place.hub.store.works.add(rows)
        took = until(count, lambda: attachments.counts(1).get(AttachmentState.VERIFIED, 0),
                     "proven on their records")  # fmt: skip
    by_call(found)
    there = place.crm.process.call("GET", "/salesforce/files")
    once = len({one["Description"] for one in there}) == len(there) == count
    print(f"  {count / took * 60:.0f} files a minute; in Salesforce {len(there):,}")
    return bar("calls a file", found["used"] / count, CALLS_A_FILE) and once


def tasks(place, count):
    """So many collaborations noted as Tasks."""
    print(f"{count:,} Tasks:")
    rows = []
    for number in range(count):
        folder = place.deals[number % len(place.deals)]
        rows.append(
            place.row("note_activity", f"box:folder:{folder}/{number}", number, folder_id=folder,
                      trigger="COLLABORATION.CREATED", role="viewer",
                      collaborator=f"guest{number}@example.com")
        )  # fmt: skip
    activities = place.hub.store.activities
    with counted(place.crm) as found:
        place.hub.store.works.add(rows)
        took = until(count, lambda: activities.counts(1).get(ActivityState.DONE, 0),
                     "in Salesforce")  # fmt: skip
    by_call(found)
    marks = Counter(activity_in(one["Description"]) for one in place.crm.all("Task"))
    once = len(marks) == sum(marks.values()) == count
    print(f"  {count / took * 60:.0f} Tasks a minute; in Salesforce {sum(marks.values()):,}")
    return bar("calls per 1,000 Tasks", found["used"] * 1000 / count, CALLS_A_THOUSAND) and once


def bulk(place, count):
    """So many Tasks that wait at once, each of another person: as Bulk jobs."""
    print(f"{count:,} Tasks at once:")
    store, now, ids = place.hub.store, place.hub.clock.now(), place.hub.ids
    records = place.records
    for start in range(0, count, 1_000):
        works, rows = [], []
        for number in range(start, min(start + 1_000, count)):
            subject = {"collaborator": f"crowd{number}@example.com"}
            work = place.row("note_activity", "bench:crowd", f"crowd/{number}", **subject)
            one = ids.new("act")
            text = f"Guest {number} accepted access to Renewal\nBy: jane@example.com"
            works.append(replace(work, state=WorkState.DONE))
            rows.append(
                Activity(
                    id=one, integration_id=1, key=work.key, subject=text.partition("\n")[0],
                    description=marked(text, one), who_id=None,
                    what_id=records[number % len(records)], activity_date=now.date(),
                    work_id=work.id, created_at=now,
                )
            )  # fmt: skip
        store.works.add(works)
        store.activities.add(rows)
    before = len(place.crm.all("Task"))

    def left():
        found = store.activities.waiting(1, most=count)
        found += sum(one.size or count for one in store.bulk_jobs.under_way(1))
        return max(0, count - found)

    with counted(place.crm) as found:
        store.works.add([place.row("send_tasks", "integration:1:send_tasks", "crowd")])
        took = until(count, left, "in Salesforce, and their results read")
    by_call(found)
    jobs = store.bulk_jobs.newest(1)
    marks = Counter(activity_in(one["Description"]) for one in place.crm.all("Task"))
    once = len(marks) == sum(marks.values()) == before + count
    once = once and sum(one.size for one in jobs) == count
    print(f"  {count / took * 60:.0f} Tasks a minute in {len(jobs)} jobs; "
          f"in Salesforce {sum(marks.values()):,}")  # fmt: skip
    text = "calls per 1,000 Tasks by Bulk"
    return bar(text, found["used"] * 1000 / count, CALLS_A_THOUSAND) and once


def large(place, worker, megabytes):
    """One large file; what the worker's memory grew by while it passed."""
    print(f"A file of {megabytes:,} MB:")
    store = place.hub.store.attachments
    query = AttachmentQuery(integration_id=1, state=AttachmentState.VERIFIED)

    def proven():
        return len(store.page(query))

    # Everything is loaded, and both sides have been called.
    small = place.crm.upload(place.deals[0], "small.bin", bytes_of(8 * MEGABYTE))
    place.hub.store.works.add([place.uploaded(small)])
    until(1, proven, "a small one before")
    made = place.crm.process.box_upload("large.bin", folder=place.deals[0],
                                        size=megabytes * MEGABYTE)  # fmt: skip
    before = memory(worker, "VmRSS")
    Path(f"/proc/{worker}/clear_refs").write_text("5", "ascii")  # the peak is counted anew
    place.hub.store.works.add([place.uploaded(made)])
    took = until(2, proven, "the large one")
    peak = memory(worker, "VmHWM")
    print(f"  {megabytes / took:.0f} MB/s; the worker had {before:.0f} MB, at most {peak:.0f} MB")
    return bar("memory growth", peak - before, GROWTH_MB, " MB")


def memory(pid, name):
    """A figure of a process's status in megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def main():
    """One run."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--files", type=int, default=300)
    options.add_argument("--tasks", type=int, default=1000)
    options.add_argument("--bulk", type=int, default=10_000)
    options.add_argument("--large", action="store_true")
    options.add_argument("--megabytes", type=int, default=2000)
    given = options.parse_args()
    held = []
    with tempfile.TemporaryDirectory(prefix="inkwire-bench-") as folder:
        values = {"data_dir": f"{folder}/hub", "outbound_allow": "127.0.0.1/32",
                  "disk_reserve_bytes": "0", "log_level": "error"}  # fmt: skip
        names = {f"INKWIRE_{key.upper()}": value for key, value in values.items()}
        settings = load_settings(**values)
        migrate(settings)
        with (
            contextlib.closing(Crm(Path(folder) / "sandbox")) as crm,
            open_hub(settings) as hub,
        ):
            connect(hub, crm)
            integrate(hub, crm, log_activity=False)
            place = Place(hub, crm, 1 if given.large else ACCOUNTS)
            site = SimpleNamespace(environment=os.environ | names)
            with started(site, "inkwire", "worker") as (pid, _):
                if given.large:
                    held.append(large(place, pid, given.megabytes))
                else:
                    if given.files:
                        held.append(files(place, given.files))
                    change = IntegrationChange(settings={"log_activity": True})
                    hub.integrations.change(CLI, 1, change)
                    if given.tasks:
                        held.append(tasks(place, given.tasks))
                    if given.bulk:
                        held.append(bulk(place, given.bulk))
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
