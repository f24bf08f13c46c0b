"""A provider setting that an upgrade added was missing in stored sources: 503 for each webhook."""

from fakes.provider import ToyReceiver
from ingest.kit import running, toy_source
from inkwire.model.request import Reply
from inkwire.providers.contract import SettingField, SettingKind

FIELDS = (
    SettingField(
        key="tolerance_s",
        label="Tolerance",
        help="Seconds.",
        kind=SettingKind.SECONDS,
        default=300,
        maximum=600,
    ),
    SettingField(
        key="word", label="Word", help="What is answered.", kind=SettingKind.TEXT, default="thanks"
    ),
)


class GrownReceiver(ToyReceiver):
    """A toy that a later release gave settings, and that takes them for granted."""

    settings = FIELDS
    seen = ()

    def verify(self, request, secrets, settings, now):
        """Reads every setting, as real providers do."""
        self.seen = (settings["tolerance_s"], settings["word"])
        return super().verify(request, secrets, settings, now)

    def reply(self, events):
        """As before."""
        return Reply(status=202)


async def test_sources_made_before_an_upgrade_still_receive(tmp_path):
    """Missing, dropped and now-invalid settings fall back to the defaults; good ones count."""
    receiver = GrownReceiver()
    for stored, seen in (
        ({}, (300, "thanks")),
        ({"tolerance_s": 60, "gone": "x"}, (60, "thanks")),
        ({"tolerance_s": 9_999, "word": "ok"}, (300, "ok")),
        ({"tolerance_s": ["odd"], "word": None}, (300, "thanks")),
    ):
        source = toy_source(settings=stored)
        async with running(tmp_path, source=source, receiver=receiver) as hub:
            assert (await hub.post()).status == 202
            assert receiver.seen == seen
