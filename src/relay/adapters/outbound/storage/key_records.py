"""Reads the keys, without what only changing them needs."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from relay.adapters.outbound.storage.engine import in_transaction
from relay.adapters.outbound.storage.mapping import key_record
from relay.adapters.outbound.storage.tables import ApiKeyRow
from relay.domain.keys import KeyRecord


async def key_records(session: AsyncSession) -> tuple[KeyRecord, ...]:
    """All keys, revoked ones included, in the order of their creation."""
    oldest_first = select(ApiKeyRow).order_by(ApiKeyRow.created_ms, ApiKeyRow.public_id)
    return tuple([key_record(row) for row in await session.scalars(oldest_first)])


class SqlKeyListing:
    """Implements `application.manage.keys.KeyListing` over a reading engine."""

    def __init__(self, reader: AsyncEngine) -> None:
        self._reader = reader

    async def all(self) -> tuple[KeyRecord, ...]:
        """See `KeyListing.all`."""
        async with in_transaction(self._reader) as session:
            return await key_records(session)
