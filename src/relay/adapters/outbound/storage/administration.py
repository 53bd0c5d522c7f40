"""The books opened for one command, beside a running server or without one."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from relay.adapters.outbound.storage.engine import Database, reading_engine
from relay.adapters.outbound.storage.lock import DatabaseLock
from relay.adapters.outbound.storage.schema import bring_up
from relay.adapters.outbound.storage.unit_of_work import open_work
from relay.application.manage.keys import OpenWork
from relay.application.settle_usage import StoreUnavailable


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
async def reading(path: Path) -> AsyncIterator[AsyncEngine]:
    """Read the books, whether a server has them or not. Raises `StoreUnavailable`."""
    _check_there(path)
    engine = reading_engine(path)
    try:
        yield engine
    finally:
        await engine.dispose()


def _check_there(path: Path) -> None:
    if not path.exists():
        raise StoreUnavailable(f"there is no {path}: nothing has been served from here yet")
