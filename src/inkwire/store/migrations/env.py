"""Runs migrations on the connection that `inkwire.store.open.migrate` hands over."""

from alembic import context

from inkwire.store import (  # noqa: F401 - add their tables to the metadata
    schema_acting,
    schema_crm,
    schema_orders,
    schema_sending,
)
from inkwire.store.schema import for_postgresql, metadata

for_postgresql()
connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
