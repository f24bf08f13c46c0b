"""The pure parts: times, sizes, timelines, bodies and curl lines."""

import shlex
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.console import words
from inkwire.console.timeline import timeline
from inkwire.model.event import DedupeKind, Event, EventState, Origin
from inkwire.model.receipt import Receipt, ReceiptState
from inkwire.model.verdict import MatchedOn, Reason
from inkwire.pages import bodies, templating, times

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (-4, "just now"),
        (5, "5 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (86_400, "1 d ago"),
        (6 * 86_400, "6 d ago"),
        (8 * 86_400, "14 Nov 2026"),
        (-90, "in 1 min"),
        (-86_400 * 2, "in 2 d"),
    ],
)
def test_times_are_relative_for_a_week(seconds, text):
    """Then the date says more."""
    assert times.relative(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (16 << 20, "16 MiB")],
)
def test_sizes_have_units(count, text):
    """In units of 1,024, with one digit where it says something."""
    assert times.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, ""), (-3, ""), (0.34, "+340 ms"), (2.14, "+2.1 s"), (200, "+3 min")]
)
def test_gaps_between_lines(seconds, text):
    """A clock that runs behind gives no negative time."""
    assert times.gap(timedelta(seconds=seconds)) == text


@given(st.binary(max_size=400))
def test_any_body_can_be_shown(body):
    """Whatever the bytes are: text, bounded, with no character that turns the direction."""
    shown = bodies.shown_body(body)
    for text in (shown.pretty, shown.raw):
        assert len(templating.text(text)) <= bodies.SHOWN
        assert not set(text) & set("\u202e\u202d\u2066\u2067")


@given(st.text(alphabet="<>&\"'aé😀", max_size=300), st.integers(0, 400))
def test_clipping_counts_the_html(text, limit):
    """What is left fits as HTML, and it is the beginning."""
    kept, cut = bodies.clipped(text, limit)
    assert len(templating.text(kept)) <= limit
    assert text.startswith(kept)
    assert cut is (kept != text)


def test_deep_nesting_is_no_fault():
    """A body of brackets is shown as received."""
    shown = bodies.shown_body(b"[" * 100_000)
    assert shown.pretty == ""
    assert shown.raw.startswith("[[[")


def test_numbers_stay_as_they_were_written():
    """Indenting must not round what a vendor sent."""
    body = b'{"id":12345678901234567890123,"amount":1.10}'
    assert '"id": 12345678901234567890123' in bodies.shown_body(body).pretty
    assert '"amount": 1.10' in bodies.shown_body(body).pretty


header_text = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


@given(st.text(alphabet="'\"$`\\!;&|\n é{}@", max_size=60), header_text)
def test_a_shell_reads_the_curl_line_back(body, header):
    """Whatever a sender puts into body and headers, the command is one command."""
    line = bodies.as_curl(
        method="POST",
        url="https://hooks.example.com/in/box",
        query="a=1&b='2'",
        headers=((b"x-test", header.encode()), (b"authorization", b"Bearer x"), (b"host", b"h")),
        body=body.encode(),
        file="rcp_1.bin",
    )
    parts = shlex.split(line.replace(" \\\n", " "))
    sent = "@rcp_1.bin" if body.startswith("@") else body
    assert parts[:4] == ["curl", "-X", "POST", "https://hooks.example.com/in/box?a=1&b='2'"]
    assert parts[4:] == ["-H", f"x-test: {header}", "--data-binary", sent]


def test_a_real_shell_agrees():
    """Once with sh itself: the arguments arrive as they were."""
    body = 'it\'s $(touch /tmp/pwned) `id` \\ "x"\n!'
    line = bodies.as_curl(
        method="POST", url="http://h/in/x", query="", headers=(), body=body.encode(), file="f"
    )
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}; {line}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == [
        "-X",
        "POST",
        "http://h/in/x",
        "--data-binary",
        body,
    ]


@pytest.mark.parametrize("body", [b"\xff\xfe", b"x" * 5000, b"a\x00b", None])
def test_what_a_shell_cannot_hold_is_read_from_a_file(body):
    """Bytes that are no text, and long bodies."""
    line = bodies.as_curl(
        method="POST", url="http://h/", query="", headers=(), body=body, file="rcp_1.bin"
    )
    assert line.endswith("--data-binary @rcp_1.bin")


