"""Stores settled attempts, each id once."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import batched

from sqlalchemy import select

from relay.adapters.outbound.storage.engine import Database, NewRows, in_transaction
from relay.adapters.outbound.storage.mapping import usage_event_tag_values, usage_event_values
from relay.adapters.outbound.storage.tables import UsageEventRow, UsageEventTagRow
from relay.domain.ledger import LedgerEntry

MAX_PARAMETERS = 1000
"""Of one statement; every database takes as many."""


class SqlUsageStore:
    """Implements `application.settle_usage.UsageStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._events = NewRows(database.writer, UsageEventRow)
        self._tags = NewRows(database.writer, UsageEventTagRow)

    async def settle(self, entries: Sequence[LedgerEntry]) -> None:
        """See `UsageStore.settle`."""
        events = [usage_event_values(entry) for entry in entries]
        tags = [values for entry in entries for values in usage_event_tag_values(entry)]
        async with in_transaction(self._database.writer) as session:
            await self._events.insert(session, events)
            if tags:
                await self._tags.insert(session, tags)
            await session.commit()

    async def known(self, ids: Sequence[str]) -> AbstractSet[str]:
        """See `UsageStore.known`."""
        found: set[str] = set()
        async with in_transaction(self._database.reader) as session:
            for some in batched(ids, MAX_PARAMETERS):
                found.update(
                    await session.scalars(select(UsageEventRow.id).where(UsageEventRow.id.in_(some)))
                )
        return found
