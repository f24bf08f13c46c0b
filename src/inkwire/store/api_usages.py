"""What connections' organisations have used of their daily calls."""

import sqlalchemy as sa

from inkwire.model.crm import ApiUsage
from inkwire.moments import to_micros
from inkwire.store import crm_rows
from inkwire.store import schema_crm as tables
from inkwire.store.database import Database
from inkwire.store.faults import Violated
from inkwire.store.intake import clean
from inkwire.store.keepable import require_keepable

_usages = tables.api_usages
#: One answer may overtake another: the newest stays.
_NOTE = sa.text(
    "INSERT INTO api_usages (connection_id, used, most, at) "
    "VALUES (:connection_id, :used, :most, :at) ON CONFLICT (connection_id) DO UPDATE "
    "SET used = excluded.used, most = excluded.most, at = excluded.at "
    "WHERE excluded.at >= api_usages.at"
)


class SqlApiUsages:
    """See `crm.ApiUsages`."""

    def __init__(self, database: Database) -> None:
        """No counter moves for it: each number comes with a call, which moves one itself."""
        self._database = database

    def note(self, usage: ApiUsage) -> None:
        """Keeps the newest of a connection; nothing for a connection that is not there."""
        require_keepable(usage.connection_id)
        values = {
            "connection_id": usage.connection_id,
            "used": usage.used,
            "most": usage.most,
            "at": to_micros(usage.at),
        }
        try:
            with self._database.writing() as conn:
                conn.execute(_NOTE, values)
        except Violated:  # the connection was deleted while its call was under way
            return

    def get(self, connection_id: str) -> ApiUsage | None:
        """The last one noted, or None."""
        with self._database.reading() as conn:
            row = conn.execute(
                sa.select(_usages).where(_usages.c.connection_id == clean(connection_id))
            ).one_or_none()
        return None if row is None else crm_rows.api_usage(row)
