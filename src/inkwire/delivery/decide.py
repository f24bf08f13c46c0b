"""What becomes of a delivery after an attempt. Pure."""

from datetime import datetime, timedelta

from inkwire.delivery.profiles import Profile
from inkwire.model.message import AttemptResult, Decision, Delivery, DeliveryState, Exchange

#: Answers whose Retry-After counts (RFC 9110, RFC 6585); redirects are failures, never followed.
_ASKING = frozenset({429, 503})
#: Failures that say nothing about the endpoint. They are repeated like any other, so that a
#: delivery cannot wait for ever, but they cost no webhook its life.
_NOT_ITS_FAULT = frozenset({AttemptResult.INTERNAL, AttemptResult.PROXY})


def decide(
    profile: Profile, delivery: Delivery, exchange: Exchange, *, now: datetime, jitter: float
) -> Decision:
    """What the attempt means: delivered, due again, or given up.

    `delivery` as it was claimed, without this attempt; `now`: the end of the attempt; `jitter`:
    drawn from [0, 1). 410 ends at once. After the last attempt the delivery is given up (R148),
    and its webhook is disabled or deleted unless anything to it succeeded since the delivery's
    first attempt: a bad minute must not cost a healthy webhook (DESIGN, Sending).
    """
    if exchange.result is AttemptResult.OK:
        return Decision(state=DeliveryState.DELIVERED)
    number = delivery.attempts + 1
    if exchange.result is AttemptResult.GONE:
        return Decision(
            state=DeliveryState.EVICTED,
            webhook_state=profile.at_end,
            reason="The endpoint answered 410 Gone: it wants no more.",
        )
    if number < profile.attempts:
        return Decision(
            state=DeliveryState.WAITING,
            due_at=now + timedelta(seconds=_wait_s(profile, number, exchange, jitter)),
            reason=_why(exchange),
        )
    reason = f"All {profile.attempts} attempts of a delivery failed; the last: {_why(exchange)}"
    if exchange.result in _NOT_ITS_FAULT:
        return Decision(state=DeliveryState.EVICTED, reason=reason)
    return Decision(
        state=DeliveryState.EVICTED,
        webhook_state=profile.at_end,
        reason=reason,
        unless_success_since=delivery.first_attempt_at or exchange.started_at,
    )


def _wait_s(profile: Profile, number: int, exchange: Exchange, jitter: float) -> float:
    """Seconds until the attempt after attempt `number`."""
    planned = profile.delays_s[number - 1]
    low, high = profile.jitter
    wait = planned * (1 + low + (high - low) * jitter)
    overrun = exchange.result is AttemptResult.TIMEOUT or exchange.status == 429
    if overrun:
        wait = max(wait, profile.overrun_s)
    asked = exchange.retry_after_s
    if asked is not None and exchange.status in _ASKING and asked > wait:
        most = max(planned * profile.retry_after_factor, profile.retry_after_s)
        wait = max(wait, min(asked, most))
    return wait


def _why(exchange: Exchange) -> str:
    if exchange.detail:
        return exchange.detail
    if exchange.status is not None:
        return f"The endpoint answered {exchange.status}."
    return f"The attempt ended with: {exchange.result.value}."
