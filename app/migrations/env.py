"""Run by alembic: applies the versions over the connection that `open_database` hands in, in one transaction."""

from alembic import context

from app.store.tables import metadata as app_metadata
from retrieval.store.tables import metadata as retrieval_metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=[app_metadata, retrieval_metadata]
)
with context.begin_transaction():
    context.run_migrations()
