"""Runs the migrations on the connection, and inside the transaction, of whoever upgrades."""

from alembic import context

from relay.adapters.outbound.storage.tables import Table

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("migrations run through the relay itself, which brings its connection along")

context.configure(
    connection=connection,
    target_metadata=Table.metadata,
    render_as_batch=True,
)
context.run_migrations()