def test_manuals_cannot_bring_html():
    """A provider's manual is Markdown: tags and script links come out as text."""
    html = templating.markdown(
        "# Title\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) [y](https://y.example)"
    )
    assert "<script" not in html
    assert 'href="javascript' not in html
    assert '<a href="https://y.example">y</a>' in html
    assert "<h3>Title</h3>" in html, "its headings stand below the page's own"


@pytest.mark.parametrize(
    ("sentence", "html"),
    [
        ("Run `inkwire doctor`.", "Run <code>inkwire doctor</code>."),
        ("`<b>` & <i>", "<code>&lt;b&gt;</code> &amp; &lt;i&gt;"),
        ("one ` alone <", "one ` alone &lt;"),
    ],
)
def test_backticks_become_code_and_nothing_else(sentence, html):
    """Help texts and hints write commands in backticks; all else is escaped."""
    assert templating.coded(sentence) == html


EVENT = Event(
    id="evt_1",
    receipt_id="rcp_1",
    source_id="box",
    provider="box",
    position=0,
    type="box.FILE.UPLOADED",
    state=EventState.NEW,
    origin=Origin.WEBHOOK,
    received_at=NOW,
    occurred_at=NOW - timedelta(seconds=10),
    entity_key="box:file:1",
    dedupe_kind=DedupeKind.HARD,
    duplicate_of=None,
    conflict=False,
    test=False,
    dispatched_at=None,
    dispatch_error=None,
)
RECEIPT = Receipt(
    id="rcp_1",
    source_id="box",
    provider="box",
    state=ReceiptState.ACCEPTED,
    received_at=NOW,
    remote="192.0.2.1",
    method="POST",
    path="/in/box",
    body_size=10,
    has_body=True,
    body_hash="00",
    secret_id="sec_1",
    matched_on=MatchedOn.RAW,
    signed_at=NOW - timedelta(seconds=2),
    quarantine=None,
    released_at=None,
    released_by=None,
)
LATER = NOW + timedelta(seconds=1)
SETTLED = replace(EVENT, dispatched_at=NOW)


@pytest.mark.parametrize(
    ("event", "mark", "top"),
    [
        (EVENT, "Waiting", "Dispatch takes it"),
        (replace(EVENT, dispatched_at=LATER), "Dispatched", "Dispatched: handed on."),
        (
            replace(EVENT, dispatched_at=LATER, dispatch_error="It broke."),
            "Failed",
            "Dispatch failed: It broke.",
        ),
        (
            replace(SETTLED, state=EventState.DUPLICATE, duplicate_of="evt_0"),
            "Duplicate",
            "The same id came before",
        ),
        (
            replace(SETTLED, state=EventState.DUPLICATE, duplicate_of="evt_0", conflict=True),
            "Conflict",
            "Its id was used before for another body",
        ),
        (
            replace(EVENT, state=EventState.PROBABLE_DUPLICATE, duplicate_of="evt_0"),
            "Probable duplicate",
            "Dispatch takes it",
        ),
        (replace(EVENT, state=EventState.QUARANTINED), "Quarantined", "Waits for a person"),
        (replace(SETTLED, state=EventState.UNPARSABLE), "Unparsable", "The body could not be read"),
        (replace(SETTLED, state=EventState.FILTERED), "Filtered", "Outside what its source"),
    ],
)
def test_each_state_has_its_mark_and_its_newest_line(event, mark, top):
    """State and timeline agree; what was settled on arrival was not “handed on”."""
    quarantined = event.state is EventState.QUARANTINED
    receipt = replace(RECEIPT, quarantine=Reason.STALE) if quarantined else RECEIPT
    lines = timeline(event, receipt, source=None, provider="Box", event_url="/events/{}".format)
    assert words.mark_of(event).word == mark
    assert lines[0].text.startswith(top)
    assert [line.text for line in lines][-2:] == [
        "Box signed this delivery.",
        "It happened, by Box's clock.",
    ]
    assert [line.gap for line in lines][-2:] == ["+8.0 s", ""]
    links = {line.link for line in lines if line.link}
    assert links == ({"/events/evt_0"} if event.duplicate_of else set())


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("box:sign_request:a:b", ("sign request", "a:b")),
        ("acme:7", ("", "7")),
        ("odd", ("", "odd")),
        (None, ("", "")),
    ],
)
def test_entities_are_said_in_words(key, shown):
    """Kind and id; a key of another form is shown as it is."""
    assert words.entity_words(key) == shown


def test_counts_say_where_counting_stopped():
    """`10,000+` is not taken for an exact number."""
    assert times.count(9_999) == "9,999"
    assert times.count(10_000) == "10,000+"
