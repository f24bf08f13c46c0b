"""What needs no Box and no Salesforce: texts, marks, hashes on the way, and which event is whose."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import inkwire.providers.box
from inkwire.clock import ManualClock
from inkwire.engine.planning import Hearing
from inkwire.errors import Permanent, Transient
from inkwire.ids import CountingIds
from inkwire.integrations.box_salesforce import INTEGRATION
from inkwire.integrations.box_salesforce.passing import Passing
from inkwire.integrations.box_salesforce.texts import (
    MOST_DESCRIPTION,
    MOST_PATH,
    MOST_TITLE,
    activity_in,
    cut,
    has_version_mark,
    marked,
    path_of,
    title_of,
    units,
    version_mark,
)
from inkwire.model.event import DedupeKind, Event, EventState, Origin, ParsedEvent
from inkwire.model.work import Integration, IntegrationState
from inkwire.providers.box.events import about

CASES = Path(inkwire.providers.box.__file__).parent / "cases"
NOW = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)


@given(NAMES, st.integers(2, 600))
def test_a_cut_text_fits_and_says_that_it_is_cut(text, most):
    """UTF-16 units, as Salesforce counts; no half of a character is left."""
    short = cut(text, most)
    assert units(short) <= most
    assert units(short) == len(short.encode("utf-16-le")) // 2
    assert short == text or short.endswith("…")
    if units(text) <= most:
        assert short == text


@given(NAMES, st.sampled_from(["", ".pdf", ".docx", ".tar.gz", "." + "x" * 60]))
def test_every_name_that_box_takes_is_one_for_salesforce(stem, suffix):
    """Title ≤ 255 and never empty, PathOnClient ≤ 500 and with its extension (R56)."""
    name = (stem + suffix)[:255]
    title, path = title_of(name), path_of(name)
    assert 0 < units(title) <= MOST_TITLE
    assert 0 < units(path) <= MOST_PATH
    if name.endswith(".pdf") and len(name) > 4:
        assert path.endswith(".pdf")


def test_a_name_of_255_emoji_keeps_its_extension():
    """251 emoji are 502 units, more than PathOnClient takes."""
    name = "😀" * 251 + ".pdf"
    assert path_of(name).endswith("….pdf")
    assert units(path_of(name)) <= MOST_PATH
    assert units(title_of(name)) <= MOST_TITLE


def test_the_mark_of_a_version_is_its_own():
    """It is the first line; another version's, or a longer id, is another mark."""
    mark = version_mark("12", "34")
    assert has_version_mark(mark, "12", "34")
    assert has_version_mark(f"{mark}\nand what a person wrote", "12", "34")
    for other in (None, "", f"x {mark}", f"{mark}5", version_mark("1", "234")):
        assert not has_version_mark(other, "12", "34")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400), st.integers(1, 200))
def test_a_task_always_bears_its_mark(text, times):
    """However long the text; and the last mark counts, since a text may quote one."""
    description = marked((text + "\nInkwire: act_0000\n") * times, "act_01c6v9abc")
    assert activity_in(description) == "act_01c6v9abc"
    assert units(description) <= MOST_DESCRIPTION


def test_a_description_without_a_mark_is_nobodys():
    """Nor is one with another mark."""
    assert activity_in(None) is None
    assert activity_in("Inkwire: wrk_123") is None


# --- bytes on their way


def pieces_of(content, step=3):
    """As they come from Box."""
    return [content[start : start + step] for start in range(0, len(content), step)]


@given(st.binary(max_size=200), st.integers(1, 50))
def test_what_passes_is_what_came(content, step):
    """All of it, in order, with its MD5."""
    sha1 = hashlib.sha1(content).hexdigest()
    passing = Passing(pieces_of(content, step), size=len(content), sha1=sha1.upper())
    assert b"".join(passing) == content
    assert passing.md5 == hashlib.md5(content).hexdigest()
    assert passing.fault is None


