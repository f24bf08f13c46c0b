"""What attempts show of an endpoint's answer and of the way to it tells no secret."""

import asyncio

from fakes.hub import open_rooms
from fakes.subscriber import LABEL, subscriber
from inkwire.access.gate import CLI
from inkwire.delivery.echoes import HIDDEN
from inkwire.delivery.sender import Sender
from inkwire.model.message import AttemptResult, Exchange
from inkwire.outbound.guard import Guard
from inkwire.store.live import LiveCounters
from inkwire.store.sending import DeliveryQuery
from outbound.kit import OK, answering, endpoint, outbound, post, proxy


async def test_the_address_of_the_egress_proxy_is_not_told():
    """Applications read an attempt's `remote`; behind a proxy it was the proxy's own address."""
    async with (
        endpoint(answering(OK)) as seen,
        endpoint(proxy(target_port=seen.port)) as relay,
        outbound(Guard((), None), proxy=f"http://127.0.0.1:{relay.port}") as sender,
    ):
        got = await post(sender, "http://hooks.test/x")
    assert (got.result, got.remote) == (AttemptResult.OK, None)


async def test_an_endpoint_that_echoes_its_request_tells_no_header_of_a_webhook(tmp_path):
    """Values of a webhook's own headers came back to readers in what such an endpoint answers."""
    stop = asyncio.Event()
    with open_rooms(tmp_path / "data") as rooms:

        async def echo(url, *, headers, body, timeout_s, connect_timeout_s):
            stop.set()
            given = dict(headers)
            return Exchange(
                result=AttemptResult.STATUS,
                detail=f"answered 302 and pointed to https://x.test/?{given['X-Tenant']}",
                status=302,
                request_headers=headers,
                response_headers=(("X-Echo", given["Authorization"]), ("Server", "nginx/1.2")),
                response_body=f'{{"a":"{given["Authorization"]}","t":"t0psecret-9","x":1}}'.encode(),
                started_at=rooms.clock.now(),
                duration_s=0.05,
            )

        own = {"Authorization": "Bearer t0psecret-9", "X-Tenant": "tenant-4711", "X-Short": "1"}
        rooms.publisher.queue(CLI, subscriber(rooms).webhook(headers=own), LABEL)
        sender = Sender(
            store=rooms.store,
            live=LiveCounters(),
            post=echo,
            clock=rooms.clock,
            ids=rooms.ids,
            random=lambda: 0.5,
            in_flight=1,
        )
        await asyncio.wait_for(sender.run(stop), 30)
        (delivery,) = rooms.deliveries.deliveries(CLI, DeliveryQuery())
        (attempt,) = rooms.deliveries.delivery(CLI, delivery.id).attempts
        shown = rooms.deliveries.attempt(CLI, attempt.id)
    assert attempt.detail.endswith(f"https://x.test/?{HIDDEN}")
    assert shown.response_body.decode() == f'{{"a":"{HIDDEN}","t":"{HIDDEN}","x":1}}'
    assert dict(shown.response_headers) == {"X-Echo": HIDDEN, "Server": "nginx/1.2"}
