"""Settling: each attempt once, whatever fails and however often it is tried."""

from collections.abc import Sequence

import anyio
import pytest

from relay.application import settle_usage
from relay.application.settle_usage import BATCH_ENTRIES, SettleUsage, StoreUnavailable
from relay.domain.ledger import AttemptEnded, LedgerEntry, interrupted
from relay.domain.usage import Usage
from tests.support.fakes_ledger import MemoryLedger, MemoryUsageStore, Record
from tests.support.records import ended, entry, event_id, started

pytestmark = pytest.mark.anyio


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
def store() -> MemoryUsageStore:
    return MemoryUsageStore()


def write(ledger: MemoryLedger, *numbers: int) -> None:
    for number in numbers:
        ledger.begin(started(number))
    for number in numbers:
        ledger.end(ended(number))


async def test_an_ended_attempt_is_stored_and_let_go(ledger: MemoryLedger, store: MemoryUsageStore) -> None:
    write(ledger, 1, 2)
    assert await SettleUsage(ledger, store).catch_up()
    assert list(store.stored.values()) == [entry(1), entry(2)]
    assert await ledger.restarted().read() == []


async def test_an_open_attempt_waits_for_its_end(ledger: MemoryLedger, store: MemoryUsageStore) -> None:
    settle = SettleUsage(ledger, store)
    ledger.begin(started(1))
    assert await settle.catch_up()
    assert store.stored == {}
    ledger.end(ended(1))
    assert await settle.catch_up()
    assert store.stored == {event_id(1): entry(1)}


async def test_an_attempt_an_earlier_run_left_open_is_interrupted(store: MemoryUsageStore) -> None:
    ledger = MemoryLedger([started(1), started(2), ended(2)])
    ledger.begin(started(3))
    assert await SettleUsage(ledger, store).catch_up()
    assert store.stored == {event_id(1): interrupted(started(1)), event_id(2): entry(2)}
    row = store.stored[event_id(1)].ended
    assert (row.outcome, row.usage, row.usage_source) == (
        "interrupted",
        Usage(input_tokens=12),
        "estimated",
    )


async def test_replaying_the_same_spool_changes_nothing(store: MemoryUsageStore) -> None:
    older: list[Record] = [started(1), ended(1), started(2)]
    for _ in range(3):
        assert await SettleUsage(MemoryLedger(older), store).catch_up()
    assert store.stored == {event_id(1): entry(1), event_id(2): interrupted(started(2))}


async def test_a_store_that_is_away_loses_nothing_and_says_so(
    ledger: MemoryLedger, store: MemoryUsageStore
) -> None:
    settle = SettleUsage(ledger, store)
    store.is_away = True
    write(ledger, 1, 2, 3)
    assert not await settle.catch_up()
    assert settle.problem == "the store is away"
    assert settle.waiting_entries == 3
    assert len(await ledger.restarted().read()) == 7
    store.is_away = False
    assert await settle.catch_up()
    assert (settle.problem, settle.waiting_entries) == ("", 0)
    assert list(store.stored) == [event_id(1), event_id(2), event_id(3)]


async def test_while_the_store_is_away_the_spool_is_not_read_into_memory(
    ledger: MemoryLedger, store: MemoryUsageStore
) -> None:
    settle = SettleUsage(ledger, store)
    store.is_away = True
    write(ledger, 1)
    await settle.catch_up()
    write(ledger, 2, 3)
    await settle.catch_up()
    assert settle.waiting_entries == 1
    assert settle.unread_bytes == 4


async def test_a_store_lost_in_the_middle_of_many_batches_gets_the_rest_later(ledger: MemoryLedger) -> None:
    class Failing(MemoryUsageStore):
        async def settle(self, entries: Sequence[LedgerEntry]) -> None:
            if len(self.batches) == 1 and not self.is_away:
                self.is_away = True
            await super().settle(entries)

    store = Failing()
    settle = SettleUsage(ledger, store)
    write(ledger, *range(1200))
    assert not await settle.catch_up()
    assert len(store.stored) == BATCH_ENTRIES
    store.batches.append(0)
    store.is_away = False
    assert await settle.catch_up()
    assert list(store.stored) == [event_id(number) for number in range(1200)]


