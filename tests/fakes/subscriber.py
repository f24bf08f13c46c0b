"""A subscriber of the rooms in `fakes.hub`: its application, keys, webhooks, and what it got."""

from collections.abc import Iterable
from dataclasses import dataclass

from fakes.hub import Rooms
from inkwire.access.gate import CLI
from inkwire.delivery.decide import decide
from inkwire.delivery.drafts import WebhookDraft
from inkwire.delivery.fan_out import FanOut
from inkwire.delivery.notices import Notices
from inkwire.delivery.profiles import PROFILES
from inkwire.model.access import APPLICATION_SCOPES, Scope
from inkwire.model.message import AttemptResult, Claimed, Exchange
from inkwire.model.webhook import ProfileName, Webhook
from inkwire.store.sending import Completion

ADDRESS = "https://www.example.com/path"
KEY = "9FkaaYZILF9pWHqJzXDD"
TOPIC = "shipments_label"
#: As BoxC writes it: compact, slashes escaped.
LABEL = (
    rb'{"shipment":{"carrier":"Janio","content_type":"application\/pdf","data":"aHR0cA==",'
    rb'"id":1521231,"tracking_number":"9261290185965500000103"}}'
)


@dataclass(frozen=True)
class Subscriber:
    """One application."""

    rooms: Rooms
    id: str

    def key(self, scopes: Iterable[Scope] = APPLICATION_SCOPES) -> str:
        """The text of a new API key of the application."""
        _, text = self.rooms.gate.add_api_key(
            CLI, name="own", scopes=frozenset(scopes), application_id=self.id
        )
        return text

    def webhook(self, address: str = ADDRESS, topic: str = TOPIC, **more: object) -> Webhook:
        """A webhook of BoxC's profile, unless `more` says another."""
        given = {"profile": ProfileName.BOXC, "key": KEY, **more}
        draft = WebhookDraft(topic=topic, address=address, **given)
        webhook, _ = self.rooms.webhooks.create(CLI, self.id, draft)
        return webhook


def subscriber(rooms: Rooms, name: str = "Acme") -> Subscriber:
    """A new application."""
    return Subscriber(rooms=rooms, id=rooms.applications.create(CLI, name=name).id)


def waiting(rooms: Rooms) -> list[Claimed]:
    """Makes the deliveries of all messages and claims what is due."""
    outbox = rooms.store.outbox
    while outbox.fan_out(100, FanOut(rooms.ids)):
        pass
    return outbox.claim(now=rooms.clock.now(), limit=100, share=100, lease_s=60)


def answer_all(
    rooms: Rooms, status: int = 200, headers: tuple[tuple[str, str], ...] = ()
) -> list[str]:
    """Plays the endpoints: every due delivery gets this answer; returns the attempts' ids.

    `headers`: what was sent beside our own.
    """
    done = []
    for claim in waiting(rooms):
        exchange = Exchange(
            result=AttemptResult.OK if 200 <= status < 300 else AttemptResult.STATUS,
            status=status,
            request_headers=(("X-BoxC-Topic", claim.delivery.topic), *headers),
            response_headers=(("Server", "test"), ("Set-Cookie", "id=s3cret")),
            response_body=b"thanks",
            remote="93.184.216.34",
            started_at=rooms.clock.now(),
            duration_s=0.05,
        )
        now = rooms.clock.now()
        profile = PROFILES[claim.target.profile]
        done.append(
            Completion(
                delivery_id=claim.delivery.id,
                fence=claim.delivery.fence,
                attempt_id=rooms.ids.new("att"),
                address=claim.target.address,
                exchange=exchange,
                decision=decide(profile, claim.delivery, exchange, now=now, jitter=0.5),
            )
        )
    assert all(rooms.store.outbox.complete(done, notice=Notices(rooms.ids)))
    return [item.attempt_id for item in done]
