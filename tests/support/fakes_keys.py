"""Keys in memory: they pass the same contract suites as the database's."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from relay.domain.keys import KeyRecord


@dataclass
class MemoryKeys:
    """Implements `ports.Keys`, and `KeyRepository` within the work that `open_work` gives."""

    records: dict[str, KeyRecord] = field(default_factory=dict)

    def find(self, public_id: str) -> KeyRecord | None:
        return self.records.get(public_id)

    def any_exist(self) -> bool:
        return bool(self.records)

    async def all(self) -> tuple[KeyRecord, ...]:
        return tuple(sorted(self.records.values(), key=lambda record: (record.created_ms, record.public_id)))

    async def add(self, record: KeyRecord) -> None:
        self.records[record.public_id] = record

    async def revoke(self, public_id: str, at_ms: int) -> None:
        self.records[public_id] = replace(self.records[public_id], revoked_ms=at_ms)

    @asynccontextmanager
    async def open_work(self) -> AsyncIterator["MemoryWork"]:
        work = MemoryWork(keys=MemoryKeys(dict(self.records)))
        yield work
        if work.is_committed:
            self.records = work.keys.records


@dataclass
class MemoryWork:
    """A change that is thrown away unless committed."""

    keys: MemoryKeys
    is_committed: bool = False

    async def commit(self) -> None:
        self.is_committed = True


class CountingEntropy:
    """Bytes that differ from call to call, and from nothing else."""

    def __init__(self) -> None:
        self._calls = 0

    def random_bytes(self, count: int) -> bytes:
        self._calls += 1
        return hashlib.sha256(self._calls.to_bytes(8)).digest()[:count]
