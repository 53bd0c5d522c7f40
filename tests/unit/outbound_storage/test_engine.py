"""Transactions that are transactions, one writer, and readers that only read."""

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from relay.adapters.outbound.storage import engine as engine_module
from relay.adapters.outbound.storage.engine import Database, in_transaction, reading_engine, sqlite_path
from relay.adapters.outbound.storage.schema import bring_up
from relay.application.settle_usage import StoreUnavailable, Unstorable

pytestmark = pytest.mark.anyio

COUNT = text("SELECT count(*) FROM api_key")
INSERT = text("INSERT INTO api_key VALUES (:id, 'web', x'00', '[]', 1, 0, 0, 0)")


async def test_the_pragmas_are_in_force(database: Database) -> None:
    async with in_transaction(database.writer) as session:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert await session.scalar(text(f"PRAGMA {pragma}")) == value
    async with in_transaction(database.reader) as session:
        assert await session.scalar(text("PRAGMA query_only")) == 1
        assert await session.scalar(text("PRAGMA wal_autocheckpoint")) == 0


async def test_a_transaction_that_is_not_committed_leaves_nothing_not_even_a_table(
    database: Database,
) -> None:
    async with in_transaction(database.writer) as session:
        await session.execute(text("CREATE TABLE half (id INTEGER)"))
        await session.execute(INSERT, {"id": "a"})
    async with in_transaction(database.reader) as session:
        assert await session.scalar(COUNT) == 0
        assert await session.scalar(text("SELECT count(*) FROM sqlite_master WHERE name = 'half'")) == 0


async def test_writers_that_read_first_wait_for_each_other_instead_of_failing(database: Database) -> None:
    async def read_then_write(number: int) -> None:
        async with in_transaction(database.writer) as session:
            seen = await session.scalar(COUNT)
            await session.execute(INSERT, {"id": f"{number}-{seen}"})
            await session.commit()

    async with anyio.create_task_group() as tasks:
        for number in range(30):
            tasks.start_soon(read_then_write, number)
    async with in_transaction(database.reader) as session:
        assert await session.scalar(COUNT) == 30


async def test_two_programs_that_read_first_wait_for_each_other_too(database: Database, path: Path) -> None:
    other = Database(path)

    async def read_then_write(engine: AsyncEngine, number: int) -> None:
        async with in_transaction(engine) as session:
            seen = await session.scalar(COUNT)
            await anyio.sleep(0.001)
            await session.execute(INSERT, {"id": f"{number}-{seen}"})
            await session.commit()

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(read_then_write, database.writer, number)
            tasks.start_soon(read_then_write, other.writer, number)
    async with in_transaction(database.reader) as session:
        assert await session.scalar(COUNT) == 20
    await other.aclose()


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StoreUnavailable, match="readonly"):
        async with in_transaction(database.reader) as session:
            await session.execute(INSERT, {"id": "a"})


async def test_a_reader_sees_one_state_from_start_to_end(database: Database) -> None:
    async with in_transaction(database.reader) as reading:
        assert await reading.scalar(COUNT) == 0
        async with in_transaction(database.writer) as writing:
            await writing.execute(INSERT, {"id": "a"})
            await writing.commit()
        assert await reading.scalar(COUNT) == 0
    async with in_transaction(database.reader) as reading:
        assert await reading.scalar(COUNT) == 1


async def test_a_database_locked_by_another_program_is_unavailable_after_a_moment(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_TIMEOUT_MS", 100)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with anyio.fail_after(2), pytest.raises(StoreUnavailable, match="locked"):
            async with in_transaction(database.writer) as session:
                await session.execute(INSERT, {"id": "a"})
        other.execute("ROLLBACK")
    async with in_transaction(database.writer) as session:
        await session.execute(INSERT, {"id": "a"})
        await session.commit()


@pytest.mark.parametrize("value", [2**63, "\ud800"])
async def test_a_value_that_no_column_takes_is_the_datas_fault(database: Database, value: object) -> None:
    with pytest.raises(Unstorable):
        async with in_transaction(database.writer) as session:
            await session.execute(INSERT, {"id": value})


async def test_a_broken_constraint_is_the_datas_fault_and_the_message_shows_no_value(
    database: Database,
) -> None:
    async with in_transaction(database.writer) as session:
        await session.execute(INSERT, {"id": "sensitive"})
        await session.commit()
    with pytest.raises(Unstorable, match="UNIQUE") as caught:
        async with in_transaction(database.writer) as session:
            await session.execute(INSERT, {"id": "sensitive"})
    assert "sensitive" not in str(caught.value)


async def test_a_cancelled_transaction_is_finished_and_the_connection_serves_on(
    database: Database,
) -> None:
    async def write_slowly() -> None:
        async with in_transaction(database.writer) as session:
            for number in range(20):
                await session.execute(INSERT, {"id": str(number)})
                await anyio.sleep(0.002)
            await session.commit()

    with anyio.move_on_after(0.01):
        await write_slowly()
    async with in_transaction(database.writer) as session:
        assert await session.scalar(COUNT) == 20


async def test_a_file_with_an_odd_name_is_opened_for_writing_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "a b%20c?mode=memory#x ü" / "relay'.db"
    path.parent.mkdir()
    bring_up(path)
    database = Database(path)
    async with in_transaction(database.writer) as session:
        await session.execute(INSERT, {"id": "a"})
        await session.commit()
    async with in_transaction(database.reader) as session:
        assert await session.scalar(COUNT) == 1
    await database.aclose()
    assert [found.name for found in path.parent.iterdir()] == ["relay'.db"]


async def test_the_file_is_read_while_nobody_serves_it_and_nothing_is_left_behind(path: Path) -> None:
    reader = reading_engine(path)
    async with in_transaction(reader) as session:
        assert await session.scalar(COUNT) == 0
    await reader.dispose()


async def test_reading_never_makes_a_database(tmp_path: Path) -> None:
    reader = reading_engine(tmp_path / "absent.db")
    with pytest.raises(StoreUnavailable, match="unable to open"):
        async with in_transaction(reader) as session:
            await session.scalar(COUNT)
    await reader.dispose()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///relay.db", "relay.db"),
        ("sqlite:////var/lib/relay/relay.db", "/var/lib/relay/relay.db"),
        ("sqlite+aiosqlite:///data/relay.db", "data/relay.db"),
    ],
)
def test_a_database_url_names_a_file(url: str, path: str) -> None:
    assert sqlite_path(url) == Path(path)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://relay@host/db", "postgresql databases are not supported"),
        ("mysql://host/db", "mysql databases are not supported"),
        ("relay.db", "not of the form"),
        ("", "not of the form"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("sqlite:///file:relay.db?mode=memory&uri=true", "must be a file"),
    ],
)
def test_another_database_url_is_refused_with_words(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sqlite_path(url)
