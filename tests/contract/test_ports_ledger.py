"""What a ledger promises whoever writes it and whoever settles it, held by the spool and by the fake alike."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from relay.adapters.outbound.spool.reader import DEAD_LETTERS, SpoolReader
from relay.adapters.outbound.spool.spool import Spool
from relay.application.ports import Ledger
from relay.application.settle_usage import Backlog, RunEnded, Spooled
from relay.domain.errors import AccountingUnavailable
from tests.support.disk import full_disk
from tests.support.fakes_ledger import MemoryLedger
from tests.support.records import ended, entry, event_id, started

pytestmark = pytest.mark.anyio


class Books(Protocol):
    """A ledger with its reading end, and what a test does to it."""

    ledger: Ledger
    backlog: Backlog

    def failing(self) -> AbstractContextManager[None]: ...

    def restart(self) -> None: ...

    def put_aside(self) -> int: ...

    def close(self) -> None: ...


class MemoryBooks:
    def __init__(self, folder: Path) -> None:
        self._memory = MemoryLedger()
        self.ledger: Ledger = self._memory
        self.backlog: Backlog = self._memory

    @contextmanager
    def failing(self) -> Iterator[None]:
        self._memory.is_broken = True
        yield
        self._memory.is_broken = False

    def restart(self) -> None:
        self._memory = MemoryLedger.restarted(self._memory)
        self.ledger = self.backlog = self._memory

    def put_aside(self) -> int:
        return len(self._memory.letters)

    def close(self) -> None:
        pass


class SpoolBooks:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open()

    def _open(self) -> None:
        spool = Spool(self._folder)
        self._reader = SpoolReader(spool)
        self.ledger: Ledger = spool
        self.backlog: Backlog = self._reader

    def failing(self) -> AbstractContextManager[None]:
        return full_disk()

    def restart(self) -> None:
        self._reader.close()
        self._open()

    def put_aside(self) -> int:
        letters = self._folder / DEAD_LETTERS
        return len(letters.read_bytes().splitlines()) if letters.exists() else 0

    def close(self) -> None:
        self._reader.close()


@pytest.fixture(params=[MemoryBooks, SpoolBooks])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Books]:
    make: Callable[[Path], Books] = request.param
    made = make(tmp_path / "relay.db.spool")
    yield made
    made.close()


async def read_all(backlog: Backlog) -> list[Spooled]:
    records: list[Spooled] = []
    while read := await backlog.read():
        records += read
    return records


async def test_what_is_written_is_read_once_and_in_order(books: Books) -> None:
    books.ledger.begin(started(1))
    books.ledger.begin(started(2))
    books.ledger.end(ended(2))
    assert await read_all(books.backlog) == [started(1), started(2), ended(2)]
    books.ledger.end(ended(1))
    assert await read_all(books.backlog) == [ended(1)]
    assert await read_all(books.backlog) == []
    assert books.backlog.unread_bytes == 0


async def test_nothing_begins_while_the_books_cannot_be_written(books: Books) -> None:
    with books.failing(), pytest.raises(AccountingUnavailable):
        books.ledger.begin(started(1))
    books.ledger.begin(started(2))
    assert await read_all(books.backlog) == [started(2)]


async def test_an_end_that_cannot_be_written_is_kept_and_written_later(books: Books) -> None:
    books.ledger.begin(started(1))
    with books.failing():
        books.ledger.end(ended(1))
        assert await read_all(books.backlog) == [started(1)]
    assert await read_all(books.backlog) == [ended(1)]


async def test_an_end_that_waits_is_written_before_the_next_start(books: Books) -> None:
    books.ledger.begin(started(1))
    with books.failing():
        books.ledger.end(ended(1))
    books.ledger.begin(started(2))
    assert await read_all(books.backlog) == [started(1), ended(1), started(2)]


async def test_the_next_run_finds_what_was_not_settled_and_is_told_that_its_run_is_over(books: Books) -> None:
    for number in (1, 2):
        books.ledger.begin(started(number))
    books.ledger.end(ended(1))
    await read_all(books.backlog)
    books.restart()
    assert await read_all(books.backlog) == [started(1), started(2), ended(1), RunEnded()]


async def test_the_next_run_finds_nothing_when_all_was_settled(books: Books) -> None:
    books.ledger.begin(started(1))
    books.ledger.end(ended(1))
    await read_all(books.backlog)
    books.backlog.settled([event_id(1)])
    books.restart()
    assert await read_all(books.backlog) == []


async def test_settling_an_unknown_attempt_changes_nothing(books: Books) -> None:
    books.backlog.settled([event_id(99)])
    books.ledger.begin(started(1))
    assert await read_all(books.backlog) == [started(1)]


async def test_what_can_never_be_stored_is_put_aside(books: Books) -> None:
    books.backlog.reject(entry(1), "too large")
    books.backlog.reject(ended(2), "its start is missing")
    assert books.put_aside() == 2
