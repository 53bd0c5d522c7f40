"""One change of the configuration as one transaction that raises the configuration's version."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from anyio import to_thread
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from relay.adapters.outbound.storage.engine import Database, in_transaction
from relay.adapters.outbound.storage.tables import ConfigVersionRow
from relay.application.manage.keys import KeyRepository


class SqlUnitOfWork:
    """Implements `application.manage.keys.UnitOfWork`."""

    def __init__(self, session: AsyncSession, keys: KeyRepository) -> None:
        self.keys = keys
        self._session = session

    async def commit(self) -> None:
        """See `UnitOfWork.commit`."""
        await self._session.commit()


@asynccontextmanager
async def open_work(database: Database) -> AsyncIterator[SqlUnitOfWork]:
    """A unit of work, rolled back unless committed.

    The version is raised first: its row's lock keeps other changes out until this one ends, on any database.
    Raises `StoreUnavailable`.
    """
    repository = await to_thread.run_sync(_load)
    async with in_transaction(database.writer) as session:
        await session.execute(update(ConfigVersionRow).values(version=ConfigVersionRow.version + 1))
        yield SqlUnitOfWork(session, repository(session))


def _load() -> Callable[[AsyncSession], KeyRepository]:
    """In a thread: with the library beneath it this takes longer than a stream may stand still."""
    from relay.adapters.outbound.storage.repositories import SqlKeyRepository

    return SqlKeyRepository
