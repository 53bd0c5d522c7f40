"""Carries what the spool holds into the database, each attempt exactly once, however often it is tried.

Theory of operation. Starts wait in memory for their ends; a pair is ready. Ready entries go to the store in
batches, in order; only when a batch is stored is the spool told, and lets its segments go. A store that is away
changes nothing but the delay. A batch with an entry the store can never take is halved until that entry stands
alone, and is put aside. When the spool says that an earlier run is over, its open starts become
`interrupted` entries. The store ignores ids it has, so a crash between storing and telling is harmless.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, assert_never

import anyio

from relay.domain.ledger import AttemptEnded, AttemptStarted, LedgerEntry, interrupted

BATCH_ENTRIES = 500
POLL_S = 0.1
MAX_PAUSE_S = 5.0
MAX_DOUBLINGS = 6


@dataclass(frozen=True, slots=True)
class RunEnded:
    """All that was read before this was written by runs that are over."""


type Spooled = AttemptStarted | AttemptEnded | RunEnded


class StoreUnavailable(Exception):
    """The store cannot be used now; nothing of the batch was stored."""


class Unstorable(Exception):
    """Something in the batch can never be stored as it is; nothing of it was stored."""


class Backlog(Protocol):
    """The spool, as it is read."""

    @property
    def unread_bytes(self) -> int:
        """What is written and not yet read."""
        ...

    async def read(self) -> Sequence[Spooled]:
        """The next records, each handed over once; empty when there are none now. Raises `OSError`."""
        ...

    def settled(self, ids: Iterable[str]) -> None:
        """The records of these attempts are no longer needed."""
        ...

    def reject(self, what: LedgerEntry | AttemptEnded, reason: str) -> None:
        """Keep aside what can never be stored. Raises `OSError`."""
        ...


class UsageStore(Protocol):
    """The database's side of the books."""

    async def settle(self, entries: Sequence[LedgerEntry]) -> None:
        """Store all or none; ids already there are left as they are. Raises `StoreUnavailable`, `Unstorable`."""
        ...

    async def known(self, ids: Sequence[str]) -> AbstractSet[str]:
        """Those of the ids that are stored. Raises `StoreUnavailable`."""
        ...


class SettleUsage:
    """The background use case. `problem` says why the books are behind; empty when they are not."""

    def __init__(self, backlog: Backlog, store: UsageStore) -> None:
        self.problem = ""
        self._backlog = backlog
        self._store = store
        self._open: dict[str, AttemptStarted] = {}
        self._ready: deque[LedgerEntry] = deque()
        self._orphans: list[AttemptEnded] = []

    @property
    def waiting_entries(self) -> int:
        """Ended attempts that were read and are not stored yet."""
        return len(self._ready)

    @property
    def unread_bytes(self) -> int:
        """What lies in the spool besides."""
        return self._backlog.unread_bytes

    async def run(self) -> None:
        """Settle until cancelled: every 100 ms, sooner after a full batch, later while the store is away."""
        failures = 0
        while True:
            read = await self._pass()
            failures = failures + 1 if self.problem else 0
            pause_s = min(POLL_S * 2 ** min(failures, MAX_DOUBLINGS), MAX_PAUSE_S)
            await anyio.sleep(0 if read >= BATCH_ENTRIES else pause_s)

    async def catch_up(self) -> bool:
        """Settle all there is now, as before a stop; false when the store or the spool prevents it."""
        while await self._pass():
            pass
        return not self.problem

    async def _pass(self) -> int:
        """Read once and store what became ready; the number of records read, 0 after a failure."""
        try:
            await self._store_ready()
            records = await self._backlog.read()
            for record in records:
                self._take(record)
            await self._store_ready()
            await self._put_orphans_aside()
        except (StoreUnavailable, OSError) as error:
            self.problem = str(error) or type(error).__name__
            return 0
        self.problem = ""
        return len(records)

    def _take(self, record: Spooled) -> None:
        match record:
            case AttemptStarted():
                self._open[record.id] = record
            case AttemptEnded():
                started = self._open.pop(record.id, None)
                if started is None:
                    self._orphans.append(record)
                else:
                    self._ready.append(LedgerEntry(started=started, ended=record))
            case RunEnded():
                self._ready.extend(interrupted(started) for started in self._open.values())
                self._open.clear()
            case _:
                assert_never(record)

    async def _store_ready(self) -> None:
        while self._ready:
            batch = tuple(islice(self._ready, BATCH_ENTRIES))
            await self._settle(batch)
            for _ in batch:
                self._ready.popleft()
            self._backlog.settled(entry.started.id for entry in batch)

    async def _settle(self, batch: Sequence[LedgerEntry]) -> None:
        try:
            await self._store.settle(batch)
        except Unstorable as error:
            if len(batch) == 1:
                self._backlog.reject(batch[0], str(error))
                return
            middle = len(batch) // 2
            await self._settle(batch[:middle])
            await self._settle(batch[middle:])

    async def _put_orphans_aside(self) -> None:
        """Ends without a start: stored in an earlier run, or their start was damaged and they cannot be a row."""
        if not self._orphans:
            return
        ids = [ended.id for ended in self._orphans]
        known = await self._store.known(ids)
        for ended in self._orphans:
            if ended.id not in known:
                self._backlog.reject(ended, "its start is missing")
        self._orphans.clear()
        self._backlog.settled(ids)
