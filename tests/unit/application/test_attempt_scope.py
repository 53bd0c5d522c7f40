"""Attempts are cut at their deadline or at once, and take no one else's cancellation for their own."""

import asyncio

import pytest

from relay.application.attempt_scope import AttemptScope, Deadlines

pytestmark = pytest.mark.anyio


def scope_for(seconds: float, deadlines: Deadlines | None = None) -> AttemptScope:
    return AttemptScope(deadlines or Deadlines(), asyncio.get_running_loop().time() + seconds)


async def test_what_ends_in_time_is_left_alone() -> None:
    with scope_for(5.0) as scope:
        await asyncio.sleep(0)
    assert not scope.was_cut_short


async def test_a_deadline_ends_it() -> None:
    with scope_for(0.01) as scope:
        await asyncio.sleep(5)
    assert scope.was_cut_short
    await asyncio.sleep(0)  # nothing of the cancellation is left


async def test_it_can_be_ended_at_once_from_outside_of_any_task() -> None:
    with scope_for(5.0) as scope:
        asyncio.get_running_loop().call_later(0.01, scope.cut)
        await asyncio.sleep(5)
    assert scope.was_cut_short


async def test_a_cut_that_comes_too_late_to_be_felt_is_none() -> None:
    with scope_for(5.0) as scope:
        scope.cut()
    assert not scope.was_cut_short
    await asyncio.sleep(0)


async def test_a_cut_after_the_end_does_nothing() -> None:
    with scope_for(5.0) as scope:
        pass
    scope.cut()
    scope.cut_within(0.0)
    await asyncio.sleep(0.01)
    assert not scope.was_cut_short


async def test_the_cancellation_of_the_task_itself_passes_through() -> None:
    scopes: list[AttemptScope] = []

    async def attempt() -> None:
        with scope_for(5.0) as scope:
            scopes.append(scope)
            await asyncio.sleep(5)

    task = asyncio.create_task(attempt())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not scopes[0].was_cut_short


async def test_of_two_cancellations_the_other_one_is_left() -> None:
    async def attempt() -> None:
        with scope_for(5.0) as scope:
            scope.cut()
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(5)

    task = asyncio.create_task(attempt())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_is_not_hidden_by_a_cut() -> None:
    def fail(scope: AttemptScope) -> None:
        scope.cut()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), scope_for(5.0) as scope:
        fail(scope)


async def test_one_watch_ends_each_scope_at_its_own_time() -> None:
    deadlines = Deadlines()
    ended: list[str] = []

    async def attempt(name: str, seconds: float) -> None:
        with scope_for(seconds, deadlines) as scope:
            await asyncio.sleep(5)
        assert scope.was_cut_short
        ended.append(name)

    waits = {"third": 0.09, "first": 0.01, "second": 0.05}
    await asyncio.gather(*(attempt(name, seconds) for name, seconds in waits.items()))
    assert ended == ["first", "second", "third"]


async def test_a_deadline_can_be_brought_forward_and_not_put_off() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with scope_for(5.0) as scope:
        scope.cut_within(0.02)
        scope.cut_within(60.0)
        await asyncio.sleep(5)
    assert scope.was_cut_short
    assert loop.time() - began < 4