async def test_batches_are_bounded(ledger: MemoryLedger, store: MemoryUsageStore) -> None:
    write(ledger, *range(1234))
    assert await SettleUsage(ledger, store).catch_up()
    assert store.batches == [500, 500, 234]


async def test_one_entry_the_store_can_never_take_does_not_hold_up_the_others(
    ledger: MemoryLedger, store: MemoryUsageStore
) -> None:
    store.poison = {event_id(7), event_id(300), event_id(301)}
    write(ledger, *range(400))
    settle = SettleUsage(ledger, store)
    assert await settle.catch_up()
    assert store.stored.keys() == {event_id(number) for number in range(400)} - store.poison
    assert ledger.letters == [(entry(number), "a value does not fit") for number in (7, 300, 301)]
    assert await ledger.restarted().read() == []
    assert settle.problem == ""


async def test_an_end_whose_start_is_damaged_is_put_aside(
    ledger: MemoryLedger, store: MemoryUsageStore
) -> None:
    ledger.end(ended(1))
    assert await SettleUsage(ledger, store).catch_up()
    assert ledger.letters == [(ended(1), "its start is missing")]
    assert store.stored == {}


async def test_an_end_whose_attempt_is_stored_already_is_nothing_new(
    ledger: MemoryLedger, store: MemoryUsageStore
) -> None:
    write(ledger, 1)
    ledger.end(ended(1))
    assert await SettleUsage(ledger, store).catch_up()
    assert ledger.letters == []
    assert await ledger.restarted().read() == []


async def test_an_orphan_waits_for_the_store_that_knows(
    ledger: MemoryLedger, store: MemoryUsageStore
) -> None:
    settle = SettleUsage(ledger, store)
    store.is_away = True
    ledger.end(ended(1))
    assert not await settle.catch_up()
    assert ledger.letters == []
    store.is_away = False
    assert await settle.catch_up()
    assert len(ledger.letters) == 1


async def test_a_spool_that_cannot_be_read_or_put_aside_into_is_a_problem_not_a_crash(
    store: MemoryUsageStore,
) -> None:
    class Unreadable(MemoryLedger):
        def reject(self, what: LedgerEntry | AttemptEnded, reason: str) -> None:
            raise OSError("no space")

    ledger = Unreadable()
    ledger.end(ended(1))
    settle = SettleUsage(ledger, store)
    assert not await settle.catch_up()
    assert settle.problem == "no space"


async def test_a_nameless_failure_is_still_a_problem(ledger: MemoryLedger) -> None:
    class Mute(MemoryUsageStore):
        async def settle(self, entries: Sequence[LedgerEntry]) -> None:
            raise StoreUnavailable

    write(ledger, 1)
    settle = SettleUsage(ledger, Mute())
    assert not await settle.catch_up()
    assert settle.problem == "StoreUnavailable"


async def test_running_follows_the_spool(ledger: MemoryLedger, store: MemoryUsageStore) -> None:
    settle = SettleUsage(ledger, store)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(settle.run)
        for number in range(1, 4):
            write(ledger, number)
            with anyio.fail_after(1):
                while event_id(number) not in store.stored:
                    await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()


async def test_running_outlives_a_store_that_is_away_and_asks_it_less_and_less_often(
    ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away(MemoryUsageStore):
        asked = 0

        async def settle(self, entries: Sequence[LedgerEntry]) -> None:
            self.asked += 1
            await super().settle(entries)

    monkeypatch.setattr(settle_usage, "POLL_S", 0.01)
    monkeypatch.setattr(settle_usage, "MAX_PAUSE_S", 0.1)
    store = Away()
    store.is_away = True
    settle = SettleUsage(ledger, store)
    write(ledger, 1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(settle.run)
        await anyio.sleep(0.7)
        assert 4 <= store.asked <= 12
        store.is_away = False
        with anyio.fail_after(1):
            while not store.stored:
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert settle.problem == ""
