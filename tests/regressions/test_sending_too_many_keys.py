"""Three hundred rotations within a day made a signature header of 14 KB, which endpoints refuse."""

import pytest

from contract.store_kit import Hub
from inkwire.access.gate import CLI
from inkwire.delivery.desk import MAX_VALID_KEYS
from inkwire.delivery.drafts import WebhookDraft
from inkwire.errors import Conflict
from inkwire.hub import hub_of
from inkwire.model.webhook import Topic


def test_keys_that_sign_at_the_same_time_are_few(hub: Hub):
    """One more is a Conflict; without overlap, and after the others' end, it goes."""
    rooms = hub_of(hub.settings, hub.store, clock=hub.clock, ids=hub.ids)
    rooms.applications.put_topic(CLI, Topic(name="keys.tested", granted_to_all=True))
    application = rooms.applications.create(CLI, name="Rotates")
    draft = WebhookDraft(topic="keys.tested", address="https://8.8.8.8/hook")
    webhook, _ = rooms.webhooks.create(CLI, application.id, draft)
    for _ in range(MAX_VALID_KEYS - 1):
        hub.clock.advance(seconds=1)
        rooms.webhooks.rotate(CLI, webhook.id, overlap_s=3600)
    with pytest.raises(Conflict, match="rotate without overlap"):
        rooms.webhooks.rotate(CLI, webhook.id, overlap_s=3600)
    rooms.webhooks.rotate(CLI, webhook.id, overlap_s=0)
    hub.clock.advance(seconds=1)
    rooms.webhooks.rotate(CLI, webhook.id, overlap_s=3600)
