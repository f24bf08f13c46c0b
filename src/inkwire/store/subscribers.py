"""Subscribers: applications, topics and grants (`applications.py`), webhooks (`webhooks.py`)."""

from inkwire.store.applications import SqlApplications
from inkwire.store.cipher import Cipher
from inkwire.store.database import Database
from inkwire.store.webhooks import SqlWebhooks


class SqlSubscribers(SqlApplications, SqlWebhooks):
    """See `sending.Subscribers`."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        """`cipher` seals keys and header values."""
        super().__init__(database)
        self._cipher = cipher
