"""Repositories over a session: domain values in and out, rows inside."""

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from relay.adapters.outbound.storage.engine import in_transaction
from relay.adapters.outbound.storage.mapping import key_record, key_row
from relay.adapters.outbound.storage.tables import ApiKeyRow
from relay.domain.keys import KeyRecord


class _KeyRows(SQLAlchemyAsyncRepository[ApiKeyRow]):
    """Rows of `api_key`. Errors stay SQLAlchemy's, to be translated in one place."""

    model_type = ApiKeyRow
    id_attribute = "public_id"
    wrap_exceptions = False


class SqlKeyRepository:
    """Implements `application.manage.keys.KeyRepository`."""

    def __init__(self, session: AsyncSession) -> None:
        self._rows = _KeyRows(session=session)

    async def all(self) -> tuple[KeyRecord, ...]:
        """See `KeyRepository.all`."""
        order = (ApiKeyRow.created_ms.asc(), ApiKeyRow.public_id.asc())
        return tuple(key_record(row) for row in await self._rows.get_many(order_by=list(order)))

    async def add(self, record: KeyRecord) -> None:
        """See `KeyRepository.add`."""
        await self._rows.add(key_row(record))

    async def revoke(self, public_id: str, at_ms: int) -> None:
        """See `KeyRepository.revoke`."""
        row = await self._rows.get(public_id)
        row.revoked_ms = at_ms
        await self._rows.update(row)


class SqlKeyListing:
    """Implements `application.manage.keys.KeyListing` over a reading engine."""

    def __init__(self, reader: AsyncEngine) -> None:
        self._reader = reader

    async def all(self) -> tuple[KeyRecord, ...]:
        """See `KeyListing.all`."""
        async with in_transaction(self._reader) as session:
            return await SqlKeyRepository(session).all()
