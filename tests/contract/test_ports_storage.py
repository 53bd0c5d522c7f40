"""What a store of keys and of usage promises, held by SQLite and by the fakes alike."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from relay.adapters.outbound.storage.engine import Database
from relay.adapters.outbound.storage.key_records import SqlKeyListing
from relay.adapters.outbound.storage.key_ring import KeyRing
from relay.adapters.outbound.storage.schema import bring_up
from relay.adapters.outbound.storage.unit_of_work import open_work
from relay.adapters.outbound.storage.usage_store import SqlUsageStore
from relay.application.manage.keys import KeyListing, OpenWork
from relay.application.ports import Keys
from relay.application.settle_usage import UsageStore
from relay.domain.keys import KeyRecord
from relay.domain.tags import Tag
from tests.support.fakes_keys import MemoryKeys
from tests.support.fakes_ledger import MemoryUsageStore
from tests.support.records import entry, event_id

pytestmark = pytest.mark.anyio


@dataclass
class Storage:
    """The storage ports of one implementation; `refreshed` are the keys as a server sees them a moment later."""

    open_work: OpenWork
    listing: KeyListing
    usage: UsageStore
    ring: KeyRing | MemoryKeys

    async def refreshed(self) -> Keys:
        if isinstance(self.ring, KeyRing):
            await self.ring.refresh()
        return self.ring


@asynccontextmanager
async def in_memory(folder: Path) -> AsyncIterator[Storage]:
    keys = MemoryKeys()
    yield Storage(open_work=keys.open_work, listing=keys, usage=MemoryUsageStore(), ring=keys)


@asynccontextmanager
async def in_sqlite(folder: Path) -> AsyncIterator[Storage]:
    path = folder / "relay.db"
    bring_up(path)
    database = Database(path)
    try:
        yield Storage(
            open_work=partial(open_work, database),
            listing=SqlKeyListing(database.reader),
            usage=SqlUsageStore(database),
            ring=KeyRing(database.reader),
        )
    finally:
        await database.aclose()


@pytest.fixture(params=[in_memory, in_sqlite])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    opened: Callable[[Path], AbstractAsyncContextManager[Storage]] = request.param
    async with opened(tmp_path) as made:
        yield made


def record(name: str, created_ms: int = 1) -> KeyRecord:
    return KeyRecord(
        public_id=f"id-{name}",
        name=name,
        digest=bytes(range(32)),
        tags=(Tag("team", "büro", "key"), Tag("app", "x", "key")),
        models=("openai/*", "sonnet"),
        created_ms=created_ms,
        expires_ms=2**40,
        is_admin=True,
    )


async def add(storage: Storage, *records: KeyRecord) -> None:
    async with storage.open_work() as work:
        for each in records:
            await work.keys.add(each)
        await work.commit()


async def test_a_committed_key_is_found_as_it_was(storage: Storage) -> None:
    assert not (await storage.refreshed()).any_exist()
    await add(storage, record("web"))
    keys = await storage.refreshed()
    assert keys.any_exist()
    assert keys.find("id-web") == record("web")
    assert keys.find("id-other") is None
    assert await storage.listing.all() == (record("web"),)


async def test_what_is_not_committed_never_was(storage: Storage) -> None:
    async with storage.open_work() as work:
        await work.keys.add(record("web"))
        assert await work.keys.all() == (record("web"),)
    assert await storage.listing.all() == ()


async def test_what_fails_half_way_never_was(storage: Storage) -> None:
    async def fail_half_way() -> None:
        async with storage.open_work() as work:
            await work.keys.add(record("web"))
            raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        await fail_half_way()
    assert await storage.listing.all() == ()
    assert not (await storage.refreshed()).any_exist()


async def test_keys_are_listed_in_the_order_they_were_made(storage: Storage) -> None:
    await add(storage, record("b", 3), record("c", 1), record("a", 3))
    assert [each.name for each in await storage.listing.all()] == ["c", "a", "b"]


async def test_a_revoked_key_stays_and_says_when(storage: Storage) -> None:
    await add(storage, record("web"), record("other"))
    await storage.refreshed()
    async with storage.open_work() as work:
        await work.keys.revoke("id-web", 77)
        await work.commit()
    keys = await storage.refreshed()
    web, other = keys.find("id-web"), keys.find("id-other")
    assert web is not None
    assert other is not None
    assert (web.revoked_ms, web.tags) == (77, record("web").tags)
    assert not web.is_live(1)
    assert other.is_live(1)


async def test_each_id_is_stored_once_and_the_first_stays(storage: Storage) -> None:
    await storage.usage.settle([entry(1), entry(2)])
    await storage.usage.settle([entry(2, outcome="error"), entry(3)])
    assert await storage.usage.known([event_id(number) for number in range(5)]) == {
        event_id(1),
        event_id(2),
        event_id(3),
    }


async def test_nothing_is_known_of_nothing(storage: Storage) -> None:
    assert await storage.usage.known([]) == set()
    assert await storage.usage.known([event_id(9)]) == set()


async def test_many_ids_are_known_at_once(storage: Storage) -> None:
    await storage.usage.settle([entry(number) for number in range(1500)])
    ids = [event_id(number) for number in range(5000)]
    assert await storage.usage.known(ids) == set(ids[:1500])
