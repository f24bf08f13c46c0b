"""The leaky bucket: how often an application may call."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from fakes.hub import START
from inkwire.access.bucket import SWEEP_ABOVE, Buckets
from inkwire.clock import ManualClock


def buckets(size=3, per_second=2.0):
    """Buckets and their clock."""
    clock = ManualClock(START)
    return Buckets(clock, size=size, per_second=per_second), clock


def passed(bucket, name="app_1"):
    """Whether one request fits."""
    return bucket.take(name)[1] is None


def test_a_bucket_holds_its_size_and_empties_with_time():
    """What does not fit adds nothing; half a second makes room for one at two a second."""
    bucket, clock = buckets()
    used = [bucket.take("app_1")[0].used for _ in range(3)]
    assert used == [1, 2, 3]
    usage, error = bucket.take("app_1")
    assert (usage.size, usage.used, error.retry_after_s) == (3, 3, 1)
    clock.advance(seconds=0.5)
    assert [passed(bucket), passed(bucket)] == [True, False]
    clock.advance(seconds=1000)
    assert [passed(bucket) for _ in range(4)] == [True, True, True, False]


def test_each_application_has_its_own():
    """A busy one costs another nothing."""
    bucket, _ = buckets(size=1)
    assert [passed(bucket, name) for name in ("a", "b", "a")] == [True, True, False]


def test_a_clock_set_back_opens_nothing():
    """Nor does it lock anybody out for longer than the bucket takes to empty."""
    bucket, clock = buckets(size=1, per_second=1)
    assert passed(bucket)
    clock.advance(seconds=-3600)
    assert not passed(bucket)


def test_a_slow_rate_says_how_long_to_wait():
    """Whole seconds, rounded up; then it does fit."""
    bucket, clock = buckets(size=1, per_second=0.3)
    passed(bucket)
    _, error = bucket.take("app_1")
    assert error.retry_after_s == 4
    clock.advance(seconds=4)
    assert passed(bucket)


def test_empty_buckets_are_forgotten():
    """Memory holds those in use only."""
    bucket, clock = buckets()
    for number in range(SWEEP_ABOVE):
        bucket.take(f"app_{number}")
    clock.advance(seconds=60)
    bucket.take("last")
    assert len(bucket._buckets) == 1  # nothing else shows it


@given(st.lists(st.floats(min_value=0, max_value=5), max_size=60))
def test_no_window_lets_more_through_than_it_says(waits):
    """In any stretch of time: at most size + rate · seconds."""
    bucket, clock = buckets(size=4, per_second=2.0)
    times = []
    for wait in waits:
        clock.advance(seconds=wait)
        if passed(bucket):
            times.append(clock.now())
    for first, begin in enumerate(times):
        for last in range(first, len(times)):
            seconds = (times[last] - begin) / timedelta(seconds=1)
            assert last - first + 1 <= 4 + 2.0 * seconds + 1e-6
