"""Judges a storm: what was done at Box, what stands in Salesforce, and what the hub believes.

It trusts none of the three. What was done is the storm's own list; what stands in Salesforce is
asked of the sandbox's operator, who sees every record; what the hub believes is read in its store.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inkwire.integrations.box_salesforce.texts import activity_in, version_mark
from inkwire.model.crm import ActivityState, AttachmentState
from inkwire.model.work import LedgerState, WorkState
from inkwire.store.contract import Store
from inkwire.store.crm import AttachmentQuery


@dataclass
class Version:
    """A version that was put into Box."""

    file_id: str
    version_id: str
    content: bytes


@dataclass
class Deeds:
    """What a storm did at Box."""

    #: In the order of their numbers within each file.
    versions: list[Version] = field(default_factory=list)
    #: Record of the folder that each file lies in at the end.
    records: dict[str, str] = field(default_factory=dict)
    #: What each Task is about, and the record that it is on.
    tasks: dict[str, str] = field(default_factory=dict)


def judge(deeds: Deeds, salesforce: Mapping[str, list[dict[str, Any]]], store: Store) -> list[str]:
    """What is wrong, in words; nothing if all is there once.

    `salesforce`: `files` as the sandbox's operator lists them, and `tasks`.
    """
    marks = Counter(str(one["Description"]).split("\n")[0] for one in salesforce["files"])
    by_mark = {str(one["Description"]).split("\n")[0]: one for one in salesforce["files"]}
    return [
        *_versions(deeds, marks, by_mark),
        *_documents(deeds, by_mark),
        *_attachments(deeds, by_mark, store),
        *_tasks(deeds, salesforce["tasks"], store),
        *_left(store),
    ]


def duplicates(deeds: Deeds, salesforce: Mapping[str, list[dict[str, Any]]]) -> int:
    """Files and Tasks that stand in Salesforce more than once."""
    files = Counter(str(one["Description"]).split("\n")[0] for one in salesforce["files"])
    tasks = Counter(activity_in(one["Description"]) for one in salesforce["tasks"])
    ours = {_mark(one) for one in deeds.versions}
    return sum(number - 1 for mark, number in files.items() if mark in ours) + sum(
        number - 1 for mark, number in tasks.items() if mark is not None
    )


def _mark(one: Version) -> str:
    return version_mark(one.file_id, one.version_id)


def _versions(
    deeds: Deeds, marks: Counter[str], by_mark: Mapping[str, dict[str, Any]]
) -> list[str]:
    """Each version once, with the bytes that were put into Box."""
    found = []
    for one in deeds.versions:
        number = marks[_mark(one)]
        if number != 1:
            found.append(f"{_mark(one)}: {number} times in Salesforce")
        elif by_mark[_mark(one)]["Checksum"] != hashlib.md5(one.content).hexdigest():
            found.append(f"{_mark(one)}: other bytes in Salesforce")
    strange = set(marks) - {_mark(one) for one in deeds.versions}
    return [*found, *(f"nobody put {mark!r} into Box" for mark in sorted(strange))]


def _documents(deeds: Deeds, by_mark: Mapping[str, dict[str, Any]]) -> list[str]:
    """Each file is one document, its versions in their order, on the record of its folder."""
    found = []
    for file_id, record in deeds.records.items():
        versions = [
            by_mark[_mark(one)]
            for one in deeds.versions
            if one.file_id == file_id and _mark(one) in by_mark
        ]
        if len({one["ContentDocumentId"] for one in versions}) > 1:
            found.append(f"file {file_id}: more than one document")
        numbers = [int(one["VersionNumber"]) for one in versions]
        if numbers != sorted(numbers):
            found.append(f"file {file_id}: versions out of order: {numbers}")
        if versions and record not in versions[-1]["LinkedEntityIds"]:
            found.append(f"file {file_id}: not on {record}")
    return found


def _attachments(deeds: Deeds, by_mark: Mapping[str, dict[str, Any]], store: Store) -> list[str]:
    """Every row is proven, and proven by what is there."""
    found = []
    for one in deeds.versions:
        rows = store.attachments.of_version(1, one.file_id, one.version_id)
        there, mark = by_mark.get(_mark(one), {}), _mark(one)
        if not rows:
            found.append(f"{mark}: the hub knows of no record")
        for row in rows:
            if row.state is not AttachmentState.VERIFIED:
                found.append(f"{mark}: {row.state} on {row.record_id}: {row.note}")
            elif row.content_version_id != there.get("Id"):
                found.append(f"{mark}: the hub names {row.content_version_id}")
            elif row.md5 != there.get("Checksum"):
                found.append(f"{mark}: proven by another MD5")
            elif row.record_id not in there.get("LinkedEntityIds", ()):
                found.append(f"{mark}: not linked to {row.record_id}, as the hub says")
        entry = store.ledger.get(f"attachment/1/{one.file_id}/{one.version_id}")
        if entry is None or entry.state is not LedgerState.DONE:
            found.append(f"{mark}: the ledger says {entry and entry.state}")
    return found


def _tasks(deeds: Deeds, tasks: list[dict[str, Any]], store: Store) -> list[str]:
    """Each deed has one Task, on its record; each Task one activity, which names it."""
    found = []
    marks = Counter(activity_in(one["Description"]) for one in tasks)
    by_mark = {activity_in(one["Description"]): one for one in tasks}
    activities, before = {}, None
    while page := store.activities.page(integration_id=1, before=before, limit=200):
        activities |= {one.key: one for one in page}
        before = page[-1].id
    for key, record in deeds.tasks.items():
        one = activities.get(key)
        if one is None:
            found.append(f"{key}: was never noted")
            continue
        if marks[one.id] != 1:
            found.append(f"{key}: {marks[one.id]} Tasks")
            continue
        task = by_mark[one.id]
        if (one.state, one.task_id) != (ActivityState.DONE, task["Id"]):
            found.append(f"{key}: the hub says {one.state} {one.task_id} {one.note}")
        if record not in (task["WhatId"], task["WhoId"]):
            found.append(f"{key}: on {task['WhatId']}, not on {record}")
    if len(tasks) != len(deeds.tasks):
        found.append(f"{len(tasks)} Tasks for {len(deeds.tasks)} deeds")
    return found


def _left(store: Store) -> list[str]:
    """Nothing is dead, nothing waits."""
    counts = store.works.counts()
    found = [
        f"{counts[state]} rows are {state}"
        for state in (WorkState.DEAD, WorkState.NEW, WorkState.RUNNING, WorkState.PARKED)
        if counts.get(state)
    ]
    failed = store.attachments.page(
        AttachmentQuery(integration_id=1, state=AttachmentState.FAILED, limit=5)
    )
    return [*found, *(f"{row.name} failed: {row.note}" for row in failed)]
