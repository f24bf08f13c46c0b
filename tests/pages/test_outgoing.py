"""The pure parts of the pages of webhooks: what is typed, phases of an attempt, shares."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.delivery.filters import check_filters
from inkwire.model.job import JobKind, JobState
from inkwire.model.message import (
    Attempt,
    AttemptResult,
    Delivery,
    DeliveryState,
    MessageOrigin,
)
from inkwire.model.webhook import (
    FilterOp,
    ProfileName,
    Webhook,
    WebhookHealth,
    WebhookState,
)
from inkwire.pages.outgoing import words
from inkwire.pages.outgoing.conditions import (
    shown_filters,
    typed_filters,
    typed_headers,
    under,
)
from inkwire.pages.outgoing.message import phases
from inkwire.pages.outgoing.rows import Success

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text("abc \"'é{[:", max_size=8)
)
FILTERS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"path": st.just("a.b"), "op": st.just("equals"), "value": SCALARS}),
        st.fixed_dictionaries(
            {
                "path": st.just("a.0"),
                "op": st.just("in"),
                "value": st.lists(SCALARS, min_size=1, max_size=3),
            }
        ),
        st.fixed_dictionaries(
            {"path": st.just("x"), "op": st.just("exists"), "value": st.booleans()}
        ),
    ),
    max_size=4,
)


@given(FILTERS)
def test_filters_come_back_as_they_were_shown(raw):
    """The change page shows a filter in the form in which it reads it."""
    checked = check_filters(raw)
    again, problem = typed_filters(shown_filters(checked))
    assert problem == ""
    assert check_filters(again) == checked


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    """A line that cannot be read is named; nothing escapes."""
    for read in (typed_filters, typed_headers):
        found, problem = read(text)
        assert not (found and problem)


@pytest.mark.parametrize(
    ("text", "part"),
    [("a", "line 1"), ("x exists\na is 1", "line 2"), ("a equals", "needs a value")],
)
def test_a_line_that_is_no_filter_is_named(text, part):
    """By its number."""
    assert part in typed_filters(text)[1]


def test_headers_are_read_line_by_line():
    """A colon in the value stays; the same name twice is refused."""
    assert typed_headers("A: b:c\n\n X : y ")[0] == {"A": "b:c", "X": "y"}
    assert "line 2" in typed_headers("A: 1\nA: 2")[1]
    assert "line 1" in typed_headers("novalue")[1]


def test_what_is_wrong_with_a_part_stands_at_the_field():
    """Paths such as `headers.Host` and `filters[0].op` belong to one area."""
    errors = {"headers.Host": "is ours", "filters": "must be fewer", "headersx": "no"}
    assert under(errors, "headers") == "`Host` is ours"
    assert under(errors, "filters") == "must be fewer"
    assert under(errors, "address") == ""


ATTEMPT = Attempt(
    id="att_1",
    delivery_id="dlv_1",
    webhook_id=100_001,
    application_id="app_1",
    number=1,
    address="https://example.com",
    remote=None,
    result=AttemptResult.OK,
    status=200,
    detail="",
    started_at=NOW,
    duration_s=2.0,
    connect_s=0.5,
    head_s=1.5,
)


@pytest.mark.parametrize(
    ("connect", "head", "shares"),
    [(0.5, 1.5, [25, 50, 25]), (0.5, None, [25, 75]), (None, None, [100])],
)
def test_phases_add_up(connect, head, shares):
    """Each stretch begins where the one before ended; what was not reached is not there."""
    found = phases(replace(ATTEMPT, connect_s=connect, head_s=head))
    assert [phase.share for phase in found] == shares
    assert [phase.start for phase in found] == [sum(shares[:n]) for n in range(len(shares))]


@given(
    st.floats(0, 60),
    st.none() | st.floats(0, 60),
    st.none() | st.floats(0, 60),
)
def test_phases_stay_inside_the_bar(duration, connect, head):
    """Clocks that disagree by a little draw nothing outside."""
    for phase in phases(replace(ATTEMPT, duration_s=duration, connect_s=connect, head_s=head)):
        assert 0 <= phase.start <= 100
        assert 0 <= phase.share <= 100.01


def test_a_failure_is_never_rounded_away():
    """One failure in ten thousand is not 100 %."""
    assert Success(attempts=10_000, ok=9_999, mean_s=0.1).rate == "99.9 %"
    assert Success(attempts=2, ok=2, mean_s=0.1).rate == "100 %"
    assert Success(attempts=0, ok=0, mean_s=0.0).rate == "–"


HOOK = Webhook(
    id=100_001,
    application_id="app_1",
    topic="order.signed",
    address="https://example.com",
    profile=ProfileName.STANDARD,
    state_changed_at=NOW,
    created_at=NOW,
    updated_at=NOW,
)
HEALTHY = WebhookHealth(webhook_id=100_001, last_success_at=NOW)


@pytest.mark.parametrize(
    ("state", "health", "word"),
    [
        (WebhookState.ACTIVE, HEALTHY, "Active"),
        (WebhookState.ACTIVE, WebhookHealth(webhook_id=1), "Not used yet"),
        (WebhookState.ACTIVE, replace(HEALTHY, failures=2), "Failing"),
        (
            WebhookState.ACTIVE,
            replace(HEALTHY, failures=9, breaker_until=NOW + timedelta(seconds=9)),
            "Backing off",
        ),
        (WebhookState.ACTIVE, replace(HEALTHY, failures=9, breaker_until=NOW), "Failing"),
        (WebhookState.PAUSED, replace(HEALTHY, failures=9), "Paused"),
        (WebhookState.DISABLED, HEALTHY, "Disabled"),
        (WebhookState.DELETED, None, "Deleted"),
    ],
)
def test_a_webhook_is_marked_by_state_and_endpoint(state, health, word):
    """The state first; while it is active, how its endpoint does."""
    assert words.webhook_mark(replace(HOOK, state=state), health, NOW).word == word


def test_a_delivery_is_marked_by_where_it_stands():
    """Waiting, being sent, tried before, settled."""
    waiting = Delivery(
        id="dlv_1",
        message_id="msg_1",
        webhook_id=1,
        application_id="app_1",
        topic="t",
        state=DeliveryState.WAITING,
        created_at=NOW,
        due_at=NOW,
    )
    later = NOW + timedelta(seconds=30)
    for delivery, word in (
        (waiting, "Waiting"),
        (replace(waiting, claimed_until=later), "Sending"),
        (replace(waiting, claimed_until=NOW), "Waiting"),
        (replace(waiting, attempts=1), "Retrying"),
        (replace(waiting, state=DeliveryState.EVICTED), "Given up"),
    ):
        assert words.delivery_mark(delivery, NOW).word == word


def test_every_value_has_words():
    """A state, result, origin, profile or kind that is added later must be said in words."""
    assert set(words.STATE_WORDS) == set(WebhookState)
    assert set(words.DELIVERY_WORDS) == set(DeliveryState)
    assert set(words.RESULTS) == set(words.ADVICE) == set(AttemptResult)
    assert set(words.ORIGINS) == set(MessageOrigin)
    assert set(words.PROFILE_WORDS) == set(ProfileName)
    assert set(words.JOB_WORDS) == set(JobKind)
    assert set(words._JOB_MARKS) == set(JobState)
    assert len(FilterOp) == 3, "the form's help names each"
    for sentence in words.SAID.values():
        assert "!" not in sentence