@pytest.mark.parametrize(
    ("size", "sha1", "says"),
    [(11, "", "10 bytes of a file of 11"), (9, "", "10 bytes"), (10, "0" * 40, "other content")],
)
def test_wrong_bytes_are_never_given_on_whole(size, sha1, says):
    """The last piece is held back: Salesforce never sees a complete body."""
    passing, got = Passing(pieces_of(b"0123456789"), size=size, sha1=sha1), []
    with pytest.raises(Transient, match=says):
        got.extend(passing)
    assert len(b"".join(got)) < 10
    assert isinstance(passing.fault, Transient)


def test_what_box_raises_meanwhile_is_remembered():
    """The client may tell it as a broken connection; it is Box's fault all the same."""

    def broken():
        yield b"abc"
        raise Permanent("gone")

    passing = Passing(broken(), size=6, sha1="")
    with pytest.raises(Permanent):
        list(passing)
    assert isinstance(passing.fault, Permanent)


# --- which event is whose


def integration(**settings):
    """An active one."""
    return Integration(
        id=7, kind="box_salesforce", name="x", state=IntegrationState.ACTIVE, settings=settings,
        connection_id="box", second_connection_id="salesforce", source_ids=("box",),
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip


def heard(case, trigger="", *, of=None, **changes):
    """The work that a provider's example makes."""
    payload = json.loads((CASES / case).read_bytes())
    payload |= changes
    name = trigger or payload["trigger"]
    parsed = ParsedEvent(
        type=f"box.{name}", dedupe_key=b"x", dedupe_kind=DedupeKind.HARD,
        entity_key=about(name, payload), occurred_at=NOW, payload=payload,
    )  # fmt: skip
    event = Event(
        id="evt_1", receipt_id="r", source_id="box", provider="box", position=0, type=parsed.type,
        state=EventState.NEW, origin=Origin.WEBHOOK, received_at=NOW, occurred_at=NOW,
        entity_key=parsed.entity_key, dedupe_kind=DedupeKind.HARD, duplicate_of=None,
        conflict=False, test=False, dispatched_at=None, dispatch_error=None,
    )  # fmt: skip
    clock = ManualClock(NOW)
    kinds = {INTEGRATION.name: INTEGRATION}
    return Hearing(kinds, [of or integration()], clock, CountingIds()).work(event, parsed)


def test_a_moved_file_is_synced_by_whoever_moved_it():
    """Ids, the actor and the time; the row's key is the event, its entity the file."""
    (work,) = heard("file-moved.json")
    assert (work.workflow, work.key) == ("sync_file", "evt_1")
    assert work.entity_key == "box:file:1433002918846"
    assert work.subject == {
        "trigger": "FILE.MOVED", "actor": "Mara Voss", "actor_email": "mara.voss@example.com",
        "actor_id": "30416250812", "at": "2026-03-01T23:30:00+00:00",
        "file_id": "1433002918846", "version_id": "1567244018833",
    }  # fmt: skip


@pytest.mark.parametrize(
    "trigger",
    ["FILE.UPLOADED", "FILE.RESTORED", "FILE.LOCKED", "FILE.RENAMED", "FILE.COPIED",
     "FILE.VERSION.RESTORED"],
)  # fmt: skip
def test_every_trigger_that_may_bring_a_version_is_heard(trigger):
    """Also the one that the seed names and Box does not know."""
    (work,) = heard("file-moved.json", trigger)
    assert work.workflow == "sync_file"
    assert work.subject["trigger"] == trigger


def saved(name, *, of=None):
    """The work that an Outbound Message about a record of that object makes."""
    parsed = ParsedEvent(
        type=f"salesforce.{name}.notified", dedupe_key=b"x", dedupe_kind=DedupeKind.HARD,
        entity_key="salesforce:record:1", payload={"object": name},
    )  # fmt: skip
    event = Event(
        id="evt_1", receipt_id="r", source_id="crm", provider="salesforce", position=0,
        type=parsed.type, state=EventState.NEW, origin=Origin.WEBHOOK, received_at=NOW,
        occurred_at=None, entity_key=parsed.entity_key, dedupe_kind=DedupeKind.HARD,
        duplicate_of=None, conflict=False, test=False, dispatched_at=None, dispatch_error=None,
    )  # fmt: skip
    one = replace(of or integration(), source_ids=("crm", "box"))
    kinds = {INTEGRATION.name: INTEGRATION}
    return Hearing(kinds, [one], ManualClock(NOW), CountingIds()).work(event, parsed)


def test_a_saved_record_wakes_the_poll_if_it_is_polled():
    """Nothing of the message goes along: the poll asks Salesforce."""
    (work,) = saved("Opportunity")
    assert (work.workflow, work.entity_key) == ("poll_records", "integration:7:poll_records")
    assert work.subject == {} and work.due_at > NOW
    assert saved("Contact") == [] and saved("Other__c") == []
    quiet = integration(provision=False)
    assert saved("Account", of=quiet) == []
    inactive = replace(integration(), state=IntegrationState.INACTIVE)
    assert saved("Account", of=inactive) == []
    mapped = integration(provision=False, field_map="stage = Contact.Title text to_box")
    assert len(saved("Contact", of=mapped)) == 1


def test_views_are_heard_only_if_they_are_wanted():
    """And only while what happens is noted at all."""
    assert heard("file-moved.json", "FILE.PREVIEWED") == []
    (work,) = heard("file-moved.json", "FILE.DOWNLOADED", of=integration(log_views=True))
    assert work.workflow == "note_activity"
    quiet = integration(log_views=True, log_activity=False)
    assert heard("file-moved.json", "FILE.DOWNLOADED", of=quiet) == []


def test_a_collaboration_is_noted_with_who_got_access():
    """In order of the folder that it is on."""
    (work,) = heard("collaboration-created.json")
    assert (work.workflow, work.entity_key) == ("note_activity", "box:folder:250331907144")
    assert work.subject["folder_id"] == "250331907144"
    assert work.subject["collaborator"] == "tom.brandt@example.com"
    assert work.subject["role"] == "editor"


def test_metadata_of_a_folder_refreshes_its_mapping_and_of_a_file_nothing():
    """The template must be ours."""
    assert heard("metadata-updated.json") == []
    folder = {"id": "55", "type": "folder"}
    (work,) = heard("metadata-updated.json", source=folder)
    assert (work.workflow, work.entity_key) == ("refresh_mapping", "box:folder:55")
    other = {"template": "invoices", "scope": "enterprise_1"}
    assert heard("metadata-updated.json", source=folder, additional_info=other) == []


def test_a_completed_sign_request_executes_once_however_many_files_it_has():
    """The key is the request's; one without its id is none of ours."""
    (work,) = heard("sign-completed.json")
    sign_id = work.subject["sign_request_id"]
    assert (work.workflow, work.key) == ("contract_executed", f"{sign_id}/COMPLETED")
    assert heard("sign-completed.json", additional_info=[]) == []


@pytest.mark.parametrize("case", ["file-moved.json", "collaboration-created.json"])
def test_an_inactive_integration_makes_nothing(case):
    """What happens while it is off is nobody's business."""
    inactive = replace(integration(), state=IntegrationState.INACTIVE)
    assert heard(case, of=inactive) == []


@given(st.recursive(st.none() | st.text(max_size=5) | st.integers() | st.booleans(),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["id", "type", "item", "login", "template",
                                                       "source", "file_version"]), inner)))  # fmt: skip
def test_a_body_of_any_shape_breaks_nothing(source):
    """What is not where it should be is not there."""
    for trigger in ("FILE.UPLOADED", "COLLABORATION.CREATED", "METADATA_INSTANCE.CREATED",
                    "SIGN_REQUEST.COMPLETED", "FILE.PREVIEWED"):  # fmt: skip
        for work in heard(
            "file-moved.json", trigger, of=integration(log_views=True), source=source,
            additional_info=source, created_by=source,
        ):  # fmt: skip
            assert all(isinstance(text, str) and text for text in work.subject.values())
