"""The books opened for one command, beside a running server or without one."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path

from relay.adapters.outbound.storage.engine import Database, in_transaction, reading_engine
from relay.adapters.outbound.storage.lock import DatabaseLock
from relay.adapters.outbound.storage.reports import SqlUsageReports
from relay.adapters.outbound.storage.repositories import SqlKeyRepository
from relay.adapters.outbound.storage.schema import bring_up
from relay.adapters.outbound.storage.unit_of_work import open_work
from relay.application.manage.keys import OpenWork
from relay.application.settle_usage import StoreUnavailable
from relay.domain.keys import KeyRecord


@asynccontextmanager
async def administering(path: Path) -> AsyncIterator[OpenWork]:
    """Write to the books while no server has them; they are made where there are none.

    Raises `DatabaseBusy`, `SchemaMismatch`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with DatabaseLock(path):
        bring_up(path)
        async with aclosing(Database(path)) as database:
            yield partial(open_work, database)


@asynccontextmanager
async def reading_reports(path: Path) -> AsyncIterator[SqlUsageReports]:
    """Read the books, whether a server has them or not. Raises `StoreUnavailable`."""
    if not _is_there(path):
        raise StoreUnavailable(f"there is no {path}: nothing has been served from here yet")
    engine = reading_engine(path)
    try:
        yield SqlUsageReports(engine)
    finally:
        await engine.dispose()


async def keys_on_file(path: Path) -> tuple[KeyRecord, ...]:
    """Every key of the books; none where there are no books. Raises `StoreUnavailable`."""
    if not _is_there(path):
        return ()
    engine = reading_engine(path)
    try:
        async with in_transaction(engine) as session:
            return await SqlKeyRepository(session).all()
    finally:
        await engine.dispose()


def _is_there(path: Path) -> bool:
    return path.exists()
