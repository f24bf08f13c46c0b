"""What becomes of a delivery after an attempt, as properties of the schedules."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.kit import DELIVERY, NOW, exchange
from inkwire.delivery.decide import decide
from inkwire.delivery.profiles import PROFILES
from inkwire.model.message import AttemptResult, DeliveryState
from inkwire.model.webhook import ProfileName, WebhookState

FAILURES = [r for r in AttemptResult if r not in (AttemptResult.OK, AttemptResult.GONE)]
profiles = st.sampled_from(list(PROFILES.values()))
repeating = st.sampled_from([profile for profile in PROFILES.values() if profile.delays_s])
jitters = st.floats(0, 1, exclude_max=True)


def wait_of(profile, attempts, given, jitter=0.0):
    """Seconds until the next attempt after `attempts` earlier ones and this failure."""
    made = decide(profile, replace(DELIVERY, attempts=attempts), given, now=NOW, jitter=jitter)
    assert made.state is DeliveryState.WAITING
    assert made.webhook_state is None
    return (made.due_at - NOW).total_seconds()


@pytest.mark.parametrize("name", ProfileName)
def test_every_delivery_ends(name):
    """A delivery that always fails has exactly the profile's attempts and is then given up."""
    profile, delivery, now = PROFILES[name], DELIVERY, NOW
    tries = 0
    while True:
        tries += 1
        made = decide(profile, delivery, exchange(), now=now, jitter=0.0)
        if made.state is not DeliveryState.WAITING:
            break
        delivery = replace(delivery, attempts=tries, first_attempt_at=NOW)
        now = made.due_at
    assert made.state is DeliveryState.EVICTED
    assert made.due_at is None
    assert made.webhook_state is profile.at_end
    if tries > 1:
        assert made.unless_success_since == NOW
    assert tries == profile.attempts
    if name is ProfileName.BOXC:
        assert tries == 12
        assert now - NOW == timedelta(seconds=122_820)


@given(repeating, st.data(), jitters)
def test_waits_keep_to_the_schedule(profile, data, jitter):
    """Each wait is the scheduled one within the jitter, never in the past, and never shrinks."""
    attempts = data.draw(st.integers(0, len(profile.delays_s) - 1))
    planned = profile.delays_s[attempts]
    wait = wait_of(profile, attempts, exchange(), jitter)
    low, high = profile.jitter
    assert wait > 0
    assert planned * (1 + low) - 1e-3 <= wait <= planned * (1 + high) + 1e-3
    if attempts:
        assert wait >= wait_of(profile, attempts - 1, exchange(), jitter)


def test_jitter_spreads_failures():
    """Deliveries that failed together do not come back together."""
    for name in (ProfileName.STANDARD, ProfileName.BOXC, ProfileName.BOX):
        first, last = (wait_of(PROFILES[name], 0, exchange(), jitter) for jitter in (0.0, 0.99))
        assert first < last


def test_boxc_is_never_early():
    """BoxC's schedule is the least wait: jitter only adds, at most 5 % (35.9 h in all)."""
    boxc = PROFILES[ProfileName.BOXC]
    waits = [wait_of(boxc, n, exchange(), 0.999999) for n in range(11)]
    assert all(w >= d for w, d in zip(waits, boxc.delays_s, strict=True))
    assert sum(waits) <= 1.05 * 122_820


@pytest.mark.parametrize("status", [200, 204, 299])
def test_success_ends_it(status):
    """A 2xx delivers, whatever the attempt's number (R144)."""
    given_ = exchange(AttemptResult.OK, status)
    for attempts in (0, 11):
        made = decide(
            PROFILES[ProfileName.BOXC],
            replace(DELIVERY, attempts=attempts),
            given_,
            now=NOW,
            jitter=0.5,
        )
        assert (made.state, made.due_at, made.webhook_state) == (
            DeliveryState.DELIVERED,
            None,
            None,
        )


@pytest.mark.parametrize("name", ProfileName)
def test_410_ends_at_once(name):
    """Gone: no further attempt, and no earlier success spares the webhook."""
    profile = PROFILES[name]
    made = decide(profile, DELIVERY, exchange(AttemptResult.GONE, 410), now=NOW, jitter=0)
    assert made.state is DeliveryState.EVICTED
    assert made.webhook_state is profile.at_end
    assert made.unless_success_since is None
    assert "410" in made.reason


