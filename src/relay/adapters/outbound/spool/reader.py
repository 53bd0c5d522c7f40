"""The spool's reading side: hands its records over once, in order, and removes segments that are settled.

Theory of operation. Reading starts with the segments earlier runs left, each as a whole, and ends them with
`RunEnded`. Then it follows this run's log from a cursor: from memory while the next record is still there, else
from the file. Each attempt holds the segments its records are in until it is settled; a segment that was
read to its end, is no longer written and is not held goes away. Damaged stretches are kept in a `.bad` file.
"""

import os
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from errno import ENOSPC
from pathlib import Path
from typing import NamedTuple

import msgspec
from anyio import to_thread

from relay.adapters.outbound.spool.segment import Record, Scan, quarantine_path, scan, segment_path
from relay.adapters.outbound.spool.spool import Spool
from relay.application.settle_usage import RunEnded, Spooled
from relay.domain.ledger import AttemptEnded, LedgerEntry

READ_RECORDS = 1000
DEAD_LETTERS = "dead-letters.ndjson"


class Place(NamedTuple):
    """A point in the log: a segment and an offset in it."""

    number: int
    offset: int


class SpoolReader:
    """Implements `application.settle_usage.Backlog` over a `Spool` in the same process and thread."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._log = spool.log
        self._folder = spool.folder
        self._older = deque(spool.older)
        self._older_bytes = sum(_size(segment_path(self._folder, number)) for number in spool.older)
        self._cursor = Place(self._log.current + 1, 0)
        self._holds: dict[str, list[int]] = {}
        self._held: Counter[int] = Counter()
        self._done: set[int] = set()

    @property
    def unread_bytes(self) -> int:
        """How much is written and not yet read."""
        own = sum(self._log.size(number) for number in self._log.numbers if number >= self._cursor.number)
        return self._older_bytes + own - self._cursor.offset

    async def read(self) -> Sequence[Spooled]:
        """See `Backlog.read`. Raises `OSError` when a segment cannot be read; it is tried again next time."""
        self._spool.retry()
        records: Sequence[Spooled] = ()
        while not records and (self._older or self.unread_bytes):
            self._advance()
            records = (
                await self._read_older() if self._older else self._read_recent() or await self._read_own()
            )
        return records

    def settled(self, ids: Iterable[str]) -> None:
        """See `Backlog.settled`."""
        for attempt in ids:
            for number in self._holds.pop(attempt, ()):
                self._held[number] -= 1
        self._sweep()

    def reject(self, what: LedgerEntry | AttemptEnded, reason: str) -> None:
        """See `Backlog.reject`."""
        letter = msgspec.json.encode({"reason": reason, "record": what}) + b"\n"
        _append_synced(self._folder / DEAD_LETTERS, letter)

    def close(self) -> None:
        """Close the spool; what is settled to the last record leaves no segment behind."""
        self._spool.close()
        self._sweep()

    async def _read_older(self) -> Sequence[Spooled]:
        number = self._older[0]
        path = segment_path(self._folder, number)
        found = await to_thread.run_sync(_read, path, 0, None)
        _quarantine(path, 0, found)
        self._older_bytes -= _size(path)
        self._older.popleft()
        self._hold(found.records, number)
        self._done.add(number)
        self._sweep()
        return found.records if self._older else (*found.records, RunEnded())

    def _read_recent(self) -> Sequence[Record]:
        """From memory, as long as the next record there is the next of the log."""
        recent = self._spool.recent
        records: list[Record] = []
        while recent and len(records) < READ_RECORDS:
            number, start, end, record = recent[0]
            if (number, start) > self._cursor:
                break
            recent.popleft()
            if (number, start) == self._cursor:
                self._hold((record,), number)
                records.append(record)
                self._cursor = Place(number, end)
                self._advance()
        return records

    async def _read_own(self) -> Sequence[Record]:
        """From the file: more was written than memory keeps, or a failed write left a gap."""
        number, offset = self._cursor
        size = self._log.size(number)
        if offset >= size:
            return ()
        path = segment_path(self._folder, number)
        found = await to_thread.run_sync(_read, path, offset, size)
        _quarantine(path, offset, found)
        self._hold(found.records, number)
        self._cursor = Place(number, size)
        self._advance()
        return found.records

    def _advance(self) -> None:
        """Move the cursor from the end of a finished segment to the start of the next."""
        number, offset = self._cursor
        if self._log.is_finished(number) and offset >= self._log.size(number):
            self._done.add(number)
            self._cursor = Place(number + 1, 0)

    def _hold(self, records: Iterable[Record], number: int) -> None:
        for record in records:
            held = self._holds.setdefault(record.id, [])
            if number not in held:
                held.append(number)
                self._held[number] += 1

    def _sweep(self) -> None:
        self._advance()
        for number in [number for number in self._done if not self._held[number]]:
            self._log.discard(number)
            self._done.discard(number)
            del self._held[number]


def _read(path: Path, offset: int, end: int | None) -> Scan:
    with path.open("rb") as file:
        file.seek(offset)
        return scan(file.read() if end is None else file.read(end - offset))


def _quarantine(path: Path, offset: int, found: Scan) -> None:
    if found.damaged:
        quarantine_path(path, offset).write_bytes(b"".join(found.damaged))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _append_synced(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        if os.write(descriptor, data) < len(data):
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
