"""Engines for SQLite as the relay uses it: one writing connection, readers that cannot write, real transactions.

The driver's own idea of transactions is switched off (`isolation_level = None`): it commits before DDL and
begins writing late, which turns two writers into "database is locked" at once. Every transaction begins here,
writing ones with BEGIN IMMEDIATE. Readers neither write nor checkpoint: SQLite before 3.51.3 can corrupt a
database whose WAL two connections reset at the same time (https://sqlite.org/wal.html).
"""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiosqlite
import anyio
from anyio import to_thread
from sqlalchemy import AsyncAdaptedQueuePool, Connection, Engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from relay.application.settle_usage import StoreUnavailable, Unstorable

BUSY_TIMEOUT_MS = 2000
WRITERS = 1
READERS = 4

_WRITER_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a spool segment is deleted after the commit
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 67108864",
)
_READER_PRAGMAS = ("PRAGMA query_only = ON", "PRAGMA wal_autocheckpoint = 0")


class Database:
    """The two engines of a database file whose schema is up to date."""

    def __init__(self, path: Path) -> None:
        self.writer = _async_engine(path, "rw", _WRITER_PRAGMAS, "BEGIN IMMEDIATE")
        self.reader = reading_engine(path)

    async def aclose(self) -> None:
        """Close every connection, readers first, so that the writer's checkpoint is the last word."""
        with anyio.CancelScope(shield=True):
            await self.reader.dispose()
            await self.writer.dispose()


@asynccontextmanager
async def in_transaction(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """A session in a transaction that is rolled back unless committed; for a reader, one consistent view.

    Cancelling waits until it is over: half-way, the driver's thread would go on without us, and each statement
    is bounded by the busy time-out. Raises `StoreUnavailable`, `Unstorable`.
    """
    with anyio.CancelScope(shield=True), translated():
        async with AsyncSession(engine, expire_on_commit=False) as session:
            yield session


def reading_engine(path: Path) -> AsyncEngine:
    """Readers of a file that another process may be serving. To be disposed of by the caller."""
    return _async_engine(path, "ro", _READER_PRAGMAS, "BEGIN")


def sqlite_path(url: str) -> Path:
    """The file a database URL names. Raises `ValueError` with words for the operator."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("the database URL is not of the form sqlite:///path/to/relay.db") from None
    if parsed.get_backend_name() != "sqlite":
        raise ValueError(f"{parsed.get_backend_name()} databases are not supported, use sqlite:///relay.db")
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        raise ValueError("the database must be a file, as in sqlite:///relay.db")
    return Path(parsed.database)


def use_transactions(engine: Engine, pragmas: tuple[str, ...], begin: str) -> None:
    """Make a SQLite engine's connections set `pragmas`, and its transactions start with `begin`."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


class NewRows:
    """Inserts many whole rows of a table and leaves those already there as they are.

    The statement is compiled once and given to the driver with its parameters: half the work of handing
    SQLAlchemy a statement each time, and rows are settled at the pace of the traffic.
    """

    def __init__(self, engine: AsyncEngine, row: type[DeclarativeBase]) -> None:
        table = row.metadata.tables[row.__tablename__]
        compiled = sqlite.insert(table).on_conflict_do_nothing().compile(dialect=engine.dialect)
        self._sql = str(compiled)
        self._values = itemgetter(*(compiled.positiontup or ()))

    async def insert(self, session: AsyncSession, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert rows given as values by column, all columns of each."""
        connection = await session.connection()
        await connection.exec_driver_sql(self._sql, list(map(self._values, rows)))


@contextmanager
def translated() -> Iterator[None]:
    """SQLAlchemy's errors as the ports'. Only what is certain to be the data's fault is `Unstorable`.

    The driver raises `OverflowError` and `UnicodeError` itself. Messages carry no values.
    """
    try:
        yield
    except (DataError, IntegrityError, OverflowError, UnicodeError) as error:
        raise Unstorable(_words(error)) from error
    except SQLAlchemyError as error:
        raise StoreUnavailable(_words(error)) from error


def _words(error: Exception) -> str:
    return str(error.orig) if isinstance(error, DBAPIError) else f"{type(error).__name__}: {error}"


def _async_engine(path: Path, mode: str, pragmas: tuple[str, ...], begin: str) -> AsyncEngine:
    location = f"file:{quote(str(path.absolute()))}?mode={mode}"
    engine = create_async_engine(
        "sqlite+aiosqlite://",
        async_creator=partial(_connected, location),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=WRITERS if mode == "rw" else READERS,
        max_overflow=0,
        hide_parameters=True,
    )
    use_transactions(engine.sync_engine, pragmas, begin)
    return engine


async def _connected(location: str) -> aiosqlite.Connection:
    connection = aiosqlite.connect(location, uri=True)
    thread = connection._thread
    thread.daemon = True  # as SQLAlchemy does: a forgotten connection must not keep the process alive
    try:
        return await connection
    except sqlite3.Error:
        # The thread still reports its end to the loop, which may be closed soon.
        await to_thread.run_sync(thread.join)
        raise