def test_vendors_profiles_give_no_webhook_up():
    """BoloSign sends once: one failed delivery of a sandbox must not disable its webhook."""
    for name in (ProfileName.BOX, ProfileName.BOLOSIGN):
        profile = PROFILES[name]
        last = replace(DELIVERY, attempts=profile.attempts - 1)
        made = decide(profile, last, exchange(), now=NOW, jitter=0)
        assert (made.state, made.webhook_state) == (DeliveryState.EVICTED, None)


def test_at_the_end_the_first_attempt_counts():
    """What succeeded since this delivery's first attempt spares the webhook."""
    earlier = NOW - timedelta(hours=34)
    boxc = PROFILES[ProfileName.BOXC]
    made = decide(
        boxc,
        replace(DELIVERY, attempts=11, first_attempt_at=earlier),
        exchange(),
        now=NOW,
        jitter=0,
    )
    assert made.unless_success_since == earlier
    assert made.webhook_state is WebhookState.DELETED


@pytest.mark.parametrize("result", [AttemptResult.INTERNAL, AttemptResult.PROXY])
@pytest.mark.parametrize("name", ProfileName)
def test_our_own_faults_cost_no_webhook(name, result):
    """A fault of ours or of the proxy is repeated, and its last one evicts the delivery only."""
    profile = PROFILES[name]
    if profile.delays_s:
        assert wait_of(profile, 0, exchange(result)) == wait_of(profile, 0, exchange())
    made = decide(
        profile,
        replace(DELIVERY, attempts=profile.attempts - 1),
        exchange(result),
        now=NOW,
        jitter=0,
    )
    assert (made.state, made.webhook_state) == (DeliveryState.EVICTED, None)


@pytest.mark.parametrize(
    ("name", "attempts", "status", "asked", "wait"),
    [
        (ProfileName.STANDARD, 0, 503, 120, 120),
        (ProfileName.STANDARD, 0, 429, 120, 120),
        (ProfileName.STANDARD, 0, 429, 10, 60),
        (ProfileName.STANDARD, 0, 503, 1, 4.5),
        (ProfileName.STANDARD, 0, 503, 7200, 3600),
        (ProfileName.STANDARD, 3, 503, 7000, 7000),
        (ProfileName.STANDARD, 3, 503, 99_999, 7200),
        (ProfileName.STANDARD, 0, 500, 120, 4.5),
        (ProfileName.STANDARD, 0, 302, 120, 4.5),
        (ProfileName.BOXC, 0, 503, 90, 90),
        (ProfileName.BOXC, 0, 429, 99_999, 120),
        (ProfileName.BOXC, 0, 429, None, 60),
        (ProfileName.BOXC, 10, 503, 10**9, 122_880),
    ],
)
def test_retry_after_counts_within_bounds(name, attempts, status, asked, wait):
    """Retry-After of 429 and 503 is honoured up to the profile's bound, and never hastens."""
    given_ = exchange(status=status, retry_after_s=asked)
    assert wait_of(PROFILES[name], attempts, given_) == pytest.approx(wait)


def test_an_overrun_endpoint_gets_a_minute():
    """A timeout or 429 waits at least 60 s under Standard Webhooks."""
    standard = PROFILES[ProfileName.STANDARD]
    assert wait_of(standard, 0, exchange(AttemptResult.TIMEOUT)) == 60
    assert wait_of(standard, 0, exchange(status=429)) == 60


@given(
    profiles,
    st.integers(0, 30),
    st.sampled_from(FAILURES),
    st.sampled_from([None, 301, 408, 429, 500, 503]),
    st.none() | st.floats(),
    jitters,
)
def test_nothing_an_endpoint_says_breaks_the_schedule(
    profile, attempts, result, status, asked, jitter
):
    """Odd Retry-After values (NaN, negative, infinite) never bring a wait into the past or away."""
    made = decide(
        profile,
        replace(DELIVERY, attempts=attempts),
        exchange(result, status, retry_after_s=asked),
        now=NOW,
        jitter=jitter,
    )
    assert made.reason
    if attempts + 1 >= profile.attempts:
        assert made.state is DeliveryState.EVICTED
    else:
        wait = (made.due_at - NOW).total_seconds()
        assert 0 < wait <= max(2.1 * profile.delays_s[attempts], 3600)
