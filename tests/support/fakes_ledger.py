"""The books in memory: they pass the same contract suites as the spool and the database."""

from collections.abc import Iterable, Sequence

from relay.application.settle_usage import RunEnded, Spooled, StoreUnavailable, Unstorable
from relay.domain.errors import AccountingUnavailable
from relay.domain.ledger import AttemptEnded, AttemptStarted, LedgerEntry

type Record = AttemptStarted | AttemptEnded


class MemoryLedger:
    """A `Ledger` and, to read it, a `Backlog`. While `is_broken` nothing can be written."""

    def __init__(self, older: Sequence[Record] = ()) -> None:
        self.is_broken = False
        self.records: list[Record] = []
        self.letters: list[tuple[LedgerEntry | AttemptEnded, str]] = []
        self._unread: list[Spooled] = [*older, RunEnded()] if older else []
        self._kept: list[Record] = list(older)
        self._unwritten: list[AttemptEnded] = []

    @property
    def entries(self) -> list[LedgerEntry]:
        """Every attempt that has ended, in the order of their ends."""
        starts = {record.id: record for record in self.records if isinstance(record, AttemptStarted)}
        return [
            LedgerEntry(started=starts[record.id], ended=record)
            for record in self.records
            if isinstance(record, AttemptEnded)
        ]

    @property
    def open_attempts(self) -> list[AttemptStarted]:
        """Every attempt that has not ended."""
        ended = {record.id for record in self.records if isinstance(record, AttemptEnded)}
        return [
            record for record in self.records if isinstance(record, AttemptStarted) and record.id not in ended
        ]

    @property
    def unread_bytes(self) -> int:
        return len(self._unread)

    def begin(self, started: AttemptStarted) -> None:
        if self.is_broken:
            raise AccountingUnavailable("the ledger is broken")
        self._write_waiting()
        self._write(started)

    def end(self, ended: AttemptEnded) -> None:
        self._unwritten.append(ended)
        if not self.is_broken:
            self._write_waiting()

    async def read(self) -> Sequence[Spooled]:
        if not self.is_broken:
            self._write_waiting()
        records, self._unread = self._unread, []
        return records

    def settled(self, ids: Iterable[str]) -> None:
        gone = set(ids)
        self._kept = [record for record in self._kept if record.id not in gone]

    def reject(self, what: LedgerEntry | AttemptEnded, reason: str) -> None:
        self.letters.append((what, reason))

    def restarted(self) -> "MemoryLedger":
        """What the next run finds."""
        return MemoryLedger(self._kept)

    def _write_waiting(self) -> None:
        for ended in self._unwritten:
            self._write(ended)
        self._unwritten.clear()

    def _write(self, record: Record) -> None:
        self.records.append(record)
        self._unread.append(record)
        self._kept.append(record)


class MemoryUsageStore:
    """A `UsageStore`. While `is_away` nothing can be stored; entries of ids in `poison` never can."""

    def __init__(self) -> None:
        self.is_away = False
        self.poison: set[str] = set()
        self.stored: dict[str, LedgerEntry] = {}
        self.batches: list[int] = []

    async def settle(self, entries: Sequence[LedgerEntry]) -> None:
        if self.is_away:
            raise StoreUnavailable("the store is away")
        if any(entry.started.id in self.poison for entry in entries):
            raise Unstorable("a value does not fit")
        self.batches.append(len(entries))
        for entry in entries:
            self.stored.setdefault(entry.started.id, entry)

    async def known(self, ids: Sequence[str]) -> set[str]:
        if self.is_away:
            raise StoreUnavailable("the store is away")
        return self.stored.keys() & set(ids)
