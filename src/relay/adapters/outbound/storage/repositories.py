"""Repositories over a session: domain values in and out, rows inside."""

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy.ext.asyncio import AsyncSession

from relay.adapters.outbound.storage.key_records import key_records
from relay.adapters.outbound.storage.mapping import key_row
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
        self._session = session
        self._rows = _KeyRows(session=session)

    async def all(self) -> tuple[KeyRecord, ...]:
        """See `KeyRepository.all`."""
        return await key_records(self._session)

    async def add(self, record: KeyRecord) -> None:
        """See `KeyRepository.add`."""
        await self._rows.add(key_row(record))

    async def revoke(self, public_id: str, at_ms: int) -> None:
        """See `KeyRepository.revoke`."""
        row = await self._rows.get(public_id)
        row.revoked_ms = at_ms
        await self._rows.update(row)
